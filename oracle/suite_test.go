package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// A sound run passes, with everything counted.
func TestASoundRunPasses(t *testing.T) {
	tr := cluster(t)
	p := tr.operate(10, 1, 2, 1, tr.put("a"))
	q := tr.operate(11, 1, 2, 1, tr.get("a"))
	tr.follow(2, 1, p, q)
	tr.want("")
	if v := tr.suite.Finish(); v != nil {
		t.Fatal(v)
	}
	got := tr.suite.Counts()
	want := Counts{Records: tr.step, Leaders: 1, Commits: 6, Applied: 6, Done: 2, Certified: 2, Claims: 9, EntryBytes: got.EntryBytes}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if tr.suite.Leader() != 1 {
		t.Errorf("leader %v", tr.suite.Leader())
	}
	tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
	if tr.suite.Leader() != 0 {
		t.Errorf("a dead leader leads")
	}
}

func TestRecordsOfOtherKindsAreIgnored(t *testing.T) {
	tr := newTrace(t)
	tr.emit(9, runtime.KindOf("somebody.elses"), 1, 2, 3, 4)
	tr.emit(9, raft.FrameRefused, 1, 2, 0, 0)
	tr.want("")
}

// A violation keeps its story, and what comes later changes nothing.
func TestTheFirstViolationIsKeptWithItsStory(t *testing.T) {
	tr := cluster(t)
	tr.changed(1, 0, 0)
	first := tr.suite.Violation()
	if first == nil || first.Record.Node != 1 || first.Record.Step != tr.step || len(first.Excerpt) == 0 {
		t.Fatalf("violation %+v", first)
	}
	for i := 1; i < len(first.Excerpt); i++ {
		if first.Excerpt[i].Step <= first.Excerpt[i-1].Step {
			t.Errorf("excerpt is out of order at %d", i)
		}
	}
	tr.changed(2, 0, 0)
	if tr.suite.Violation() != first {
		t.Error("a later violation took its place")
	}
	if tr.suite.Finish() != first {
		t.Error("the end found another")
	}
}

func TestConverged(t *testing.T) {
	tr := cluster(t)
	core := []runtime.NodeID{1, 2}
	if !tr.suite.Converged(core) {
		t.Error("a settled core has not converged")
	}
	if tr.suite.Converged([]runtime.NodeID{1, 2, 3}) {
		t.Error("a core has converged with a node that has nothing")
	}
	p := tr.write(1, 2, 1, nil)
	if tr.suite.Converged(core) {
		t.Error("a core has converged that has not applied")
	}
	tr.apply(1, p)
	tr.follow(2, 1, p)
	if !tr.suite.Converged(core) {
		t.Error("a core that caught up has not converged")
	}
	tr.emit(2, runtime.WorldKill, 0, 0, 0, 0)
	if tr.suite.Converged(core) {
		t.Error("a core has converged with a dead node")
	}
}

func TestRulesAreWellNamed(t *testing.T) {
	seen := map[string]bool{}
	for i, r := range Rules() {
		if r.Oracle == "" || r.Name == "" || r.Code == "" || r.Class == 0 || r.Text == "" {
			t.Errorf("rule %d is incomplete: %+v", i, r)
		}
		if seen[r.Signature()] {
			t.Errorf("rule %s twice", r.Signature())
		}
		seen[r.Signature()] = true
	}
}

// Without an image claims are counted and not judged; all else goes on.
func TestWithoutAnImageClaimsAreNotJudged(t *testing.T) {
	tr := cluster(t, func(c *Config) { c.Image = nil })
	tr.operate(10, 1, 2, 1, tr.put("a"))
	if v := tr.suite.Finish(); v != nil {
		t.Fatal(v)
	}
	if c := tr.suite.Counts(); c.Unjudged == 0 || c.Claims != 0 {
		t.Errorf("counts %+v", c)
	}
}
