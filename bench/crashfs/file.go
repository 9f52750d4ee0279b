package crashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/octopii-go/octopii/runtime"
)

// File is an open file of a Disk.
type File struct {
	d *Disk
	f vfs.File // nil once closed
	n *node
}

// FileMax is the largest file, in bytes: there are no holes, and they are made byte by byte.
const FileMax = 16 << 20

// do makes a call on an open file, about n bytes at off.
func (f *File) do(off, n int64, effect func() error) error {
	return f.d.call(func() error {
		switch {
		case f.f == nil:
			return fs.ErrClosed
		case off < 0 || n < 0 || off > math.MaxInt64-n:
			return fs.ErrInvalid
		}
		return effect()
	})
}

// ReadAt implements runtime.File.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.do(off, int64(len(p)), func() error {
		if len(p) > 0 {
			n, err = f.f.ReadAt(p, off)
		}
		return err
	})
	return n, err
}

// WriteAt implements runtime.File.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.do(off, int64(len(p)), func() error {
		if off+int64(len(p)) > FileMax {
			return runtime.ErrNoSpace
		}
		if len(p) > 0 {
			n, err = f.f.WriteAt(append([]byte(nil), p...), off) // it may change what it is given
		}
		return err
	})
	return n, err
}

// Allocate implements runtime.File.
func (f *File) Allocate(off, n int64, _ bool) error {
	return f.do(off, n, func() error {
		if off+n > FileMax {
			return runtime.ErrNoSpace
		}
		size, err := f.size()
		if end := off + n; err == nil && n > 0 && end > size {
			_, err = f.f.WriteAt(make([]byte, end-size), size)
		}
		return err
	})
}

func (f *File) size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Size implements runtime.File.
func (f *File) Size() (size int64, err error) {
	err = f.do(0, 0, func() error { size, err = f.size(); return err })
	return size, err
}

// Truncate implements runtime.File. Pebble's file system cannot do it, and the log does not.
func (f *File) Truncate(size int64) error {
	return f.do(size, 0, func() error { return errors.ErrUnsupported })
}

// SyncData implements runtime.File.
func (f *File) SyncData() error { return f.sync() }

// Sync implements runtime.File.
func (f *File) Sync() error { return f.sync() }

// sync makes the file durable. If it fails, its pages are clean from then on: later syncs
// succeed and write nothing, until somebody has dropped the cache.
func (f *File) sync() error {
	return f.do(0, 0, func() error {
		if f.n.stale || f.d.lies("sync") {
			return nil
		}
		if f.d.rng.IntN(1000) < f.d.SyncFails {
			f.n.stale = true
			return fmt.Errorf("sync of %s: %w", f.n.name, runtime.ErrIO)
		}
		return f.f.Sync()
	})
}

// DropCache implements runtime.File. After a failed sync it brings back what the device has.
func (f *File) DropCache() error {
	return f.do(0, 0, func() error {
		if !f.n.stale {
			return nil
		}
		f.n.stale = false
		size, err := f.size()
		if err != nil {
			return err
		}
		held := make([]byte, size)
		if device, err := f.d.mem.CrashClone(vfs.CrashCloneCfg{}).Open(f.n.name); err == nil {
			defer device.Close()
			if _, err := device.ReadAt(held, 0); err != nil && err != io.EOF {
				return err
			}
		}
		_, err = f.f.WriteAt(held, 0)
		return err
	})
}

// Close implements runtime.File.
func (f *File) Close() error {
	return f.do(0, 0, func() error {
		file := f.f
		f.f = nil
		return file.Close()
	})
}

var (
	_ runtime.FS   = (*Disk)(nil)
	_ runtime.File = (*File)(nil)
)
