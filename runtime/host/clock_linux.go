package host

import (
	"syscall"
	"time"
	"unsafe"
)

// clockBootTime is CLOCK_BOOTTIME.
const clockBootTime = 7

// suspensionClock reads a monotonic clock that counts suspension.
func suspensionClock() (time.Duration, bool) {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBootTime, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano()), errno == 0
}
