package scenarios

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/faults"
)

// setupFor returns a setup with that many operations, paced as by default.
func setupFor(spec string, seed uint64, ops int) Setup {
	parsed, err := faults.Parse(spec)
	if err != nil {
		panic(err)
	}
	s := Default()
	s.Seed, s.Ops, s.Faults = seed, ops, parsed
	s.Pace = s.Pace / 1000 * time.Duration(ops)
	return s
}

func mustRun(s Setup) Result {
	run, err := New(s, nil)
	if err != nil {
		panic(err)
	}
	return run.Finish()
}

func report(t *testing.T, res Result) {
	t.Helper()
	t.Errorf("%s seed %d: %v: %v, missing %v, after %v", res.Setup.Scenario, res.Setup.Seed, res.Verdict, res.Violation, res.Missing, res.Virtual)
	for _, f := range res.Findings {
		t.Logf("%v: %s\n%s", f.Node, f.Text, f.Stack)
	}
	if res.Violation != nil {
		for i := range res.Violation.Excerpt {
			t.Log(Render(&res.Violation.Excerpt[i]))
		}
		t.Log(Render(&res.Violation.Record))
	}
}

// Every row of the suite, on a few seeds.
func TestSuitePasses(t *testing.T) {
	for _, sc := range List() {
		for seed := range uint64(2) {
			s := sc.Setup
			s.Seed, s.Ops = seed, min(s.Ops, 300)
			s.Pace = 15 * time.Second
			if res := mustRun(s); res.Verdict != Pass {
				report(t, res)
			}
		}
	}
}

func TestEverydayRunIsDone(t *testing.T) {
	res := mustRun(setupFor("io=0.15", 42, 1000))
	if res.Verdict != Pass || res.Ops.Done < 950 {
		report(t, res)
		t.Logf("ops %+v", res.Ops)
	}
}

func TestChaosSeeds(t *testing.T) {
	for seed := range uint64(20) {
		res := mustRun(setupFor(chaosSpec, seed, 1000))
		if res.Verdict != Pass || res.Ops.Done < 800 {
			report(t, res)
			t.Logf("ops %+v", res.Ops)
		}
	}
}

func TestCheckFindsNothing(t *testing.T) {
	res, err := Check(setupFor(chaosSpec, 3, 200))
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != Pass {
		report(t, res)
	}
}
