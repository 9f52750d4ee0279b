package group

import "testing"

// Who came a little late is waited for longer, up to a limit; who does not come, less and less.
func TestPatienceFollowsTheCrowd(t *testing.T) {
	c := crowd{patience: patienceMin}
	for range 10 {
		c.short = true
		c.expect(14, 2)
	}
	if c.patience != patienceMax || c.size != 16 {
		t.Errorf("two of sixteen late: %+v", c)
	}
	c.expect(16, 0)
	if c.patience != patienceMax || c.size != 16 {
		t.Errorf("nobody late: %+v", c)
	}
	for range 10 {
		c.short = true
		c.expect(1, 0)
	}
	if c.patience != patienceMin || c.size != 1 {
		t.Errorf("all gone: %+v", c)
	}
}

// A caller who leads alone yields once in a while, and not at all while there is company.
func TestLoneLeaderYieldsOnceInAWhile(t *testing.T) {
	l := &Log{open: 1}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round(1).owners = 1
	for round := range 2 * aloneMax {
		l.gather()
		if want := (round + 1) % aloneMax; l.crowd.alone != want {
			t.Fatalf("round %d: alone for %d rounds, want %d", round, l.crowd.alone, want)
		}
	}
	l.gather()
	l.crowd.expect(1, 1)
	if l.crowd.alone != 0 {
		t.Errorf("company, and alone for %d rounds", l.crowd.alone)
	}
}
