package faults

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
)

// entryClaim is a claim of an entry of 100 bytes in a log, each synced by itself.
func entryClaim(node runtime.NodeID, index uint64) Claim {
	return Claim{Node: node, Group: Group{ID: index}, File: "log", Off: int64(index) * 1000, Len: 100, Log: true, Step: index}
}

func damageOf(l *Ledger, kind Kind, node runtime.NodeID) Decision {
	return l.Grant(Act{Kind: kind, Nodes: []runtime.NodeID{node}}).Decision
}

func TestDamageIsGrantedOnAMinorityOfDisks(t *testing.T) {
	for _, c := range []struct{ nodes, spare int }{{1, 0}, {2, 0}, {3, 1}, {4, 1}, {5, 2}, {7, 3}} {
		var ids []runtime.NodeID
		for i := range c.nodes {
			ids = append(ids, runtime.NodeID(i+1))
		}
		l := NewLedger(ids)
		for _, id := range ids {
			for index := range uint64(10) {
				if int(id) <= l.Quorum() {
					l.Declare(entryClaim(id, index+1))
				}
			}
		}
		granted := 0
		for _, id := range ids {
			for range 3 { // once struck, a disk may be struck again
				switch damageOf(l, KindRot, id) {
				case Granted:
					granted++
				case Downgraded:
					t.Errorf("%d nodes: rot was downgraded", c.nodes)
				}
			}
		}
		if granted != 3*c.spare {
			t.Errorf("%d nodes: granted %d times, want %d disks", c.nodes, granted, c.spare)
		}
		if got := l.fewestCopies(); got != l.Quorum()-c.spare || got < 1 {
			t.Errorf("%d nodes: %d copies left", c.nodes, got)
		}
		x := NewSites(1, nil).Site("core", 0, 0)
		for range 50 {
			core := l.Core(x)
			if len(core) < l.Quorum() {
				t.Errorf("%d nodes: core %v", c.nodes, core)
			}
			for _, id := range core {
				if l.Damaged(id) {
					t.Errorf("%d nodes: core %v with damage at %v", c.nodes, core, id)
				}
			}
		}
	}
}

func TestWipeAndRestoreByBudget(t *testing.T) {
	ids := []runtime.NodeID{1, 2, 3}
	l := NewLedger(ids)
	if got := damageOf(l, KindRestore, 1); got != Refused || l.Damaged(1) {
		t.Errorf("restore: %v", got)
	}
	if got := damageOf(l, KindWipe, 1); got != Downgraded || !l.Damaged(1) {
		t.Errorf("wipe: %v", got)
	}
	if got := damageOf(l, KindRot, 2); got != Refused {
		t.Errorf("rot beside a wiped disk: %v", got)
	}
	l.Lift(BudgetOver)
	for _, kind := range []Kind{KindRestore, KindWipe, KindRot} {
		if got := damageOf(l, kind, 2); got != Granted {
			t.Errorf("over the budget, %v: %v", kind, got)
		}
	}
	l.Heal()
	if got := damageOf(l, KindRot, 2); got != Refused {
		t.Errorf("after the heal: %v", got)
	}
}

func TestNewestClaimsAreSpared(t *testing.T) {
	l := NewLedger([]runtime.NodeID{1, 2, 3})
	x := NewSites(1, nil).Site("aim", 0, 0)
	if _, ok := l.Target(1, x); ok {
		t.Error("a target where nothing is claimed")
	}
	for index := range uint64(20) {
		l.Declare(entryClaim(1, index+1))
	}
	l.Declare(Claim{Node: 1, Group: Group{Kind: 1}, File: "other", Len: 10})
	seen := map[uint64]bool{}
	for range 2000 {
		if c, ok := l.Target(1, x); ok {
			seen[c.Group.ID] = true
		}
	}
	for index := range uint64(20) {
		// Entry 20 is the newest, and its headers may reach 4096 bytes back.
		if want := index+1 <= 15; seen[index+1] != want {
			t.Errorf("entry %d was a target: %v, want %v", index+1, seen[index+1], want)
		}
	}
	if !seen[0] {
		t.Error("a claim outside of the log was never a target")
	}
	for range 100 {
		if c, ok := l.TargetIn(1, "log", 2000, 5000, x); !ok || c.Off < 2000 || c.Off+c.Len > 5000 {
			t.Fatalf("target within a range: %+v, %v", c, ok)
		}
	}
	l.Forget(1, func(g Group) bool { return g.ID < 18 })
	if c, ok := l.TargetIn(1, "log", 0, 100_000, x); ok {
		t.Errorf("target %+v, though only the newest are left", c)
	}
	l.Lift(BudgetTail)
	if _, ok := l.TargetIn(1, "log", 19_000, 21_000, x); !ok {
		t.Error("budget=tail spares the newest claims")
	}
}
