package sim

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// DriftMax is the bound that nodes may assume for the rate error of their
// monotonic clocks, in parts per million.
const DriftMax = 500

// wallEpoch is the wall clock's reading when the world began, in Unix ns.
const wallEpoch runtime.Instant = 1_700_000_000_000_000_000

// clock is a machine's idea of time. Its rate is off by ppm; its origin is
// new at each boot.
type clock struct {
	origin runtime.Instant // the node's reading at boot
	boot   runtime.Instant // the world's time of the boot
	ppm    int64
	offset time.Duration // of the wall clock

	asked, told runtime.Instant // the last conversion of now
}

func newClock(site *faults.Site) clock {
	return clock{
		ppm:    int64(site.Below(2*DriftMax+1)) - DriftMax,
		offset: time.Duration(site.Below(uint64(2*time.Second))) - time.Second,
	}
}

// reboot gives the monotonic clock another origin.
func (c *clock) reboot(now runtime.Instant, site *faults.Site) {
	c.boot, c.asked = now, runtime.Never
	c.origin = runtime.Instant(site.Below(uint64(time.Hour)))
}

// now converts the world's time to the node's. It is asked several times in a
// step, so that it remembers its last answer.
func (c *clock) now(world runtime.Instant) runtime.Instant {
	if world != c.asked {
		c.asked, c.told = world, c.convert(world)
	}
	return c.told
}

func (c *clock) convert(world runtime.Instant) runtime.Instant {
	elapsed := int64(world - c.boot)
	return c.origin + runtime.Instant(elapsed+elapsed/1_000_000*c.ppm+elapsed%1_000_000*c.ppm/1_000_000)
}

// world returns the first instant of the world at which the node reads t.
func (c *clock) world(t runtime.Instant) runtime.Instant {
	if t <= c.origin {
		return c.boot
	}
	elapsed := int64(t - c.origin)
	guess := c.boot + runtime.Instant(elapsed-elapsed/1_000_000*c.ppm*1_000_000/(1_000_000+c.ppm)-2)
	guess = max(guess, c.boot)
	for c.convert(guess) < t {
		guess += max(1, (t-c.convert(guess))/2)
	}
	return guess
}

func (c *clock) wall(world runtime.Instant) runtime.Instant {
	return wallEpoch + world + runtime.Instant(c.offset)
}
