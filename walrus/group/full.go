package group

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/walrus"
)

// era is the time between two groups that were taken back. Tickets of an era that is over ask it
// how their rounds ended.
type era struct {
	settled uint64 // the last round that became durable in it
	refused error  // what the later ones ended with; nil: it is not over
}

// takeBack refuses the round in flight, for which the device has no room, and the one that collects,
// whose batches come after its. Nothing of either was written. It returns what their
// owners are told. The caller settles the round in flight.
func (l *Log) takeBack(full error, woken **waiter) error {
	err := fmt.Errorf("group: %w", full)
	l.round(l.open).settle(err, woken)
	l.era.settled, l.era.refused = l.settled, err
	l.era = &era{}
	l.settled = l.open
	l.open++
	l.ends = l.ends[:0]
	for _, c := range l.consumers {
		c.recall()
	}
	l.chores.skip = 0
	l.tend() // there may be space again by the next
	return err
}

// recall takes the cursor back to what is durable of it. The caller holds the log's lock.
func (c *Consumer) recall() {
	value, _ := c.log.log.Get(c.key)
	if at, ok := getCursor(value); ok && at.name == c.name {
		c.acked, c.removed = at.next, false
	}
}

// elsewhere writes a group whose flush has failed into another segment, once no chore is
// under way, and returns nil if it is durable there.
func (l *Log) elsewhere(g *walrus.Group, failure error) error {
	if errors.Is(failure, walrus.ErrNoSpace) {
		return failure // a new segment takes space, too
	}
	l.mu.Lock()
	l.chores.held = true
	for l.chores.busy {
		l.idle.Wait()
	}
	job, done := l.log.Reopen(g)
	l.mu.Unlock()
	err := job(l.disk)
	l.mu.Lock()
	done(err)
	l.chores.held = false
	l.mu.Unlock()
	return err
}
