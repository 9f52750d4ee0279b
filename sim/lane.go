package sim

import (
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/coro"
)

// job is disk work submitted to a lane.
type job struct {
	run  func(runtime.FS) error
	done func(error)
}

// lane runs the jobs of one lane, one after another, in a coroutine that
// parks at every file call.
type lane struct {
	p      *native
	id     runtime.Lane
	coro   *coro.Coro
	queue  []job // jobs not begun
	job    job   // the one running, if busy
	busy   bool  // with a job, or waiting to begin one
	result error
	op     fileOp // the file call the job waits for, if waiting
	wait   bool
	dying  bool
	start  func() // the coroutine's body, bound once
}

func newLane(p *native, id runtime.Lane) *lane {
	l := &lane{p: p, id: id, coro: coro.New()}
	l.start = func() { l.result = l.job.run(l.p) }
	return l
}

func (l *lane) submit(j job) {
	l.queue = append(l.queue, j)
	if !l.busy {
		l.next()
	}
}

// next lets the first job in the queue begin, at once or later.
func (l *lane) next() {
	l.busy = true
	if !l.p.m.lags(uint64(l.id)) {
		l.begin()
	}
}

// begin runs the next job up to its first file call. A job that makes none is
// over at once, but the loop hears of it later, as it would from a thread.
func (l *lane) begin() {
	l.job = l.queue[0]
	copy(l.queue, l.queue[1:])
	l.queue = l.queue[:len(l.queue)-1]
	outer := l.p.enter(l)
	finished := l.coro.Run(l.start)
	l.p.running = outer
	if finished {
		l.p.m.jobDoneLater(uint64(l.id))
	}
}

// call issues the file call in l.op and parks until it has taken effect. In
// a job that is being killed it issues nothing, and Park goes on unwinding.
func (l *lane) call() {
	if !l.dying {
		l.wait = true
		l.p.m.issue(&l.op, uint64(l.id))
	}
	l.coro.Park()
}

// opDone resumes the job whose file call has taken effect.
func (l *lane) opDone() {
	l.wait = false
	outer := l.p.enter(l)
	finished := l.coro.Resume()
	l.p.running = outer
	if finished {
		l.jobDone()
	}
}

// jobDone hands the job's result to the node, after the lane went on.
func (l *lane) jobDone() {
	if value, stack, panicked := l.coro.Panic(); panicked {
		l.p.m.panicked(value, stack)
		return
	}
	done, err := l.job.done, l.result
	l.busy = false
	l.job, l.result = job{}, nil
	if len(l.queue) > 0 {
		l.next()
	}
	done(err)
}

// kill ends the job where it is, and the lane with it.
func (l *lane) kill() {
	l.dying = true
	outer := l.p.enter(l)
	swallowed := l.coro.Close()
	l.p.running = outer
	if swallowed {
		l.p.m.finding("a job recovered the signal that ends it and went on", nil)
	}
}
