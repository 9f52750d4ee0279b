package main

import (
	"context"
	"sync"
	"time"

	"github.com/octopii-go/octopii/scenarios"
)

// fleet carries out jobs on worker processes of one binary.
type fleet struct {
	program string
	workers int
	stall   time.Duration
}

// job is one run that somebody wants.
type job struct {
	setup scenarios.Setup
	check bool
	trace string
}

// ended is a job and what came of it.
type ended struct {
	job
	*outcome
}

// checkAllowance is how much longer a checked run may go without a sign of
// progress, per operation: unlike a plain one it gives none before it is over.
const checkAllowance = 20 * time.Millisecond

// lostMax is how many runs in a row may be lost before the fleet gives up: then
// it is not the seeds.
const lostMax = 20

// run carries out the jobs that next returns until it returns false, and hands
// what came of them to done, in the order in which they end. Both are called
// on the caller's goroutine. It returns early, without the jobs under way, when
// the context ends or done returns false.
func (f *fleet) run(ctx context.Context, next func() (job, bool), done func(ended) bool) {
	quit := make(chan struct{})
	jobs := make(chan job)
	results := make(chan ended)
	var workers sync.WaitGroup
	for range f.workers {
		workers.Go(func() { f.serve(jobs, results, quit) })
	}
	defer workers.Wait()
	defer close(quit)
	defer close(jobs)

	upcoming, more := next()
	underway, lostRuns := 0, 0
	for more || underway > 0 {
		offer := jobs
		if !more {
			offer = nil
		}
		select {
		case offer <- upcoming:
			underway++
			upcoming, more = next()
		case e := <-results:
			underway--
			if lostRuns++; e.Class != lost {
				lostRuns = 0
			}
			if !done(e) || lostRuns == lostMax {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// serve carries out jobs on one worker process after another, each for as long
// as it lasts.
func (f *fleet) serve(jobs <-chan job, results chan<- ended, quit <-chan struct{}) {
	var c *child
	defer func() {
		if c != nil {
			c.stop()
		}
	}()
	for j := range jobs {
		if c == nil {
			var err error
			if c, err = startChild(f.program); err != nil {
				c = nil
				f.report(ended{j, &outcome{Class: lost, Problem: &problem{Signature: signLost, Text: err.Error()}}}, results, quit)
				continue
			}
		}
		o, alive := c.do(f.task(j), quit)
		if !alive {
			c.stop()
			c = nil
		}
		if o == nil {
			return
		}
		f.report(ended{j, o}, results, quit)
	}
}

func (f *fleet) report(e ended, results chan<- ended, quit <-chan struct{}) {
	select {
	case results <- e:
	case <-quit:
	}
}

// task puts a job into the words that a worker understands.
func (f *fleet) task(j job) task {
	t := task{
		Setup: j.key(),
		Check: j.check, Trace: j.trace, Stall: f.stall,
	}
	if j.check {
		t.Stall += time.Duration(j.setup.Ops) * checkAllowance
	}
	return t
}

// key tells jobs apart that might end differently.
func (j job) key() string { return string(scenarios.SeedFile{Setup: j.setup}.Format()) }
