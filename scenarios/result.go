package scenarios

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/sim"
)

// Verdict is how a run ended.
type Verdict uint8

// The verdicts, in no order of severity.
const (
	Pass           Verdict = iota
	Safety                 // an oracle saw a wrong answer, a loss, a broken invariant
	Liveness               // the healed core did not get on in time
	Nondeterminism         // the same setup gave two different runs
	Panic                  // the code under test panicked or would not return
	Vacuous                // the run showed less than it seems to
)

var verdictNames = []string{"pass", "safety", "liveness", "nondeterminism", "panic", "vacuous"}

// String returns the verdict's name in reports and seed files.
func (v Verdict) String() string { return verdictNames[v] }

// Ops counts operations by their outcome.
type Ops struct {
	Done    int
	Refused int // nobody accepted it before its deadline
	Unknown int
}

// Result is what a run has shown.
type Result struct {
	Setup     Setup
	Verdict   Verdict
	Violation *oracle.Violation // what was violated; nil after a Pass or a divergence
	// Divergence describes the first event that differed between two runs of
	// the same setup; empty unless the verdict is Nondeterminism.
	Divergence    string
	Digest        uint64
	Ops           Ops
	Steps         uint64
	Virtual       time.Duration
	Fired         faults.Counts
	Missing       []faults.Kind // asked for, and never fired
	LeaderChanges int
	// SnapshotsShipped counts those that nodes were given by others and installed.
	SnapshotsShipped int
	// Deeds counts what a service does rarely. Nil: it does nothing of the kind.
	Deeds    []oracle.Deed
	Findings []sim.Finding
}

// verdict sums a finished run up.
func verdict(res *Result, v *oracle.Violation) Verdict {
	switch {
	case v != nil && v.Rule.Class == oracle.Safety:
		return Safety
	case v != nil && v.Rule.Class == oracle.Liveness:
		return Liveness
	case v != nil && v.Rule.Class == oracle.Panic, len(res.Findings) > 0:
		return Panic
	case v != nil, len(res.Missing) > 0:
		return Vacuous
	}
	return Pass
}
