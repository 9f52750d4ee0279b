package hashi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// patience is how long a test waits for what must happen. It is never waited out in full by
// a test that passes.
const patience = 60 * time.Second

var (
	members   = []runtime.NodeID{1, 2, 3}
	errKilled = errors.New("killed by the test")
)

// await receives from the channel, or fails the test.
func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		stacks := make([]byte, 1<<20)
		t.Fatalf("waited in vain for: %s\n%s", what, stacks[:goruntime.Stack(stacks, true)])
		panic("unreachable")
	}
}

func check(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// cluster is some replicas with a key-value store, over loopback, each with a folder, an endpoint and a certificate
// of its own.
type cluster struct {
	testing.TB
	dir       string
	authority *quic.Authority
	configure func(*Config)
	disks     map[runtime.NodeID]*crashFS

	mu        sync.Mutex
	engines   map[runtime.NodeID]*Engine
	endpoints map[runtime.NodeID]*quic.Endpoint
	changed   chan struct{} // closed when something has changed somewhere
}

func newCluster(t testing.TB, configure func(*Config)) *cluster {
	authority, err := quic.CreateAuthority(t.TempDir(), "orders")
	check(t, err)
	return &cluster{
		TB: t, dir: t.TempDir(), authority: authority, configure: configure,
		disks: map[runtime.NodeID]*crashFS{}, engines: map[runtime.NodeID]*Engine{}, endpoints: map[runtime.NodeID]*quic.Endpoint{},
		changed: make(chan struct{}),
	}
}

// listen makes a node's endpoint, at a port of its own, and tells the others where it is.
func (c *cluster) listen(id runtime.NodeID) *quic.Endpoint {
	c.Helper()
	credentials, err := c.authority.Credentials(id, quic.Validity{})
	check(c, err)
	e, err := quic.Listen(quic.Config{Cluster: "orders", ID: id, Listen: "127.0.0.1:0", Credentials: credentials.Load})
	check(c, err)
	c.Cleanup(func() { check(c, e.Close()) })
	_, err = e.Join(func(runtime.NodeID, runtime.Channel, []byte) {})
	check(c, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.endpoints[id]; old != nil {
		check(c, old.Close())
	}
	c.endpoints[id] = e
	for other, at := range c.endpoints {
		e.Route(other, at.Addr())
		at.Route(id, e.Addr())
	}
	return e
}

// config returns that of a node, with an endpoint.
func (c *cluster) config(id runtime.NodeID) Config {
	c.Helper()
	cfg := Config{
		ID: id, Voters: members, Dir: filepath.Join(c.dir, id.String()), Endpoint: c.listen(id),
		Machine:         func() raft.StateMachine { return kv.NewMachine() },
		ElectionTimeout: 300 * time.Millisecond, SegmentBytes: 256 << 10,
		Changed: c.news,
		Logger:  slog.New(slog.NewTextHandler(c.Output(), nil)).With("node", id),
	}
	if c.configure != nil {
		c.configure(&cfg)
	}
	return cfg
}

// start starts a node, on the disk that it is given, or in a folder.
func (c *cluster) start(id runtime.NodeID) *Engine {
	c.Helper()
	cfg := c.config(id)
	var e *Engine
	var err error
	if disk := c.disks[id]; disk != nil {
		e, err = start(cfg.withDefaults(), disk, func() error { return nil })
	} else {
		e, err = Start(cfg)
	}
	check(c, err)
	c.Cleanup(func() {
		e.Kill(errKilled)
		await(c, e.Done(), "the end of the replica")
	})
	c.mu.Lock()
	c.engines[id] = e
	c.mu.Unlock()
	c.news()
	return e
}

// news wakes those who wait for a change.
func (c *cluster) news() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// leader returns who leads by its own account, if one does.
func (c *cluster) leader() (runtime.NodeID, *Engine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, e := range c.engines {
		if e.Status().Role == raft.Leader {
			return id, e
		}
	}
	return 0, nil
}

// led waits until somebody leads.
func (c *cluster) led() (id runtime.NodeID, e *Engine) {
	c.Helper()
	c.until("a leader", func() bool { id, e = c.leader(); return e != nil })
	return id, e
}

// until waits until the condition holds.
func (c *cluster) until(what string, holds func() bool) {
	c.Helper()
	over := time.After(patience)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond): // not all that changes is told
		case <-over:
			c.Fatalf("waited in vain for: %s", what)
		}
	}
}

// try executes a command once, on who leads; it is false if nobody does.
func (c *cluster) try(cmd kv.Command) (runtime.Outcome, kv.Response, error) {
	_, e := c.leader()
	if e == nil {
		return runtime.Refused, kv.Response{}, raft.Refusal{Code: raft.RefusedNotLeader}
	}
	ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
	defer cancel()
	call := e.Propose
	if cmd.Op == kv.Get {
		call = e.Query
	}
	outcome, p, err := call(ctx, cmd.Append(nil))
	if outcome != runtime.Done {
		if p != nil || err == nil {
			c.Errorf("%v with response %q, error %v", outcome, p, err)
		}
		return outcome, kv.Response{}, err
	}
	r, decodeErr := kv.DecodeResponse(p)
	if err != nil || decodeErr != nil {
		c.Errorf("done with %q, error %v", p, err)
	}
	return outcome, r, nil
}

// do executes a command, which may be executed twice: again, until it is done.
func (c *cluster) do(cmd kv.Command) (r kv.Response) {
	c.Helper()
	c.until(cmd.String(), func() bool {
		var outcome runtime.Outcome
		outcome, r, _ = c.try(cmd)
		return outcome == runtime.Done
	})
	return r
}

func put(seq uint64) kv.Command {
	return kv.Command{Op: kv.Put, Client: 1, Seq: seq, Key: fmt.Appendf(nil, "key-%d", seq), Value: fmt.Appendf(nil, "value-%d", seq)}
}

// write puts n new keys, and read finds those that were put.
func (c *cluster) write(first, n uint64) {
	c.Helper()
	for seq := first; seq < first+n; seq++ {
		if r := c.do(put(seq)); r.Status != kv.OK {
			c.Fatalf("put %d: %v", seq, r)
		}
	}
}

func (c *cluster) read(first, n uint64) {
	c.Helper()
	for seq := first; seq < first+n; seq++ {
		get := kv.Command{Op: kv.Get, Client: 2, Seq: seq, Key: fmt.Appendf(nil, "key-%d", seq)}
		if r := c.do(get); string(r.Value) != fmt.Sprintf("value-%d", seq) {
			c.Errorf("get %d: %v", seq, r)
		}
	}
}

// kill ends a node in the middle of whatever it does.
func (c *cluster) kill(id runtime.NodeID) {
	c.Helper()
	c.mu.Lock()
	e := c.engines[id]
	c.mu.Unlock()
	e.Kill(errKilled)
	await(c, e.Done(), "the end of the replica")
	if err := e.Wait(); err != errKilled {
		c.Errorf("%v ended with %v", id, err)
	}
	c.forget(id)
}

// forget takes a node that has ended from the network.
func (c *cluster) forget(id runtime.NodeID) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.engines, id)
	check(c, c.endpoints[id].Close())
	delete(c.endpoints, id)
}

// agree waits until all nodes have executed the same commands, with the same responses.
func (c *cluster) agree() {
	c.Helper()
	c.until("agreement", func() bool {
		type position struct {
			index raft.Index
			chain uint64
		}
		var at []position
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range c.engines {
			index, chain := e.Chain()
			at = append(at, position{index, chain})
		}
		for _, p := range at {
			if p.index == at[0].index && p.chain != at[0].chain {
				c.Fatalf("states differ: %v", at)
			}
			if p != at[0] {
				return false
			}
		}
		return true
	})
}

// TestThreeReplicas commits, goes on without the leader, and takes it back, which needs a snapshot to follow: once
// it is needed for a majority, all that was acknowledged must be there. Then all are stopped and started.
func TestThreeReplicas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(cfg *Config) { cfg.SnapshotEvery, cfg.SnapshotKeep = 40, 10 })
	for _, id := range members {
		c.start(id)
	}
	c.write(1, 60)
	leader, _ := c.led()
	c.kill(leader)
	c.write(61, 100)
	c.until("the log to be compacted", func() bool { _, e := c.leader(); return e != nil && e.Status().First > 70 })
	back := c.start(leader) // elsewhere, with a new certificate
	c.until("a snapshot in place of its log", func() bool { s := back.Status(); return s.Snapshot >= 70 && s.First >= 70 })
	c.agree()
	c.write(161, 60)
	c.kill(leader%3 + 1)
	c.write(221, 20)
	c.read(1, 240)
	c.start(leader%3 + 1)
	c.agree()
	for id, e := range c.engines {
		e.Stop()
		if err := e.Wait(); err != nil {
			t.Errorf("%v ended with %v", id, err)
		}
	}
	for _, id := range members {
		c.start(id)
	}
	c.read(1, 240)
	c.agree()
}
