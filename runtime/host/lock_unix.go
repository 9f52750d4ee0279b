//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package host

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/octopii-go/octopii/runtime"
)

// tryLock takes an exclusive lock on an open file. It belongs to the open
// file, so that two in one process exclude each other too, and goes with it.
func tryLock(fd uintptr) error {
	err := syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: %w", runtime.ErrLocked, err)
	}
	return os.NewSyscallError("flock", err)
}

// tryShare takes a lock that others may share and that tryLock excludes.
func tryShare(fd uintptr) error {
	err := syscall.Flock(int(fd), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: %w", runtime.ErrLocked, err)
	}
	return os.NewSyscallError("flock", err)
}
