// Package coro runs a function that can be parked, resumed and killed.
//
// A [Coro] is a long-lived worker with a stack of its own. Its owner gives it
// a job with [Coro.Run]; the job runs until it ends or calls [Coro.Park], and
// then the owner goes on, on its own stack. The owner and the job never run at
// the same time: control is handed over, and nothing is scheduled. A switch
// costs about a tenth of a microsecond and allocates nothing, so that a
// simulator can park a job at each of its file calls.
//
// How a job can end, and who learns of it:
//   - It returns: Run or Resume says finished.
//   - It panics: finished as well, and [Coro.Panic] has the value and the stack.
//   - It calls Goexit of the standard runtime: likewise, with [ErrGoexit] as the value.
//   - It is killed: Park panics inside the job with a private signal, so that its
//     deferred functions run. If one of them parks, it is unwound again at once.
//   - It swallows the kill, by recovering the signal and going on:
//     [Coro.Kill] says so. Code that recovers what it does not know must panic anew.
//
// Panics are recovered in the outermost frame of a job and nowhere else.
//
// The package is the only one of the module that may import iter. Beyond it, of what is
// near to threads, it uses only Stack of runtime/debug, for the findings.
package coro

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
)

// ErrGoexit is the panic value kept for a job that called Goexit.
var ErrGoexit = errors.New("coro: the job called runtime.Goexit")

// unwindsMax is how often a dying job may park before it is taken to swallow
// the kill for good. Deferred functions that release several files each park once.
const unwindsMax = 1000

// state is what a Coro is doing.
type state uint8

const (
	idle    state = iota // no job
	running              // inside the job
	parked               // the job waits in Park
	dying                // inside the job, which is being unwound
	closed
)

func (s state) String() string {
	return [...]string{"idle", "running", "parked", "dying", "closed"}[s]
}

// killed is the private signal that unwinds a job. It names its Coro, so that
// a job inside a job is not taken for the outer one.
type killed struct{ c *Coro }

// Coro is a worker that runs one job at a time. Run, Resume, Kill, Close and
// the readers belong to its owner, and Park to the running job. It may move
// between goroutines, but must not be used by two at once.
type Coro struct {
	next  func() (struct{}, bool) // nil: the worker is to be started
	stop  func()
	yield func(struct{}) bool
	job   func()

	state     state
	unwinds   int  // how often the dying job has parked
	swallowed bool // the dying job went on
	wedged    bool // the worker can never be used again

	panicked   bool
	panicValue any
	panicStack []byte
}

// New returns an idle Coro. Its worker starts with the first job, and ends
// with Close.
func New() *Coro { return &Coro{} }

// Run starts the job and runs it until it parks or ends; finished says which.
// It forgets the panic of the job before. The Coro must be idle.
func (c *Coro) Run(job func()) (finished bool) {
	c.expect("Run", idle)
	if job == nil {
		panic("coro: Run without a job")
	}
	if c.next == nil {
		c.next, c.stop = iter.Pull(c.work)
	}
	c.panicked, c.panicValue, c.panicStack = false, nil, nil
	c.job = job
	c.state = running
	c.next()
	return c.settled()
}

// Park hands control back to the owner until it resumes the job. If it kills
// the job instead, Park does not return. It must be called by the job itself.
func (c *Coro) Park() {
	switch c.state {
	case running:
		c.state = parked
		c.yield(struct{}{})
		if c.state == running {
			return
		}
	case dying:
	default:
		panic(fmt.Sprintf("coro: Park while %v", c.state))
	}
	c.unwind()
}

// Resume lets a parked job go on until it parks again or ends.
func (c *Coro) Resume() (finished bool) {
	c.expect("Resume", parked)
	c.state = running
	c.next()
	return c.settled()
}

// Kill unwinds the parked job, running its deferred functions, after which the
// Coro is idle and can run the next one. An idle or closed Coro is left as it
// is. Swallowed reports that the job recovered the signal and went on: it returned as if
// nothing had happened, or parked again and again. In the latter case it is
// abandoned where it is, and its stack with it. Whether a deferred function
// panicked is asked of Panic.
func (c *Coro) Kill() (swallowed bool) {
	if c.state == idle || c.state == closed {
		return false
	}
	c.expect("Kill", parked)
	c.state = dying
	c.unwinds, c.swallowed = 0, false
	c.next()
	if !c.settled() {
		panic(fmt.Sprintf("coro: killed job is %v", c.state))
	}
	return c.swallowed
}

// Close kills the parked job, if there is one, as Kill does, and ends the
// worker. The Coro cannot run another job. Closing twice is harmless.
func (c *Coro) Close() (swallowed bool) {
	swallowed = c.Kill()
	if c.state == closed {
		return false
	}
	c.state = closed
	if c.next != nil {
		c.stop()
		c.next, c.stop, c.yield = nil, nil, nil
	}
	return swallowed
}

// Parked reports whether a job waits in Park.
func (c *Coro) Parked() bool { return c.state == parked }

// Panic returns the value with which the last job panicked, and its stack at
// that moment; ok is false if it did not. The stack is text for people: it
// holds addresses, and differs between runs.
func (c *Coro) Panic() (value any, stack []byte, ok bool) {
	return c.panicValue, c.panicStack, c.panicked
}

// expect asserts the state that the method needs.
func (c *Coro) expect(method string, want state) {
	if c.state != want {
		panic(fmt.Sprintf("coro: %s while %v, want %v", method, c.state, want))
	}
}

// settled runs on the owner's side after each switch back to it. It lets go of
// a worker that can never be used again, and reports whether the job has ended.
func (c *Coro) settled() bool {
	if c.wedged {
		// Stopping this worker would carry the job's Goexit over to the
		// owner, or let the job go on. It stays parked for ever instead.
		c.wedged = false
		c.next, c.stop, c.yield = nil, nil, nil
	}
	if c.state == parked {
		return false
	}
	c.expect("end of a job", idle)
	return true
}

// work is the worker: it runs one job for each time it is resumed.
func (c *Coro) work(yield func(struct{}) bool) {
	c.yield = yield
	for {
		c.runJob()
		if !yield(struct{}{}) {
			return
		}
	}
}

// runJob is the outermost frame of a job.
func (c *Coro) runJob() {
	returned := false
	defer func() { c.ended(returned, recover()) }()
	c.job()
	returned = true
}

// ended takes note of how the job ended: it returned, or unwound with a value,
// or, with neither, called Goexit. It is called while the job's frames are
// still on the stack, so that a panic's origin can be read from it.
func (c *Coro) ended(returned bool, value any) {
	wasDying := c.state == dying
	c.state = idle
	c.job = nil
	switch {
	case returned:
		c.swallowed = wasDying
	case value == nil:
		c.keepPanic(ErrGoexit)
		c.wedge()
	case value != any(killed{c}):
		c.keepPanic(value)
	}
}

func (c *Coro) keepPanic(value any) {
	c.panicked, c.panicValue, c.panicStack = true, value, debug.Stack()
}

// unwind ends the dying job from within, or abandons it if that keeps failing.
func (c *Coro) unwind() {
	c.unwinds++
	if c.unwinds > unwindsMax {
		c.swallowed = true
		c.state = idle
		c.job = nil
		c.wedge()
	}
	panic(killed{c})
}

// wedge hands control back to the owner for good.
func (c *Coro) wedge() {
	c.wedged = true
	c.yield(struct{}{})
	panic("coro: an abandoned job was resumed")
}
