package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/octopii-go/octopii/runtime"
)

// noSpace are the ways in which a device is full.
var noSpace = []error{syscall.ENOSPC, syscall.EDQUOT}

// mapError makes an error of the operating system match the errors of the
// contract too. It stays in the chain; those of io/fs match by themselves.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.EIO) {
		return fmt.Errorf("%w: %w", runtime.ErrIO, err)
	}
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", runtime.ErrNoSpace, err)
		}
	}
	return err
}

// onDescriptor makes a system call on the open file, again when a signal interrupts it.
func onDescriptor(f *os.File, call func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if callErr = call(fd); !errors.Is(callErr, syscall.EINTR) {
				return
			}
		}
	})
	if err != nil {
		// The descriptor could not be had, for which there is one reason.
		return &fs.PathError{Op: "use", Path: f.Name(), Err: fs.ErrClosed}
	}
	return callErr
}
