package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// fate is what became of a call's entry.
type fate uint8

const (
	undecided fate = iota
	committed      // it is in the committed log
	overtaken      // another entry is committed in its place: it never will be
)

// call is one call of a client. It is remembered until it was answered, its
// fate is settled, and no judgement of answers needs it.
type call struct {
	id      runtime.CallID // zero: the slot is free
	client  uint64
	op      uint64
	node    runtime.NodeID
	request []byte // what the state machine is to see of it; the slot's own copy
	hash    uint64 // of the request as an entry

	started     uint64          // the number of the record
	answered    uint64          // the same; zero: nobody has been told yet
	settled     runtime.Instant // when the node it was made at applied its entry; zero: not yet
	ackedBefore raft.Index      // the highest index told done when the call was made

	// forwarded says that its node has sent it to another: it may become an entry there, whoever dies, and what its
	// node has applied says nothing about what that may know.
	forwarded bool

	outcome  runtime.Outcome
	fate     fate
	applied  bool   // its entry was, by some node
	windowed bool   // in the window of LinearOracle
	at       place  // the entry it became; zero: none, so far
	expected uint64 // hash of the response by the model, once its entry was applied
	response uint64 // hash of the response it was told, if done
}

// callTable remembers calls.
type callTable struct {
	slots []*call
	free  []int32
	byID  map[runtime.CallID]int32

	// open lists the slots in the order of starts; those answered since are
	// skipped when they come to the front.
	open []opened
	head int
}

type opened struct {
	slot int32
	id   runtime.CallID
}

func newCallTable() callTable { return callTable{byID: map[runtime.CallID]int32{}} }

// find returns the call, or nil if it was never made or is settled.
func (t *callTable) find(id runtime.CallID) *call {
	if slot, ok := t.byID[id]; ok {
		return t.slots[slot]
	}
	return nil
}

// of returns the call that the entry came from, or nil if there is none, or it is settled.
func (t *callTable) of(e *entry) *call {
	if e.call == 0 {
		return nil
	}
	if c := t.slots[e.slot]; c.id == e.call {
		return c
	}
	return nil
}

// start remembers a call and returns it, or nil if the id was used before.
func (t *callTable) start(r *runtime.Record, order uint64) *call {
	id := runtime.CallID(r.A)
	if _, used := t.byID[id]; used || id == 0 {
		return nil
	}
	var slot int32
	if n := len(t.free); n > 0 {
		slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		slot = int32(len(t.slots))
		t.slots = append(t.slots, &call{})
	}
	kind, data, err := raft.DecodeRequest(r.Note)
	if err != nil {
		data = r.Note // no entry: it will be refused
	}
	c := t.slots[slot]
	*c = call{
		id: id, client: r.B, op: r.C, node: runtime.NodeID(r.D), started: order,
		request: append(c.request[:0], data...),
		hash:    raft.HashEntry(kind, data),
	}
	t.byID[id] = slot
	if len(t.open) == cap(t.open) && t.head > len(t.open)/2 {
		n := copy(t.open, t.open[t.head:])
		t.open, t.head = t.open[:n], 0
	}
	t.open = append(t.open, opened{slot, id})
	return c
}

// oldest returns when the oldest call that nobody has answered began, or
// order if there is none.
func (t *callTable) oldest(order uint64) uint64 {
	for ; t.head < len(t.open); t.head++ {
		o := t.open[t.head]
		if c := t.slots[o.slot]; c.id == o.id && c.answered == 0 {
			return c.started
		}
	}
	return order
}

// settle forgets the call if nothing more can come of it.
func (t *callTable) settle(c *call) {
	if c.answered == 0 || c.windowed {
		return
	}
	switch {
	case c.fate == overtaken, c.fate == committed && c.applied:
		t.forget(c)
	case c.at == (place{}) && c.outcome != runtime.Unknown:
		t.forget(c)
	}
}

func (t *callTable) forget(c *call) {
	slot := t.byID[c.id]
	delete(t.byID, c.id)
	c.id = 0
	t.free = append(t.free, slot)
}

// rebooted forgets the calls that a node took with it when it died: they were
// given up, and became no entry. Those that were forwarded are remembered: a run has few whose fate stays open.
func (t *callTable) rebooted(node runtime.NodeID) {
	for _, c := range t.slots {
		if c.id != 0 && c.node == node && !c.forwarded && c.answered > 0 && c.at == (place{}) {
			t.forget(c)
		}
	}
}
