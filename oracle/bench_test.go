package oracle

import (
	"fmt"
	goruntime "runtime"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
)

// payload is an Image in which every range holds the same bytes.
type payload struct{ bytes []byte }

func (p *payload) Durable(_ runtime.NodeID, _ string, _ int64, buf []byte) bool {
	copy(buf, p.bytes)
	return true
}

// steady writes the trace of a cluster that does nothing but commit 128-byte
// puts, one at a time, on 3 nodes: 20 records each.
type steady struct {
	observe func(*runtime.Record)
	image   *payload
	record  runtime.Record
	index   uint64
	chain   uint64
	file    []byte
	request []byte
	keys    [][]byte
}

func newSteady(observe func(*runtime.Record), image *payload) *steady {
	s := &steady{observe: observe, image: image, file: []byte("log/000001")}
	for i := range 1000 {
		s.keys = append(s.keys, fmt.Appendf(nil, "key%d", i))
	}
	for n := range runtime.NodeID(3) {
		s.emit(n+1, runtime.WorldBoot, 1, 0, 0, 0, nil)
		s.emit(n+1, raft.Started, 0, 0, 0, 0, nil)
	}
	s.emit(1, raft.RoleChanged, uint64(raft.PreCandidate), 0, 0, 0, nil)
	s.emit(1, raft.VoteAsked, 1, 0, 0, 1, nil)
	s.emit(2, raft.PreVoteGranted, 1, 1, 0, 0, nil)
	for n := range runtime.NodeID(3) {
		s.image.bytes = stateBytes(1, 1)
		s.emit(n+1, raft.StateChanged, 1, 1, 0, 0, nil)
		s.emit(n+1, raft.StatePlaced, 1, 1, 0, 24, s.file)
		if n > 0 {
			s.emit(n+1, raft.VoteGranted, 1, 1, 0, 0, nil)
		}
	}
	s.emit(1, raft.RoleChanged, uint64(raft.Candidate), 1, 0, 0, nil)
	s.emit(1, raft.RoleChanged, uint64(raft.Leader), 1, 0, 0, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0})
	s.index++
	s.image.bytes = nil
	hash := raft.HashEntry(raft.EntryNoop, nil)
	s.chain = raft.ChainHash(s.chain, 1, 1, hash, runtime.HashBytes(0, nil))
	s.carry(hash, 0, 0, func() {})
	return s
}

func (s *steady) emit(node runtime.NodeID, kind runtime.EventKind, a, b, c, d uint64, note []byte) {
	s.record.At++
	s.record.Step++
	s.record.Node = node
	s.record.Event = runtime.Event{Kind: kind, A: a, B: b, C: c, D: d, Note: note}
	s.observe(&s.record)
}

// operate carries one put from its start to its answer, on all nodes.
func (s *steady) operate() {
	s.index++
	i := s.index
	c := kv.Command{Op: kv.Put, Client: 1, Seq: i, Key: s.keys[i*7919%1000]}
	var value [92]byte
	value[0], value[1], value[2] = byte(i), byte(i>>8), byte(i>>16)
	c.Value = value[:]
	s.request = c.AppendRequest(s.request[:0])
	kind, data, _ := raft.DecodeRequest(s.request)
	s.image.bytes = data
	hash, size := raft.HashEntry(kind, data), uint64(len(data))
	s.chain = raft.ChainHash(s.chain, raft.Index(i), 1, hash, runtime.HashBytes(0, okResponse[:]))
	s.emit(0, runtime.CallStart, i, 1, i, 1, s.request)
	s.emit(1, raft.Proposed, i, i, 1, hash, nil)
	s.carry(hash, 1, size, func() { s.emit(1, runtime.CallReply, i, 1, uint64(runtime.Done), 0, okResponse[:]) })
}

// carry replicates, commits and applies the entry at the index, after one of
// term prev; answer comes when the leader has applied it.
func (s *steady) carry(hash, prev, size uint64, answer func()) {
	i := s.index
	s.emit(1, raft.Appended, i, 1, hash, prev, nil)
	s.emit(2, raft.Appended, i, 1, hash, prev, nil)
	s.emit(3, raft.Appended, i, 1, hash, prev, nil)
	s.emit(1, raft.EntryPlaced, i, 1, i*size, size, s.file)
	s.emit(1, raft.Matched, 1, i, 1, 0, nil)
	s.emit(2, raft.EntryPlaced, i, 1, i*size, size, s.file)
	s.emit(2, raft.Acked, 1, 1, i, 0, nil)
	s.emit(1, raft.Matched, 2, i, 1, 0, nil)
	s.emit(1, raft.Committed, i, 1, uint64(raft.Leader), i, nil)
	s.emit(1, raft.Applied, i, 1, s.chain, hash, nil)
	answer()
	s.emit(3, raft.EntryPlaced, i, 1, i*size, size, s.file)
	s.emit(3, raft.Acked, 1, 1, i, 0, nil)
	s.emit(1, raft.Matched, 3, i, 1, 0, nil)
	s.emit(2, raft.Committed, i, 1, 0, i, nil)
	s.emit(2, raft.Applied, i, 1, s.chain, hash, nil)
	s.emit(3, raft.Committed, i, 1, 0, i, nil)
	s.emit(3, raft.Applied, i, 1, s.chain, hash, nil)
}

var okResponse = [1]byte{byte(kv.OK)}

// snapshot lets every node save a snapshot and drop the entries up to it.
func (s *steady) snapshot(keep uint64) {
	meta, file := snapshot(raft.SnapshotMeta{Index: raft.Index(s.index), Term: 1, Chain: s.chain}, kv.NewModel().AppendImage(nil))
	s.image.bytes = file
	for n := range runtime.NodeID(3) {
		s.emit(n+1, raft.SnapshotTaken, s.index, 1, meta.Chain, meta.Hash, nil)
		s.emit(n+1, raft.SnapshotPlaced, s.index, 1, meta.Hash, meta.Size, []byte("snap"))
		s.emit(n+1, raft.Compacted, s.index-keep+1, s.index, 0, 0, nil)
	}
}

// unread hides that a Model can read images: the one here is not of its state.
type unread struct{ Model }

func (u unread) Clone() Model { return unread{u.Model.Clone()} }

func newUnread() Model { return unread{NewKV()} }

// BenchmarkCommit measures what all oracles cost for one committed put on 3
// nodes, from call to answer.
func BenchmarkCommit(b *testing.B) {
	image := &payload{}
	suite := New(Config{Voters: []runtime.NodeID{1, 2, 3}, Image: image, Model: NewKV})
	s := newSteady(suite.Observe, image)
	b.ReportAllocs()
	for b.Loop() {
		s.operate()
	}
	if v := suite.Violation(); v != nil {
		b.Fatal(v)
	}
}

// BenchmarkTrace measures the benchmarks' own part of BenchmarkCommit.
func BenchmarkTrace(b *testing.B) {
	image := &payload{}
	s := newSteady(func(*runtime.Record) {}, image)
	b.ReportAllocs()
	for b.Loop() {
		s.operate()
	}
}

// BenchmarkUninteresting measures a record that no oracle cares for.
func BenchmarkUninteresting(b *testing.B) {
	suite := New(Config{Voters: []runtime.NodeID{1, 2, 3}, Model: NewKV})
	r := runtime.Record{Node: 1, Event: runtime.Event{Kind: runtime.KindOf("net.delivered"), A: 1}}
	for b.Loop() {
		suite.Observe(&r)
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	var m goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The history of acknowledged operations is bounded: 64 bytes each while a
// member might still refer to them, nothing once all have them in snapshots.
func TestHistoryPerAcknowledgedOperation(t *testing.T) {
	const ops = 100_000
	for _, c := range []struct {
		name      string
		snapshots uint64
		limit     float64 // bytes an operation
	}{
		{"without snapshots", 0, 64},
		{"with snapshots", 10_000, 8},
	} {
		image := &payload{}
		suite := New(Config{Voters: []runtime.NodeID{1, 2, 3}, Image: image, Model: newUnread})
		s := newSteady(suite.Observe, image)
		for range 2000 { // until every key is set
			s.operate()
		}
		before := heap()
		for range ops {
			s.operate()
			if c.snapshots > 0 && s.index%c.snapshots == 0 {
				s.snapshot(1000)
			}
		}
		if v := suite.Violation(); v != nil {
			t.Fatal(v)
		}
		each := float64(int64(heap()-before)) / ops
		t.Logf("%s: %.1f bytes of history an operation", c.name, each)
		if each > c.limit {
			t.Errorf("%s: %.1f bytes of history an operation, want at most %.0f", c.name, each, c.limit)
		}
		goruntime.KeepAlive(suite)
	}
}
