package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// patience is how long a test waits for what must happen. It is never waited out in full by a test that passes.
const patience = time.Minute

var errKilled = errors.New("killed by the test")

// nowhere is an address where nobody is.
const nowhere = "127.0.0.1:9"

// rig is a cluster of members in this process, each with its folder and its certificate.
type rig struct {
	testing.TB
	dir       string
	authority *quic.Authority
	peers     []cluster.Peer
	members   map[runtime.NodeID]*cluster.Member
}

func newRig(t testing.TB, members int) *rig {
	t.Helper()
	r := &rig{TB: t, dir: t.TempDir(), members: map[runtime.NodeID]*cluster.Member{}}
	var err error
	if r.authority, err = quic.CreateAuthority(filepath.Join(r.dir, "authority"), "orders"); err != nil {
		t.Fatal(err)
	}
	for i := range members {
		id := runtime.NodeID(i + 1)
		r.peers = append(r.peers, cluster.Peer{ID: id, Addr: nowhere, Service: fmt.Sprintf("service-%d", id)})
		if err := r.authority.Issue(r.tls(id), id, quic.Validity{}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) tls(id runtime.NodeID) string { return filepath.Join(r.dir, "tls", id.String()) }

// config returns the config of a member.
func (r *rig) config(id runtime.NodeID) cluster.Config {
	return cluster.Config{
		Cluster: "orders", ID: id, Dir: filepath.Join(r.dir, id.String()), Peers: r.peers, TLSDir: r.tls(id),
		Listen: "127.0.0.1:0", ElectionTimeout: 200 * time.Millisecond, HeartbeatInterval: 40 * time.Millisecond,
		SegmentBytes: 256 << 10,
	}
}

func newMachine() raft.StateMachine { return kv.NewMachine() }

// start runs a member and tells the others where it is.
func (r *rig) start(cfg cluster.Config) *cluster.Member {
	r.Helper()
	m, err := cluster.Start(r.Context(), cfg, newMachine)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { m.Kill(errKilled); r.await(m.Done(), "the end of the member") })
	for id, other := range r.members {
		other.Route(m.ID(), m.Addr())
		m.Route(id, other.Addr())
	}
	r.members[m.ID()] = m
	return m
}

// startAll runs all members, until each knows who leads.
func (r *rig) startAll(change func(*cluster.Config)) {
	r.Helper()
	for _, p := range r.peers {
		cfg := r.config(p.ID)
		if change != nil {
			change(&cfg)
		}
		r.start(cfg)
	}
	for _, m := range r.members {
		r.leader(m)
	}
}

func (r *rig) await(ch <-chan struct{}, what string) {
	r.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		r.Fatalf("waited in vain for %s", what)
	}
}

func (r *rig) kill(id runtime.NodeID) {
	r.Helper()
	m := r.members[id]
	m.Kill(errKilled)
	r.await(m.Done(), "the end of the member")
	delete(r.members, id)
}

// within returns a context for what must happen.
func (r *rig) within() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	r.Cleanup(cancel)
	return ctx
}

// leader waits until a member knows who leads, and returns who.
func (r *rig) leader(m *cluster.Member) runtime.NodeID {
	r.Helper()
	events := m.Events(1 << 10)
	defer events.Close()
	for {
		ev, err := events.Next(r.within())
		if err != nil {
			r.Fatalf("nobody leads: %v", err)
		}
		if ev.Kind == cluster.LeaderChanged && ev.Leader.ID != 0 && r.members[ev.Leader.ID] != nil {
			return ev.Leader.ID
		}
	}
}

// put and get are done by a member, whoever leads. On a slow machine the lead changes now and then, and a request that was on its
// way is unknown, or refused: to do these twice does no harm.
func (r *rig) put(m *cluster.Member, key, value string) {
	r.Helper()
	cmd := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte(key), Value: []byte(value)}
	if got := r.execute(func() ([]byte, error) { return m.Propose(r.within(), cmd.Append(nil)) }); got.Status != kv.OK {
		r.Fatalf("put %s at %v: %v", key, m.ID(), got)
	}
}

func (r *rig) get(m *cluster.Member, key, want string) {
	r.Helper()
	cmd := kv.Command{Op: kv.Get, Client: 1, Seq: 1, Key: []byte(key)}
	got := r.execute(func() ([]byte, error) { return m.Read(r.within(), cmd.Append(nil), cluster.ReadOptions{}) })
	if string(got.Value) != want {
		r.Fatalf("get %s at %v: %v, want %q", key, m.ID(), got, want)
	}
}

// execute makes a request until it is done.
func (r *rig) execute(request func() ([]byte, error)) kv.Response {
	r.Helper()
	for began := time.Now(); ; {
		resp, err := request()
		if err == nil {
			got, err := kv.DecodeResponse(resp)
			if err != nil {
				r.Fatal(err)
			}
			return got
		}
		if time.Since(began) > patience || errors.Is(err, cluster.ErrStopped) {
			r.Fatal(err)
		}
	}
}

func TestEveryMemberServes(t *testing.T) {
	for _, engine := range []cluster.Engine{cluster.Octopii, cluster.Hashicorp} {
		t.Run(string(engine), func(t *testing.T) { everyMemberServes(t, engine) })
	}
}

// everyMemberServes writes and reads by every member, loses its leader, and takes it back.
func everyMemberServes(t *testing.T, engine cluster.Engine) {
	r := newRig(t, 3)
	change := func(c *cluster.Config) {
		c.SnapshotEvery, c.SnapshotKeep, c.Engine, c.Patience = 10, 2, engine, patience
	}
	r.startAll(change)
	for i, p := range r.peers {
		r.put(r.members[p.ID], fmt.Sprintf("key-%d", i), "before")
		for _, q := range r.peers {
			r.get(r.members[q.ID], fmt.Sprintf("key-%d", i), "before")
		}
	}
	lost := r.leader(r.members[1])
	r.kill(lost)
	for id := range r.members {
		if outcome := r.tryPut(r.members[id]); outcome == runtime.Refused {
			t.Errorf("%v refuses although there is a majority", id)
		}
		r.leader(r.members[id])
		r.put(r.members[id], "without", id.String())
		r.get(r.members[id], "without", id.String())
	}
	cfg := r.config(lost)
	change(&cfg)
	back := r.start(cfg)
	for i := range 30 {
		r.put(back, "again", fmt.Sprint(i))
	}
	r.get(back, "key-2", "before")
}

// tryPut is put that may fail.
func (r *rig) tryPut(m *cluster.Member) runtime.Outcome {
	cmd := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte("try")}
	_, err := m.Propose(r.within(), cmd.Append(nil))
	return cluster.OutcomeOf(err)
}
