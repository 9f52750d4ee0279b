package group

import (
	"sync/atomic"

	"github.com/octopii-go/octopii/runtime"
)

// Stats counts what a log has done since it was opened.
type Stats struct {
	Batches uint64 // made durable
	Records uint64 // entries and stable values in them, and values repeated in a new segment
	Payload uint64 // bytes of them
	Groups  uint64 // that they shared: each was one write and one sync
	Syncs   uint64 // of files and folders, those of Open and of chores too
	Written uint64 // bytes given to the file system, those of Open and of chores too
	// Reopened counts the failed flushes after which the log went on, see walrus.Options.Reopen.
	Reopened uint64
}

// Stats returns the counters of now.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, of := l.stats, l.log.Stats()
	s.Records, s.Payload, s.Reopened = of.Records, of.PayloadBytes, of.Reopened
	s.Syncs, s.Written = l.disk.syncs.Load(), l.disk.written.Load()
	return s
}

// counted is an FS that counts syncs and bytes written.
type counted struct {
	runtime.FS
	syncs, written atomic.Uint64
}

// Create implements runtime.FS.
func (c *counted) Create(name string) (runtime.File, error) {
	return c.wrap(c.FS.Create(name))
}

// Open implements runtime.FS.
func (c *counted) Open(name string) (runtime.File, error) {
	return c.wrap(c.FS.Open(name))
}

// SyncDir implements runtime.FS.
func (c *counted) SyncDir(dir string) error {
	c.syncs.Add(1)
	return c.FS.SyncDir(dir)
}

func (c *counted) wrap(f runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	return &countedFile{File: f, by: c}, nil
}

// countedFile is a file of a counted FS.
type countedFile struct {
	runtime.File
	by *counted
}

// WriteAt implements runtime.File.
func (f *countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.by.written.Add(uint64(max(n, 0)))
	return n, err
}

// Allocate implements runtime.File. Zeros count as written.
func (f *countedFile) Allocate(off, n int64, zero bool) error {
	err := f.File.Allocate(off, n, zero)
	if err == nil && zero {
		f.by.written.Add(uint64(n))
	}
	return err
}

// SyncData implements runtime.File.
func (f *countedFile) SyncData() error {
	f.by.syncs.Add(1)
	return f.File.SyncData()
}

// Sync implements runtime.File.
func (f *countedFile) Sync() error {
	f.by.syncs.Add(1)
	return f.File.Sync()
}

var (
	_ runtime.FS   = (*counted)(nil)
	_ runtime.File = (*countedFile)(nil)
)
