package cluster

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	RoleChanged       EventKind = iota + 1 // Role, Term
	LeaderChanged                          // Leader, zero for nobody, and Term
	SnapshotTaken                          // Index: of the member's own state
	SnapshotInstalled                      // Index: a snapshot has replaced the state
	PeerConnected                          // Peer: frames can flow
	PeerDisconnected                       // Peer, Err
	PeerRefused                            // Peer, if it is known; Err: a connection was not made
	DiskStalled                            // Err: a call on a file has lasted too long
	DiskWentOn                             // Err: and has returned
	Ended                                  // Err, nil after a drain: the last event
)

// String returns the kind in words.
func (k EventKind) String() string {
	names := [...]string{"?", "role changed", "leader changed", "snapshot taken", "snapshot installed", "peer connected",
		"peer disconnected", "peer refused", "disk stalled", "disk went on", "ended"}
	if int(k) >= len(names) {
		k = 0
	}
	return names[k]
}

// Event is something that happened to a member. Which fields count depends on the kind.
type Event struct {
	Seq    uint64 // counts a member's events from 1, without gaps
	At     time.Time
	Kind   EventKind
	Role   raft.Role
	Term   raft.Term
	Index  raft.Index
	Leader Peer
	Peer   runtime.NodeID
	Err    error
}

// journal numbers events and hands them to those who listen.
type journal struct {
	mu     sync.Mutex
	seq    uint64
	role   Event // the last of its kind
	leader Event // the same
	ended  *Event
	subs   map[*Events]struct{}
}

// count returns how many events there were.
func (j *journal) count() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// add publishes an event. It never blocks.
func (j *journal) add(ev Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	ev.Seq, ev.At = j.seq, time.Now()
	switch ev.Kind {
	case RoleChanged:
		j.role = ev
	case LeaderChanged:
		j.leader = ev
	case Ended:
		j.ended = &ev
	}
	for s := range j.subs { //lint:sorted each has a queue of its own
		s.put(ev)
	}
}

// Events is a subscription to the events of a member. It may be read by one goroutine at a time.
type Events struct {
	journal *journal
	ready   chan struct{} // holds a token after a put

	mu     sync.Mutex
	queue  []Event // at most limit
	limit  int
	closed bool
}

// Events subscribes to the events from now on. They come in order, one after the other, at most limit of them wait
// (at least 1): then the oldest is dropped, which shows in the numbers. So the last one is never lost. The subscription
// begins with the last events of the kinds RoleChanged and LeaderChanged, and ends with Ended. It must be closed.
func (m *Member) Events(limit int) *Events {
	s := &Events{journal: &m.journal, ready: make(chan struct{}, 1), limit: max(limit, 1)}
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	first, second := j.role, j.leader
	if second.Seq < first.Seq {
		first, second = second, first
	}
	for _, ev := range []Event{first, second} {
		if ev.Seq > 0 {
			s.put(ev)
		}
	}
	if j.ended != nil {
		s.put(*j.ended)
	}
	if j.subs == nil {
		j.subs = map[*Events]struct{}{}
	}
	j.subs[s] = struct{}{}
	return s
}

func (s *Events) put(ev Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == s.limit {
		s.queue = append(s.queue[:0], s.queue[1:]...)
	}
	s.queue = append(s.queue, ev)
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Next returns the next event, and waits for it until the context is done: then with the context's error. After the event
// Ended, or after Close, it returns io.EOF.
func (s *Events) Next(ctx context.Context) (Event, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 && !s.closed {
			ev := s.queue[0]
			s.queue = append(s.queue[:0], s.queue[1:]...)
			s.closed = ev.Kind == Ended
			s.mu.Unlock()
			return ev, nil
		}
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return Event{}, io.EOF
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// Close ends the subscription. It may be called from any goroutine, and again.
func (s *Events) Close() {
	s.journal.mu.Lock()
	delete(s.journal.subs, s)
	s.journal.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	select {
	case s.ready <- struct{}{}:
	default:
	}
}
