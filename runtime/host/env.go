package host

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// env is the Env of a host's node. It is used on the loop only.
type env struct{ h *Host }

// Self implements runtime.Env.
func (e env) Self() runtime.NodeID {
	if e.h.dead.Load() {
		return 0
	}
	return e.h.cfg.ID
}

// Now implements runtime.Env. It stands still during a step, as in the simulator.
func (e env) Now() runtime.Instant {
	if e.h.dead.Load() {
		return 0
	}
	return e.h.at
}

// Wall implements runtime.Env.
func (e env) Wall() runtime.Instant {
	if e.h.dead.Load() {
		return 0
	}
	return runtime.Instant(time.Now().UnixNano())
}

// WakeAt implements runtime.Env.
func (e env) WakeAt(t runtime.Instant) {
	if !e.h.dead.Load() {
		e.h.alarm = t
	}
}

// Uint64 implements runtime.Env. All purposes draw from the process's generator, of which nobody
// expects to see the same values again.
func (e env) Uint64(runtime.Purpose) uint64 {
	if e.h.dead.Load() {
		return 0
	}
	return rand.Uint64()
}

// Route implements runtime.Env.
func (e env) Route(id runtime.NodeID, addr string) {
	if !e.h.dead.Load() {
		e.h.link.Route(id, addr)
	}
}

// Send implements runtime.Env.
func (e env) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	if !e.h.dead.Load() {
		e.h.metrics.frame(ch, sent, len(frame))
		e.h.sent = true
		e.h.link.Send(to, ch, frame)
	}
}

// Submit implements runtime.Env.
func (e env) Submit(lane runtime.Lane, run func(runtime.FS) error, done func(error)) {
	h := e.h
	if h.dead.Load() {
		return
	}
	if lane >= runtime.LaneCount {
		panic(fmt.Sprintf("host: lane %d, of %d", lane, runtime.LaneCount))
	}
	if !h.lanes[lane].post(job{run: run, done: done, yield: h.sent}, jobsMax) {
		panic(fmt.Sprintf("host: more than %d jobs wait on lane %d", jobsMax, lane))
	}
}

// Reply implements runtime.Env.
func (e env) Reply(id runtime.CallID, outcome runtime.Outcome, resp []byte) {
	if e.h.dead.Load() {
		return
	}
	if c := e.h.calls[id]; c != nil {
		delete(e.h.calls, id)
		c.reply <- reply{outcome: outcome, resp: resp}
	}
}

// Trace implements runtime.Env.
func (e env) Trace(ev runtime.Event) {
	if !e.h.dead.Load() {
		e.h.trace(ev)
	}
}

// Halt implements runtime.Env.
func (e env) Halt(reason error) { e.h.end(reason) }

var _ runtime.Env = env{}
