package group

import (
	"io"
	"io/fs"
	goruntime "runtime"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// hookFS hands every call that changes or syncs something to a function, which
// makes the call, or does not. The sync of a file of which nothing was written since
// the last, which is that of the zeros of a spare segment, is a "sync zeros"; those of Close
// are a "sync end". To allocate without zeros is to "reserve".
type hookFS struct {
	runtime.FS
	around func(op, name string, call func() error) error
}

func (h *hookFS) Create(name string) (f runtime.File, err error) {
	err = h.around("create", name, func() error { f, err = h.FS.Create(name); return err })
	return h.wrap(name, f), err
}

func (h *hookFS) Open(name string) (runtime.File, error) {
	f, err := h.FS.Open(name)
	return h.wrap(name, f), err
}

func (h *hookFS) Rename(from, to string) error {
	return h.around("rename", from, func() error { return h.FS.Rename(from, to) })
}

func (h *hookFS) Remove(name string) error {
	return h.around("remove", name, func() error { return h.FS.Remove(name) })
}

func (h *hookFS) SyncDir(dir string) error {
	return h.around("sync folder", dir, func() error { return h.FS.SyncDir(dir) })
}

func (h *hookFS) wrap(name string, f runtime.File) runtime.File {
	if f == nil {
		return nil
	}
	return &hookFile{File: f, name: name, around: h.around}
}

type hookFile struct {
	runtime.File
	name   string
	around func(op, name string, call func() error) error
	wrote  bool
}

func (f *hookFile) WriteAt(p []byte, off int64) (n int, err error) {
	f.wrote = true
	err = f.around("write", f.name, func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f *hookFile) Allocate(off, n int64, zero bool) error {
	op := "reserve"
	if zero {
		op = "allocate"
	}
	return f.around(op, f.name, func() error { return f.File.Allocate(off, n, zero) })
}

func (f *hookFile) SyncData() error {
	op := "sync zeros"
	switch {
	case strings.Contains(stack(), "(*Log).markEnd("):
		op = "sync end"
	case f.wrote:
		op = "sync data"
	}
	f.wrote = false
	return f.around(op, f.name, f.File.SyncData)
}

func (f *hookFile) Sync() error { return f.around("sync", f.name, f.File.Sync) }

// stack returns the stack of the calling goroutine.
func stack() string {
	p := make([]byte, 1<<14)
	return string(p[:goruntime.Stack(p, false)])
}

// voidFS keeps nothing: file calls cost next to nothing.
type voidFS struct{}

type voidFile struct{}

func (voidFS) Create(string) (runtime.File, error) { return voidFile{}, nil }
func (voidFS) Open(string) (runtime.File, error)   { return voidFile{}, nil }
func (voidFS) Rename(string, string) error         { return nil }
func (voidFS) Remove(string) error                 { return nil }
func (voidFS) List(string) ([]string, error)       { return nil, fs.ErrNotExist }
func (voidFS) MkdirAll(string) error               { return nil }
func (voidFS) SyncDir(string) error                { return nil }
func (voidFS) Lock(string) (io.Closer, error)      { return io.NopCloser(nil), nil }

func (voidFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (voidFile) Allocate(int64, int64, bool) error      { return nil }
func (voidFile) Size() (int64, error)                   { return 0, nil }
func (voidFile) Truncate(int64) error                   { return nil }
func (voidFile) SyncData() error                        { return nil }
func (voidFile) Sync() error                            { return nil }
func (voidFile) DropCache() error                       { return nil }
func (voidFile) Close() error                           { return nil }
