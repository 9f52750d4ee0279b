package host

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// unwind is the private signal that unwinds a job whose node is dead.
type unwind struct{}

// openFiles are the files and locks that the jobs of a node have open, because a job that unwinds cannot close them.
type openFiles struct {
	dead *atomic.Bool

	mu   sync.Mutex
	open map[io.Closer]struct{}
}

func newOpenFiles(dead *atomic.Bool) *openFiles {
	return &openFiles{dead: dead, open: map[io.Closer]struct{}{}}
}

func (o *openFiles) add(c io.Closer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[c] = struct{}{}
}

func (o *openFiles) drop(c io.Closer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, c)
}

// closeAll closes what the jobs left open: locks too. No job may be running.
func (o *openFiles) closeAll() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all error
	for c := range o.open { //lint:sorted nothing depends on which is closed first
		all = errors.Join(all, c.Close())
	}
	clear(o.open)
	return all
}

// mortalFS is the file system of one lane: once the node is dead its calls do not return. It counts them, and
// lets the watchdog see in which one the lane is.
type mortalFS struct {
	fs      runtime.FS
	open    *openFiles
	watch   *watch
	metrics *metrics
}

// alive unwinds the calling job if the node is dead.
func (m *mortalFS) alive() {
	if m.open.dead.Load() {
		panic(unwind{})
	}
}

// enter comes before each call.
func (m *mortalFS) enter(call fileCall) {
	m.alive()
	m.metrics.calls[call].Inc()
	m.watch.enter()
}

// leave comes after each call: the node may have died meanwhile.
func (m *mortalFS) leave(call fileCall) {
	began := m.watch.leave()
	if call == callSync {
		m.metrics.syncs.Observe((time.Since(epoch) - began).Seconds())
	}
	m.alive()
}

// Create implements runtime.FS.
func (m *mortalFS) Create(name string) (runtime.File, error) {
	m.enter(callOpen)
	return m.opened(m.fs.Create(name))
}

// Open implements runtime.FS.
func (m *mortalFS) Open(name string) (runtime.File, error) {
	m.enter(callOpen)
	return m.opened(m.fs.Open(name))
}

func (m *mortalFS) opened(f runtime.File, err error) (runtime.File, error) {
	if err == nil {
		m.open.add(f) // before the job can be unwound
	}
	m.leave(callOpen)
	if err != nil {
		return nil, err
	}
	return &mortalFile{file: f, fs: m}, nil
}

// Rename implements runtime.FS.
func (m *mortalFS) Rename(oldName, newName string) error {
	m.enter(callName)
	err := m.fs.Rename(oldName, newName)
	m.leave(callName)
	return err
}

// Remove implements runtime.FS.
func (m *mortalFS) Remove(name string) error { return m.onName(callName, name, m.fs.Remove) }

// MkdirAll implements runtime.FS.
func (m *mortalFS) MkdirAll(dir string) error { return m.onName(callName, dir, m.fs.MkdirAll) }

// SyncDir implements runtime.FS.
func (m *mortalFS) SyncDir(dir string) error { return m.onName(callSync, dir, m.fs.SyncDir) }

func (m *mortalFS) onName(kind fileCall, name string, call func(string) error) error {
	m.enter(kind)
	err := call(name)
	m.leave(kind)
	return err
}

// List implements runtime.FS.
func (m *mortalFS) List(dir string) ([]string, error) {
	m.enter(callName)
	names, err := m.fs.List(dir)
	m.leave(callName)
	return names, err
}

// Lock implements runtime.FS.
func (m *mortalFS) Lock(name string) (io.Closer, error) {
	m.enter(callOpen)
	lock, err := m.fs.Lock(name)
	if err == nil {
		m.open.add(lock)
	}
	m.leave(callOpen)
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
	c.fs.enter(callClose)
	c.fs.open.drop(c.closer)
	err := c.closer.Close()
	c.fs.leave(callClose)
	return err
}

// mortalFile is an open file of a mortalFS.
type mortalFile struct {
	file runtime.File
	fs   *mortalFS
}

// ReadAt implements runtime.File.
func (f *mortalFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.enter(callRead)
	n, err := f.file.ReadAt(p, off)
	f.fs.metrics.read.Add(float64(n))
	f.fs.leave(callRead)
	return n, err
}

// WriteAt implements runtime.File.
func (f *mortalFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.enter(callWrite)
	n, err := f.file.WriteAt(p, off)
	f.fs.metrics.written.Add(float64(n))
	f.fs.leave(callWrite)
	return n, err
}

// Allocate implements runtime.File.
func (f *mortalFile) Allocate(off, n int64, zero bool) error {
	f.fs.enter(callAllocate)
	err := f.file.Allocate(off, n, zero)
	f.fs.leave(callAllocate)
	return err
}

// Size implements runtime.File.
func (f *mortalFile) Size() (int64, error) {
	f.fs.enter(callAllocate)
	size, err := f.file.Size()
	f.fs.leave(callAllocate)
	return size, err
}

// Truncate implements runtime.File.
func (f *mortalFile) Truncate(size int64) error {
	f.fs.enter(callAllocate)
	err := f.file.Truncate(size)
	f.fs.leave(callAllocate)
	return err
}

// SyncData implements runtime.File.
func (f *mortalFile) SyncData() error { return f.do(callSync, f.file.SyncData) }

// Sync implements runtime.File.
func (f *mortalFile) Sync() error { return f.do(callSync, f.file.Sync) }

// DropCache implements runtime.File.
func (f *mortalFile) DropCache() error { return f.do(callAllocate, f.file.DropCache) }

// Close implements runtime.File.
func (f *mortalFile) Close() error { return (&mortalCloser{f.file, f.fs}).Close() }

func (f *mortalFile) do(kind fileCall, call func() error) error {
	f.fs.enter(kind)
	err := call()
	f.fs.leave(kind)
	return err
}

var _ runtime.FS = (*mortalFS)(nil)
