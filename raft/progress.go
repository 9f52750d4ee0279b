package raft

import "github.com/octopii-go/octopii/runtime"

// progressState says how a leader feeds one peer.
type progressState uint8

const (
	// probing: where the logs agree is not known. One append at a time finds out.
	probing progressState = iota
	// replicating: the logs agree up to what was sent; appends go out without
	// waiting for replies, as the window allows.
	replicating
	// snapshotting: the peer needs entries that are gone; the driver sends a snapshot.
	snapshotting
)

// String returns the state's name.
func (s progressState) String() string {
	switch s {
	case probing:
		return "probing"
	case replicating:
		return "replicating"
	case snapshotting:
		return "snapshotting"
	}
	return "unknown"
}

// progress is what a leader knows about one peer, in its term.
type progress struct {
	id    runtime.NodeID
	state progressState

	match Index // the peer holds everything up to here durably; never falls
	next  Index // the next entry to send; above match

	heard runtime.Instant // when the peer's last reply in this term came

	// seq numbers the appends to the peer. Replies to those up to stale say
	// nothing about the position in use now.
	seq, stale uint64
	// round is the heartbeat round in which the last probe or empty append left.
	round uint64
	// waiting: a probe is under way.
	waiting bool
	// nudge: an empty append is due, to learn how far the peer is.
	nudge bool

	// spared: entries for the peer gather. Those up to due do not wait any more. See thrift.go.
	spared bool
	due    Index

	window window
	load   peerLoad
}

// peerLoad is the one read of old entries that may be under way for a peer.
type peerLoad struct {
	id      uint64 // zero: none under way
	entries []Entry
	// paused: the last one failed; the next heartbeat allows another.
	paused bool
}

// reset prepares the progress for a new term of leadership.
func (p *progress) reset(next Index, now runtime.Instant) {
	*p = progress{id: p.id, next: next, heard: now, window: p.window}
	p.window.clear()
}

// enter begins to feed the peer in a state, from next on, or from what it has not
// acknowledged yet if that is later.
func (p *progress) enter(state progressState, next Index) {
	p.state, p.next = state, max(next, p.match+1)
	p.stale = p.seq
	p.waiting, p.nudge, p.spared = false, false, false
	p.load = peerLoad{paused: p.load.paused}
	p.window.clear()
}

// window is the queue of appends with entries that a peer has not
// acknowledged: a ring of as many as may be in flight.
type window struct {
	ring  []inflight
	head  int
	count int
	bytes int
}

// inflight is one append on its way.
type inflight struct {
	last  Index
	bytes int
	round uint64 // the heartbeat round in which it was sent
}

// full reports whether nothing more may be sent.
func (w *window) full(bytesMax int) bool {
	return w.count == len(w.ring) || w.bytes >= bytesMax
}

// push adds an append; the window is not full.
func (w *window) push(f inflight) {
	if w.count == len(w.ring) {
		panic("raft: append beyond the window")
	}
	w.ring[(w.head+w.count)%len(w.ring)] = f
	w.count++
	w.bytes += f.bytes
}

// oldest returns the append sent first; the window is not empty.
func (w *window) oldest() inflight { return w.ring[w.head] }

// free takes out the appends that match covers.
func (w *window) free(match Index) {
	for w.count > 0 && w.ring[w.head].last <= match {
		w.bytes -= w.ring[w.head].bytes
		w.head = (w.head + 1) % len(w.ring)
		w.count--
	}
	if w.count == 0 && w.bytes != 0 {
		panic("raft: empty window with bytes in flight")
	}
}

func (w *window) clear() { w.head, w.count, w.bytes = 0, 0, 0 }
