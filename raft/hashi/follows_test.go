package hashi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// follows is a follower that is played by the test. It votes for whoever asks, and stores nothing.
type follows struct {
	transport *hraft.NetworkTransport
	// accepts decides on entries, and may take its time. Without entries all is accepted.
	accepts func(*hraft.AppendEntriesRequest) bool
	// forgot says that it has no entries any more. It needs a snapshot, but leaves it unread, and
	// tells installing.
	forgot     atomic.Bool
	installing chan struct{}
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
		resp := &hraft.AppendEntriesResponse{Term: req.Term, LastLog: req.PrevLogEntry + uint64(len(req.Entries))}
		resp.Success = len(req.Entries) == 0 || f.accepts == nil || f.accepts(req)
		if f.forgot.Load() && len(req.Entries) > 0 {
			resp.LastLog, resp.Success = 0, false
		}
		rpc.Respond(resp, nil)
	case *hraft.InstallSnapshotRequest:
		close(f.installing)
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

// heavy is a state machine with a snapshot that does not fit into a stream's window.
type heavy struct{ kv.Machine }

func (*heavy) Snapshot() (raft.Image, error) { return heavyImage{}, nil }

type heavyImage struct{}

func (heavyImage) WriteTo(w io.Writer) (n int64, err error) {
	block := make([]byte, 1<<20)
	for range 16 {
		m, err := w.Write(block)
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (heavyImage) Release() {}

// TestEndDoesNotWaitForAFollower kills a leader that sends a snapshot to a follower which does not read it. The library
// would give it ten seconds for each 256 KiB.
func TestEndDoesNotWaitForAFollower(t *testing.T) {
	t.Parallel()
	late := &follows{installing: make(chan struct{})}
	_, e := newLeader(t, map[runtime.NodeID]*follows{2: late, 3: {}}, func(cfg *Config) {
		steady(cfg)
		cfg.SnapshotKeep = 1
		cfg.Machine = func() raft.StateMachine { return &heavy{} }
	})
	propose := func(seq uint64) {
		t.Helper()
		cmd := put(seq)
		if outcome, _, err := e.Propose(t.Context(), cmd.Append(nil)); outcome != runtime.Done {
			t.Fatalf("%v: %v", outcome, err)
		}
	}
	for seq := range uint64(10) {
		propose(seq + 1)
	}
	check(t, e.Snapshot(t.Context()))
	late.forgot.Store(true)
	propose(11)
	await(t, late.installing, "a snapshot for the follower")
	e.Kill(errKilled)
	await(t, e.Done(), "the end of the replica")
}

// TestEndDoesNotWaitForALeader kills a follower that is sent a snapshot by a leader which does not go on with it.
func TestEndDoesNotWaitForALeader(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	from, to := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		var resp hraft.InstallSnapshotResponse
		sent <- f.leaders[2].InstallSnapshot("n1", "n1", &hraft.InstallSnapshotRequest{
			RPCHeader: header(2), SnapshotVersion: 1, Term: 2, Leader: []byte("n2"), LastLogIndex: 9, LastLogTerm: 2,
			Configuration: hraft.EncodeConfiguration(f.engine.cfg.members()), ConfigurationIndex: 1, Size: 16 << 20,
		}, &resp, from)
	}()
	over := time.After(patience)
	for receiving := false; !receiving; {
		select {
		case <-time.After(time.Millisecond):
			files, err := f.disk.List(snapshotDir)
			check(t, err)
			receiving = len(files) > 0
		case <-over:
			t.Fatal("waited in vain for: a snapshot to arrive")
		}
	}
	f.engine.Kill(errKilled)
	await(t, f.engine.Done(), "the end of the replica")
	check(t, to.Close())
	if err := await(t, sent, "the end of the leader's attempt"); err == nil {
		t.Error("the snapshot was installed")
	}
}

// TestHangUpEndsADial has a layer hang up while it dials a node that does not answer.
func TestHangUpEndsADial(t *testing.T) {
	t.Parallel()
	authority, err := quic.CreateAuthority(t.TempDir(), "orders")
	check(t, err)
	credentials, err := authority.Credentials(1, quic.Validity{})
	check(t, err)
	e, err := quic.Listen(quic.Config{
		Cluster: "orders", ID: 1, Listen: "127.0.0.1:0", Credentials: credentials.Load, HandshakeTimeout: time.Hour,
	})
	check(t, err)
	defer func() { check(t, e.Close()) }()
	_, err = e.Join(func(runtime.NodeID, runtime.Channel, []byte) {})
	check(t, err)
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	defer func() { check(t, silent.Close()) }()
	e.Route(2, silent.LocalAddr().String())
	layer, err := newStreamLayer(e)
	check(t, err)
	dialed := make(chan error, 1)
	go func() {
		_, err := layer.Dial("n2", time.Hour)
		dialed <- err
	}()
	check(t, silent.SetReadDeadline(time.Now().Add(patience)))
	_, _, err = silent.ReadFrom(make([]byte, 2048)) // it is at it
	check(t, err)
	layer.shut()
	if err := await(t, dialed, "the end of the attempt"); !errors.Is(err, context.Canceled) {
		t.Errorf("dialed with %v", err)
	}
	if _, err := layer.Dial("n2", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("dialed after it with %v", err)
	}
}
