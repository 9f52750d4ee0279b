package main

import (
	"path/filepath"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	raftwal "github.com/hashicorp/raft-wal"
)

// hashiStore is a log store of hashicorp/raft, called the way that library
// calls it: StoreLogs with the entries of a batch, DeleteRange before entries that
// conflict and after a snapshot, GetLog for reads.
type hashiStore struct {
	raft.LogStore
	shut func() error
	next uint64
	logs []*raft.Log
	got  raft.Log
}

// openRaftWAL opens hashicorp/raft-wal as Consul does: its defaults, which are segments
// of 64 MiB and meta data in bbolt. It has no batching of its own: raft's
// leader loop collects, so for many writers the harness does.
func openRaftWAL(s setup) (store, error) {
	if s.noSync {
		return nil, errNotOffered // it syncs every StoreLogs
	}
	w, err := raftwal.Open(s.dir)
	if err != nil {
		return nil, err
	}
	return &hashiStore{LogStore: w, shut: w.Close, next: 1}, nil
}

// append hands the entries of a batch over.
func (h *hashiStore) append(payloads [][]byte) error {
	for len(h.logs) < len(payloads) {
		h.logs = append(h.logs, new(raft.Log))
	}
	for i, p := range payloads {
		*h.logs[i] = raft.Log{Index: h.next, Term: 1, Type: raft.LogCommand, Data: p}
		h.next++
	}
	return h.StoreLogs(h.logs[:len(payloads)])
}

func (h *hashiStore) scan() (n int64, err error) {
	first, err := h.FirstIndex()
	if err != nil {
		return 0, err
	}
	for i := first; i < h.next; i++ {
		if err := h.GetLog(i, &h.got); err != nil {
			return n, err
		}
		n += int64(len(h.got.Data))
	}
	return n, nil
}

func (h *hashiStore) read(index uint64) ([]byte, error) {
	err := h.GetLog(index, &h.got)
	return h.got.Data, err
}

func (h *hashiStore) cutBack(n int, payload []byte) error {
	if err := h.DeleteRange(h.next-uint64(n), h.next-1); err != nil {
		return err
	}
	h.next -= uint64(n)
	return h.append([][]byte{payload})
}

func (h *hashiStore) cutFront(n int, payload []byte) error {
	first, err := h.FirstIndex()
	if err != nil {
		return err
	}
	if err := h.DeleteRange(first, first+uint64(n)-1); err != nil {
		return err
	}
	return h.append([][]byte{payload})
}

func (h *hashiStore) close() error { return h.shut() }

// boltStore is hashicorp/raft-boltdb, which is bbolt with a key an entry, opened as Consul and
// Nomad open it: all options at their defaults, so that a transaction syncs. It is fair to it
// that a batch is one transaction, as in raft's own loop.
type boltStore struct {
	hashiStore
	path   string
	noSync bool
}

func openBolt(s setup) (store, error) {
	b := &boltStore{path: filepath.Join(s.dir, "raft.db"), noSync: s.noSync}
	b.next = 1
	return b, b.remember()
}

// write is a transaction an entry: it has no cheaper one.
func (b *boltStore) write(payload []byte) error { return b.append([][]byte{payload}) }
func (b *boltStore) drain() error               { return nil }

func (b *boltStore) forget() error { return b.shut() }

func (b *boltStore) remember() error {
	db, err := raftboltdb.New(raftboltdb.Options{Path: b.path, NoSync: b.noSync})
	if err != nil {
		return err
	}
	b.LogStore, b.shut = db, db.Close
	return nil
}
