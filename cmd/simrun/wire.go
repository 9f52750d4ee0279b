package main

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/scenarios"
)

// task is one run asked of a worker: a line of JSON on its standard input.
type task struct {
	Setup string        // as the text of a seed file
	Check bool          // run it twice in lockstep
	Trace string        // file that gets every record as a line; empty: none
	Stall time.Duration // after half of it without progress, beats carry stacks
}

// message is what a worker says, a line of JSON on its standard output. One of
// the two is set.
type message struct {
	Beat    *beat    `json:",omitempty"`
	Outcome *outcome `json:",omitempty"`
}

// beat is a sign of life.
type beat struct {
	Steps   uint64 // of the run so far
	Virtual time.Duration
	Stacks  string // of all goroutines; only if the run seems to stand still
}

// outcome is what came of a task.
type outcome struct {
	Class         class
	Digest        uint64
	Ops           scenarios.Ops
	Steps         uint64
	Virtual, Wall time.Duration
	Fired         faults.Counts
	Missing       []faults.Kind
	LeaderChanges int
	Deeds         []oracle.Deed `json:",omitempty"`
	Problem       *problem      // what was wrong; nil after a pass
}

// problem is what was wrong in a run, and where.
type problem struct {
	Signature string // tells problems apart, such as durability/acked-lost
	Text      string // one line or a few
	At        time.Duration
	Step      uint64
	Node      runtime.NodeID // zero: none in particular
	Story     []string       // the records that led there, oldest first, one line each
	Stack     string         // of a panic or a run that stands still
}

// outcomeOf describes the result of a run.
func outcomeOf(res *scenarios.Result) *outcome {
	o := &outcome{
		Class: classOf(res.Verdict), Digest: res.Digest, Ops: res.Ops, Steps: res.Steps, Virtual: res.Virtual,
		Fired: res.Fired, Missing: res.Missing, LeaderChanges: res.LeaderChanges,
		Deeds: res.Deeds,
	}
	if o.Class == pass && len(res.Missing) > 0 {
		o.Class = vacuous
	}
	if o.Class != pass {
		o.Problem = problemOf(res)
	}
	return o
}
