package scenarios

import (
	"strings"
	"testing"
)

// The rows about snapshots show something: in every run some travel from node to node, in most of them
// many, and no node is left behind.
func TestSnapshotsAreShipped(t *testing.T) {
	rows := 0
	for _, sc := range List() {
		if !strings.HasPrefix(sc.Name, "snap-") {
			continue
		}
		rows++
		shipped := 0
		for seed := range uint64(3) {
			s := sc.Setup
			s.Seed = seed
			res := mustRun(s)
			if res.Verdict != Pass || res.SnapshotsShipped < 1 {
				report(t, res)
				t.Logf("ops %+v, %d snapshots shipped", res.Ops, res.SnapshotsShipped)
			}
			shipped += res.SnapshotsShipped
		}
		if shipped < 10 {
			t.Errorf("%s: %d snapshots were shipped in 3 runs, want 10", sc.Name, shipped)
		}
		t.Logf("%s: %d", sc.Name, shipped)
	}
	if rows == 0 {
		t.Error("no row is about snapshots")
	}
}
