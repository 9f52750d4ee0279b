package quic_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport/quic"
)

var (
	members   = []runtime.NodeID{1, 2, 3}
	errKilled = errors.New("killed by the test")
)

// cluster is three Raft nodes with a key-value store, as a service runs them: a folder, an
// endpoint and a certificate each.
type cluster struct {
	*testing.T
	dir       string
	authority *quic.Authority

	mu        sync.Mutex
	hosts     map[runtime.NodeID]*host.Host
	endpoints map[runtime.NodeID]*quic.Endpoint
	leader    runtime.NodeID
	changed   chan struct{} // closed when another node leads, or one is started
}

// start boots a node, at a port of its own, and tells the others where it is.
func (c *cluster) start(id runtime.NodeID) {
	c.Helper()
	tlsDir := filepath.Join(c.dir, "tls", id.String())
	if err := c.authority.Issue(tlsDir, id, quic.Validity{}); err != nil {
		c.Fatal(err)
	}
	e := listen(c, quic.Config{Cluster: c.authority.Cluster(), ID: id, Listen: "127.0.0.1:0", Credentials: quic.Folder(tlsDir).Load})
	c.mu.Lock()
	c.endpoints[id] = e
	for from, at := range c.endpoints {
		e.Route(from, at.Addr())
		at.Route(id, e.Addr())
	}
	c.mu.Unlock()
	h, err := host.Start(host.Config{ID: id, Dir: filepath.Join(c.dir, id.String()), Join: e.Join, Trace: c.observe}, raft.NewNode(raft.NodeConfig{
		Core: raft.CoreConfig{
			Voters:            members,
			ElectionTimeout:   300 * time.Millisecond,
			HeartbeatInterval: 50 * time.Millisecond,
		},
		SegmentBytes:  256 << 10,
		SnapshotEvery: 40, // so that the one who comes back needs a snapshot
		SnapshotKeep:  10,
		Machine:       func() raft.StateMachine { return kv.NewMachine() },
	}))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		h.Kill(errKilled)
		if err := h.Wait(); err != errKilled {
			c.Errorf("%v ended with %v", id, err)
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[id] = h
	c.news()
}

// news wakes those who wait for a leader. The lock is held.
func (c *cluster) news() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// observe learns from the nodes' traces who leads.
func (c *cluster) observe(r *runtime.Record) {
	if r.Kind == raft.RoleChanged && raft.Role(r.A) == raft.Leader {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leader = r.Node
		c.news()
	}
}

// do executes a command, which may be executed twice: again, until it is done.
func (c *cluster) do(cmd kv.Command) kv.Response {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	for {
		c.mu.Lock()
		h, changed := c.hosts[c.leader], c.changed
		c.mu.Unlock()
		if h != nil {
			attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
			outcome, resp, _ := h.Call(attempt, cmd.AppendRequest(nil)) // whatever kept it from being done: again
			cancel()
			if outcome == runtime.Done {
				r, err := kv.DecodeResponse(resp)
				if err != nil {
					c.Fatal(err)
				}
				return r
			}
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // a leader that was busy
		case <-ctx.Done():
			c.Fatalf("%v was not done", cmd)
		}
	}
}

// write puts n new keys, and read finds those that were put.
func (c *cluster) write(first, n uint64) {
	c.Helper()
	for seq := first; seq < first+n; seq++ {
		put := kv.Command{Op: kv.Put, Client: 1, Seq: seq, Key: fmt.Appendf(nil, "key-%d", seq), Value: fmt.Appendf(nil, "value-%d", seq)}
		if r := c.do(put); r.Status != kv.OK {
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
	h := c.hosts[id]
	delete(c.hosts, id)
	delete(c.endpoints, id)
	c.mu.Unlock()
	h.Kill(errKilled)
	await(c, h.Done(), "the end of the host")
}

// TestRaftOverQUIC commits on three nodes, goes on without the leader, and takes it back: once it
// is needed for a majority, all that was acknowledged must be there.
func TestRaftOverQUIC(t *testing.T) {
	c := &cluster{
		T: t, dir: t.TempDir(), authority: newAuthority(t, "orders"),
		hosts: map[runtime.NodeID]*host.Host{}, endpoints: map[runtime.NodeID]*quic.Endpoint{},
		changed: make(chan struct{}),
	}
	for _, id := range members {
		c.start(id)
	}
	c.write(1, 60)
	c.mu.Lock()
	leader := c.leader
	c.mu.Unlock()
	c.kill(leader)
	c.write(61, 100)
	c.start(leader) // elsewhere, with a new certificate
	c.write(161, 60)
	c.kill(leader%3 + 1)
	c.write(221, 20)
	c.read(1, 240)
}
