package host

import (
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"runtime/debug"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// errGoexit stands in for the panic value of code that called runtime.Goexit.
var errGoexit = errors.New("runtime.Goexit was called")

// run is the loop's own goroutine.
func (h *Host) run() {
	// In this order: a Goexit of the node cannot be stopped, only followed by
	// what is deferred here.
	defer h.finish()
	h.guard("the loop", h.boot)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !h.dead.Load() {
		h.baton.Lock()
		idle := h.turn(true)
		// Whoever put something there since, and found the baton taken, has left it to us, without a token to find.
		if idle && h.inbox.length() == 0 {
			h.rest(timer)
		}
	}
}

// boot boots the node. Nobody takes a turn before that is done.
func (h *Host) boot() {
	defer h.baton.Unlock()
	h.at = h.now()
	h.trace(runtime.Event{Kind: runtime.WorldBoot, A: 1})
	h.node.Boot(env{h})
}

// hurry has done what was put into the mailbox: on the goroutine that calls it, unless somebody is in a turn, who then sees
// to it. Waking another thread takes longer than most turns do.
func (h *Host) hurry() {
	if !h.baton.TryLock() {
		return
	}
	h.turn(false)
	// What was put there since, by those who found the baton taken, and an alarm earlier than the one that the loop's own
	// goroutine waits for, are for that goroutine: nobody is kept for longer than a turn.
	if h.inbox.length() > 0 || h.earlier.Swap(false) {
		h.inbox.stir()
	}
}

// guard runs f and turns its panic into the end of the host. It is the
// outermost frame of the node's code.
func (h *Host) guard(where string, f func()) {
	returned := false
	defer func() {
		value := recover()
		if returned || value == any(unwind{}) {
			return
		}
		if value == nil {
			value = errGoexit
		}
		crash := &PanicError{Where: where, Value: value, Stack: debug.Stack()}
		h.cfg.Logger.Error("the node panicked", "id", h.cfg.ID, "err", crash, "stack", string(crash.Stack))
		h.end(crash)
	}()
	f()
	returned = true
}

// turn does what waits for the loop, and passes on the baton, which the caller holds. Own is whether this is the loop's
// own goroutine: then it returns whether there was nothing to do, and the time of the alarm is taken for known.
func (h *Host) turn(own bool) (idle bool) {
	defer h.baton.Unlock()
	h.guard("the loop", func() {
		h.at, h.sent = h.clock.read(), false
		h.work = h.inbox.take(h.work)
		idle = len(h.work) == 0
		if !idle && !h.serve(h.work) || h.dead.Load() {
			return
		}
		if h.alarm <= h.at && h.alarm != runtime.Never {
			idle, h.alarm = false, runtime.Never
			h.step++
			h.node.Wake()
		}
	})
	if own {
		h.awaited = h.alarm
	} else if h.alarm < h.awaited {
		h.earlier.Store(true)
	}
	return idle
}

// serve does what was waiting. It returns false if the node died of it.
func (h *Host) serve(work []item) bool {
	began := h.at
	for i := range work {
		if h.dead.Load() {
			return false
		}
		h.step++
		h.do(&work[i])
		h.at = h.now()
	}
	h.metrics.steps.Add(float64(len(work)))
	h.metrics.turns.Observe(h.at.Sub(began).Seconds())
	return !h.dead.Load()
}

// do does one of the things that wait for the loop.
func (h *Host) do(it *item) {
	switch it.kind {
	case toReceive:
		h.deliver(it.from, it.channel, it.frame)
	case toEnd:
		it.done(it.err)
	case toCall:
		h.begin(it.call)
	case toCancel:
		h.cancel(it.call.id)
	case toRun:
		it.run()
	}
}

// rest blocks until there may be something to do for the loop's own goroutine.
func (h *Host) rest(timer *time.Timer) {
	if h.awaited == runtime.Never {
		timer.Stop()
	} else {
		timer.Reset(h.awaited.Sub(h.now()))
	}
	select {
	case <-h.inbox.ready:
	case <-timer.C:
	case <-h.dying:
	}
}

// finish clears up behind a dead node. It is the end of the loop's goroutine.
func (h *Host) finish() {
	<-h.dying
	h.baton.Lock() // whoever is in a turn has left it, and nobody will take another
	h.at = h.now()
	h.traceEnd()
	for _, c := range h.calls { //lint:sorted each caller gets the same answer, on a channel of its own
		c.reply <- reply{outcome: runtime.Unknown, err: h.stoppedError()}
	}
	h.inbox.close()
	close(h.ended)

	linkErr := h.link.Close()
	h.running.Wait()
	// Only now can no write of the old life strike files of the next one.
	if err := errors.Join(linkErr, h.open.closeAll(), h.lock.Close(), h.folder.Close()); err != nil {
		h.leftover = fmt.Errorf("host: clear up: %w", err)
	}
	close(h.done)
}

// traceEnd records how the node ended.
func (h *Host) traceEnd() {
	var crash *PanicError
	switch {
	case errors.As(h.reason, &crash):
		h.trace(runtime.Event{Kind: runtime.WorldPanic, Note: []byte(crash.Error())})
	case h.reason != nil:
		h.trace(runtime.Event{Kind: runtime.WorldHalt, Note: []byte(h.reason.Error())})
	default:
		h.trace(runtime.Event{Kind: runtime.WorldHalt})
	}
}

// runLane is a lane's goroutine.
func (h *Host) runLane(lane int) {
	box := h.lanes[lane]
	h.guard(fmt.Sprintf("lane %d", lane), func() {
		var work []job
		for {
			woken := box.await()
			work = box.take(work)
			if woken && len(work) > 0 && work[0].yield {
				goruntime.Gosched()
			}
			for i := range work {
				if h.dead.Load() {
					return
				}
				h.runJob(lane, &work[i])
			}
			if h.dead.Load() {
				return
			}
		}
	})
}

// runJob does a job on its lane, and has the loop learn of its end.
func (h *Host) runJob(lane int, j *job) {
	began := h.now()
	err := j.run(h.files[lane])
	took := h.now().Sub(began)
	h.inbox.put(item{kind: toEnd, done: j.done, err: err}, math.MaxInt)
	h.hurry()
	h.metrics.jobs[lane].Observe(took.Seconds())
}
