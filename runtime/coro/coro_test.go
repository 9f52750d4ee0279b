package coro_test

import (
	"errors"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime/coro"
)

// mustPanic runs f and returns what it panicked with.
func mustPanic(t *testing.T, f func()) (value any) {
	t.Helper()
	defer func() {
		value = recover()
		if value == nil {
			t.Error("no panic")
		}
	}()
	f()
	return nil
}

func TestRunToTheEnd(t *testing.T) {
	c := coro.New()
	defer c.Close()
	for i := range 3 {
		ran := false
		if finished := c.Run(func() { ran = true }); !finished || !ran {
			t.Fatalf("job %d: finished %v, ran %v", i, finished, ran)
		}
		if c.Parked() {
			t.Fatal("parked after the end")
		}
	}
}

func TestParkAndResume(t *testing.T) {
	c := coro.New()
	defer c.Close()
	var steps []string
	finished := c.Run(func() {
		for _, s := range []string{"a", "b"} {
			steps = append(steps, s)
			c.Park()
		}
		steps = append(steps, "c")
	})
	for range 2 {
		if finished || !c.Parked() {
			t.Fatalf("finished %v, parked %v", finished, c.Parked())
		}
		steps = append(steps, "owner")
		finished = c.Resume()
	}
	if got := strings.Join(steps, " "); got != "a owner b owner c" || !finished {
		t.Fatalf("steps %q, finished %v", got, finished)
	}
}

func TestKillRunsDeferredFunctions(t *testing.T) {
	c := coro.New()
	defer c.Close()
	var steps []string
	c.Run(func() {
		defer func() { steps = append(steps, "outer") }()
		defer func() {
			defer func() { steps = append(steps, "inner") }()
			c.Park() // while dying: must unwind at once
			steps = append(steps, "unreachable")
		}()
		c.Park()
		steps = append(steps, "unreachable")
	})
	if c.Kill() {
		t.Error("kill was swallowed")
	}
	if got := strings.Join(steps, " "); got != "inner outer" {
		t.Errorf("deferred functions: %q", got)
	}
	if _, _, ok := c.Panic(); ok {
		t.Error("a kill counts as a panic")
	}
	if !c.Run(func() {}) {
		t.Error("no next job after a kill")
	}
}

func TestKillWithoutAJob(t *testing.T) {
	c := coro.New()
	if c.Kill() || c.Close() || c.Kill() || c.Close() {
		t.Error("nothing was there to swallow the kill")
	}
}

func TestSwallowedKill(t *testing.T) {
	park := func(c *coro.Coro) {
		defer func() { recover() }()
		c.Park()
	}
	cases := []struct {
		name string
		job  func(c *coro.Coro)
	}{
		{"returns", func(c *coro.Coro) { park(c) }},
		{"parks once more", func(c *coro.Coro) { park(c); park(c) }},
		{"parks for ever", func(c *coro.Coro) {
			for {
				park(c)
			}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := coro.New()
			defer c.Close()
			if c.Run(func() { tc.job(c) }) {
				t.Fatal("finished before the kill")
			}
			if !c.Kill() {
				t.Error("swallowed kill not reported")
			}
			c.Run(c.Park)
			if c.Kill() {
				t.Error("the next job's kill is reported as swallowed")
			}
			if !c.Run(func() {}) {
				t.Error("no next job afterwards")
			}
		})
	}
}

func TestSignalPanickedAnewIsNotSwallowed(t *testing.T) {
	c := coro.New()
	defer c.Close()
	c.Run(func() {
		defer func() {
			if v := recover(); v != nil {
				panic(v)
			}
		}()
		c.Park()
	})
	if c.Kill() {
		t.Error("swallowed")
	}
	if v, _, ok := c.Panic(); ok {
		t.Errorf("panic %v", v)
	}
}

func explode() { panic("boom") }

func TestPanicIsKept(t *testing.T) {
	cases := []struct {
		name string
		run  func(c *coro.Coro)
	}{
		{"at once", func(c *coro.Coro) { c.Run(explode) }},
		{"after a resume", func(c *coro.Coro) { c.Run(func() { c.Park(); explode() }); c.Resume() }},
		{"while dying", func(c *coro.Coro) { c.Run(func() { defer explode(); c.Park() }); c.Kill() }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := coro.New()
			defer c.Close()
			tc.run(c)
			value, stack, ok := c.Panic()
			if !ok || value != "boom" || !strings.Contains(string(stack), "coro_test.explode") {
				t.Fatalf("panic %v, ok %v, stack:\n%s", value, ok, stack)
			}
			if c.Parked() {
				t.Error("parked after a panic")
			}
			c.Run(func() {})
			if _, _, ok := c.Panic(); ok {
				t.Error("the next job inherits the panic")
			}
		})
	}
}

func leave() { goruntime.Goexit() }

func TestGoexitIsAFinding(t *testing.T) {
	cases := []struct {
		name string
		run  func(c *coro.Coro) bool
	}{
		{"at once", func(c *coro.Coro) bool { return c.Run(leave) }},
		{"after a resume", func(c *coro.Coro) bool { c.Run(func() { c.Park(); leave() }); return c.Resume() }},
		{"while dying", func(c *coro.Coro) bool { c.Run(func() { defer leave(); c.Park() }); return !c.Kill() }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := coro.New()
			defer c.Close()
			if !tc.run(c) {
				t.Error("not finished, or taken for a swallowed kill")
			}
			value, stack, ok := c.Panic()
			err, _ := value.(error)
			if !ok || !errors.Is(err, coro.ErrGoexit) || !strings.Contains(string(stack), "coro_test.leave") {
				t.Fatalf("panic %v, ok %v, stack:\n%s", value, ok, stack)
			}
			if !c.Run(func() {}) {
				t.Error("no next job after a Goexit")
			}
		})
	}
}

func TestCloseKillsTheParkedJob(t *testing.T) {
	c := coro.New()
	unwound := false
	c.Run(func() {
		defer func() { unwound = true }()
		c.Park()
	})
	if c.Close() || !unwound {
		t.Errorf("unwound %v", unwound)
	}
	mustPanic(t, func() { c.Run(func() {}) })
}

func TestCloseEndsTheWorker(t *testing.T) {
	before := goruntime.NumGoroutine()
	for range 50 {
		c := coro.New()
		c.Run(c.Park)
		c.Close()
	}
	if after := goruntime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestJobInsideAJob(t *testing.T) {
	outer, inner := coro.New(), coro.New()
	defer outer.Close()
	defer inner.Close()
	var innerDied, outerDied bool
	outer.Run(func() {
		defer func() { outerDied = true }()
		inner.Run(func() {
			defer func() { innerDied = true }()
			inner.Park()
		})
		outer.Park()
	})
	if outer.Kill(); !outerDied || innerDied {
		t.Fatalf("outer died %v, inner died %v", outerDied, innerDied)
	}
	if inner.Kill(); !innerDied {
		t.Fatal("inner survived")
	}
}

func TestSignalOfAnotherCoroIsAPanic(t *testing.T) {
	outer, inner := coro.New(), coro.New()
	defer outer.Close()
	defer inner.Close()
	outer.Run(func() {
		defer func() { inner.Run(outer.Park) }()
		outer.Park()
	})
	if outer.Kill() {
		t.Error("the outer job did not swallow its kill")
	}
	if _, _, ok := inner.Panic(); !ok {
		t.Error("the inner job unwound with a signal that was not its own, and nobody knows")
	}
}

func TestMisuseIsAnAssertion(t *testing.T) {
	t.Run("resume idle", func(t *testing.T) { mustPanic(t, func() { coro.New().Resume() }) })
	t.Run("park outside", func(t *testing.T) { mustPanic(t, func() { coro.New().Park() }) })
	t.Run("no job", func(t *testing.T) { mustPanic(t, func() { coro.New().Run(nil) }) })
	t.Run("run while parked", func(t *testing.T) {
		c := coro.New()
		defer c.Close()
		c.Run(c.Park)
		mustPanic(t, func() { c.Run(func() {}) })
	})
	t.Run("kill from inside", func(t *testing.T) {
		c := coro.New()
		defer c.Close()
		c.Run(func() { c.Kill() })
		if _, _, ok := c.Panic(); !ok {
			t.Error("no finding")
		}
	})
}

// TestMovesBetweenGoroutines lets each step be run by another goroutine, as a
// sweep that hands worlds around would. The race detector watches.
func TestMovesBetweenGoroutines(t *testing.T) {
	c := coro.New()
	n := 0
	elsewhere := func(f func()) {
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		<-done
	}
	elsewhere(func() {
		c.Run(func() {
			for {
				n++
				c.Park()
			}
		})
	})
	for range 10 {
		elsewhere(func() { c.Resume() })
	}
	elsewhere(func() { c.Close() })
	if n != 11 {
		t.Errorf("%d steps, want 11", n)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	c := coro.New()
	defer c.Close()
	twice := func() { c.Park(); c.Park() }
	forEver := func() {
		defer func() {}()
		for {
			c.Park()
		}
	}
	c.Run(twice)
	c.Kill()
	if n := testing.AllocsPerRun(100, func() { c.Run(twice); c.Resume(); c.Resume() }); n != 0 {
		t.Errorf("run, park, resume: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Run(forEver); c.Kill() }); n != 0 {
		t.Errorf("run, park, kill: %v allocations", n)
	}
}

// BenchmarkSwitch is one park and one resume: two switches.
func BenchmarkSwitch(b *testing.B) {
	c := coro.New()
	defer c.Close()
	c.Run(func() {
		for {
			c.Park()
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		c.Resume()
	}
}

// BenchmarkJob is a whole job with two file calls: run, park, resume, park, resume.
func BenchmarkJob(b *testing.B) {
	c := coro.New()
	defer c.Close()
	job := func() { c.Park(); c.Park() }
	b.ReportAllocs()
	for b.Loop() {
		c.Run(job)
		c.Resume()
		c.Resume()
	}
}

// BenchmarkKill is the end of a parked job by a crash.
func BenchmarkKill(b *testing.B) {
	c := coro.New()
	defer c.Close()
	job := c.Park
	b.ReportAllocs()
	for b.Loop() {
		c.Run(job)
		c.Kill()
	}
}
