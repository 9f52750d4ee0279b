package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// How what was asked of a member ends, if not well. Every error of a Member's methods matches exactly one of the two.
var (
	// ErrRefused means that it did not take effect and never will.
	ErrRefused = errors.New("cluster: refused")
	// ErrUnknown means that it may have taken effect, or may yet, or never will.
	ErrUnknown = errors.New("cluster: outcome unknown")
)

// Why something is refused, or its outcome unknown. All are matched with errors.Is, beside the errors of the context.
var (
	// ErrNotLeader means that another member must be asked, or that nobody is known to lead: see NotLeaderError.
	ErrNotLeader = errors.New("not the leader")
	// ErrNotReady means that the member is still reading its folder.
	ErrNotReady = errors.New("not ready yet")
	// ErrBusy means that too much is under way. It may be tried again later.
	ErrBusy = errors.New("too much is under way")
	// ErrNoSpace means that the disk of the member that leads is full. It may be tried again when there is space.
	ErrNoSpace = errors.New("the leader's disk is full")
	// ErrTooLarge means that the request is larger than may be.
	ErrTooLarge = errors.New("too large")
	// ErrReplaced means that a later leader has put something else in the request's place.
	ErrReplaced = errors.New("replaced by a later leader")
	// ErrStopped means that the member is draining, or has ended.
	ErrStopped = errors.New("the member has stopped")
	// ErrLost means that the member that leads, or the peer that was called, did not answer.
	ErrLost = errors.New("no answer")
	// ErrNoPeer means that the node is no member.
	ErrNoPeer = errors.New("no such member")
	// ErrNoHandler means that the peer handles no calls of that name.
	ErrNoHandler = errors.New("no such handler")
	// ErrInvalid means that the request makes no sense.
	ErrInvalid = errors.New("invalid request")
)

// OutcomeOf returns what an error of a Member says about what was asked of it: done if it is nil, refused, or unknown.
func OutcomeOf(err error) runtime.Outcome {
	switch {
	case err == nil:
		return runtime.Done
	case errors.Is(err, ErrRefused):
		return runtime.Refused
	}
	return runtime.Unknown
}

// NotLeaderError is the reason of a refusal because this member does not lead. It matches ErrNotLeader.
type NotLeaderError struct {
	// Leader is who may lead. The zero Peer: nobody is known to.
	Leader Peer
}

// Error says who leads.
func (e *NotLeaderError) Error() string {
	if e.Leader.ID == 0 {
		return "not the leader, and none is known"
	}
	return fmt.Sprintf("not the leader, which may be %v", e.Leader)
}

// Is makes the error match ErrNotLeader.
func (e *NotLeaderError) Is(target error) bool { return target == ErrNotLeader }

// outcomeError is how something ended, and why.
type outcomeError struct {
	outcome runtime.Outcome // refused or unknown
	reason  error
}

func (e *outcomeError) sentinel() error {
	if e.outcome == runtime.Refused {
		return ErrRefused
	}
	return ErrUnknown
}

// Error says which, and why.
func (e *outcomeError) Error() string { return e.sentinel().Error() + ": " + e.reason.Error() }

// Unwrap makes the error match both.
func (e *outcomeError) Unwrap() []error { return []error{e.sentinel(), e.reason} }

func refused(reason error) error { return &outcomeError{outcome: runtime.Refused, reason: reason} }
func unknown(reason error) error { return &outcomeError{outcome: runtime.Unknown, reason: reason} }

// explain returns the error of a call to the node that was not done. err is why the node itself did not answer.
func (m *Member) explain(outcome runtime.Outcome, resp []byte, err error) error {
	switch {
	case errors.Is(err, host.ErrStopped):
		err = m.stopped()
	case errors.Is(err, host.ErrBusy):
		err = ErrBusy
	case err == nil && outcome == runtime.Refused:
		refusal, bad := raft.DecodeRefusal(resp)
		if bad != nil {
			return unknown(bad)
		}
		err = m.reason(refusal)
	case err == nil:
		err = ErrLost
	}
	return &outcomeError{outcome: outcome, reason: err}
}

// reason translates a refusal of the engine.
func (m *Member) reason(r raft.Refusal) error {
	switch r.Code {
	case raft.RefusedNotReady:
		return ErrNotReady
	case raft.RefusedNotLeader:
		leader, _ := m.cfg.peer(r.Leader)
		return &NotLeaderError{Leader: leader}
	case raft.RefusedBusy:
		return ErrBusy
	case raft.RefusedNoSpace:
		return ErrNoSpace
	case raft.RefusedTooLarge:
		return ErrTooLarge
	case raft.RefusedExpired:
		return context.DeadlineExceeded
	case raft.RefusedReplaced:
		return ErrReplaced
	case raft.RefusedStopping:
		return ErrStopped
	}
	return ErrInvalid
}

// stopped returns ErrStopped, with the reason if it is known and no drain.
func (m *Member) stopped() error {
	select {
	case <-m.Done():
		if err := m.Wait(); err != nil {
			return fmt.Errorf("%w: %w", ErrStopped, err)
		}
	default:
	}
	return ErrStopped
}
