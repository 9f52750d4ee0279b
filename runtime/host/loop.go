package host

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// errGoexit stands in for the panic value of code that called runtime.Goexit.
var errGoexit = errors.New("runtime.Goexit was called")

// run is the loop's goroutine.
func (h *Host) run() {
	// In this order: a Goexit of the node cannot be stopped, only followed by
	// what is deferred here.
	defer h.finish()
	h.guard("the loop", h.loop)
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

// loop boots the node and serves it until it is dead.
func (h *Host) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	h.trace(runtime.Event{Kind: runtime.WorldBoot, A: 1})
	h.node.Boot(env{h})
	var work []func()
	for !h.dead.Load() {
		h.clock.adjust()
		if work = h.inbox.take(work); len(work) > 0 && !h.turn(work) {
			return
		}
		if h.alarm != runtime.Never && h.alarm <= h.now() {
			h.alarm = runtime.Never
			h.step++
			h.node.Wake()
		} else if len(work) == 0 {
			h.rest(timer)
		}
	}
}

// turn does what was waiting. It returns false if the node died of it.
func (h *Host) turn(work []func()) bool {
	began := time.Now()
	for _, f := range work {
		h.step++
		if f(); h.dead.Load() {
			return false
		}
	}
	h.metrics.steps.Add(float64(len(work)))
	h.metrics.turns.Observe(time.Since(began).Seconds())
	return true
}

// rest blocks until there may be something to do.
func (h *Host) rest(timer *time.Timer) {
	if h.alarm == runtime.Never {
		timer.Stop()
	} else {
		timer.Reset(h.alarm.Sub(h.now()))
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
		var work []func()
		for {
			select {
			case <-box.ready:
			case <-h.dying:
				return
			}
			work = box.take(work)
			for _, job := range work {
				if h.dead.Load() {
					return
				}
				began := time.Now()
				job()
				h.metrics.jobs[lane].Observe(time.Since(began).Seconds())
			}
		}
	})
}
