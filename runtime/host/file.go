package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/octopii-go/octopii/runtime"
)

// zeros is written by Allocate, piece by piece. The size of a piece becomes that of the folios in
// Linux's page cache, and every later write and sync pays for the folio it touches: measured on
// ext4, a write of 1 KiB and its fdatasync take 5 to 10% longer in folios of 1 MiB than of 64 KiB.
var zeros [64 << 10]byte

// osFile is an open file of a Folder.
type osFile struct {
	f *os.File
}

// ReadAt implements runtime.File.
func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.inRange("read", off, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := f.f.ReadAt(p, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, mapError(err)
}

// WriteAt implements runtime.File.
func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.inRange("write", off, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := f.f.WriteAt(p, off)
	return n, mapError(err)
}

// Allocate implements runtime.File. It must not run at the same time as a
// write beyond the end of the file, which it could overwrite with zeros.
func (f *osFile) Allocate(off, n int64, zero bool) error {
	if err := f.inRange("allocate", off, n); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	err = onDescriptor(f.f, func(fd uintptr) error { return reserve(fd, off, n) })
	if errors.Is(err, errors.ErrUnsupported) {
		// The file system cannot reserve. Its size can be set, and writing zeros reserves as well.
		err = f.Truncate(max(size, off+n))
	}
	if err != nil || !zero {
		return mapError(err)
	}
	for at, end := max(off, size), off+n; at < end; {
		part, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-at)], at)
		if err != nil {
			return err
		}
		at += int64(part)
	}
	return nil
}

// Size implements runtime.File.
func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, mapError(err)
	}
	return info.Size(), nil
}

// Truncate implements runtime.File.
func (f *osFile) Truncate(size int64) error {
	if err := f.inRange("truncate", 0, size); err != nil {
		return err
	}
	return mapError(f.f.Truncate(size))
}

// SyncData implements runtime.File.
func (f *osFile) SyncData() error { return mapError(syncData(f.f)) }

// Sync implements runtime.File.
func (f *osFile) Sync() error { return mapError(f.f.Sync()) }

// DropCache implements runtime.File. Where the operating system takes no such
// advice it does nothing.
func (f *osFile) DropCache() error { return mapError(onDescriptor(f.f, dropCache)) }

// Close implements runtime.File.
func (f *osFile) Close() error { return mapError(f.f.Close()) }

// inRange refuses offsets and lengths that no file has.
func (f *osFile) inRange(op string, off, n int64) error {
	if off < 0 || n < 0 || off > math.MaxInt64-n {
		err := fmt.Errorf("%w: %d bytes at %d", fs.ErrInvalid, n, off)
		return &fs.PathError{Op: op, Path: f.f.Name(), Err: err}
	}
	return nil
}

var _ runtime.File = (*osFile)(nil)
