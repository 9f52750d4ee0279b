package main

import (
	"errors"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	pebbleFileBytes    = 64 << 20
	pebbleBytesPerSync = 512 << 10 // pebble's default
)

// pebbleStore is the log writer of pebble, set up as pebble's WAL manager does:
// a syncing file that reserves 110% of a memtable of 64 MiB ahead, durable
// offsets in the format, and a semaphore around the queue of syncs. A batch is
// one record, as a batch of pebble is. Many writers take turns in handing records
// over, as in pebble's commit pipeline, and wait for their sync outside.
//
// The log has no index and no entries: it is read from front to back, and
// cut by changing to another file.
type pebbleStore struct {
	path  string
	w     *record.LogWriter
	first bool // it is the first log in its file, not one that recycles it
	queue chan struct{}
	buf   []byte

	mu    sync.Mutex
	waits sync.Pool // of *pebbleWait
}

// pebbleWait is one writer's wait for durability.
type pebbleWait struct {
	sync.WaitGroup
	err error
}

// openPebble starts a log in a new file, as before the first log has become obsolete.
func openPebble(s setup) (store, error) {
	p := newPebble(s)
	f, err := vfs.Default.Create(p.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	p.first = true
	p.w = record.NewLogWriter(pebbleFile(f, s), 1, p.config())
	return p, nil
}

// openPebbleRecycled starts a log in the file of an older one, which is what
// pebble does whenever it can.
func openPebbleRecycled(s setup) (store, error) {
	first, err := openPebble(setup{dir: s.dir, noSync: true})
	if err != nil {
		return nil, err
	}
	old := first.(*pebbleStore)
	for payload := make([]byte, 64<<10); old.w.Size() < pebbleFileBytes; {
		if err := old.write(payload); err != nil {
			return nil, err
		}
	}
	if err := old.close(); err != nil {
		return nil, err
	}
	p := newPebble(s)
	p.path += "-2"
	f, err := vfs.Default.ReuseForWrite(old.path, p.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	p.w = record.NewLogWriter(pebbleFile(f, s), 2, p.config())
	return p, nil
}

func newPebble(s setup) *pebbleStore {
	p := &pebbleStore{path: vfs.Default.PathJoin(s.dir, "log"), queue: make(chan struct{}, record.SyncConcurrency)}
	p.waits.New = func() any { return new(pebbleWait) }
	return p
}

func (p *pebbleStore) config() record.LogWriterConfig {
	return record.LogWriterConfig{QueueSemChan: p.queue, WriteWALSyncOffsets: func() bool { return true }}
}

func pebbleFile(f vfs.File, s setup) vfs.File {
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: pebbleBytesPerSync, PreallocateSize: pebbleFileBytes / 10 * 11})
	if s.noSync {
		return unsyncedFile{f}
	}
	return f
}

// unsyncedFile does not sync when asked to.
type unsyncedFile struct {
	vfs.File
}

func (unsyncedFile) Sync() error     { return nil }
func (unsyncedFile) SyncData() error { return nil }

func (p *pebbleStore) append(payloads [][]byte) error {
	if len(payloads) == 1 {
		return p.appendShared(payloads[0])
	}
	p.buf = p.buf[:0]
	for _, payload := range payloads {
		p.buf = append(p.buf, payload...)
	}
	return p.appendShared(p.buf)
}

// appendSingly makes each payload a record of its own, and the last one durable.
func (p *pebbleStore) appendSingly(payloads [][]byte) error {
	last := len(payloads) - 1
	for _, payload := range payloads[:last] {
		if err := p.write(payload); err != nil {
			return err
		}
	}
	return p.appendShared(payloads[last])
}

func (p *pebbleStore) appendShared(payload []byte) error {
	wait := p.waits.Get().(*pebbleWait)
	defer p.waits.Put(wait)
	wait.err = nil
	wait.Add(1)
	p.queue <- struct{}{}
	p.mu.Lock()
	_, err := p.w.SyncRecord(payload, &wait.WaitGroup, &wait.err)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	wait.Wait()
	return wait.err
}

func (p *pebbleStore) write(payload []byte) error {
	_, err := p.w.WriteRecord(payload)
	return err
}

func (p *pebbleStore) drain() error { return p.appendShared(nil) }

func (p *pebbleStore) scan() (n int64, err error) {
	f, err := vfs.Default.Open(p.path)
	if err != nil {
		return 0, err
	}
	r := record.NewReader(f, 2)
	if p.first {
		r = record.NewReader(f, 1)
	}
	for {
		next, err := r.Next()
		if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) { // a log that is not closed has no end mark
			return n, f.Close()
		}
		if err != nil {
			return n, errors.Join(err, f.Close())
		}
		if p.buf, err = readInto(p.buf[:0], next); err != nil {
			return n, errors.Join(err, f.Close())
		}
		n += int64(len(p.buf))
	}
}

// readInto is io.ReadAll into memory there is.
func readInto(buf []byte, r io.Reader) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

func (p *pebbleStore) close() error { return p.w.Close() }
