package host

import (
	"testing"
	"time"
)

func TestClockCountsSuspension(t *testing.T) {
	began := time.Now()
	var slept time.Duration
	there := true
	c := newClock(func() (time.Duration, bool) { return time.Hour + time.Since(began) + slept, there })
	c.adjust()
	if got := c.now(); got < 0 || time.Duration(got) > time.Since(began) {
		t.Errorf("it shows %v after %v", got, time.Since(began))
	}
	slept = 3 * time.Hour
	if got := time.Duration(c.now()); got > time.Hour {
		t.Errorf("it shows %v before it has looked", got)
	}
	c.adjust()
	after := c.now()
	if got := time.Duration(after); got < 3*time.Hour || got > 3*time.Hour+time.Since(began) {
		t.Errorf("it shows %v after %v of suspension", got, slept)
	}
	slept = 0 // a clock that errs
	c.adjust()
	there = false
	c.adjust()
	if got := c.now(); got < after {
		t.Errorf("it steps back from %v to %v", after, got)
	}
}

func TestClockLooksNowAndThen(t *testing.T) {
	looks := 0
	c := newClock(func() (time.Duration, bool) { looks++; return 0, false })
	for range 3 {
		before, at := looks, c.now()
		c.looked = at.Add(-lookEvery)
		if got := c.read(); looks != before+1 || got < at || c.looked != got {
			t.Errorf("after a while it looks %d times, and shows %v at %v", looks-before, got, at)
		}
		c.looked = c.now().Add(time.Hour) // no time is over since
		if got := c.read(); looks != before+1 || got < at {
			t.Errorf("at once it looks %d times more, and shows %v at %v", looks-before-1, got, at)
		}
	}
}

func TestSuspensionClockGoesOn(t *testing.T) {
	first, ok := suspensionClock()
	if !ok {
		return // there is none here
	}
	if second, _ := suspensionClock(); first <= 0 || second < first {
		t.Errorf("it shows %v, then %v", first, second)
	}
	began := time.Now()
	c := newClock(suspensionClock)
	c.adjust()
	if slept := time.Duration(c.slept.Load()); slept < 0 || slept > time.Second+time.Since(began) {
		t.Errorf("suspended for %v while it ran", slept)
	}
}
