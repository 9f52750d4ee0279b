package member

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// engineEnv is the Env of the engine: that of the node, but for what the node must know.
type engineEnv struct {
	runtime.Env
	node *Node
}

// WakeAt implements runtime.Env. The alarm is shared.
func (e engineEnv) WakeAt(t runtime.Instant) { e.node.engineAt = t }

// Submit implements runtime.Env. The end of a job may change anything.
func (e engineEnv) Submit(lane runtime.Lane, job func(runtime.FS) error, done func(error)) {
	e.Env.Submit(lane, job, func(err error) {
		done(err)
		e.node.settle()
	})
}

// Reply implements runtime.Env. Some refusals are not the last word.
func (e engineEnv) Reply(id runtime.CallID, outcome runtime.Outcome, resp []byte) {
	if id >= runtime.OwnCalls {
		e.node.serving.answered(id, outcome, resp)
		return
	}
	e.node.calls.answered(id, outcome, resp)
}

// Trace implements runtime.Env. A proposal bears the id of the client's call, wherever that was made.
func (e engineEnv) Trace(ev runtime.Event) {
	if ev.Kind == raft.Proposed && runtime.CallID(ev.A) >= runtime.OwnCalls {
		e.node.serving.name(&ev)
	}
	e.Env.Trace(ev)
}

// Halt implements runtime.Env. Without its engine a member is of no use.
func (e engineEnv) Halt(reason error) {
	e.node.over = true
	e.Env.Halt(reason)
}
