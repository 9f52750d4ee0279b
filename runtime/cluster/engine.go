package cluster

import (
	"context"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
)

// backend is an engine as a part of the node.
type backend interface {
	member.Engine
	// Snapshot takes a snapshot now, as raft.Node.Snapshot does.
	Snapshot(done func(error))
}

// engines makes the backends. A member is given to them for what they need beside its config, when it is started.
var engines = map[Engine]func(m *Member, machine func() raft.StateMachine) backend{
	Octopii:   func(m *Member, machine func() raft.StateMachine) backend { return raft.NewNode(m.cfg.raft(machine)) },
	Hashicorp: newHashicorp,
}

// beside returns a backend that stands for an engine of its own.
func (m *Member) beside(start func(changed func()) (engine, error)) backend {
	return newProxy(start, func(f func()) bool {
		return m.host.Post(func() {
			f()
			m.node.Refresh()
		})
	})
}

// engine is a replica that lives on goroutines of its own, beside the node: see proxy.
type engine interface {
	// Propose executes a command, and Query answers a question, linearizably. They block until the outcome is known or
	// ctx is done, may be called by many goroutines, and own the bytes. With runtime.Refused the error is a raft.Refusal, with
	// runtime.Unknown it says why. They neither forward nor try again.
	Propose(ctx context.Context, command []byte) (runtime.Outcome, []byte, error)
	Query(ctx context.Context, query []byte) (runtime.Outcome, []byte, error)
	// Snapshot takes a snapshot of the state now and returns when it is durable. Nothing new to take is nil.
	Snapshot(ctx context.Context) error
	// Status returns the replica's view of itself. It does not block for long.
	Status() raft.Status
	// Stop finishes what has been taken in, refuses more, closes the log, and blocks until Done is closed.
	Stop()
	// Kill ends at once.
	Kill(reason error)
	// Done is closed when nothing of the engine is left.
	Done() <-chan struct{}
	// Wait blocks until Done, and returns why the engine ended: nil after Stop.
	Wait() error
}
