package sim

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// Latency between a client and the node it calls.
const (
	callLatencyMin = 50 * time.Microsecond
	callLatencyMax = 200 * time.Microsecond
)

// openCallsMax bounds the calls open at once.
const openCallsMax = 1 << 16

type callState uint8

const (
	callSent     callState = iota + 1 // on its way to the node
	callArrived                       // with the node's process
	callAnswered                      // its answer is on its way to the client
)

// CallResult is what a client learns of its call.
type CallResult struct {
	ID      runtime.CallID
	Client  uint64
	Op      uint64
	Node    runtime.NodeID
	Outcome runtime.Outcome
	Resp    []byte
}

type openCall struct {
	CallResult
	machine  *Machine
	req      []byte
	deadline runtime.Instant // in world time
	state    callState
}

// calls are those that clients wait for. A CallID is a number never used
// before above the number of a slot.
type calls struct {
	w       *World
	open    slab[openCall]
	last    uint64
	armed   runtime.Instant // of the earliest evDeadline in the queue
	latency *faults.Site
	order   *faults.Site
	result  CallResult // the one being handed to the driver
}

func (c *calls) get(id runtime.CallID) *openCall {
	ref := uint64(id) % openCallsMax
	if ref >= uint64(len(c.open.slots)) || c.open.slots[ref].ID != id {
		return nil
	}
	return &c.open.slots[ref]
}

// Call lets a client invoke its operation op at a node, and give up after the
// timeout. The answer comes to the driver's Reply. The world owns req from here on.
func (w *World) Call(client, op uint64, node runtime.NodeID, timeout time.Duration, req []byte) runtime.CallID {
	c := &w.calls
	m := w.machine(node)
	if m == nil || len(c.open.slots)-len(c.open.free) >= openCallsMax {
		panic("sim: call of a node that does not exist, or too many calls at once")
	}
	c.last++
	deadline := w.now.Add(timeout)
	ref := c.open.add(openCall{machine: m, req: req, deadline: deadline, state: callSent})
	id := runtime.CallID(c.last*openCallsMax + ref)
	c.open.slots[ref].CallResult = CallResult{ID: id, Client: client, Op: op, Node: node}
	w.emit(0, runtime.Event{Kind: runtime.CallStart, A: uint64(id), B: client, C: op, D: uint64(node), Note: req})
	c.later(evCall, m, id)
	if deadline < c.armed {
		c.armed = deadline
		w.queue.push(event{at: deadline, kind: evDeadline, machine: -1})
	}
	return id
}

func (c *calls) later(kind eventKind, m *Machine, id runtime.CallID) {
	at := c.w.now.Add(c.latency.Between(callLatencyMin, callLatencyMax))
	c.w.queue.push(event{at: at, kind: kind, machine: m.index, ref: uint64(id), prio: uint32(c.order.Draw())})
}

// arrive hands a call to the process.
func (c *calls) arrive(m *Machine, id runtime.CallID) {
	call := c.get(id)
	if call == nil || call.state != callSent {
		return
	}
	call.state = callArrived
	m.proc.Call(id, m.clock.now(call.deadline), call.req)
}

// refuse answers a call that finds nobody at the node: it did not take effect.
func (c *calls) refuse(id runtime.CallID) {
	if call := c.get(id); call != nil && call.state == callSent {
		call.state = callAnswered
		call.Outcome = runtime.Refused
		c.later(evReply, call.machine, id)
	}
}

// answer takes the reply of a process over.
func (c *calls) answer(m *Machine, id runtime.CallID, o runtime.Outcome, resp []byte) {
	call := c.get(id)
	if call == nil || call.machine != m || call.state != callArrived {
		return
	}
	call.state = callAnswered
	call.Outcome, call.Resp = o, resp
	c.later(evReply, m, id)
}

// abandon lets the callers of a process that ended know that nobody will answer.
func (c *calls) abandon(m *Machine) {
	for i := range c.open.slots {
		if call := &c.open.slots[i]; call.ID != 0 && call.machine == m && call.state == callArrived {
			call.state = callAnswered
			call.Outcome = runtime.Unknown
			c.later(evReply, m, call.ID)
		}
	}
}

// finish tells the client.
func (c *calls) finish(id runtime.CallID) {
	if c.get(id) == nil {
		return
	}
	c.result = c.open.take(uint64(id) % openCallsMax).CallResult
	r := &c.result
	c.w.emit(r.Node, runtime.Event{Kind: runtime.CallReply, A: uint64(id), B: r.Client, C: uint64(r.Outcome), Note: r.Resp})
	c.w.driver.Reply(r)
}

// expire gives up the calls whose deadline has come: their outcome is unknown.
func (c *calls) expire() {
	c.armed = runtime.Never
	for i := range c.open.slots {
		call := &c.open.slots[i]
		if call.ID == 0 || call.deadline > c.w.now {
			continue
		}
		id, m, arrived := call.ID, call.machine, call.state == callArrived
		call.Outcome, call.Resp = runtime.Unknown, nil
		if arrived && m.state == machineUp {
			m.dispatch(&event{kind: evCancel, ref: uint64(id)})
		}
		c.finish(id)
	}
	for i := range c.open.slots {
		if call := &c.open.slots[i]; call.ID != 0 && call.deadline < c.armed {
			c.armed = call.deadline
		}
	}
	if c.armed != runtime.Never {
		c.w.queue.push(event{at: c.armed, kind: evDeadline, machine: -1})
	}
}
