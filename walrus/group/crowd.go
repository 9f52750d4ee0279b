package group

import goruntime "runtime"

// How often a leader yields in vain before it closes its round: as often as was of use lately.
const (
	patienceMin = 4
	patienceMax = 64
)

// aloneMax is how many rounds a caller leads alone before it yields once to find out whether it is.
const aloneMax = 32

// crowd is who is expected in the open round.
//
// The owners of the last round have just been woken, and are about to come back with their next
// batches; some may wait in the open round already. A leader that lets them run before it
// closes its round has them share it, instead of taking turns in two parts. How long that takes
// depends on other processors, which have to wake up first, so a few yields are not enough for
// sixteen writers. Those who have come while the round was in flight would have come in time, had the
// leader been twice as patient; if nobody has, half the patience will do.
type crowd struct {
	size     int
	patience int  // yields in vain; zero: as many as there may be
	short    bool // the last round had fewer owners than expected
	alone    int  // rounds since one had company, or yielded
}

// expect takes over how many owned the last round, and how many wait in the open one.
func (c *crowd) expect(owners, waiting int) {
	switch {
	case c.short && waiting > 0:
		c.patience = min(2*c.patience, patienceMax)
	case c.short:
		c.patience = max(c.patience/2, patienceMin)
	}
	c.size, c.short = owners+waiting, false
	if c.size > 1 {
		c.alone = 0
	}
}

// gather lets other goroutines run until the open round has as many owners as are expected, or
// nobody comes any more. On a single processor those who never get to run would never be seen, so
// that a caller who is alone yields too, once in a while. It gives mu up meanwhile.
func (l *Log) gather() {
	r, c := l.round(l.open), &l.crowd
	if c.size <= 1 && r.owners <= 1 {
		if c.alone++; c.alone >= aloneMax {
			c.alone = 0
			l.yield()
		}
		return
	}
	if c.patience == 0 {
		c.patience = patienceMax
	}
	for vain := 0; r.owners < c.size && vain < c.patience; {
		before := r.owners
		l.yield()
		if r.owners == before {
			vain++
		}
	}
	c.short = r.owners < c.size
}

// yield lets other goroutines run.
func (l *Log) yield() {
	l.mu.Unlock()
	goruntime.Gosched()
	l.mu.Lock()
}
