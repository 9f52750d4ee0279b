package scenarios

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

func TestWalSeeds(t *testing.T) {
	for _, sc := range List() {
		if sc.Setup.Service != Wal {
			continue
		}
		s := sc.Setup
		s.Seed, s.Ops = 2, min(s.Ops, 300)
		s.Pace = min(s.Pace, 10*time.Second)
		res := mustRun(s)
		if res.Verdict != Pass || res.Ops.Done < s.Ops/2 && !s.Faults.OverBudget() {
			report(t, res)
			t.Logf("ops %+v", res.Ops)
		}
	}
}

// A log on a disk whose syncs do nothing makes claims that are not true.
func TestWalOnALiarIsSeen(t *testing.T) {
	s := setupFor("fs=liar,crash=all/2s", 1, 200)
	s.Service = Wal
	if res := mustRun(s); res.Verdict != Safety {
		t.Errorf("got %v", res.Verdict)
	}
}

// What one disk cannot tell from a write that was torn, or from a log that was never there, the
// oracle sees.
func TestWhatALogAloneCannotSurviveIsSeen(t *testing.T) {
	for _, spec := range []string{
		"wipe=2s,budget=over", "restore=1s,budget=over", "swap=1s,budget=over", "torn=1,psow=0,crash=all/300ms",
		"phantom=200ms,budget=tail,crash=all/500ms",
	} {
		seen := 0
		for seed := range uint64(20) {
			s := setupFor(spec, seed, 300)
			s.Service = Wal
			if res := mustRun(s); res.Verdict == Safety {
				seen++
			} else if res.Verdict != Pass && res.Verdict != Vacuous {
				report(t, res)
			}
		}
		if seen == 0 {
			t.Errorf("%s: nothing was seen in 20 seeds", spec)
		}
		t.Logf("%s: seen in %d of 20 seeds", spec, seen)
	}
}

// Rot of the group written last is found, or the report names what it took.
func TestRotOfTheLastGroupIsNamed(t *testing.T) {
	named := 0
	for seed := range uint64(40) {
		s := setupFor("rot=200ms,budget=tail,crash=all:kill/500ms", seed, 300)
		s.Service = Wal
		run, err := New(s, func(r *runtime.Record) {
			// Nothing is torn where only processes die.
			if r.Kind == oracle.WalFinding && r.A == uint64(walrus.Uncertain) {
				named++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if res := run.Finish(); res.Verdict != Pass && res.Verdict != Vacuous {
			report(t, res)
		}
	}
	if named == 0 {
		t.Error("no report named anything in 40 seeds")
	}
}

func TestWalIsTheSameTwice(t *testing.T) {
	sc, _ := Lookup("wal-chaos")
	s := sc.Setup
	s.Seed = 5
	res, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != Pass {
		report(t, res)
	}
}
