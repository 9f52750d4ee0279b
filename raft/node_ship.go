package raft

import (
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// Limits of sending snapshots.
const (
	// shipKinds is the first kind of frames of the node's own shipping lane. It is above those of
	// all messages, and below those of what else a process may send.
	shipKinds = 0x10
	// shipTimeout is how long a peer has to answer an offer before it is made again.
	shipTimeout = 200 * time.Millisecond
	// shipSilence is after how many timeouts without any answer the leader gives up.
	shipSilence = 10
)

// shipper sends snapshots to peers whose entries the log no longer has.
//
// The leader offers its newest one: it tells the peer the meta, and the digest by which the
// shipping lane names the file. The peer fetches the file, from all members that
// have it, and answers each offer with how far it is; the last byte
// counts only when the snapshot stands in its log. Of bytes, lost frames and sources
// that fail, the lane takes care.
type shipper struct {
	node      *Node
	lane      *transport.Shipper
	files     []shipFile
	shipments []*shipment
	offers    uint64          // how many were made: the number of the last
	deadline  runtime.Instant // of the earliest timeout; Never: nothing is offered
}

// shipment is a snapshot offered to a peer.
type shipment struct {
	to       runtime.NodeID
	term     Term
	meta     SnapshotMeta
	deadline runtime.Instant
	silent   int // timeouts since the last answer
}

func (s *shipper) init(n *Node) {
	s.node, s.deadline = n, runtime.Never
	s.lane = transport.NewShipper(n.cfg.lane())
}

// lane says how the node's shipping lane works.
func (c NodeConfig) lane() transport.ShipperConfig {
	return transport.ShipperConfig{
		Kinds: shipKinds, ReadLane: laneShip, WriteLane: laneShip, SyncLane: laneShip,
		ChunkBytes: c.SnapshotChunk, FetchesMax: 1, Rate: c.SnapshotRate,
	}
}

// receive takes a frame of the shipping lane.
func (s *shipper) receive(from runtime.NodeID, frame []byte) {
	n := s.node
	if !slices.Contains(n.cfg.Core.Voters, from) || s.lane.Receive(n.env.Now(), from, frame) != nil {
		n.refuseFrame(from, frame)
		return
	}
	s.flush()
}

// flush carries out what the lane asks for. It follows every call of the lane.
func (s *shipper) flush() {
	n := s.node
	out := s.lane.Take()
	for i := range out.Events {
		n.env.Trace(out.Events[i])
	}
	for _, f := range out.Send {
		n.env.Send(f.To, runtime.ChannelBulk, f.Frame)
	}
	for _, j := range out.Jobs {
		n.env.Submit(j.Lane, j.Run, func(err error) { s.jobDone(j.ID, err) })
	}
	for i := range out.Fetched {
		n.fetcher.fetched(&out.Fetched[i])
	}
	for _, d := range out.Wanted {
		if newest := n.keeper.newest; newest.Index > 0 && uint64(d.Size) == newest.Size {
			s.offer(newest) // if it is that, the peer gets it when it asks again
		}
	}
}

func (s *shipper) jobDone(id transport.JobID, err error) {
	n := s.node
	if n.phase != ended {
		s.lane.JobDone(n.env.Now(), id, err)
		s.flush()
		n.settle()
	}
}

// begin offers the newest snapshot to a peer. The core asks once, until it is
// told how it ended.
func (s *shipper) begin(to runtime.NodeID) {
	n := s.node
	s.drop(func(old *shipment) bool { return old.to == to })
	if n.keeper.newest.Index == 0 {
		panic(fmt.Sprintf("raft: a snapshot for %v, but there is none", to))
	}
	x := &shipment{to: to, term: n.core.Status().Term, meta: n.keeper.newest}
	s.shipments = append(s.shipments, x)
	s.tell(x)
}

// sends reports whether the snapshot's file is in use.
func (s *shipper) sends(meta SnapshotMeta) bool {
	return slices.ContainsFunc(s.shipments, func(x *shipment) bool { return x.meta == meta })
}

// oldest returns the index of the oldest snapshot that is on its way, zero if none is.
func (s *shipper) oldest() Index {
	oldest := Index(0)
	for _, x := range s.shipments {
		if oldest == 0 || x.meta.Index < oldest {
			oldest = x.meta.Index
		}
	}
	return oldest
}

// tell makes the peer an offer, as soon as the digest is known.
func (s *shipper) tell(x *shipment) {
	n := s.node
	x.deadline = n.env.Now().Add(shipTimeout)
	s.deadline = min(s.deadline, x.deadline)
	if f := s.offer(x.meta); f.ready {
		s.offers++
		n.outbox.send(&Message{
			Type: MsgSnapshot, From: n.env.Self(), To: x.to, Term: x.term,
			Index: x.meta.Index, Seq: s.offers, Snapshot: x.meta, Digest: f.digest.Hash,
		})
	}
}

// current reports whether the node still leads the term of the shipment.
func (s *shipper) current(x *shipment) bool {
	status := s.node.core.Status()
	return status.Role == Leader && status.Term == x.term
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
	default:
		x.silent = 0
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

// due returns when tick has something to do.
func (s *shipper) due() runtime.Instant { return min(s.deadline, s.lane.Deadline()) }

// tick repeats the offers that were not taken up in time, and gives up on peers that say
// nothing at all.
func (s *shipper) tick(now runtime.Instant) {
	if now >= s.deadline {
		s.drop(func(x *shipment) bool { return !s.current(x) })
		s.deadline = runtime.Never
		for _, x := range slices.Clone(s.shipments) {
			switch {
			case now < x.deadline:
				s.deadline = min(s.deadline, x.deadline)
			case x.silent >= shipSilence:
				s.finish(x, false)
			default:
				x.silent++
				s.tell(x)
			}
		}
	}
	s.lane.Tick(now)
	s.flush()
}
