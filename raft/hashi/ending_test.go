package hashi

import (
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
)

// TestEndWaitsForCalls has a call still on its way out when raft has ended. Nobody hears that nothing is left before it is.
func TestEndWaitsForCalls(t *testing.T) {
	t.Parallel()
	e := newFollower(t).engine
	if !e.calls.enter() {
		t.Fatal("there is no room for a call")
	}
	e.Kill(errKilled)
	eventually(t, "raft's end", func() bool { return e.raft.State() == hraft.Shutdown })
	select {
	case <-e.Done():
		t.Error("it has ended before the call")
	case <-time.After(100 * time.Millisecond): // it could have
	}
	e.calls.leave()
	await(t, e.Done(), "the end of the replica")
}

// TestNoBarrierAtTheEnd asks for a barrier of a leader that takes nothing in any more: raft is not asked.
func TestNoBarrierAtTheEnd(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(forever)
	if err := f.engine.barrier(); err != nil {
		t.Errorf("while it leads: %v", err)
	}
	f.engine.guard.closing.Store(true)
	if err := f.engine.barrier(); err != hraft.ErrRaftShutdown {
		t.Errorf("got %v", err)
	}
}

// TestNobodyIsSentInACircle has raft refuse what a replica was given while that still takes itself for the leader.
func TestNobodyIsSentInACircle(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(forever)
	for _, err := range []error{hraft.ErrNotLeader, hraft.ErrLeadershipTransferInProgress} {
		a := f.engine.classify(err)
		refusedAs(t, err.Error(), a.outcome, a.response, a.err, raft.Refusal{Code: raft.RefusedNotLeader})
	}
}
