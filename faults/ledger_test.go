package faults

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/runtime"
)

type ids = []runtime.NodeID

// running returns a ledger of voters 1 to n, all up but those named.
func running(n int, down ...runtime.NodeID) *Ledger {
	var voters ids
	for id := range n {
		voters = append(voters, runtime.NodeID(id+1))
	}
	l := NewLedger(voters)
	for _, id := range voters {
		if !slices.Contains(down, id) {
			l.Up(id)
		}
	}
	return l
}

func TestGrant(t *testing.T) {
	power := func(target Target, nodes ...runtime.NodeID) Act {
		return Act{Kind: KindPowerLoss, Target: target, Nodes: nodes}
	}
	granted := func(nodes ...runtime.NodeID) Verdict { return Verdict{Decision: Granted, Nodes: nodes} }
	refused := func(reason string) Verdict { return Verdict{Decision: Refused, Reason: reason} }
	for _, c := range []struct {
		name   string
		ledger *Ledger
		act    Act
		want   Verdict
	}{
		{"one of three", running(3), power(TargetAny, 2), granted(2)},
		{"a second of three", running(3, 1), power(TargetAny, 2), refused("without n2 fewer than 2 of 3 nodes run")},
		{"the leader as the second", running(3, 1), power(TargetLeader, 3), refused("without n3 fewer than 2 of 3 nodes run")},
		{"a second of five", running(5, 1), power(TargetAny, 2), granted(2)},
		{"a third of five", running(5, 1, 2), power(TargetAny, 3), refused("without n3 fewer than 3 of 5 nodes run")},
		{"who is down", running(3, 1), power(TargetAny, 1), refused("n1 is down")},
		{"the only node", running(1), power(TargetAny, 1), granted(1)},
		{"one of two", running(2), power(TargetLeader, 2), granted(2)},
		{"the other of two", running(2, 1), power(TargetLeader, 2), refused("without n2 fewer than 2 of 2 nodes run")},
		{"a majority", running(3), power(TargetMajority, 1, 3), granted(1, 3)},
		{"a majority beyond the one down", running(3, 2), power(TargetMajority, 1, 3), granted(1, 3)},
		{"all", running(3), power(TargetAll, 1, 2, 3), granted(1, 2, 3)},
		{"all that are left", running(3, 2), power(TargetAll, 1, 2, 3), Verdict{Decision: Downgraded, Nodes: ids{1, 3}, Reason: "n2 is down"}},
		{"nobody", running(3), power(TargetLeader), refused("there is nobody to strike")},
		{"no voter", running(3, 1), power(TargetAny, 9), granted(9)},
		{"a partition", running(3, 1), Act{Kind: KindPartition, Nodes: ids{2}}, granted(2)},
		{"a partition of one node", running(1), Act{Kind: KindPartition, Nodes: ids{1}}, refused("one node has no links")},
		{"a pause", running(3, 1), Act{Kind: KindPause, Nodes: ids{2}}, granted(2)},
		{"a pause of who is down", running(3, 1), Act{Kind: KindPause, Nodes: ids{1}}, refused("n1 is down")},
	} {
		if diff := cmp.Diff(c.want, c.ledger.Grant(c.act)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestGrantedCrashCountsBeforeItStrikes(t *testing.T) {
	l := running(3)
	first := Act{Kind: KindKill, Target: TargetAny, Nodes: ids{1}}
	second := Act{Kind: KindKill, Target: TargetAny, Nodes: ids{2}}
	if v := l.Grant(first); v.Decision != Granted {
		t.Fatal(v)
	}
	if v := l.Grant(second); v.Decision != Refused {
		t.Errorf("a second node beside a doomed one: %v", v)
	}
	if v := l.Grant(first); v.Decision != Granted {
		t.Errorf("the doomed node again: %v", v)
	}
	l.Down(1)
	if v := l.Grant(second); v.Decision != Refused {
		t.Errorf("a second node beside one down: %v", v)
	}
	l.Up(1)
	if v := l.Grant(second); v.Decision != Granted {
		t.Errorf("after the restart: %v", v)
	}
}

func TestNothingIsGrantedAfterTheHeal(t *testing.T) {
	l := running(3)
	l.Heal()
	for _, kind := range []Kind{KindKill, KindPowerLoss, KindPause, KindPartition} {
		if v := l.Grant(Act{Kind: kind, Target: TargetAll, Nodes: ids{1}}); v.Decision != Refused || v.Reason != "the faults have ended" {
			t.Errorf("%v: %v", kind, v)
		}
	}
}

// Whatever is asked for and whoever fails besides, single crashes that are
// granted never take the running nodes below a quorum.
func TestSingleCrashesLeaveAQuorumRunning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 7).Draw(t, "voters")
		l := running(n)
		up := n
		down := map[runtime.NodeID]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			id := runtime.NodeID(rapid.IntRange(1, n).Draw(t, "node"))
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // it fails by itself
				if !down[id] {
					down[id] = true
					up--
					l.Down(id)
				}
			case 1:
				if down[id] {
					down[id] = false
					up++
					l.Up(id)
				}
			default:
				v := l.Grant(Act{Kind: KindKill, Target: TargetAny, Nodes: ids{id}})
				if want := !down[id] && up-1 >= l.Quorum(); want != (v.Decision == Granted) {
					t.Fatalf("%d of %d up, %v down: %v; verdict %v", up, n, id, down[id], v)
				}
				if v.Decision == Granted {
					down[id] = true
					up--
					l.Down(id)
				}
			}
		}
	})
}

func TestBalanceCoversEveryQuorum(t *testing.T) {
	for n := 1; n <= 9; n++ {
		l := running(n)
		copies, needed := l.Balance()
		if copies+l.Quorum() <= n {
			t.Errorf("%d voters: a quorum of %d may miss all of %d copies", n, l.Quorum(), copies)
		}
		if needed+l.Quorum() != n+1 || copies < needed {
			t.Errorf("%d voters: %d copies, %d needed", n, copies, needed)
		}
	}
}

func TestCoreIsAQuorumAndNotEverybody(t *testing.T) {
	x := NewSites(1, nil).Site("core", 0, 0)
	for n := 1; n <= 7; n++ {
		l := running(n)
		member := map[runtime.NodeID]int{}
		sizes := map[int]bool{}
		for range 200 {
			core := l.Core(x)
			if !slices.IsSorted(core) || len(slices.Compact(slices.Clone(core))) != len(core) {
				t.Fatalf("core %v", core)
			}
			if len(core) < l.Quorum() || len(core) == n && n > l.Quorum() {
				t.Fatalf("core %v of %d voters", core, n)
			}
			sizes[len(core)] = true
			for _, id := range core {
				member[id]++
			}
		}
		if len(member) != n {
			t.Errorf("%d voters: only %d were ever in the core", n, len(member))
		}
		if want := max(1, n-l.Quorum()); len(sizes) != want {
			t.Errorf("%d voters: cores of %d sizes, want %d", n, len(sizes), want)
		}
	}
}

func TestProof(t *testing.T) {
	l := running(3)
	if proof := l.Proof(); !strings.Contains(proof, "nothing was asked for\n") {
		t.Errorf("idle: %s", proof)
	}
	l.Grant(Act{Kind: KindPowerLoss, Target: TargetAll, Nodes: ids{1, 2}})
	l.Down(1)
	l.Down(2)
	l.Up(1)
	l.Grant(Act{Kind: KindPowerLoss, Target: TargetAll, Nodes: ids{1, 2, 3}})
	l.Grant(Act{Kind: KindPartition, Nodes: ids{1}})
	l.Grant(Act{Kind: KindKill, Target: TargetAny, Nodes: ids{2}})
	want := `an acknowledged entry is synced on at least 2 of 3 disks and needs 2 of them, so that every quorum of 2 holds it
kill: 0 granted, 0 downgraded, 1 refused; none takes synced bytes
power-loss: 1 granted, 1 downgraded, 0 refused; none takes synced bytes
partition: 1 granted, 0 downgraded, 0 refused; none takes synced bytes
most nodes down at once: 2 of 3; intact copies left: 2
last refused: kill: n2 is down
`
	if diff := cmp.Diff(want, l.Proof()); diff != "" {
		t.Errorf("proof (-want +got):\n%s", diff)
	}
}

func TestMisuseOfTheLedgerPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"no voters":       func() { NewLedger(nil) },
		"a voter twice":   func() { NewLedger(ids{1, 2, 1}) },
		"a fault of disk": func() { running(3).Grant(Act{Kind: KindIO, Nodes: ids{1}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
