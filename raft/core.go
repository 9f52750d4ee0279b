package raft

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// Refusals of Core.Propose, beside *NotLeaderError. All are definite: the
// proposal is in no log and never will be.
var (
	// ErrBusy means that the leader has taken in as much as it may before more
	// of it is committed. It may be tried again later.
	ErrBusy = errors.New("raft: too much is uncommitted")
	// ErrTooLarge means that the payload is over CoreConfig.MaxEntryBytes.
	ErrTooLarge = errors.New("raft: entry too large")
)

// NotLeaderError refuses a proposal, definitely, because this member does not lead.
type NotLeaderError struct {
	Leader runtime.NodeID // who leads, as far as known; zero: nobody known
}

// Error says who leads.
func (e *NotLeaderError) Error() string {
	if e.Leader == 0 {
		return "raft: not the leader, and none is known"
	}
	return fmt.Sprintf("raft: not the leader, %v is", e.Leader)
}

// Status is a member's view of itself.
type Status struct {
	Role     Role
	Term     Term
	Vote     runtime.NodeID
	Leader   runtime.NodeID // of Term; zero: unknown
	First    Index          // of the entries in the log; Last+1 if there are none
	Last     Index
	LastTerm Term
	Commit   Index
	Applied  Index // as reported by Core.Applied
	Snapshot Index // of the newest durable snapshot
}

// Core is one member's part in deciding one order of commands, without
// clock, disk, network or randomness of its own. A driver feeds it what
// happens and, after one or several such calls, carries out what Take returns:
//
//	Step, Propose, Tick, Persisted, Applied, ... -> Take -> trace, write, send, load, apply
//
// Nothing leaves the core but by Take. Methods must not be called
// concurrently. now never falls from one call to the next; jitter is a fresh
// uniform draw.
type Core struct {
	cfg    CoreConfig
	quorum int
	now    runtime.Instant

	// The hard state in memory. It is never behind the durable one.
	term        Term
	vote        runtime.NodeID
	incarnation uint64

	role   Role
	leader runtime.NodeID // of term; zero: unknown

	election election
	log      tail
	snapshot SnapshotMeta // the newest durable one
	writes   writes
	apply    apply

	stalled bool // the own disk stands still

	commit Index
	// verified is how far the log, in memory, is known to equal that of the leader of
	// this term. A follower commits no further, whatever the leader says.
	verified Index
	early    []Message // appends that came before those they follow

	// What only a leader has.
	peers       []progress // the other voters, ascending
	round       uint64     // of heartbeats; grows over all terms of this boot
	heartbeatAt runtime.Instant
	matched     Index // own match: durable in the own log
	quota       quota
	thrift      thrift

	loads uint64 // ids given out
	out   Output
	note  [MaxVoters * 8]byte // backs the note of RoleChanged
}

// Step handles a message from another member. Whatever the bytes of a frame
// decoded to may be given: what makes no sense is dropped. The message and
// its Entries slice stay the caller's; the payloads (Data of each entry) are the
// core's from here on. MsgSnapshotReply is the driver's to act on, but comes here
// as well, and first.
func (c *Core) Step(now runtime.Instant, m *Message) {
	c.observe(now)
	if m.To != c.cfg.ID || m.From == c.cfg.ID || m.Term == 0 || c.position(m.From) < 0 {
		return
	}
	switch m.Type {
	case MsgPreVote:
		c.stepPreVote(m)
		return
	case MsgPreVoteReply:
		c.stepPreVoteReply(m)
		return
	case MsgVote:
		c.stepVote(m)
		return
	}
	if m.Term < c.term {
		c.answerStale(m)
		return
	}
	if m.Term > c.term {
		c.follow(m.Term)
	}
	switch m.Type {
	case MsgVoteReply:
		c.stepVoteReply(m)
	case MsgAppend:
		c.stepAppend(m)
	case MsgHeartbeat:
		c.stepHeartbeat(m)
	case MsgSnapshot:
		c.stepOffer(m)
	case MsgAppendReply, MsgHeartbeatReply, MsgSnapshotReply:
		c.stepPeer(m)
	}
}

// Propose appends a command or a query to the leader's log and returns its
// place. If Output.Apply brings that very index with that very term, it took
// effect; if it brings another term there, it never will. The core
// owns data from here on. Errors are *NotLeaderError, ErrBusy and ErrTooLarge.
func (c *Core) Propose(now runtime.Instant, t EntryType, data []byte) (Index, Term, error) {
	if t != EntryCommand && t != EntryQuery {
		panic(fmt.Sprintf("raft: proposal of entry type %d", t))
	}
	c.observe(now)
	if c.role != Leader {
		return 0, 0, &NotLeaderError{Leader: c.leader}
	}
	if len(data) > c.cfg.MaxEntryBytes {
		return 0, 0, ErrTooLarge
	}
	if !c.quota.admits(len(data)+entryOverhead, c.cfg.MaxUncommittedBytes) {
		return 0, 0, ErrBusy
	}
	return c.appendOwn(t, data), c.term, nil
}

// Tick says that time has passed. Before Deadline it does nothing.
func (c *Core) Tick(now runtime.Instant, jitter uint64) {
	c.observe(now)
	switch {
	case c.stalled && c.role == Leader && now >= c.heartbeatAt:
		c.follow(c.term)
	case c.stalled && c.role != Leader && now >= c.election.at:
		c.election.reset(now)
	case c.role == Leader && now >= c.heartbeatAt:
		c.election.reseed(jitter)
		c.beat()
	case c.role != Leader && now >= c.election.at:
		c.Hurry() // there may be no heartbeat for long
		c.election.reseed(jitter)
		c.preCampaign()
	}
}

// Stalled says whether the member's own disk stands still: whether a write has been under way for too long. A leader
// whose disk does leads on what the others write, until it has taken in all that it may, and then serves nobody; so it
// gives up the lead at its next heartbeat. A member whose disk stands still does not stand for election: its own vote would
// never be durable.
func (c *Core) Stalled(stalled bool) { c.stalled = stalled }

// Deadline returns when Tick and Take are due, Never if no time needs to pass.
// Calls of other methods move it, mostly back: a driver may leave an alarm
// armed that is too early, and arm the next one when it goes off.
func (c *Core) Deadline() runtime.Instant {
	at := c.election.at
	if c.role == Leader {
		at = min(c.heartbeatAt, c.thrift.due)
	}
	return min(at, c.apply.retryAt)
}

// Take returns what the driver must do now: all that came up since the last Take.
func (c *Core) Take(now runtime.Instant) Output {
	c.observe(now)
	c.log.evict(c.cfg.CacheBytes, c.writes.durable)
	if c.role == Leader {
		c.feed()
	}
	c.handOut()
	c.issue()
	out := c.out
	c.out = Output{
		Events:       out.Events[:0],
		Send:         out.Send[:0],
		Gated:        out.Gated[:0],
		Loads:        out.Loads[:0],
		SendSnapshot: out.SendSnapshot[:0],
		Offers:       out.Offers[:0],
	}
	return out
}

// Status returns the member's view of itself.
func (c *Core) Status() Status {
	return Status{
		Role:     c.role,
		Term:     c.term,
		Vote:     c.vote,
		Leader:   c.leader,
		First:    c.log.first(),
		Last:     c.log.last,
		LastTerm: c.log.lastTerm(),
		Commit:   c.commit,
		Applied:  c.apply.applied,
		Snapshot: c.snapshot.Index,
	}
}

// observe notes the time.
func (c *Core) observe(now runtime.Instant) {
	if now < c.now {
		panic(fmt.Sprintf("raft: time fell from %v to %v", c.now, now))
	}
	c.now = now
}

// position returns the place of a voter among the voters, -1 if it is none.
func (c *Core) position(id runtime.NodeID) int {
	for i, v := range c.cfg.Voters {
		if v == id {
			return i
		}
	}
	return -1
}

// send queues a message that asserts nothing about the disk.
func (c *Core) send(m Message) {
	m.From = c.cfg.ID
	c.out.Send = append(c.out.Send, m)
}

// event queues a trace event.
func (c *Core) event(kind runtime.EventKind, a, b, x, y uint64) {
	c.out.Events = append(c.out.Events, runtime.Event{Kind: kind, A: a, B: b, C: x, D: y})
}
