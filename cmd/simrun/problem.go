package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/scenarios"
)

// Signatures of problems that no oracle reports.
const (
	signDiverged = "run/diverged"    // two runs of one seed differed
	signPanic    = "run/panic"       // a node panicked, or a job would not die
	signNever    = "run/never-fired" // a kind of fault that was asked for
	signStall    = "run/stalled"     // no progress in wall time
	signLost     = "run/lost"        // the worker died
)

// problemOf says what was wrong in a run that did not pass.
func problemOf(res *scenarios.Result) *problem {
	p := &problem{At: res.Virtual, Step: res.Steps}
	switch v := res.Violation; {
	case res.Verdict == scenarios.Nondeterminism:
		p.Signature = signDiverged
		p.Text = res.Divergence
	case v != nil:
		p.Signature = v.Signature()
		p.Text = v.Text
		p.At, p.Step, p.Node = time.Duration(v.Record.At), v.Record.Step, v.Record.Node
		for i := range v.Excerpt {
			p.Story = append(p.Story, scenarios.Render(&v.Excerpt[i]))
		}
		last := scenarios.Render(&v.Record)
		if n := len(p.Story); n == 0 || p.Story[n-1] != last {
			p.Story = append(p.Story, last)
		}
	case len(res.Findings) > 0:
		p.Signature = signPanic
	case len(res.Missing) > 0:
		p.Signature = signNever
		p.Text = "asked for and never fired: " + kindNames(res.Missing)
	default:
		p.Signature = "run/" + res.Verdict.String()
	}
	if len(res.Findings) > 0 {
		p.addFinding(res)
	}
	return p
}

// addFinding adds the stack of the first panic, which is what to look at
// even if an oracle had something to say before.
func (p *problem) addFinding(res *scenarios.Result) {
	f := res.Findings[0]
	p.Stack = f.Stack
	if p.Text == "" {
		p.Text = fmt.Sprintf("%v: %s", f.Node, f.Text)
		p.Node, p.At = f.Node, time.Duration(f.At)
	}
}

// kindNames joins the names of kinds.
func kindNames(kinds []faults.Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return strings.Join(names, ", ")
}
