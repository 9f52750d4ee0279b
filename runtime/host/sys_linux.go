package host

import (
	"os"
	"syscall"
)

// syncData flushes the bytes of the file, and of its metadata what is needed to read them.
func syncData(f *os.File) error {
	return onDescriptor(f, func(fd uintptr) error {
		return os.NewSyscallError("fdatasync", syscall.Fdatasync(int(fd)))
	})
}

// reserve allocates blocks and grows the file.
func reserve(fd uintptr, off, n int64) error {
	return os.NewSyscallError("fallocate", syscall.Fallocate(int(fd), 0, off, n))
}
