package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/scenarios"
	"github.com/octopii-go/octopii/sim"
)

// What seeds do on the fake engine; all others pass.
const (
	seedSafety   = 13
	seedLiveness = 14
	seedPanic    = 15
	seedDiverges = 16 // if checked
	seedUnseen   = 17 // vacuous: an oracle saw nothing
	seedHangs    = 18
	seedExits    = 19
	seedCrashes  = 20 // the worker, not a node

	millionLost   = 1 // seeds from 1,000,000: the worker exits
	millionSafety = 2 // seeds from 2,000,000: like seedSafety
)

// fake is an engine whose runs take no time. Faults of the kind crash fire in
// runs with even seeds only, those of the kind corrupt never.
type fake struct{}

type fakeRun struct {
	setup scenarios.Setup
	steps int
}

func (fake) start(s scenarios.Setup, observe func(*runtime.Record)) (live, error) {
	if observe != nil {
		observe(&runtime.Record{At: 1, Step: 1, Node: 1, Event: runtime.Event{Kind: runtime.WorldBoot, A: 1}})
	}
	return &fakeRun{setup: s}, nil
}

func (fake) pair(s scenarios.Setup) (live, error) { return fakePair{&fakeRun{setup: s}}, nil }

// fakePair is a run of which the other may differ.
type fakePair struct{ *fakeRun }

func (p fakePair) Finish() scenarios.Result {
	res := p.fakeRun.Finish()
	if p.setup.Seed == seedDiverges {
		res.Verdict, res.Divergence = scenarios.Nondeterminism, "step 7 of two runs: one has\n  this\nand the other\n  that"
	}
	return res
}

func (r *fakeRun) Now() runtime.Instant { return runtime.Instant(r.steps) }

func (r *fakeRun) Step() bool {
	r.steps++
	if r.setup.Seed == seedHangs && r.steps == 2*beatSteps {
		spin()
	}
	return r.steps < 3*beatSteps
}

// spin never returns: whenever the run is looked at, this is where it stands.
//
//go:noinline
func spin() {
	for {
		spun++
	}
}

var spun int

func (r *fakeRun) Finish() scenarios.Result {
	s := r.setup
	res := scenarios.Result{
		Setup: s, Digest: s.Seed * 0x9e3779b97f4a7c15, Steps: 1000, Virtual: 30 * time.Second, LeaderChanges: 1,
		Ops: scenarios.Ops{Done: s.Ops - 1, Unknown: 1},
	}
	for _, k := range s.Faults.Enabled() {
		if k == faults.KindCorrupt || k == faults.KindCrash && s.Seed%2 == 1 {
			continue
		}
		res.Fired.Add(k)
	}
	if res.Missing = res.Fired.Missing(s.Faults); len(res.Missing) > 0 {
		res.Verdict = scenarios.Vacuous
	}
	switch s.Seed {
	case seedSafety:
		violate(&res, scenarios.Safety, "durability", "acked-lost")
	case seedLiveness:
		violate(&res, scenarios.Liveness, "progress", "stuck")
	case seedUnseen:
		violate(&res, scenarios.Vacuous, "progress", "nothing-seen")
	case seedPanic:
		res.Verdict = scenarios.Panic
		res.Findings = []sim.Finding{{Node: 2, At: 5, Text: "index out of range", Stack: "goroutine 1 [running]:\n" +
			"panic(...)\n\t/go/panic.go:1 +0x1\n" + modulePath + "raft.(*Core).Step(0x1)\n\t/src/raft/core.go:12 +0x2\n"}}
	case seedExits:
		os.Exit(3)
	case seedCrashes:
		panic("the simulator itself")
	}
	switch s.Seed / 1_000_000 {
	case millionLost:
		os.Exit(3)
	case millionSafety:
		violate(&res, scenarios.Safety, "durability", "acked-lost")
	}
	planted(&res)
	return res
}

// result lets the fake write violations down.
type result = scenarios.Result

func violate(res *result, v scenarios.Verdict, by, rule string) {
	res.Verdict = v
	found := &oracle.Violation{Rule: oracle.Rule{Oracle: by, Name: rule}, Text: "something is wrong"}
	found.Record = runtime.Record{At: 3_412_000_000, Step: 18231, Node: 2, Event: runtime.Event{Kind: runtime.WorldBoot, A: 3}}
	for i := range 40 {
		at := runtime.Instant(i) * 1_000_000
		found.Excerpt = append(found.Excerpt, runtime.Record{At: at, Step: 1, Node: 1, Event: runtime.Event{Kind: runtime.WorldKill}})
	}
	res.Violation = found
}

// fakeBuild "builds" simrun: the output is the test binary under another name.
func fakeBuild(_ context.Context, _, overlay, output string) error {
	if overlay != "" {
		text, err := os.ReadFile(overlay)
		if err != nil || len(text) == 0 {
			return fmt.Errorf("overlay: %w", err)
		}
	}
	return os.Symlink(os.Args[0], output)
}

// planted changes a result as the planted bug does that the binary was built with.
func planted(res *result) {
	if filepath.Base(os.Args[0]) != "simrun" {
		return
	}
	seed := res.Setup.Seed
	switch bug := filepath.Base(filepath.Dir(os.Args[0])); {
	case bug == "found" && seed >= 3, bug == "flaky", bug == "needs" && res.Setup.Faults.IO > 0:
		violate(res, scenarios.Safety, "durability", "acked-lost")
	case bug == "panics" && seed >= 2, bug == "argued":
		res.Verdict = scenarios.Panic
		res.Findings = []sim.Finding{{Node: 1, Text: "assertion"}}
	case bug == "both" && seed == 1:
		res.Verdict = scenarios.Panic
		res.Findings = []sim.Finding{{Node: 1, Text: "assertion"}}
	case bug == "both" && seed == 4:
		violate(res, scenarios.Safety, "log", "matching")
	}
	if filepath.Base(filepath.Dir(os.Args[0])) == "flaky" {
		res.Digest = uint64(os.Getpid())
	}
}
