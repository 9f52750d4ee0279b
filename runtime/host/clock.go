package host

import (
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// clock is the node's monotonic clock. It goes on while the machine is suspended, as a timeout must: Go's own does not. The time
// slept is found by comparing with a clock of the operating system that counts it, where there is one. That takes a
// system call, so it is not done for each reading: see read.
type clock struct {
	started time.Time
	// counting reads a clock that counts suspension, from any origin; false: there is none.
	counting func() (time.Duration, bool)
	origin   time.Duration // what that showed, less what the other did
	slept    atomic.Int64  // ns of suspension since started, as far as known
	looked   runtime.Instant
}

// lookEvery is how long the clock goes on after a look before it looks again. For that long it may not know of a suspension that
// has just ended: no more than in the midst of a turn.
const lookEvery = time.Millisecond

func newClock(counting func() (time.Duration, bool)) *clock {
	c := &clock{counting: counting}
	c.origin, _ = counting()
	c.started = time.Now()
	return c
}

// now reads the clock. It may be called from any goroutine. It never steps back.
func (c *clock) now() runtime.Instant {
	return runtime.Instant(int64(time.Since(c.started)) + c.slept.Load())
}

// read reads the clock at the beginning of a turn, and looks whether the machine has been suspended if it has not just done so.
// Only the loop calls it.
func (c *clock) read() runtime.Instant {
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return now
	}
	c.adjust()
	c.looked = c.now()
	return c.looked
}

// adjust looks whether the machine has been suspended. Only the loop calls it.
func (c *clock) adjust() {
	shows, ok := c.counting()
	if !ok {
		return
	}
	// Read in this order the difference is at most the truth, whatever happens between the two.
	slept := int64(shows-c.origin) - int64(time.Since(c.started))
	if slept > c.slept.Load() {
		c.slept.Store(slept)
	}
}
