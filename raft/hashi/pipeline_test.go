package hashi

import (
	"testing"
	"testing/synctest"

	hraft "github.com/hashicorp/raft"
)

// answered is a pipeline of which only the answers matter.
type answered struct {
	hraft.AppendPipeline
	answers chan hraft.AppendFuture
}

func (a *answered) Consumer() <-chan hraft.AppendFuture { return a.answers }
func (*answered) Close() error                          { return nil }

// future is an answer.
type future struct {
	hraft.AppendFuture
	req  hraft.AppendEntriesRequest
	resp hraft.AppendEntriesResponse
}

func (f *future) Request() *hraft.AppendEntriesRequest   { return &f.req }
func (f *future) Response() *hraft.AppendEntriesResponse { return &f.resp }

// TestAnswersAreTaken has raft take answers up to the first that is no success. Those behind it do not wait for that.
func TestAnswersAreTaken(t *testing.T) {
	success := hraft.AppendEntriesResponse{Term: 5, Success: true}
	for name, last := range map[string]hraft.AppendEntriesResponse{
		"rejected":     {Term: 5},
		"a newer term": {Term: 6, Success: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &answered{answers: make(chan hraft.AppendFuture)}
				p := newPipeline(inner)
				for _, resp := range []hraft.AppendEntriesResponse{success, success, last} {
					sent := &future{req: hraft.AppendEntriesRequest{Term: 5}, resp: resp}
					inner.answers <- sent
					if got := <-p.Consumer(); got != sent {
						t.Errorf("got %v, want %v", got, sent)
					}
				}
				for range 3 {
					inner.answers <- &future{}
				}
				check(t, p.Close())
			})
		})
	}
}

// TestPipelineClosesBehindAnAnswer closes a pipeline whose last answer nobody takes.
func TestPipelineClosesBehindAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &answered{answers: make(chan hraft.AppendFuture)}
		p := newPipeline(inner)
		inner.answers <- &future{}
		check(t, p.Close())
	})
}
