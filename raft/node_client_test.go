package raft

import (
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// A follower whose disk is full names the leader, which may have room, for what it cannot take in itself. A leader whose disk
// is full says that, and not that it has too much to do.
func TestFullDiskOfAFollowerIsNoReasonToRefuse(t *testing.T) {
	for _, who := range []string{"follower", "leader"} {
		w := newTestWorld(t, 3, NodeConfig{})
		w.put(1)
		leader := w.leader()
		full, want := leader, Refusal{Code: RefusedNoSpace}
		if who == "follower" {
			full, want = w.hosts[leader.id%3], Refusal{Code: RefusedNotLeader, Leader: leader.id}
		}
		full.disk.fail = func(op, name string) error {
			if op == "allocate" || op == "create" {
				return runtime.ErrNoSpace
			}
			return nil
		}
		large := strings.Repeat("x", 8<<10)
		for range 20 {
			w.call(leader, large)
			w.run(100 * time.Millisecond)
		}
		if !full.node.writer.full(len(large), 1) {
			t.Fatalf("the disk of the %s is not full", who)
		}
		got := w.replies[w.call(full, large)]
		r, err := DecodeRefusal(got.data)
		if got.outcome != runtime.Refused || err != nil || r != want {
			t.Errorf("a full %s answers %v with %v, %v; want %v", who, got.outcome, r, err, want)
		}
	}
}

// A member on its own whose disk takes nothing more says so of whatever it has no room for, and that it is busy if the disk has
// room and only does not get done: both when the log is asked and when the core is.
func TestOnlyAFullDiskIsNoSpace(t *testing.T) {
	for _, core := range []CoreConfig{{}, {MaxUncommittedBytes: 1 << 20}} {
		for _, c := range []struct {
			err  error // of a write
			want RefusalCode
		}{{runtime.ErrNoSpace, RefusedNoSpace}, {nil, RefusedBusy}} {
			w := newTestWorld(t, 1, NodeConfig{Core: core})
			w.put(1)
			h := w.hosts[0]
			h.disk.fail = func(op, name string) error {
				if op == "write" {
					return c.err
				}
				return nil
			}
			large := strings.Repeat("x", 256<<10)
			refused := runtime.CallID(0)
			for range 40 {
				id := w.call(h, large)
				if c.err != nil {
					w.run(10 * time.Millisecond)
				}
				if w.replies[id].outcome == runtime.Refused {
					refused = id
					break
				}
			}
			if got := w.refusal(refused); got.Code != c.want {
				t.Errorf("with %v it answers %v, want %v", c.err, got, c.want)
			}
			h.disk.fail = nil
			w.run(time.Second)
			w.put(1)
		}
	}
}
