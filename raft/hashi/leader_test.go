package hashi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// forever is the last entry of others that follow whatever comes.
const forever = math.MaxUint64

// others are n2 and n3, played by the test, while n1 leads. They vote for it and follow it up to some entry. What is behind that
// comes too late: another leads by then, in a later term. That they say when they are let.
type others struct {
	*follower
	last uint64
	let  chan struct{}
	free func()      // closes let
	sent chan uint64 // where messages with entries end
}

// lead has n1 elected. It returns when that leads by its own account, which it does until it is told that an entry came
// too late: no time is short enough for it to lose the lead by.
func (f *follower) lead(last uint64) *others {
	f.Helper()
	o := &others{follower: f, last: last, let: make(chan struct{}), sent: make(chan uint64, 1<<10)}
	o.free = sync.OnceFunc(func() { close(o.let) })
	for id, at := range f.leaders {
		f.endpoints[1].Route(id, f.endpoints[id].Addr())
		go func() {
			for {
				select {
				case rpc := <-at.Consumer():
					o.answer(id, rpc)
				case <-f.engine.Done():
					return
				}
			}
		}()
	}
	f.Cleanup(o.free) // before the end of n1, which waits for its messages to be answered
	f.check(f.leaders[2].TimeoutNow("n1", "n1", &hraft.TimeoutNowRequest{RPCHeader: header(2)}, &hraft.TimeoutNowResponse{}))
	await(f, o.sent, "the first entry of the leader's")
	return o
}

// answer is what n2 or n3 does.
func (o *others) answer(id runtime.NodeID, rpc hraft.RPC) {
	switch req := rpc.Command.(type) {
	case *hraft.RequestVoteRequest:
		rpc.Respond(&hraft.RequestVoteResponse{RPCHeader: header(id), Term: req.Term, Granted: true}, nil)
	case *hraft.AppendEntriesRequest:
		end := req.PrevLogEntry + uint64(len(req.Entries))
		if len(req.Entries) > 0 {
			o.sent <- end
		}
		if end <= o.last {
			rpc.Respond(&hraft.AppendEntriesResponse{RPCHeader: header(id), Term: req.Term, LastLog: end, Success: true}, nil)
			return
		}
		<-o.let
		rpc.Respond(&hraft.AppendEntriesResponse{RPCHeader: header(id), Term: req.Term + 1, LastLog: o.last}, nil)
	case *hraft.TimeoutNowRequest:
		rpc.Respond(&hraft.TimeoutNowResponse{RPCHeader: header(id)}, nil)
		go o.stand(id)
	default:
		rpc.Respond(nil, fmt.Errorf("%T is not played", req))
	}
}

// stand has one of them stand for election, because the leader has asked for it. It has all that the leader has.
func (o *others) stand(id runtime.NodeID) {
	s := o.engine.Status()
	_ = o.leaders[id].RequestVote("n1", "n1", &hraft.RequestVoteRequest{
		RPCHeader: header(id), Term: uint64(s.Term) + 1, Candidate: []byte(id.String()),
		LastLogIndex: uint64(s.Last), LastLogTerm: uint64(s.LastTerm), LeadershipTransfer: true,
	}, &hraft.RequestVoteResponse{}) // n1 ends after it has heard that, perhaps without an answer
}

// reaches waits until an entry has come to one of them.
func (o *others) reaches(index uint64) {
	o.Helper()
	for await(o, o.sent, fmt.Sprintf("entry %d", index)) < index {
	}
}

// refusedAs expects that a call was refused, for that reason.
func refusedAs(t *testing.T, what string, outcome runtime.Outcome, p []byte, err error, want raft.Refusal) {
	t.Helper()
	if outcome != runtime.Refused || p != nil || err != error(want) {
		t.Errorf("%s: %v, %q, %v, want %v", what, outcome, p, err, want)
	}
}

// TestQueryWaitsForItsBarrier asks a leader twice. The first answer has all that is committed. The barrier of the second question
// finds that another leads: it may have acknowledged what this one does not know, so there is no answer. Nor is this one named as
// who has it.
func TestQueryWaitsForItsBarrier(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(4).free() // 3 is the entry with which its term begins, 4 the first barrier
	outcome, p, err := f.engine.Query(t.Context(), nil)
	if outcome != runtime.Done || string(p) != "2/2 a" || err != nil {
		t.Errorf("a leader answers %v, %q, %v", outcome, p, err)
	}
	outcome, p, err = f.engine.Query(t.Context(), nil)
	refusedAs(t, "one that was replaced", outcome, p, err, raft.Refusal{Code: raft.RefusedNotLeader})
}

// overdue is a context whose time is over when the test says so.
type overdue struct {
	context.Context
	over chan struct{}
}

func (o overdue) Done() <-chan struct{} { return o.over }

func (o overdue) Err() error {
	select {
	case <-o.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestOutcomes are those of calls that are refused, or run out of time.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	e := f.engine
	f.accepts(2, 2, 1, 1, 1, "a")
	type call func(context.Context, []byte) (runtime.Outcome, []byte, error)
	calls := map[string]call{"propose": e.Propose, "query": e.Query}
	for name, call := range calls {
		outcome, p, err := call(t.Context(), nil)
		refusedAs(t, name+" at a follower", outcome, p, err, raft.Refusal{Code: raft.RefusedNotLeader, Leader: 2})
	}
	o := f.lead(5) // 3 is the entry with which its term begins
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		outcome, p, err := call(over, nil)
		refusedAs(t, name+" too late", outcome, p, err, raft.Refusal{Code: raft.RefusedExpired})
		outcome, p, err = call(t.Context(), make([]byte, defaultMaxEntryBytes+1))
		refusedAs(t, name+" too large", outcome, p, err, raft.Refusal{Code: raft.RefusedTooLarge})
	}
	for _, name := range []string{"propose", "query"} { // which are 4 and 5
		if outcome, p, err := calls[name](t.Context(), []byte("b")); outcome != runtime.Done || err != nil || string(p) != "4/3 b" {
			t.Errorf("%s: %v, %q, %v", name, outcome, p, err)
		}
	}
	check(t, e.Snapshot(t.Context()))
	check(t, e.Snapshot(t.Context())) // nothing new
	if s := e.Status(); s.Snapshot != s.Applied || s.Snapshot != 5 {
		t.Errorf("%+v", s)
	}
	withoutQuorum(t, o)
	done := make(chan struct{})
	go func() { defer close(done); e.Stop() }()
	await(t, done, "the end of Stop")
	if err := e.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	for name, call := range calls {
		outcome, p, err := call(t.Context(), nil)
		refusedAs(t, name+" after Stop", outcome, p, err, raft.Refusal{Code: raft.RefusedStopping})
	}
	if err := e.Snapshot(t.Context()); err != error(raft.Refusal{Code: raft.RefusedStopping}) {
		t.Errorf("snapshot after Stop: %v", err)
	}
}

// withoutQuorum has a leader propose what nobody confirms, until the time is over; then it learns that it leads no more.
func withoutQuorum(t *testing.T, o *others) {
	t.Helper()
	ctx, outcomes := overdue{t.Context(), make(chan struct{})}, make(chan answer, 1)
	go func() {
		outcome, p, err := o.engine.Propose(ctx, []byte("c"))
		outcomes <- answer{outcome, p, err}
	}()
	o.reaches(o.last + 1)
	close(ctx.over)
	if a := await(t, outcomes, "an outcome"); a.outcome != runtime.Unknown || !errors.Is(a.err, context.DeadlineExceeded) {
		t.Errorf("without a quorum: %+v", a)
	}
	o.free()
}

// TestKillGivesCallsUp kills a leader that cannot commit. Calls under way end at once, commands as unknown, and nothing is left.
func TestKillGivesCallsUp(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	e := f.engine
	f.accepts(2, 2, 1, 1, 1, "a")
	o := f.lead(3)
	const calls = 50
	proposed, asked := make(chan answer, calls), make(chan answer, calls)
	for range calls {
		go func() {
			outcome, p, err := e.Propose(t.Context(), []byte("b"))
			proposed <- answer{outcome, p, err}
		}()
		go func() {
			outcome, p, err := e.Query(t.Context(), nil)
			asked <- answer{outcome, p, err}
		}()
	}
	o.reaches(4)
	eventually(t, "the calls", func() bool {
		e.reads.mu.Lock()
		defer e.reads.mu.Unlock()
		e.calls.mu.Lock()
		defer e.calls.mu.Unlock()
		return e.calls.count == 2*calls+e.reads.rounds
	})
	e.Kill(errKilled)
	for range calls {
		if a := await(t, proposed, "an answer"); a.outcome != runtime.Unknown || !errors.Is(a.err, errKilled) {
			t.Errorf("a command: %+v", a)
		}
		a := await(t, asked, "an answer") // a question whose barrier fails is refused
		if a.outcome != runtime.Unknown || !errors.Is(a.err, errKilled) {
			refusedAs(t, "a question", a.outcome, a.response, a.err, raft.Refusal{Code: raft.RefusedStopping})
		}
	}
	o.free()
	await(t, e.Done(), "the end of the replica")
	if !e.calls.none() {
		t.Errorf("%d calls are left", e.calls.count)
	}
	outcome, p, err := e.Propose(t.Context(), nil)
	refusedAs(t, "after the end", outcome, p, err, raft.Refusal{Code: raft.RefusedStopping})
}

// eventually waits until something holds of which nobody tells.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	over, look := time.After(patience), time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-over:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// spy is a handler that passes on what an engine says of handing over.
type spy struct {
	slog.Handler
	said chan slog.Record
}

func (s spy) Enabled(context.Context, slog.Level) bool { return true }
func (s spy) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s spy) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "leadership handed over" {
		s.said <- r
	}
	return nil
}

// TestStopHandsOver stops a leader. Another one is asked to lead before it is gone, and what was under way is done.
func TestStopHandsOver(t *testing.T) {
	t.Parallel()
	said := make(chan slog.Record, 1)
	f := newFollower(t, spy{Handler: slog.DiscardHandler, said: said})
	e := f.engine
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(forever)
	const calls = 100
	outcomes := make(chan runtime.Outcome, calls)
	for range calls {
		go func() {
			outcome, _, _ := e.Propose(t.Context(), []byte("b"))
			outcomes <- outcome
		}()
	}
	eventually(t, "calls", func() bool { return len(outcomes) > 0 || !e.calls.none() })
	e.Stop()
	check(t, e.Wait())
	for range calls {
		if got := await(t, outcomes, "an answer"); got != runtime.Done && got != runtime.Refused {
			t.Errorf("stopped a call with outcome %v", got)
		}
	}
	await(t, said, "the handing over").Attrs(func(a slog.Attr) bool {
		if a.Key == "error" && a.Value.Any() != nil {
			t.Errorf("handed over with %v", a.Value)
		}
		return true
	})
}
