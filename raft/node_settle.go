package raft

import "github.com/octopii-go/octopii/runtime"

// settle carries out what the core asks for. It is the last thing that every
// method of the node and every end of a job does, and the only caller of
// Core.Take.
func (n *Node) settle() {
	if n.phase == ended || n.core == nil {
		return
	}
	if n.calls.open() {
		n.core.Hurry()
	}
	out := n.core.Take(n.env.Now())
	n.carryOut(&out)
	n.fetcher.outrun()
	n.writer.begin()
	n.arm()
	if n.phase == draining {
		n.drain()
	}
}

// carryOut does what the output says, in the order it demands. Nothing in it
// calls a method of the core that would take the output's memory back, except loads,
// which come last.
func (n *Node) carryOut(out *Output) {
	for i := range out.Events {
		n.env.Trace(out.Events[i])
	}
	if out.Persist != nil {
		n.writer.stage(out.Persist)
		n.fetcher.staged(out.Persist)
	}
	for i := range out.Send {
		n.outbox.send(&out.Send[i])
	}
	for i := range out.Gated {
		n.outbox.gate(&out.Gated[i])
	}
	if len(out.Apply) > 0 {
		n.applier.begin(out.Apply)
	}
	for _, peer := range out.SendSnapshot {
		n.shipper.begin(peer)
	}
	for i := range out.Offers {
		n.fetcher.offered(&out.Offers[i])
	}
	for _, load := range out.Loads {
		n.loader.load(load)
	}
	n.loader.refuse()
}

// arm sets the alarm to the earliest deadline. One that is too early stays: it
// is put right when it goes off, which is cheaper than moving it with every message.
func (n *Node) arm() {
	due := min(n.core.Deadline(), n.calls.expiry, n.shipper.due(), n.writer.choreAt, n.writer.flushAt)
	if due < n.armed {
		n.armed = due
		n.env.WakeAt(due)
	}
}

// drain ends the node once nothing that was begun is left.
func (n *Node) drain() {
	if n.writer.busy() || n.applier.busy() {
		return
	}
	n.calls.abandon()
	n.phase = ended
	log, env := n.writer.log, n.env
	env.Submit(laneLog, log.Close, func(error) { env.Halt(nil) })
}

// event is shorthand for an event without a note.
func event(kind runtime.EventKind, a, b, c, d uint64) runtime.Event {
	return runtime.Event{Kind: kind, A: a, B: b, C: c, D: d}
}
