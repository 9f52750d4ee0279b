package hashi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// calls counts what waits for an answer of raft's.
type calls struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count falls to zero, if somebody waits for that
}

// enter counts one more, unless there are too many.
func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count >= underWayMax {
		return false
	}
	c.count++
	return true
}

// add counts one more that is our own.
func (c *calls) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
}

func (c *calls) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count == 0
}

func (c *calls) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	if c.count == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// await blocks until there are none, until cut is closed, or until patience is over.
func (c *calls) await(cut <-chan struct{}, patience time.Duration) {
	c.mu.Lock()
	if c.count == 0 {
		c.mu.Unlock()
		return
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-cut:
	case <-timer.C:
	}
}

// answer is what a call returns.
type answer struct {
	outcome  runtime.Outcome
	response []byte
	err      error
}

func (a answer) get() (runtime.Outcome, []byte, error) { return a.outcome, a.response, a.err }

func refused(code raft.RefusalCode, leader runtime.NodeID) answer {
	return answer{outcome: runtime.Refused, err: raft.Refusal{Code: code, Leader: leader}}
}

func unknown(why error) answer { return answer{outcome: runtime.Unknown, err: why} }

// Propose executes a command: raft.StateMachine.Apply. It blocks until the outcome is known, or ctx is done. It
// does not keep the command's bytes. The outcome is
//   - Done, with the state machine's response;
//   - Refused, with a raft.Refusal: the command did not and will not take effect. If this is not the leader,
//     the refusal says who is, if that is known;
//   - Unknown, with the reason: anything may be true.
func (e *Engine) Propose(ctx context.Context, command []byte) (runtime.Outcome, []byte, error) {
	if len(command) > e.cfg.MaxEntryBytes {
		return refused(raft.RefusedTooLarge, 0).get()
	}
	if a, ok := e.admit(ctx); !ok {
		return a.get()
	}
	data := raft.AppendRequest(make([]byte, 0, 1+len(command)), raft.EntryCommand, command)
	enqueued, answered := make(chan struct{}), make(chan answer, 1)
	limit := timeLeft(ctx)
	go func() {
		defer e.calls.leave()
		f := e.raft.Apply(data, limit)
		close(enqueued)
		err := f.Error()
		if err != nil {
			answered <- e.classify(err)
			return
		}
		response, _ := f.Response().([]byte)
		answered <- answer{outcome: runtime.Done, response: response}
	}()
	return e.wait(ctx, enqueued, answered).get()
}

// wait returns the answer, or what can be said without it.
func (e *Engine) wait(ctx context.Context, enqueued <-chan struct{}, answered <-chan answer) answer {
	var why error
	select {
	case a := <-answered:
		return a
	case <-ctx.Done():
		why = ctx.Err()
	case <-e.cut:
		why = e.why()
	}
	if errors.Is(why, context.DeadlineExceeded) {
		// Raft has the same deadline for taking the command in: if it did not, it is about to say so.
		select {
		case <-enqueued:
		case <-e.cut:
		}
		timer := time.NewTimer(graceMax)
		defer timer.Stop()
		select {
		case a := <-answered:
			return a
		case <-timer.C:
		}
	}
	return unknown(why)
}

// admit counts a call, or says why it is refused. Who was admitted must leave.
func (e *Engine) admit(ctx context.Context) (answer, bool) {
	select {
	case <-e.ending:
		return refused(raft.RefusedStopping, 0), false
	default:
	}
	switch {
	case ctx.Err() != nil:
		return refused(raft.RefusedExpired, 0), false
	case e.raft.State() != hraft.Leader:
		return refused(raft.RefusedNotLeader, e.elsewhere()), false
	case !e.calls.enter():
		return refused(raft.RefusedBusy, 0), false
	}
	return answer{}, true
}

// timeLeft returns for how long raft may try to take something in; zero is no limit.
func timeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(deadline), 1)
}

// classify says what an error of raft's means for what was given to it.
//
// Refused is only what raft has not taken in, or what the store has refused and not written. Raft shutting down says
// nothing, because it says so too of entries that are committed.
func (e *Engine) classify(err error) answer {
	switch {
	case errors.Is(err, hraft.ErrNotLeader), errors.Is(err, hraft.ErrLeadershipTransferInProgress):
		return refused(raft.RefusedNotLeader, e.elsewhere())
	case errors.Is(err, hraft.ErrEnqueueTimeout):
		return refused(raft.RefusedExpired, 0)
	case errors.Is(err, ErrFailed):
	case errors.Is(err, walrus.ErrNoSpace):
		return refused(raft.RefusedNoSpace, 0)
	case errors.Is(err, walrus.ErrFull):
		return refused(raft.RefusedBusy, 0)
	case errors.Is(err, walrus.ErrTooLarge):
		return refused(raft.RefusedTooLarge, 0)
	}
	if reason := e.why(); reason != nil {
		err = reason
	}
	return unknown(fmt.Errorf("hashi: outcome unknown: %w", err))
}

// elsewhere returns who leads, zero if that is not known, and for this replica: raft takes it for the leader a little longer than
// it leads, and who is refused would be sent in a circle.
func (e *Engine) elsewhere() runtime.NodeID {
	if id := e.leader(); id != e.cfg.ID {
		return id
	}
	return 0
}

// leader returns who leads, zero if that is not known.
func (e *Engine) leader() runtime.NodeID {
	_, name := e.raft.LeaderWithID()
	id, err := parseNode(string(name))
	if err != nil {
		return 0
	}
	return id
}
