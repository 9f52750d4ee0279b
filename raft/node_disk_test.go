package raft

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// testDisk is a runtime.FS in memory. It forgets nothing; what power losses do
// is tested elsewhere. The hook may make any call fail before it has an effect.
type testDisk struct {
	files   map[string]*testFile
	dirs    map[string]bool
	lock    *testLock
	calls   int
	changes []string // what was done to names, and syncs, for tests to look at
	fail    func(op, name string) error
}

func newTestDisk() *testDisk {
	return &testDisk{files: map[string]*testFile{}, dirs: map[string]bool{".": true}}
}

// call counts a file call and asks the hook.
func (d *testDisk) call(op, name string) error {
	d.calls++
	switch op {
	case "create", "rename", "remove", "syncdir", "sync":
		d.changes = append(d.changes, op+" "+name)
	}
	if d.fail != nil {
		return d.fail(op, name)
	}
	return nil
}

func (d *testDisk) Create(name string) (runtime.File, error) {
	if err := d.call("create", name); err != nil {
		return nil, err
	}
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	f := &testFile{disk: d, name: name}
	d.files[name] = f
	return f, nil
}

func (d *testDisk) Open(name string) (runtime.File, error) {
	if err := d.call("open", name); err != nil {
		return nil, err
	}
	if f := d.files[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (d *testDisk) Rename(from, to string) error {
	if err := d.call("rename", to); err != nil {
		return err
	}
	f := d.files[from]
	if f == nil {
		return fs.ErrNotExist
	}
	delete(d.files, from)
	f.name = to
	d.files[to] = f
	return nil
}

func (d *testDisk) Remove(name string) error {
	if err := d.call("remove", name); err != nil {
		return err
	}
	if d.files[name] == nil && !d.dirs[name] {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	delete(d.dirs, name)
	return nil
}

func (d *testDisk) List(dir string) ([]string, error) {
	if err := d.call("list", dir); err != nil {
		return nil, err
	}
	if !d.dirs[dir] {
		return nil, fs.ErrNotExist
	}
	var names []string
	for name := range d.files {
		if rest, in := strings.CutPrefix(name, dir+"/"); in && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *testDisk) MkdirAll(dir string) error {
	if err := d.call("mkdir", dir); err != nil {
		return err
	}
	for i, c := range dir + "/" {
		if c == '/' {
			d.dirs[dir[:i]] = true
		}
	}
	return nil
}

func (d *testDisk) SyncDir(dir string) error { return d.call("syncdir", dir) }

// testLock is a lock that dies with the process: a new one is taken over.
type testLock struct{ disk *testDisk }

func (d *testDisk) Lock(name string) (io.Closer, error) {
	if d.lock != nil {
		return nil, runtime.ErrLocked
	}
	d.lock = &testLock{d}
	return d.lock, nil
}

func (l *testLock) Close() error {
	l.disk.lock = nil
	return nil
}

// testFile is a file of a testDisk, and its own handle.
type testFile struct {
	disk *testDisk
	name string
	data []byte
}

func (f *testFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.call("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *testFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.call("write", f.name); err != nil {
		return 0, err
	}
	f.grow(off + int64(len(p)))
	return copy(f.data[off:], p), nil
}

func (f *testFile) grow(size int64) {
	if more := size - int64(len(f.data)); more > 0 {
		f.data = append(f.data, make([]byte, more)...)
	}
}

func (f *testFile) Allocate(off, n int64, zero bool) error {
	if err := f.disk.call("allocate", f.name); err != nil {
		return err
	}
	f.grow(off + n)
	return nil
}

func (f *testFile) Size() (int64, error) {
	return int64(len(f.data)), f.disk.call("size", f.name)
}

func (f *testFile) Truncate(size int64) error {
	if err := f.disk.call("truncate", f.name); err != nil {
		return err
	}
	f.grow(size)
	f.data = f.data[:size]
	return nil
}

func (f *testFile) SyncData() error  { return f.disk.call("sync", f.name) }
func (f *testFile) Sync() error      { return f.disk.call("sync", f.name) }
func (f *testFile) DropCache() error { return f.disk.call("dropcache", f.name) }
func (f *testFile) Close() error     { return nil }

// snapshots returns the names in the folder of snapshots of a default node.
func (d *testDisk) snapshots() []string {
	names, err := d.List("raft/snap")
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return names
}
