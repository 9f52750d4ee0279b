package sim

import (
	"fmt"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// Process is what a machine runs: something that is called when an event for
// it comes, asks the machine for what it needs, and can be ended at any moment.
// The machine recovers its panics.
type Process interface {
	Boot()
	Receive(from runtime.NodeID, ch runtime.Channel, frame []byte)
	Wake()
	Call(id runtime.CallID, deadline runtime.Instant, req []byte)
	Cancel(id runtime.CallID)
	Stop()
	// op returns the file operation issued with ref; FileDone says that it has
	// taken effect.
	op(ref uint64) *fileOp
	FileDone(ref uint64)
	// Begin says that a job that had to wait begins, on the lane ref.
	Begin(ref uint64)
	// pending visits the file operations that were issued and are not done.
	pending(visit func(*fileOp))
	// Kill ends the process: it acts no more.
	Kill()
}

// native runs a runtime.Node: it is the node's Env and its jobs' FS. The file
// calls of its jobs are in file.go.
type native struct {
	m       *Machine
	node    runtime.Node
	lanes   [runtime.LaneCount]*lane
	running *lane // whose job is on the stack
	draws   map[runtime.Purpose]*faults.Site
	dead    bool
}

func newNative(m *Machine, node runtime.Node) *native {
	return &native{m: m, node: node, draws: map[runtime.Purpose]*faults.Site{}}
}

// enter notes whose job runs from here on, and returns whose ran before.
func (p *native) enter(l *lane) *lane {
	outer := p.running
	p.running = l
	return outer
}

// Boot implements Process.
func (p *native) Boot() { p.node.Boot(p) }

// Receive implements Process. A frame is valid during the call: a node that keeps a part of it finds other bytes there later, as it
// would where its memory is used again.
func (p *native) Receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	p.node.Receive(from, ch, frame)
	for i := range frame {
		frame[i] ^= 0xa5
	}
}

// Wake implements Process.
func (p *native) Wake() { p.node.Wake() }

// Call implements Process.
func (p *native) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	p.node.Call(id, deadline, req)
}

// Cancel implements Process.
func (p *native) Cancel(id runtime.CallID) { p.node.Cancel(id) }

// Stop implements Process.
func (p *native) Stop() { p.node.Stop() }

// FileDone implements Process. A job that made no file call ends with its
// lane's number too: it has nothing to wait for.
func (p *native) FileDone(ref uint64) {
	if l := p.lanes[ref]; l.wait {
		l.opDone()
	} else {
		l.jobDone()
	}
}

// Begin implements Process.
func (p *native) Begin(ref uint64) { p.lanes[ref].begin() }

func (p *native) op(ref uint64) *fileOp { return &p.lanes[ref].op }

func (p *native) pending(visit func(*fileOp)) {
	for _, l := range p.lanes {
		if l != nil && l.wait {
			visit(&l.op)
		}
	}
}

// Kill implements Process.
func (p *native) Kill() {
	p.dead = true
	for _, l := range p.lanes {
		if l != nil {
			l.kill()
		}
	}
}

// alive reports whether the Env still has any effect, and counts the call, so
// that a node that never returns is found out.
func (p *native) alive() bool {
	if p.dead {
		return false
	}
	p.m.spend()
	return true
}

// Self implements runtime.Env.
func (p *native) Self() runtime.NodeID { return p.m.id }

// Now implements runtime.Env.
func (p *native) Now() runtime.Instant {
	if !p.alive() {
		return 0
	}
	return p.m.clock.now(p.m.w.now)
}

// Wall implements runtime.Env.
func (p *native) Wall() runtime.Instant {
	if !p.alive() {
		return 0
	}
	return p.m.clock.wall(p.m.w.now)
}

// WakeAt implements runtime.Env.
func (p *native) WakeAt(t runtime.Instant) {
	if p.alive() {
		p.m.wakeAt(t)
	}
}

// Uint64 implements runtime.Env.
func (p *native) Uint64(purpose runtime.Purpose) uint64 {
	if !p.alive() {
		return 0
	}
	site := p.draws[purpose]
	if site == nil {
		site = p.m.w.sites.Site("node.draw", uint64(p.m.id), uint64(purpose))
		p.draws[purpose] = site
	}
	return site.Draw()
}

// Route implements runtime.Env. Simulated nodes are reached by id.
func (p *native) Route(runtime.NodeID, string) { p.alive() }

// Send implements runtime.Env.
func (p *native) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	if p.alive() {
		p.m.w.net.send(p.m, to, ch, frame)
	}
}

// Submit implements runtime.Env.
func (p *native) Submit(id runtime.Lane, run func(runtime.FS) error, done func(error)) {
	if !p.alive() {
		return
	}
	if id >= runtime.LaneCount {
		panic(fmt.Sprintf("sim: submit to lane %d of %d", id, runtime.LaneCount))
	}
	if p.lanes[id] == nil {
		p.lanes[id] = newLane(p, id)
	}
	p.lanes[id].submit(job{run, done})
}

// Reply implements runtime.Env.
func (p *native) Reply(id runtime.CallID, o runtime.Outcome, resp []byte) {
	if p.alive() {
		p.m.w.calls.answer(p.m, id, o, resp)
	}
}

// Trace implements runtime.Env.
func (p *native) Trace(ev runtime.Event) {
	if p.alive() {
		p.m.w.emit(p.m.id, ev)
	}
}

// Halt implements runtime.Env.
func (p *native) Halt(reason error) {
	if p.alive() {
		p.dead = true
		p.m.halted = true
		p.m.haltReason = reason
	}
}
