//go:build linux && (amd64 || arm64 || loong64 || ppc64le || riscv64 || s390x)

package host

import (
	"os"
	"syscall"
)

// adviseDontNeed is POSIX_FADV_DONTNEED.
const adviseDontNeed = 4

// dropCache asks the kernel to forget the clean pages of the file. Length zero
// means up to its end.
func dropCache(fd uintptr) error {
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, fd, 0, 0, adviseDontNeed, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("fadvise", errno)
	}
	return nil
}
