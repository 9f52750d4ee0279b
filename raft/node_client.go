package raft

import (
	"errors"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// callsMax is how many calls may be under way. One more is refused as busy.
const callsMax = 1 << 16

// call is a client's command that has a place in the log but no result yet.
type call struct {
	index    Index
	term     Term
	id       runtime.CallID
	deadline runtime.Instant
}

// calls are the clients' commands under way. Losing the lead does not end a
// call: its entry may be committed all the same. It ends
//   - done, when its entry is applied;
//   - refused, when an entry of a later term is applied at its place or before: terms never
//     fall along the log, so its own entry can be committed no more;
//   - unknown, at its deadline, or when a snapshot covers its place.
type calls struct {
	node *Node
	// waiting is in the order of index, then term. Those before head are gone.
	waiting []call
	head    int
	expiry  runtime.Instant // no deadline is earlier; Never if there is none
	term    Term            // of the last entry applied
}

// begin turns a request into a proposal, or refuses it.
func (c *calls) begin(id runtime.CallID, deadline runtime.Instant, req []byte) {
	n := c.node
	switch {
	case n.phase == booting:
		c.refuse(id, Refusal{Code: RefusedNotReady})
		return
	case n.phase != running:
		c.refuse(id, Refusal{Code: RefusedStopping})
		return
	}
	now := n.env.Now()
	if deadline <= now {
		c.refuse(id, Refusal{Code: RefusedExpired})
		return
	}
	kind, data, err := DecodeRequest(req)
	if err != nil {
		c.refuse(id, Refusal{Code: RefusedMalformed})
		return
	}
	if n.writer.full(len(data), 1) || len(c.waiting)-c.head >= callsMax {
		c.refuse(id, n.crowded(len(data)))
		return
	}
	index, term, err := n.core.Propose(now, kind, data)
	switch {
	case errors.Is(err, ErrBusy):
		c.refuse(id, n.crowded(len(data)))
		return
	case err != nil:
		c.refuse(id, refusalOf(err))
		return
	}
	n.env.Trace(event(Proposed, uint64(id), uint64(index), uint64(term), HashEntry(kind, data)))
	c.add(call{index: index, term: term, id: id, deadline: deadline})
}

// crowded returns the refusal of a call of that many bytes for which there is no room. A member that does not lead needs
// none: the leader may have it. Of a leader it says what the room is waiting for: time passes by itself, a full disk is somebody's
// business.
func (n *Node) crowded(bytes int) Refusal {
	s := n.core.Status()
	switch {
	case s.Role != Leader:
		return Refusal{Code: RefusedNotLeader, Leader: s.Leader}
	case n.writer.noSpace(bytes, 1):
		return Refusal{Code: RefusedNoSpace}
	}
	return Refusal{Code: RefusedBusy}
}

// refusalOf translates an error of Core.Propose.
func refusalOf(err error) Refusal {
	var elsewhere *NotLeaderError
	switch {
	case errors.As(err, &elsewhere):
		return Refusal{Code: RefusedNotLeader, Leader: elsewhere.Leader}
	case errors.Is(err, ErrTooLarge):
		return Refusal{Code: RefusedTooLarge}
	}
	return Refusal{Code: RefusedBusy}
}

func (c *calls) refuse(id runtime.CallID, r Refusal) {
	c.node.env.Reply(id, runtime.Refused, r.Append(nil))
}

// add puts a call in its place, which is nearly always the last.
func (c *calls) add(added call) {
	if c.head == len(c.waiting) {
		c.waiting, c.head, c.expiry = c.waiting[:0], 0, runtime.Never
	} else if c.head > 256 && c.head > len(c.waiting)/2 {
		c.waiting, c.head = append(c.waiting[:0], c.waiting[c.head:]...), 0
	}
	at := len(c.waiting)
	for at > c.head && c.waiting[at-1].index > added.index {
		at--
	}
	c.waiting = slices.Insert(c.waiting, at, added)
	c.expiry = min(c.expiry, added.deadline)
}

// open reports whether any call is under way.
func (c *calls) open() bool { return c.head < len(c.waiting) }

// applied ends the calls that an applied entry decides.
func (c *calls) applied(index Index, term Term, response []byte) {
	if term > c.term {
		c.term = term
		c.replaced()
	}
	for c.head < len(c.waiting) && c.waiting[c.head].index <= index {
		ended := &c.waiting[c.head]
		c.head++
		switch {
		case ended.index == index && ended.term == term:
			c.node.env.Reply(ended.id, runtime.Done, response)
		case ended.index == index:
			c.refuse(ended.id, Refusal{Code: RefusedReplaced})
		default:
			c.node.env.Reply(ended.id, runtime.Unknown, nil)
		}
	}
}

// replaced refuses the calls of terms before that of the entry applied last.
func (c *calls) replaced() {
	c.end(func(w *call) bool {
		if w.term < c.term {
			c.refuse(w.id, Refusal{Code: RefusedReplaced})
		}
		return w.term < c.term
	})
}

// installed ends the calls that a snapshot covers. Whether their entries are among
// those that made the snapshot, nobody here can tell.
func (c *calls) installed(meta SnapshotMeta) {
	c.end(func(w *call) bool {
		if w.index <= meta.Index {
			c.node.env.Reply(w.id, runtime.Unknown, nil)
		}
		return w.index <= meta.Index
	})
}

// expire ends the calls whose deadline has passed.
func (c *calls) expire(now runtime.Instant) {
	if now < c.expiry {
		return
	}
	c.expiry = runtime.Never
	c.end(func(w *call) bool {
		if w.deadline <= now {
			c.node.env.Reply(w.id, runtime.Unknown, nil)
			return true
		}
		c.expiry = min(c.expiry, w.deadline)
		return false
	})
}

// abandon ends all calls, at the end of a drain.
func (c *calls) abandon() {
	c.end(func(w *call) bool {
		c.node.env.Reply(w.id, runtime.Unknown, nil)
		return true
	})
}

// forget drops a call without an answer.
func (c *calls) forget(id runtime.CallID) {
	c.end(func(w *call) bool { return w.id == id })
}

// end removes the calls for which gone returns true.
func (c *calls) end(gone func(*call) bool) {
	c.waiting, c.head = slices.DeleteFunc(c.waiting[c.head:], func(w call) bool { return gone(&w) }), 0
}
