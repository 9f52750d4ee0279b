package walrus

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/octopii-go/octopii/runtime"
)

// attemptsMax is how often a file call is made in all before its error counts.
const attemptsMax = 8

// Retry makes a file call of another package with the attempts that the log
// gives its own. The call must promise nothing about durability.
func Retry(call func() error) error { return retry(call) }

// retry is the one place where file calls are made again. It serves calls
// that promise nothing about durability: create, open, read, write, list,
// rename, remove. A write may be repeated because the bytes are the same and
// nobody has been told of them. A failed sync is never repeated, here or
// anywhere: it marks the pages clean, so that the next one succeeds without
// writing them.
func retry(call func() error) error {
	var err error
	for range attemptsMax {
		if err = call(); err == nil || definite(err) {
			return err
		}
	}
	return err
}

// definite reports whether an error is an answer rather than a failure.
func definite(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrInvalid) ||
		errors.Is(err, fs.ErrClosed) || errors.Is(err, runtime.ErrLocked) || errors.Is(err, runtime.ErrNoSpace)
}

// disk is an FS whose calls have been given their attempts.
type disk struct {
	fs runtime.FS
}

func (d disk) lock(name string) (lock io.Closer, err error) {
	err = retry(func() error { lock, err = d.fs.Lock(name); return err })
	return lock, err
}

func (d disk) list(dir string) (names []string, err error) {
	err = retry(func() error { names, err = d.fs.List(dir); return err })
	return names, err
}

func (d disk) mkdirAll(dir string) error {
	return retry(func() error { return d.fs.MkdirAll(dir) })
}

func (d disk) open(name string) (f runtime.File, err error) {
	err = retry(func() error { f, err = d.fs.Open(name); return err })
	return f, err
}

// create makes the file anew: what had the name, be it a leftover of an
// earlier attempt, goes.
func (d disk) create(name string) (f runtime.File, err error) {
	err = retry(func() error {
		f, err = d.fs.Create(name)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err = d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err = d.fs.Create(name)
		return err
	})
	return f, err
}

// rename gives a file its final name. An attempt that failed may have taken
// effect all the same: then the old name is gone at the next.
func (d disk) rename(from, to string) error {
	again := false
	return retry(func() error {
		err := d.fs.Rename(from, to)
		if again && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		again = true
		return err
	})
}

// remove takes a name away; that it was gone already is a success.
func (d disk) remove(name string) error {
	err := retry(func() error { return d.fs.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes the names in a folder durable. It has one attempt.
func (d disk) syncDir(dir string) error {
	if err := d.fs.SyncDir(dir); err != nil {
		return failed("sync folder "+dir, err)
	}
	return nil
}

// syncParents makes the folder's own name durable, and those above it.
func (d disk) syncParents(dir string) error {
	for p := dir; p != "."; p = path.Dir(p) {
		if err := d.syncDir(path.Dir(p)); err != nil {
			return err
		}
	}
	return nil
}

// writeAll writes p at off. After an error the range holds anything.
func writeAll(f runtime.File, p []byte, off int64) error {
	return retry(func() error {
		n, err := f.WriteAt(p, off)
		if err == nil && n < len(p) {
			return io.ErrShortWrite
		}
		return err
	})
}

// readUpTo reads at off until p is full or the file ends, and returns how much
// it read. An I/O error is an error, never the end of the file.
func readUpTo(f runtime.File, p []byte, off int64) (n int, err error) {
	err = retry(func() error {
		n, err = f.ReadAt(p, off)
		if n == len(p) || errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			return io.ErrNoProgress
		}
		return err
	})
	return n, err
}

func sizeOf(f runtime.File) (size int64, err error) {
	err = retry(func() error { size, err = f.Size(); return err })
	return size, err
}

// allocate reserves and zeroes a range past the file's end.
func allocate(f runtime.File, off, n int64) error {
	return retry(func() error { return f.Allocate(off, n, true) })
}

// dropCache makes later reads of clean bytes come from the device.
func dropCache(f runtime.File) error {
	return retry(f.DropCache)
}
