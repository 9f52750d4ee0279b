package hashi

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
)

// follows is a follower that is played by the test. It votes for whoever asks, and stores nothing.
type follows struct {
	transport *hraft.NetworkTransport
	// accepts decides on entries, and may take its time. Without entries all is accepted.
	accepts func(*hraft.AppendEntriesRequest) bool
}

// serve answers until the test is over.
func (f *follows) serve(t testing.TB) {
	for {
		select {
		case rpc := <-f.transport.Consumer():
			go f.answer(rpc)
		case <-t.Context().Done():
			return
		}
	}
}

func (f *follows) answer(rpc hraft.RPC) {
	switch req := rpc.Command.(type) {
	case *hraft.RequestPreVoteRequest:
		rpc.Respond(&hraft.RequestPreVoteResponse{Term: req.Term, Granted: true}, nil)
	case *hraft.RequestVoteRequest:
		rpc.Respond(&hraft.RequestVoteResponse{Term: req.Term, Granted: true}, nil)
	case *hraft.AppendEntriesRequest:
		last := req.PrevLogEntry + uint64(len(req.Entries))
		ok := len(req.Entries) == 0 || f.accepts == nil || f.accepts(req)
		rpc.Respond(&hraft.AppendEntriesResponse{Term: req.Term, LastLog: last, Success: ok}, nil)
	}
}

// newLeader starts n1 of three, whose followers are the test.
func newLeader(t *testing.T, followers map[runtime.NodeID]*follows, configure func(*Config)) (*cluster, *Engine) {
	t.Helper()
	c := newCluster(t, configure)
	for id, f := range followers {
		layer, err := newStreamLayer(c.listen(id))
		check(t, err)
		f.transport = hraft.NewNetworkTransportWithConfig(&hraft.NetworkTransportConfig{
			Stream: layer, Timeout: exchangeTimeout, Logger: newLogger(slog.New(slog.DiscardHandler)),
		})
		t.Cleanup(func() { check(t, f.transport.Close()) })
		go f.serve(t)
	}
	e := c.start(1)
	c.led()
	return c, e
}

// TestRejectedPipeline has a follower refuse entries over and over while others come behind them. The library
// then stops to take in answers, and would wait for ever for them to be taken in before it sends more: heartbeats
// go on, so that nobody misses anything, entries do not, and the replica cannot be stopped.
func TestRejectedPipeline(t *testing.T) {
	t.Parallel()
	const rounds = 30 // in half of which the library would be caught
	var accepted atomic.Uint64
	var over atomic.Bool
	reject, got := make(chan struct{}), make(chan struct{}, 1)
	third := &follows{accepts: func(*hraft.AppendEntriesRequest) bool { accepted.Add(1); return true }}
	var c *cluster
	second := &follows{accepts: func(*hraft.AppendEntriesRequest) bool {
		select {
		case <-reject:
			before := accepted.Load() // let the leader have more to send before it hears of it
			c.until("entries for another", func() bool { return accepted.Load() > before+3 || over.Load() })
			return false
		case got <- struct{}{}:
		default:
		}
		return true
	}}
	c, e := newLeader(t, map[runtime.NodeID]*follows{2: second, 3: third}, steady)
	var writers sync.WaitGroup
	for id := range uint64(4) {
		writers.Go(func() {
			for seq := uint64(1); !over.Load(); seq++ {
				cmd := kv.Command{Op: kv.Put, Client: id, Seq: seq, Key: []byte("key")}
				_, _, _ = e.Propose(t.Context(), cmd.Append(nil))
			}
		})
	}
	for range rounds {
		for range 3 { // from the second on the leader does not wait for each answer any more
			await(t, got, "entries for the follower")
		}
		select {
		case reject <- struct{}{}:
		case <-time.After(patience):
			t.Fatal("waited in vain for: entries to refuse")
		}
	}
	over.Store(true)
	writers.Wait()
	e.Kill(errKilled)
	await(t, e.Done(), "the end of the replica")
}
