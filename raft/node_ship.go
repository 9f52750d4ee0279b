package raft

import (
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// Limits of sending snapshots.
const (
	// shipChunk is how many bytes of the file one message carries; the last
	// one has what is left.
	shipChunk = 64 << 10
	// shipWindow is how many bytes may be on their way to one peer.
	shipWindow = 4 * shipChunk
	// shipTimeout is how long the sender waits for progress before it sends the
	// window again.
	shipTimeout = 200 * time.Millisecond
	// shipSilence is after how many timeouts without any answer it gives up.
	shipSilence = 10
)

// shipper sends snapshots to peers whose entries the log no longer has.
//
// A snapshot travels as chunks of its file, named by the whole meta and by the
// term. The receiver answers each with how many bytes it has without a gap;
// the last chunk counts only when the snapshot stands in its log. Sends are
// numbered and the answer repeats the number, so that an old answer moves nothing.
type shipper struct {
	node      *Node
	shipments []*shipment
	sent      uint64          // how many chunks were sent: the number of the last
	deadline  runtime.Instant // of the earliest timeout; Never: nothing is sent
}

// shipment is a snapshot on its way to a peer.
type shipment struct {
	to       runtime.NodeID
	term     Term
	meta     SnapshotMeta
	acked    uint64 // bytes the peer has
	next     uint64 // offset of the next chunk to send
	answered uint64 // the number of the last answer that counted
	deadline runtime.Instant
	silent   int // timeouts since the last answer
}

// begin starts sending the newest snapshot to a peer. The core asks once, until it is
// told how it ended.
func (s *shipper) begin(to runtime.NodeID) {
	n := s.node
	s.drop(func(old *shipment) bool { return old.to == to })
	if n.keeper.newest.Index == 0 {
		panic(fmt.Sprintf("raft: a snapshot for %v, but there is none", to))
	}
	added := &shipment{to: to, term: n.core.Status().Term, meta: n.keeper.newest}
	s.shipments = append(s.shipments, added)
	s.progress(added)
	s.pump(added)
}

// sends reports whether the snapshot's file is in use.
func (s *shipper) sends(meta SnapshotMeta) bool {
	return slices.ContainsFunc(s.shipments, func(x *shipment) bool { return x.meta == meta })
}

// progress starts the timeout again.
func (s *shipper) progress(x *shipment) {
	x.deadline = s.node.env.Now().Add(shipTimeout)
	s.deadline = min(s.deadline, x.deadline)
}

// pump sends chunks until the window is full.
func (s *shipper) pump(x *shipment) {
	for x.next < x.meta.Size && x.next < x.acked+shipWindow {
		s.sendChunk(x, x.next)
		x.next += shipChunk
	}
}

// sendChunk reads a chunk and sends it.
func (s *shipper) sendChunk(x *shipment, offset uint64) {
	n := s.node
	job := &chunkJob{
		path:   n.keeper.path(snapshotName(x.meta)),
		offset: int64(offset),
		data:   make([]byte, min(shipChunk, x.meta.Size-offset)),
	}
	n.env.Submit(laneRead, job.execute, func(err error) {
		switch {
		case n.phase != running || !slices.Contains(s.shipments, x) || !s.current(x):
		case err != nil:
			n.refuse(laneRead, err) // the timeout asks for it again
		default:
			s.sent++
			n.outbox.send(&Message{
				Type: MsgSnapshot, From: n.env.Self(), To: x.to, Term: x.term,
				Index: x.meta.Index, Seq: s.sent, Snapshot: x.meta, Offset: offset, Data: job.data,
			})
		}
	})
}

// current reports whether the node still leads the term of the shipment.
func (s *shipper) current(x *shipment) bool {
	status := s.node.core.Status()
	return status.Role == Leader && status.Term == x.term
}

// chunkJob reads a part of a snapshot file, on the read lane.
type chunkJob struct {
	path   string
	offset int64
	data   []byte
}

func (j *chunkJob) execute(fs runtime.FS) error {
	file, err := fs.Open(j.path)
	if err != nil {
		return fmt.Errorf("raft: chunk of %s: %w", j.path, err)
	}
	defer file.Close()
	if n, err := file.ReadAt(j.data, j.offset); n < len(j.data) {
		return fmt.Errorf("raft: chunk of %s at %d: %w", j.path, j.offset, err)
	}
	return nil
}

// answered takes a peer's answer. The core has seen it before.
func (s *shipper) answered(m *Message) {
	at := slices.IndexFunc(s.shipments, func(x *shipment) bool {
		return x.to == m.From && x.term == m.Term && x.meta == m.Snapshot
	})
	if at < 0 {
		return
	}
	x := s.shipments[at]
	switch {
	case !s.current(x):
		s.drop(func(old *shipment) bool { return old == x })
	case m.Reject || m.Offset >= x.meta.Size:
		s.finish(x, true)
	case m.Seq > x.answered || m.Seq == x.answered && m.Offset > x.acked:
		x.answered, x.silent = m.Seq, 0
		if m.Offset != x.acked {
			x.next = max(x.next, m.Offset)
			if m.Offset < x.acked {
				x.next = m.Offset // the peer has begun again
			}
			x.acked = m.Offset
			s.progress(x)
		}
		s.pump(x)
	}
}

// finish tells the core how a shipment ended.
func (s *shipper) finish(x *shipment, ok bool) {
	s.drop(func(old *shipment) bool { return old == x })
	s.node.core.SnapshotSent(x.to, x.meta, ok)
}

// drop forgets shipments, and lets go of their files.
func (s *shipper) drop(gone func(*shipment) bool) {
	s.shipments = slices.DeleteFunc(s.shipments, gone)
	s.node.keeper.sweep()
}

// tick sends again what was not answered in time, and gives up on peers that say
// nothing at all.
func (s *shipper) tick(now runtime.Instant) {
	if now < s.deadline {
		return
	}
	s.drop(func(x *shipment) bool { return !s.current(x) })
	s.deadline = runtime.Never
	for _, x := range slices.Clone(s.shipments) {
		if now >= x.deadline {
			if x.silent++; x.silent > shipSilence {
				s.finish(x, false)
				continue
			}
			x.next = x.acked
			x.deadline = now.Add(shipTimeout)
			s.pump(x)
		}
		s.deadline = min(s.deadline, x.deadline)
	}
}
