package raft

import (
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// A follower whose disk is full names the leader, which may have room, for what it cannot take in itself. A leader whose disk
// is full says that it is busy.
func TestFullDiskOfAFollowerIsNoReasonToRefuse(t *testing.T) {
	for _, who := range []string{"follower", "leader"} {
		w := newTestWorld(t, 3, NodeConfig{})
		w.put(1)
		leader := w.leader()
		full, want := leader, Refusal{Code: RefusedBusy}
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
