package host

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
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
	for c.now() < runtime.Instant(5*lookEvery) {
		c.read()
	}
	most := 2 + int(time.Duration(c.now())/lookEvery)
	if looks < 3 || looks > most {
		t.Errorf("it has looked %d times in %v, want at least 3 and at most %d", looks, time.Duration(c.now()), most)
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
	c := newClock(suspensionClock)
	c.adjust()
	if slept := time.Duration(c.slept.Load()); slept < 0 || slept > time.Second {
		t.Errorf("suspended for %v while it ran", slept)
	}
}
