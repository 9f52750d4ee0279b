//go:build !windows

package host

import "os"

// syncDir makes the entries of an open folder durable: names that were made, changed or removed before.
func syncDir(f *os.File) error { return f.Sync() }
