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

// passes runs a setup on that many seeds. As in a sweep, a kind of fault asked for that struck on
// none of them is a failure.
func passes(t *testing.T, s Setup, seeds uint64) {
	t.Helper()
	var unseen []faults.Kind
	for s.Seed = range seeds {
		res := mustRun(s)
		spared := res.Verdict == Vacuous && res.Violation == nil && len(res.Missing) > 0
		if res.Verdict != Pass && !spared {
			report(t, res)
		}
		if s.Seed == 0 {
			unseen = res.Missing
		}
		unseen = slices.DeleteFunc(unseen, func(k faults.Kind) bool { return !slices.Contains(res.Missing, k) })
	}
	if len(unseen) > 0 {
		t.Errorf("%s: %v never struck on %d seeds", s.Scenario, unseen, seeds)
	}
}

// Every row of the suite, on two seeds.
func TestSuitePasses(t *testing.T) {
	for _, sc := range List() {
		passes(t, sc.Setup, 2)
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

// Leaders spare peers in one run of two, and find now and then that they should not have.
func TestSomeRunsAreThrifty(t *testing.T) {
	const seeds = 20
	thrifty, hedged := 0, uint64(0)
	for seed := range uint64(seeds) {
		deeds := mustRun(setupFor(chaosSpec, seed, 200)).Deeds
		if deeds[0].Count > 0 {
			thrifty++
		}
		hedged += deeds[1].Count
	}
	if thrifty < seeds/4 || thrifty > seeds*3/4 || hedged == 0 {
		t.Errorf("leaders spare somebody in %d of %d runs, and hedge %d times; want about half, and some", thrifty, seeds, hedged)
	}
}
