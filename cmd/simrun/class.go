package main

import (
	"fmt"

	"github.com/octopii-go/octopii/scenarios"
)

// class is how a run or a command ended. Its value is the exit status.
type class int

// The classes.
const (
	pass           class = 0
	safety         class = 1
	usage          class = 2 // also: a file or a tool that is not there
	liveness       class = 3
	nondeterminism class = 4
	panicked       class = 5
	vacuous        class = 6
	lost           class = 7   // the simulator itself failed
	interrupted    class = 130 // by a signal, as a shell would report it
)

// gravity orders the classes of failed runs: a command of many runs ends with
// the first that any of them had. A run that cannot be repeated makes the others
// doubtful, so it comes first.
var gravity = []class{nondeterminism, lost, panicked, safety, liveness, vacuous, interrupted}

// String returns the class's name in reports.
func (c class) String() string {
	switch c {
	case pass:
		return "pass"
	case safety:
		return "safety"
	case usage:
		return "usage"
	case liveness:
		return "liveness"
	case nondeterminism:
		return "nondeterminism"
	case panicked:
		return "panic"
	case vacuous:
		return "vacuous"
	case lost:
		return "lost"
	case interrupted:
		return "interrupted"
	}
	return fmt.Sprintf("class(%d)", int(c))
}

// classOf returns the class of a verdict.
func classOf(v scenarios.Verdict) class {
	switch v {
	case scenarios.Pass:
		return pass
	case scenarios.Safety:
		return safety
	case scenarios.Liveness:
		return liveness
	case scenarios.Nondeterminism:
		return nondeterminism
	case scenarios.Panic:
		return panicked
	case scenarios.Vacuous:
		return vacuous
	}
	return lost
}

// verdict returns the verdict that a seed file keeps for the class. A seed that
// hung or killed its process is kept as a panic: both need a look at a stack.
func (c class) verdict() scenarios.Verdict {
	switch c {
	case pass:
		return scenarios.Pass
	case safety:
		return scenarios.Safety
	case liveness:
		return scenarios.Liveness
	case nondeterminism:
		return scenarios.Nondeterminism
	case vacuous:
		return scenarios.Vacuous
	}
	return scenarios.Panic
}

// gravest returns the class that a command ends with whose runs had these.
func gravest(seen map[class]int) class {
	for _, c := range gravity {
		if seen[c] > 0 {
			return c
		}
	}
	return pass
}
