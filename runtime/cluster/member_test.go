package cluster_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

func TestFollowersNameTheLeader(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(func(c *cluster.Config) { c.NoForward = true })
	cmd, ctx, named := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte("k")}, r.within(), 0
	for named == 0 { // else the lead went round with the question
		for id, m := range r.members {
			_, err := m.Propose(ctx, cmd.Append(nil))
			var elsewhere *cluster.NotLeaderError
			switch {
			case ctx.Err() != nil:
				t.Fatalf("nobody names the leader; the last said %v", err)
			case !errors.As(err, &elsewhere) || elsewhere.Leader.ID == 0:
				r.leader(m) // it leads, or has lost the lead just now, or nobody had it
			default:
				named++
				oneLine(t, err, cluster.ErrNotLeader)
				if l := elsewhere.Leader; !errors.Is(err, cluster.ErrRefused) || l.ID == id || l.Service != r.peers[l.ID-1].Service {
					t.Errorf("%v says %v", id, err)
				}
			}
		}
	}
}

func TestWithoutAMajorityNothingIsDone(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(func(c *cluster.Config) { c.Patience = -1 })
	m := r.members[1]
	r.kill(2)
	r.kill(3)
	cmd := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte("k")}
	for { // until it knows
		ctx, cancel := context.WithTimeout(r.within(), patience/300)
		_, err := m.Propose(ctx, cmd.Append(nil))
		cancel()
		if err == nil {
			t.Fatal("done by one of three")
		}
		if errors.Is(err, cluster.ErrNotLeader) && cluster.OutcomeOf(err) == runtime.Refused && m.Status().Leader.ID == 0 {
			break
		}
	}
	_, err := m.Read(r.within(), cmd.Append(nil), cluster.ReadOptions{})
	oneLine(t, err, cluster.ErrRefused, "none is known")
}

func TestLimitsAreRefusals(t *testing.T) {
	r := newRig(t, 1)
	r.startAll(nil)
	m := r.members[1]
	_, err := m.Propose(r.within(), make([]byte, 1<<20))
	oneLine(t, err, cluster.ErrTooLarge)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Propose(ctx, nil)
	oneLine(t, err, context.Canceled)
	if cluster.OutcomeOf(err) != runtime.Refused {
		t.Errorf("given up before it began: %v", err)
	}
	_, err = m.Read(r.within(), nil, cluster.ReadOptions{Level: 99})
	oneLine(t, err, cluster.ErrInvalid)
}

func TestSnapshotAndStatus(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(nil)
	leader := r.members[r.leader(r.members[1])]
	applied := raft.Index(0)
	for applied < 5 { // which takes a little longer if it leads no more
		r.put(leader, "k", "v")
		applied = leader.Status().Raft.Applied
	}
	if err := leader.Snapshot(r.within()); err != nil {
		t.Fatal(err)
	}
	s := leader.Status()
	if s.Raft.Snapshot < applied || s.Raft.Term == 0 || !s.Running || s.Cluster != "orders" {
		t.Errorf("applied up to %d, status %+v", applied, s)
	}
	received := uint64(0)
	for _, p := range s.Peers {
		received += p.Link.Channels[runtime.ChannelControl].Received
	}
	if len(s.Peers) != 3 || received == 0 || !s.Peers[leader.ID()-1].Connected {
		t.Errorf("peers %+v", s.Peers)
	}
	if err := leader.Drain(r.within()); err != nil {
		t.Errorf("drained with %v", err)
	}
	if s := leader.Status(); s.Running || s.Raft.Term != 0 {
		t.Errorf("status after the end: %+v", s)
	}
	oneLine(t, leader.Snapshot(r.within()), cluster.ErrStopped)
}

func TestEventsAreOrderedAndTheLastIsKept(t *testing.T) {
	r := newRig(t, 1)
	m := r.start(r.config(1))
	all, last := m.Events(1<<10), m.Events(1)
	r.leader(m)
	ctx := r.within()
	for range 3 {
		r.put(m, "k", "v")
		if err := m.Snapshot(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	seen, seq := map[cluster.EventKind]int{}, uint64(0)
	for {
		ev, err := all.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil || ev.Seq <= seq || ev.Kind.String() == "?" {
			t.Fatalf("%+v after %d: %v", ev, seq, err)
		}
		seq = ev.Seq
		seen[ev.Kind]++
	}
	if seen[cluster.RoleChanged] == 0 || seen[cluster.LeaderChanged] == 0 || seen[cluster.SnapshotTaken] != 3 || seen[cluster.Ended] != 1 {
		t.Errorf("seen %v", seen)
	}
	if ev, err := last.Next(ctx); err != nil || ev.Kind != cluster.Ended || ev.Seq != seq {
		t.Errorf("the last is %+v, %v", ev, err)
	}
	if ev, err := m.Events(5).Next(ctx); err != nil || ev.Kind != cluster.RoleChanged {
		t.Errorf("a late subscription begins with %+v, %v", ev, err)
	}
	closed := m.Events(1)
	closed.Close()
	if _, err := closed.Next(ctx); err != io.EOF {
		t.Errorf("closed: %v", err)
	}
}

func TestContextOfStartDrains(t *testing.T) {
	r := newRig(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := cluster.Start(ctx, r.config(1), newMachine)
	if err != nil {
		t.Fatal(err)
	}
	r.alone(m)
	cancel()
	r.await(m.Done(), "the end of the member")
	if err := m.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// alone waits until a member that is alone leads.
func (r *rig) alone(m *cluster.Member) {
	r.members[m.ID()] = m
	r.leader(m)
}
