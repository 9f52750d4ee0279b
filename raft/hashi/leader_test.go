package hashi

import (
	"errors"
	"testing"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// lead has n1 elected. n2 and n3 follow it up to an entry; those behind it come too late: another leads by then, in a
// later term. It returns when n1 leads by its own account, which without such an entry it does for good.
func (f *follower) lead(last uint64) {
	f.Helper()
	begun := make(chan struct{}, 2)
	for id, at := range f.leaders {
		f.endpoints[1].Route(id, f.endpoints[id].Addr())
		go func() {
			for {
				select {
				case rpc := <-at.Consumer():
					rpc.Respond(answerLeader(id, rpc.Command, last, begun), nil)
				case <-f.engine.Done():
					return
				}
			}
		}()
	}
	f.check(f.leaders[2].TimeoutNow("n1", "n1", &hraft.TimeoutNowRequest{RPCHeader: header(2)}, &hraft.TimeoutNowResponse{}))
	await(f, begun, "an entry of the leader's")
}

// answerLeader is what n2 or n3 answers: see lead.
func answerLeader(id runtime.NodeID, command any, last uint64, begun chan<- struct{}) any {
	switch req := command.(type) {
	case *hraft.RequestVoteRequest:
		return &hraft.RequestVoteResponse{RPCHeader: header(id), Term: req.Term, Granted: true}
	case *hraft.AppendEntriesRequest:
		end := req.PrevLogEntry + uint64(len(req.Entries))
		if end > last {
			return &hraft.AppendEntriesResponse{RPCHeader: header(id), Term: req.Term + 1, LastLog: last}
		}
		if len(req.Entries) > 0 {
			select {
			case begun <- struct{}{}:
			default: // said already
			}
		}
		return &hraft.AppendEntriesResponse{RPCHeader: header(id), Term: req.Term, LastLog: end, Success: true}
	}
	return nil
}

// TestQueryWaitsForItsBarrier asks a leader twice. The first answer has all that is committed. The barrier of the second question
// finds that another leads: it may have acknowledged what this one does not know, so there is no answer.
func TestQueryWaitsForItsBarrier(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(4) // 3 is the entry with which its term begins, 4 the first barrier
	outcome, p, err := f.engine.Query(t.Context(), nil)
	if outcome != runtime.Done || string(p) != "2/2 a" || err != nil {
		t.Errorf("a leader answers %v, %q, %v", outcome, p, err)
	}
	outcome, p, err = f.engine.Query(t.Context(), nil)
	if r := (raft.Refusal{}); outcome != runtime.Refused || p != nil || !errors.As(err, &r) || r.Code != raft.RefusedNotLeader {
		t.Errorf("one that was replaced answers %v, %q, %v", outcome, p, err)
	}
}
