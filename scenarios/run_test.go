package scenarios

import (
	"slices"
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

// seedsMost is on how many seeds a test looks at most for a kind of fault that did not strike.
const seedsMost = 12

// passes runs a setup on some seeds, and on more of them until every kind of fault asked for has
// struck in one. That a kind strikes in none is a failure, as it is in a sweep: a run of few
// operations may well be spared what strikes only in a rare moment.
func passes(t *testing.T, s Setup, seeds uint64) {
	t.Helper()
	var unseen []faults.Kind
	for s.Seed = 0; s.Seed < seeds || len(unseen) > 0 && s.Seed < seedsMost; s.Seed++ {
		res := mustRun(s)
		spared := res.Verdict == Vacuous && res.Violation == nil && len(res.Missing) > 0
		if res.Verdict != Pass && !spared {
			report(t, res)
		}
		if s.Seed == 0 {
			unseen = slices.Clone(res.Missing)
		}
		unseen = slices.DeleteFunc(unseen, func(k faults.Kind) bool { return !slices.Contains(res.Missing, k) })
	}
	if len(unseen) > 0 {
		t.Errorf("%s: %v never struck on %d seeds", s.Scenario, unseen, seedsMost)
	}
}

// Every row of the suite, on a few seeds.
func TestSuitePasses(t *testing.T) {
	for _, sc := range List() {
		s := sc.Setup
		s.Ops = min(s.Ops, 300)
		s.Pace = 15 * time.Second
		passes(t, s, 2)
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
