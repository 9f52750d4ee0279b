package host

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/octopii-go/octopii/runtime"
)

// unwind is the private signal that unwinds a job whose node is dead.
type unwind struct{}

// mortalFS is a file system for jobs: once the node is dead its calls do not
// return. It keeps account of what is open, because a job that unwinds cannot close it.
type mortalFS struct {
	fs   runtime.FS
	dead *atomic.Bool

	mu   sync.Mutex
	open map[io.Closer]struct{}
}

func newMortalFS(fs runtime.FS, dead *atomic.Bool) *mortalFS {
	return &mortalFS{fs: fs, dead: dead, open: map[io.Closer]struct{}{}}
}

// alive unwinds the calling job if the node is dead. It comes before each
// call, and again after it: the node may have died meanwhile.
func (m *mortalFS) alive() {
	if m.dead.Load() {
		panic(unwind{})
	}
}

func (m *mortalFS) add(c io.Closer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[c] = struct{}{}
}

func (m *mortalFS) drop(c io.Closer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, c)
}

// closeAll closes what the jobs left open: locks too. No job may be running.
func (m *mortalFS) closeAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all error
	for c := range m.open { //lint:sorted nothing depends on which is closed first
		all = errors.Join(all, c.Close())
	}
	clear(m.open)
	return all
}

// Create implements runtime.FS.
func (m *mortalFS) Create(name string) (runtime.File, error) {
	m.alive()
	return m.opened(m.fs.Create(name))
}

// Open implements runtime.FS.
func (m *mortalFS) Open(name string) (runtime.File, error) {
	m.alive()
	return m.opened(m.fs.Open(name))
}

func (m *mortalFS) opened(f runtime.File, err error) (runtime.File, error) {
	if err == nil {
		m.add(f) // before the job can be unwound
	}
	m.alive()
	if err != nil {
		return nil, err
	}
	return &mortalFile{file: f, fs: m}, nil
}

// Rename implements runtime.FS.
func (m *mortalFS) Rename(oldName, newName string) error {
	m.alive()
	err := m.fs.Rename(oldName, newName)
	m.alive()
	return err
}

// Remove implements runtime.FS.
func (m *mortalFS) Remove(name string) error { return m.onName(name, m.fs.Remove) }

// MkdirAll implements runtime.FS.
func (m *mortalFS) MkdirAll(dir string) error { return m.onName(dir, m.fs.MkdirAll) }

// SyncDir implements runtime.FS.
func (m *mortalFS) SyncDir(dir string) error { return m.onName(dir, m.fs.SyncDir) }

func (m *mortalFS) onName(name string, call func(string) error) error {
	m.alive()
	err := call(name)
	m.alive()
	return err
}

// List implements runtime.FS.
func (m *mortalFS) List(dir string) ([]string, error) {
	m.alive()
	names, err := m.fs.List(dir)
	m.alive()
	return names, err
}

// Lock implements runtime.FS.
func (m *mortalFS) Lock(name string) (io.Closer, error) {
	m.alive()
	lock, err := m.fs.Lock(name)
	if err == nil {
		m.add(lock)
	}
	m.alive()
	if err != nil {
		return nil, err
	}
	return &mortalCloser{lock, m}, nil
}

// mortalCloser closes what its FS keeps account of.
type mortalCloser struct {
	closer io.Closer
	fs     *mortalFS
}

// Close implements io.Closer.
func (c *mortalCloser) Close() error {
	c.fs.alive()
	c.fs.drop(c.closer)
	err := c.closer.Close()
	c.fs.alive()
	return err
}

// mortalFile is an open file of a mortalFS.
type mortalFile struct {
	file runtime.File
	fs   *mortalFS
}

// ReadAt implements runtime.File.
func (f *mortalFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.alive()
	n, err := f.file.ReadAt(p, off)
	f.fs.alive()
	return n, err
}

// WriteAt implements runtime.File.
func (f *mortalFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.alive()
	n, err := f.file.WriteAt(p, off)
	f.fs.alive()
	return n, err
}

// Allocate implements runtime.File.
func (f *mortalFile) Allocate(off, n int64, zero bool) error {
	f.fs.alive()
	err := f.file.Allocate(off, n, zero)
	f.fs.alive()
	return err
}

// Size implements runtime.File.
func (f *mortalFile) Size() (int64, error) {
	f.fs.alive()
	size, err := f.file.Size()
	f.fs.alive()
	return size, err
}

// Truncate implements runtime.File.
func (f *mortalFile) Truncate(size int64) error {
	f.fs.alive()
	err := f.file.Truncate(size)
	f.fs.alive()
	return err
}

// SyncData implements runtime.File.
func (f *mortalFile) SyncData() error { return f.do(f.file.SyncData) }

// Sync implements runtime.File.
func (f *mortalFile) Sync() error { return f.do(f.file.Sync) }

// DropCache implements runtime.File.
func (f *mortalFile) DropCache() error { return f.do(f.file.DropCache) }

// Close implements runtime.File.
func (f *mortalFile) Close() error { return (&mortalCloser{f.file, f.fs}).Close() }

func (f *mortalFile) do(call func() error) error {
	f.fs.alive()
	err := call()
	f.fs.alive()
	return err
}

var _ runtime.FS = (*mortalFS)(nil)
