package main

import (
	"path/filepath"

	"github.com/tidwall/wal"
)

// tidwallStore is tidwall/wal with its default options: segments of 20 MB,
// and an fsync a Write or WriteBatch. Reads do not copy, which it offers and
// which a reader that does not keep the entry would choose.
type tidwallStore struct {
	log   *wal.Log
	next  uint64
	batch wal.Batch
}

func openTidwall(s setup) (store, error) {
	o := *wal.DefaultOptions
	o.NoSync, o.NoCopy = s.noSync, true
	log, err := wal.Open(filepath.Join(s.dir, "log"), &o)
	if err != nil {
		return nil, err
	}
	return &tidwallStore{log: log, next: 1}, nil
}

func (t *tidwallStore) append(payloads [][]byte) error {
	if len(payloads) == 1 {
		return t.write(payloads[0])
	}
	t.batch.Clear()
	for _, p := range payloads {
		t.batch.Write(t.next, p)
		t.next++
	}
	return t.log.WriteBatch(&t.batch)
}

func (t *tidwallStore) write(payload []byte) error {
	t.next++
	return t.log.Write(t.next-1, payload)
}

// drain has nothing to do: every Write is a call to the operating system.
func (t *tidwallStore) drain() error { return nil }

func (t *tidwallStore) scan() (n int64, err error) {
	first, err := t.log.FirstIndex()
	if err != nil {
		return 0, err
	}
	for i := first; i < t.next; i++ {
		p, err := t.log.Read(i)
		if err != nil {
			return n, err
		}
		n += int64(len(p))
	}
	return n, nil
}

func (t *tidwallStore) read(index uint64) ([]byte, error) { return t.log.Read(index) }

func (t *tidwallStore) cutBack(n int, payload []byte) error {
	t.next -= uint64(n)
	if err := t.log.TruncateBack(t.next - 1); err != nil {
		return err
	}
	return t.write(payload)
}

func (t *tidwallStore) cutFront(n int, payload []byte) error {
	first, err := t.log.FirstIndex()
	if err != nil {
		return err
	}
	if err := t.log.TruncateFront(first + uint64(n)); err != nil {
		return err
	}
	return t.write(payload)
}

// forget empties its cache of two whole segments. The newest one it keeps in memory all the same,
// so that a log of less than 20 MB, as in a quick run, is never read from its file.
func (t *tidwallStore) forget() error   { return t.log.ClearCache() }
func (t *tidwallStore) remember() error { return nil }

func (t *tidwallStore) close() error { return t.log.Close() }
