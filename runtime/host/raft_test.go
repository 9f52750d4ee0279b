package host_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// cluster is three Raft nodes with a key-value store, each in a folder of its own.
type cluster struct {
	t     *testing.T
	dir   string
	net   host.Loopback
	hosts map[runtime.NodeID]*host.Host // changed only while no client runs on them: see mu

	mu      sync.Mutex
	leader  runtime.NodeID
	changed chan struct{} // closed when there is another leader
}

var members = []runtime.NodeID{1, 2, 3}

func newCluster(t *testing.T) *cluster {
	return &cluster{
		t:       t,
		dir:     t.TempDir(),
		hosts:   map[runtime.NodeID]*host.Host{},
		changed: make(chan struct{}),
	}
}

// start boots a node in its folder.
func (c *cluster) start(id runtime.NodeID) {
	c.t.Helper()
	node := raft.NewNode(raft.NodeConfig{
		Core: raft.CoreConfig{
			Voters:            members,
			ElectionTimeout:   150 * time.Millisecond,
			HeartbeatInterval: 30 * time.Millisecond,
		},
		SegmentBytes:  256 << 10,
		SnapshotEvery: 40, // so that restarts meet snapshots, and a log without its beginning
		SnapshotKeep:  10,
		Machine:       func() raft.StateMachine { return kv.NewMachine() },
	})
	h := startWith(c.t, host.Config{
		ID:    id,
		Dir:   filepath.Join(c.dir, id.String()),
		Join:  c.net.Join(id),
		Trace: c.observe,
	}, node)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[id] = h
}

// kill ends a node and waits until its folder is free.
func (c *cluster) kill(id runtime.NodeID) {
	c.t.Helper()
	c.mu.Lock()
	h := c.hosts[id]
	c.mu.Unlock()
	h.Kill(errReason)
	if err := wait(c.t, h); err != errReason {
		c.t.Errorf("%v ended with %v", id, err)
	}
}

// observe learns from the nodes' traces who leads.
func (c *cluster) observe(r *runtime.Record) {
	if r.Kind == raft.RoleChanged && raft.Role(r.A) == raft.Leader {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leader = r.Node
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// leading returns the last node that became leader, if any has, and what says
// that this is no longer so.
func (c *cluster) leading() (id runtime.NodeID, h *host.Host, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader, c.hosts[c.leader], c.changed
}

// do executes a command, trying anew when it is refused.
func (c *cluster) do(ctx context.Context, cmd kv.Command) (runtime.Outcome, kv.Response) {
	for {
		_, leader, changed := c.leading()
		if leader != nil {
			outcome, resp, err := leader.Call(ctx, cmd.AppendRequest(nil))
			switch {
			case outcome == runtime.Unknown:
				return outcome, kv.Response{}
			case outcome == runtime.Done:
				r, err := kv.DecodeResponse(resp)
				if err != nil {
					c.t.Errorf("%v: %v", cmd, err)
				}
				return outcome, r
			case err == nil:
				refusal, err := raft.DecodeRefusal(resp)
				if err != nil {
					c.t.Errorf("%v: %v", cmd, err)
				}
				if refusal.Code == raft.RefusedBusy {
					continue
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return runtime.Refused, kv.Response{}
		}
	}
}

// writer is a client that puts one new key after the other.
type writer struct {
	id      uint64
	acked   []kv.Command
	unknown []kv.Command
}

func (w *writer) run(ctx context.Context, c *cluster, progress chan<- struct{}) {
	for seq := uint64(1); ctx.Err() == nil; seq++ {
		cmd := kv.Command{
			Op:     kv.Put,
			Client: w.id,
			Seq:    seq,
			Key:    fmt.Appendf(nil, "key-%d-%d", w.id, seq),
			Value:  fmt.Appendf(nil, "value-%d-%d", w.id, seq),
		}
		switch outcome, resp := c.do(ctx, cmd); {
		case outcome == runtime.Done && resp.Status == kv.OK:
			w.acked = append(w.acked, cmd)
			select {
			case progress <- struct{}{}:
			case <-ctx.Done():
			}
		case outcome == runtime.Done:
			c.t.Errorf("%v: %v", cmd, resp)
		case outcome == runtime.Unknown:
			w.unknown = append(w.unknown, cmd)
		}
	}
}

// check reads back what the writer wrote. Of a write with an unknown outcome
// either all is there, or nothing.
func (w *writer) check(ctx context.Context, c *cluster) {
	get := func(put kv.Command) (runtime.Outcome, kv.Response) {
		return c.do(ctx, kv.Command{Op: kv.Get, Client: w.id + 100, Seq: put.Seq, Key: put.Key})
	}
	for _, put := range w.acked {
		if outcome, r := get(put); outcome != runtime.Done || r.Status != kv.OK || string(r.Value) != string(put.Value) {
			c.t.Errorf("%v was acknowledged; now %v, %v", put, outcome, r)
		}
	}
	for _, put := range w.unknown {
		outcome, r := get(put)
		if outcome != runtime.Done || r.Status == kv.OK && string(r.Value) != string(put.Value) {
			c.t.Errorf("%v had an unknown outcome; now %v, %v", put, outcome, r)
		}
	}
}

// TestAcknowledgedWritesSurvive runs a cluster as a service would, but kills first its
// leader and then all of it in the middle of the work. All that was
// acknowledged must be found when the folders are opened again.
func TestAcknowledgedWritesSurvive(t *testing.T) {
	c := newCluster(t)
	for _, id := range members {
		c.start(id)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var clients sync.WaitGroup
	writers := make([]*writer, 4)
	progress := make(chan struct{})
	for i := range writers {
		writers[i] = &writer{id: uint64(i + 1)}
		clients.Go(func() { writers[i].run(ctx, c, progress) })
	}
	awaitWrites := func(n int) {
		t.Helper()
		for range n {
			await(t, progress, "an acknowledged write")
		}
	}

	awaitWrites(100)
	leader, _, _ := c.leading()
	c.kill(leader)
	awaitWrites(100) // the other two go on
	c.start(leader)
	awaitWrites(100)
	for _, id := range members {
		c.kill(id)
	}
	stop()
	clients.Wait()

	for _, id := range members {
		c.start(id)
	}
	ctx, stop = context.WithTimeout(t.Context(), patience)
	defer stop()
	acked := 0
	for _, w := range writers {
		w.check(ctx, c)
		acked += len(w.acked)
	}
	if acked < 300 {
		t.Errorf("only %d writes were acknowledged", acked)
	}
}
