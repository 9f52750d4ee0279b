package main

import (
	"context"
	"fmt"

	"github.com/octopii-go/octopii/scenarios"
)

// sweep runs a setup with many seeds and reports failures as they come, and all in a summary.
func (a *app) sweep(ctx context.Context, setup scenarios.Setup, seeds seedRange, work workFlags) (class, error) {
	c := a.console(work.json)
	r := a.recorder(c, work.json, work.out)
	t := newTally(setup.Faults)
	next := seeds.first
	more := true
	f := fleet{program: a.program, workers: min(work.jobs, seeds.count()), stall: work.stall}
	f.run(ctx, func() (job, bool) {
		if !more {
			return job{}, false
		}
		j := job{setup: setup, check: work.check}
		j.setup.Seed = next
		more = next != seeds.last
		next++
		return j, true
	}, func(e ended) bool {
		r.note(e, t.add(e))
		c.status("%d of %d seeds, %d failed", t.runs, seeds.count(), t.runs-t.passes())
		return r.err == nil
	})
	c.Printf("%s\n", c.paint(bold, fmt.Sprintf("%d seeds of %v, scenario %s, %d nodes, %d ops, faults %v",
		t.runs, &seeds, setup.Scenario, setup.Nodes, setup.Ops, setup.Faults)))
	c.summary(t)
	return c.conclude(ctx, t.seen(), seeds.count()-t.runs), r.err
}

// conclude returns the class of a command of many runs, and says why some are missing.
func (c *console) conclude(ctx context.Context, seen map[class]int, missing int) class {
	switch {
	case ctx.Err() != nil:
		c.Printf("  interrupted: %d runs did not end\n", missing)
		seen[interrupted]++
	case missing > 0 && seen[lost] >= lostMax:
		c.Printf("  given up: %d runs were lost one after another, %d did not run\n", lostMax, missing)
	}
	return gravest(seen)
}
