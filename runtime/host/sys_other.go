//go:build !linux

package host

import (
	"errors"
	"os"
)

// syncData flushes everything, for want of less.
func syncData(f *os.File) error { return f.Sync() }

// reserve is not to be had.
func reserve(fd uintptr, off, n int64) error { return errors.ErrUnsupported }
