//go:build !linux

package host

import (
	"errors"
	"os"
)

// syncData flushes everything, for want of less. On darwin and on Windows that empties the device's cache, too: there
// File.Sync is F_FULLFSYNC, which fsync alone is not, and FlushFileBuffers.
func syncData(f *os.File) error { return f.Sync() }

// reserve is not to be had.
func reserve(fd uintptr, off, n int64) error { return errors.ErrUnsupported }
