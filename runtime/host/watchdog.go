package host

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// defaultStallAfter is the time that a zero Config.StallAfter stands for.
const defaultStallAfter = 5 * time.Second

// Stall is a call on a file that takes longer than it may.
type Stall struct {
	Lane runtime.Lane
	For  time.Duration // how long it has lasted
	Over bool          // it has returned, after all
}

// watch knows in which call on a file a lane is, and since when. It has no lock: a lane makes one call at a time.
type watch struct {
	began atomic.Int64 // ns since epoch below; zero: in none
}

// epoch is what a watch counts from. It is never zero.
var epoch = time.Now().Add(-time.Second)

func (w *watch) enter() { w.began.Store(int64(time.Since(epoch))) }

// leave returns when the call began, since epoch.
func (w *watch) leave() time.Duration { return time.Duration(w.began.Swap(0)) }

// lasts returns how long the call has lasted that the lane is in, zero if it is in none.
func (w *watch) lasts() time.Duration {
	if began := w.began.Load(); began != 0 {
		return time.Since(epoch) - time.Duration(began)
	}
	return 0
}

// guardDisk looks at the lanes until the host has ended, and tells of calls that last too long.
func (h *Host) guardDisk() {
	g := guard{watches: h.watches[:], after: cmp.Or(h.cfg.StallAfter, defaultStallAfter)}
	ticker := time.NewTicker(max(g.after/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-h.done:
			return
		}
		for _, s := range g.look(time.Since(epoch)) {
			h.stall(s)
		}
	}
}

// guard finds calls that last too long. Of what a lane does between two looks it sees nothing: a call that long is no stall.
type guard struct {
	watches []watch // by lane
	after   time.Duration
	stalled [runtime.LaneCount]int64 // when the call began that was told of
}

// look returns what there is to tell at a time since epoch: of each stall once when it is found, and once when it is over.
func (g *guard) look(now time.Duration) (tell []Stall) {
	for lane := range g.watches {
		began := g.watches[lane].began.Load()
		if before := g.stalled[lane]; before != 0 && before != began {
			g.stalled[lane] = 0
			tell = append(tell, Stall{Lane: runtime.Lane(lane), For: now - time.Duration(before), Over: true})
		}
		if lasts := now - time.Duration(began); began != 0 && lasts >= g.after && g.stalled[lane] == 0 {
			g.stalled[lane] = began
			tell = append(tell, Stall{Lane: runtime.Lane(lane), For: lasts})
		}
	}
	return tell
}

// stall tells of a stall.
func (h *Host) stall(s Stall) {
	if s.Over {
		h.cfg.Logger.Warn("the disk goes on", "id", h.cfg.ID, "lane", uint8(s.Lane), "after", s.For)
	} else {
		h.metrics.stalls.Inc()
		h.cfg.Logger.Warn("the disk stands still", "id", h.cfg.ID, "lane", uint8(s.Lane), "for", s.For)
	}
	if h.cfg.Stalled != nil {
		h.cfg.Stalled(s)
	}
}
