package hashi

import (
	"errors"
	"testing"

	hraft "github.com/hashicorp/raft"
)

// answered is a pipeline whose answers are there at once.
type answered struct {
	hraft.AppendPipeline
	answers []future
	sent    int
}

func (a *answered) AppendEntries(req *hraft.AppendEntriesRequest, _ *hraft.AppendEntriesResponse) (hraft.AppendFuture, error) {
	f := &a.answers[a.sent]
	f.req = req
	a.sent++
	return f, nil
}

// future is an answer.
type future struct {
	hraft.AppendFuture
	req  *hraft.AppendEntriesRequest
	resp hraft.AppendEntriesResponse
	err  error
}

func (f *future) Error() error                           { return f.err }
func (f *future) Request() *hraft.AppendEntriesRequest   { return f.req }
func (f *future) Response() *hraft.AppendEntriesResponse { return &f.resp }

// TestNoThirdMessageBehindARefusal sends entries to a follower that refuses some. One message may go behind those, but no other.
func TestNoThirdMessageBehindARefusal(t *testing.T) {
	done := future{resp: hraft.AppendEntriesResponse{Term: 5, Success: true}}
	for name, refusal := range map[string]future{
		"refused":      {resp: hraft.AppendEntriesResponse{Term: 5}},
		"a newer term": {resp: hraft.AppendEntriesResponse{Term: 6, Success: true}},
		"an error":     {resp: done.resp, err: errInjected},
	} {
		inner := &answered{answers: []future{done, done, done, refusal, done, done}}
		p := &pipeline{AppendPipeline: inner}
		send := func() error {
			_, err := p.AppendEntries(&hraft.AppendEntriesRequest{Term: 5}, new(hraft.AppendEntriesResponse))
			return err
		}
		for i := range 5 {
			if err := send(); err != nil {
				t.Errorf("%s: message %d: %v", name, i, err)
			}
		}
		if err := send(); !errors.Is(err, hraft.ErrPipelineShutdown) || inner.sent != 5 {
			t.Errorf("%s: %d were sent, then %v", name, inner.sent, err)
		}
	}
}
