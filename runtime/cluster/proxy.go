package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// openMax is how many calls a proxy may have under way. One more is refused as busy.
const openMax = 1 << 16

// proxy is a backend that stands for an engine on goroutines of its own. Calls go out on a goroutine each and come back by
// the host's loop. It ends the node when the engine ends, and the other way round.
type proxy struct {
	// start makes the engine. It may block.
	start func(changed func()) (engine, error)
	// post runs a function on the node's loop, and then lets the node look at the engine. It returns false if the node has
	// ended.
	post func(func()) bool

	ctx    context.Context // done when the node has ended
	cancel context.CancelFunc
	done   chan struct{} // closed when the engine has ended, or was never there

	// What follows is the loop's.
	env      runtime.Env
	engine   engine // nil: not started yet
	stopping bool
	calls    map[runtime.CallID]context.CancelFunc
	status   raft.Status // as of the last change
}

var _ backend = (*proxy)(nil)

func newProxy(start func(changed func()) (engine, error), post func(func()) bool) *proxy {
	p := &proxy{start: start, post: post, done: make(chan struct{}), calls: map[runtime.CallID]context.CancelFunc{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Boot implements runtime.Node.
func (p *proxy) Boot(env runtime.Env) {
	p.env = env
	go p.run()
}

// run starts the engine and waits for its end.
func (p *proxy) run() {
	defer close(p.done)
	e, err := p.start(func() { p.post(p.changed) })
	if err != nil {
		p.post(func() { p.env.Halt(err) })
		return
	}
	if !p.post(func() { p.started(e) }) {
		e.Kill(ErrStopped)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-p.ctx.Done():
			e.Kill(ErrStopped)
		case <-ended:
		}
	}()
	err = e.Wait()
	p.post(func() { p.env.Halt(err) })
}

// started takes over the engine.
func (p *proxy) started(e engine) {
	p.engine = e
	p.changed()
	if p.stopping {
		go e.Stop()
	}
}

// changed traces a change of role, as package raft does.
func (p *proxy) changed() {
	if p.engine == nil {
		return
	}
	before := p.status
	p.status = p.engine.Status()
	if s := p.status; s.Role != before.Role || s.Term != before.Term {
		p.env.Trace(runtime.Event{Kind: raft.RoleChanged, A: uint64(s.Role), B: uint64(s.Term), C: uint64(s.Last), D: uint64(s.LastTerm)})
	}
}

// Receive implements runtime.Node. The engine has a network of its own.
func (p *proxy) Receive(runtime.NodeID, runtime.Channel, []byte) {}

// Wake implements runtime.Node.
func (p *proxy) Wake() {}

// Call implements runtime.Node.
func (p *proxy) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	kind, data, err := raft.DecodeRequest(req)
	switch {
	case err != nil:
		p.refuse(id, raft.RefusedMalformed)
		return
	case p.stopping:
		p.refuse(id, raft.RefusedStopping)
		return
	case p.engine == nil:
		p.refuse(id, raft.RefusedNotReady)
		return
	case len(p.calls) >= openMax:
		p.refuse(id, raft.RefusedBusy)
		return
	}
	ctx, cancel := p.within(deadline)
	p.calls[id] = cancel
	execute := p.engine.Propose
	if kind == raft.EntryQuery {
		execute = p.engine.Query
	}
	go func() {
		outcome, resp, err := execute(ctx, data)
		cancel()
		p.post(func() { p.answered(id, outcome, resp, err) })
	}()
}

// within returns a context that ends with the deadline, or the node.
func (p *proxy) within(deadline runtime.Instant) (context.Context, context.CancelFunc) {
	if deadline == runtime.Never {
		return context.WithCancel(p.ctx)
	}
	return context.WithTimeout(p.ctx, deadline.Sub(p.env.Now()))
}

// answered gives the engine's answer.
func (p *proxy) answered(id runtime.CallID, outcome runtime.Outcome, resp []byte, err error) {
	if p.calls[id] == nil {
		return // cancelled
	}
	delete(p.calls, id)
	if outcome == runtime.Refused {
		var r raft.Refusal
		if !errors.As(err, &r) {
			panic(fmt.Sprintf("cluster: the engine refuses with %v, which is no raft.Refusal", err))
		}
		resp = r.Append(nil)
	}
	p.env.Reply(id, outcome, resp)
}

func (p *proxy) refuse(id runtime.CallID, code raft.RefusalCode) {
	p.env.Reply(id, runtime.Refused, raft.Refusal{Code: code}.Append(nil))
}

// Cancel implements runtime.Node.
func (p *proxy) Cancel(id runtime.CallID) {
	if cancel := p.calls[id]; cancel != nil {
		delete(p.calls, id)
		cancel()
	}
}

// Stop implements runtime.Node. The end of the engine is that of the node.
func (p *proxy) Stop() {
	p.stopping = true
	if p.engine != nil {
		go p.engine.Stop()
	}
}

// Status implements member.Engine. It is that of the last change, of which the engine tells: the node asks with every frame.
func (p *proxy) Status() raft.Status { return p.status }

// fresh returns the status of now. It runs on the loop.
func (p *proxy) fresh() raft.Status {
	if p.engine == nil {
		return raft.Status{}
	}
	return p.engine.Status()
}

// snapshotWithin is how long a snapshot may take.
const snapshotWithin = 10 * time.Minute

// Snapshot implements backend.
func (p *proxy) Snapshot(done func(error)) {
	if p.engine == nil || p.stopping {
		done(raft.ErrNotRunning)
		return
	}
	e := p.engine
	go func() {
		ctx, cancel := context.WithTimeout(p.ctx, snapshotWithin)
		defer cancel()
		err := e.Snapshot(ctx)
		p.post(func() { done(err) })
	}()
}

// end kills the engine and waits for its end. It is called when the node has ended.
func (p *proxy) end() {
	p.cancel()
	<-p.done
}
