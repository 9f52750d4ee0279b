package raft

import (
	"errors"
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

// shipFile is a snapshot file that peers may fetch.
type shipFile struct {
	meta   SnapshotMeta
	ready  bool // it has been read, and digest is known
	digest transport.Digest
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
		Kinds: shipKinds, ReadLane: laneShip, WriteLane: laneShip, ChunkBytes: c.SnapshotChunk, FetchesMax: 1, Rate: c.SnapshotRate,
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

// offer returns a snapshot file that peers may fetch. Before they may, it is read, and its digest
// computed from bytes that were found right: whatever the disk says then or later, no other ones are sent.
func (s *shipper) offer(meta SnapshotMeta) shipFile {
	at := slices.IndexFunc(s.files, func(f shipFile) bool { return f.meta == meta })
	if at >= 0 {
		return s.files[at]
	}
	n := s.node
	s.files = append(s.files, shipFile{meta: meta})
	job := &offerJob{path: n.keeper.path(snapshotName(meta)), meta: meta, hasher: s.lane.Hasher(int64(meta.Size))}
	n.env.Submit(laneShip, job.execute, func(err error) {
		if n.phase != ended {
			s.offered(job, err)
			n.settle()
		}
	})
	return shipFile{}
}

// offered takes a file that has been read. If it could not be, the next timeout tries again; if it is
// damaged, a snapshot is taken that is not.
func (s *shipper) offered(j *offerJob, err error) {
	n := s.node
	at := slices.IndexFunc(s.files, func(f shipFile) bool { return f.meta == j.meta })
	if at < 0 {
		return // it was taken back
	}
	f := &s.files[at]
	if err == nil {
		f.digest, err = s.lane.OfferHashed(j.path, j.hasher)
	}
	if err != nil {
		n.refuse(laneShip, err)
		s.files = slices.Delete(s.files, at, at+1)
		if errors.Is(err, ErrSnapshot) {
			s.damaged(j.meta)
		}
		return
	}
	f.ready = true
	for _, x := range s.shipments {
		if x.meta == f.meta && s.current(x) {
			s.tell(x)
		}
	}
}

// damaged gives up a snapshot that is damaged on disk, and has a new one taken in its place.
func (s *shipper) damaged(meta SnapshotMeta) {
	k := &s.node.keeper
	if meta == k.newest {
		k.damaged = true
		k.consider()
	}
	for _, x := range slices.Clone(s.shipments) {
		if x.meta == meta {
			s.finish(x, false)
		}
	}
}

// offerJob verifies a snapshot file and computes its digest, on the shipping lane.
type offerJob struct {
	path   string
	meta   SnapshotMeta
	hasher *transport.Hasher
}

func (j *offerJob) execute(fs runtime.FS) error {
	if err := readSnapshotFile(fs, j.path, j.meta, nil, j.hasher); err != nil {
		return fmt.Errorf("raft: offer %s: %w", j.path, err)
	}
	return nil
}

// withdraw ends the offer of a file that is to be removed. A peer in the midst of it goes on with other sources.
func (s *shipper) withdraw(meta SnapshotMeta) {
	s.files = slices.DeleteFunc(s.files, func(f shipFile) bool {
		if f.meta == meta && f.ready {
			s.lane.Withdraw(f.digest)
		}
		return f.meta == meta
	})
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
