package host

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"

	"github.com/octopii-go/octopii/runtime"
)

// lockedAt is the byte that is locked, far beyond the end of any file: a lock of this system keeps others from reading and
// writing what is locked.
const lockedAt = 1 << 30 // times 4 GiB

// tryLock takes an exclusive lock on an open file. It belongs to the handle, so that two in one process exclude each
// other too, and goes with it.
func tryLock(fd uintptr) error { return lockFile(fd, windows.LOCKFILE_EXCLUSIVE_LOCK) }

// tryShare takes a lock that others may share and that tryLock excludes.
func tryShare(fd uintptr) error { return lockFile(fd, 0) }

func lockFile(fd uintptr, flags uint32) error {
	at := windows.Overlapped{OffsetHigh: lockedAt}
	err := windows.LockFileEx(windows.Handle(fd), flags|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return fmt.Errorf("%w: %w", runtime.ErrLocked, err)
	}
	return os.NewSyscallError("LockFileEx", err)
}
