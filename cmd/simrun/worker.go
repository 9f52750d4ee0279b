package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/scenarios"
)

// workerName is the argument that makes a process a worker. It is not a
// command for people.
const workerName = "worker-process"

// Of a worker's beats.
const (
	beatEvery = 200 * time.Millisecond
	// beatSteps is how many steps lie between two looks at how far a run has come: a
	// look at each would cost a percent of the run.
	beatSteps = 64
	stackMax  = 64 << 10 // bytes of stacks in a beat
)

// worker runs tasks until its standard input ends, which may be in the middle
// of one: then its supervisor is gone, or wants it gone.
func (a *app) worker(in io.Reader) class {
	signal.Ignore(os.Interrupt) // a supervisor on the same terminal decides
	tasks := make(chan task)
	go func() {
		lines := json.NewDecoder(bufio.NewReader(in))
		for {
			var t task
			if err := lines.Decode(&t); err != nil {
				if err != io.EOF {
					fmt.Fprintf(a.stderr, "simrun: worker: %v\n", err)
				}
				os.Exit(int(pass))
			}
			tasks <- t
		}
	}()
	w := &pulse{out: json.NewEncoder(a.stdout)}
	go w.beatForever()
	for t := range tasks {
		w.begin(t.Stall)
		o, err := a.perform(t, w)
		if err != nil {
			fmt.Fprintf(a.stderr, "simrun: worker: %v\n", err)
			return usage
		}
		w.say(message{Outcome: o})
	}
	return pass
}

// perform carries out a task.
func (a *app) perform(t task, w *pulse) (*outcome, error) {
	file, err := scenarios.ParseSeed([]byte(t.Setup))
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	var res scenarios.Result
	switch {
	case t.Check:
		res, err = watched(w, func() (live, error) { return a.engine.pair(file.Setup) })
	case t.Trace != "":
		res, err = a.traced(file.Setup, t.Trace, w)
	default:
		res, err = watched(w, func() (live, error) { return a.engine.start(file.Setup, nil) })
	}
	if err != nil {
		return nil, err
	}
	o := outcomeOf(&res)
	o.Wall = time.Since(begun)
	return o, nil
}

// watched starts a run, brings it to its end, and lets the pulse know how far
// it has come.
func watched(w *pulse, start func() (live, error)) (scenarios.Result, error) {
	run, err := start()
	if err != nil {
		return scenarios.Result{}, err
	}
	for steps := uint64(1); run.Step(); steps++ {
		if steps%beatSteps == 0 {
			w.steps.Store(steps)
			w.virtual.Store(int64(run.Now()))
		}
	}
	return run.Finish(), nil
}

// traced is watched, with every record written to a file as a line of text.
func (a *app) traced(s scenarios.Setup, name string, w *pulse) (scenarios.Result, error) {
	f, err := os.Create(name)
	if err != nil {
		return scenarios.Result{}, err
	}
	buffer := bufio.NewWriterSize(f, 1<<20)
	res, err := watched(w, func() (live, error) {
		return a.engine.start(s, func(r *runtime.Record) {
			buffer.WriteString(scenarios.Render(r)) // its error stays and comes with Flush
			buffer.WriteByte('\n')
		})
	})
	if flushErr := buffer.Flush(); err == nil {
		err = flushErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return res, err
}

// pulse tells the supervisor how far the run under way has come.
type pulse struct {
	tasks   atomic.Uint64 // begun
	steps   atomic.Uint64 // of the run under way
	virtual atomic.Int64
	stall   atomic.Int64

	mu  sync.Mutex // of out
	out *json.Encoder
}

// begin is called at the start of each task.
func (w *pulse) begin(stall time.Duration) {
	w.tasks.Add(1)
	w.steps.Store(0)
	w.virtual.Store(0)
	w.stall.Store(int64(stall))
}

func (w *pulse) say(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(m); err != nil {
		os.Exit(int(lost)) // nobody listens
	}
}

// beatForever says every now and then how far the run has come, with the
// stacks of all goroutines once it has stood still for half of the time that it may.
func (w *pulse) beatForever() {
	var last [2]uint64
	since := time.Now()
	for range time.Tick(beatEvery) {
		b := beat{Steps: w.steps.Load(), Virtual: time.Duration(w.virtual.Load())}
		if come := [2]uint64{w.tasks.Load(), b.Steps}; come != last {
			last, since = come, time.Now()
		}
		if stall := time.Duration(w.stall.Load()); stall > 0 && time.Since(since) > stall/2 {
			stacks := make([]byte, stackMax)
			b.Stacks = string(stacks[:goruntime.Stack(stacks, true)])
		}
		w.say(message{Beat: &b})
	}
}
