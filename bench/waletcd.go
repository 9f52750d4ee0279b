package main

import (
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// etcdStore is etcd's write-ahead log, called as etcd's Raft loop does: one
// Save for the entries of a Ready, whose hard state is left out when it has not
// changed. Files of 64 MB are reserved ahead by its own pipeline. It batches
// nothing across callers, as there is one Raft loop. It can be read from
// front to back only, into memory, which is how etcd starts.
type etcdStore struct {
	dir     string
	wal     *wal.WAL
	next    uint64
	entries []*raftpb.Entry
	state   raftpb.HardState
}

func openEtcd(s setup) (store, error) {
	e := &etcdStore{dir: filepath.Join(s.dir, "wal"), next: 1}
	var err error
	if e.wal, err = wal.Create(zap.NewNop(), e.dir, nil); err != nil {
		return nil, err
	}
	if s.noSync {
		e.wal.SetUnsafeNoFsync()
	}
	return e, nil
}

func (e *etcdStore) append(payloads [][]byte) error {
	for len(e.entries) < len(payloads) {
		e.entries = append(e.entries, &raftpb.Entry{Index: new(uint64), Term: ptr(uint64(1)), Type: ptr(raftpb.EntryNormal)})
	}
	for i, p := range payloads {
		*e.entries[i].Index, e.entries[i].Data = e.next, p
		e.next++
	}
	return e.wal.Save(&e.state, e.entries[:len(payloads)])
}

func (e *etcdStore) write(payload []byte) error { return e.append([][]byte{payload}) }
func (e *etcdStore) drain() error               { return e.wal.Sync() } // without fsync: SetUnsafeNoFsync

func (e *etcdStore) scan() (n int64, err error) {
	w, err := wal.OpenForRead(zap.NewNop(), e.dir, &walpb.Snapshot{})
	if err != nil {
		return 0, err
	}
	_, _, entries, err := w.ReadAll()
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		n += int64(len(e.Data))
	}
	_ = w.Close() // always fails on a log opened for reading: it has no folder to close
	return n, nil
}

// cutBack overwrites: an entry that is read later takes the place of one with
// its index and of all behind it.
func (e *etcdStore) cutBack(n int, payload []byte) error {
	e.next -= uint64(n)
	return e.append([][]byte{payload})
}

// cutFront lets go of whole files. Removing them is left to another part of etcd.
func (e *etcdStore) cutFront(n int, payload []byte) error {
	if err := e.wal.ReleaseLockTo(e.next - uint64(n)); err != nil {
		return err
	}
	return e.append([][]byte{payload})
}

func (e *etcdStore) close() error { return e.wal.Close() }
