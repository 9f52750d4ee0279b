package group

import (
	"errors"
	"fmt"
	"sync"

	"github.com/octopii-go/octopii/walrus"
)

// errUnwound is the failure of a flush that a panic, or runtime.Goexit, ended.
var errUnwound = fmt.Errorf("%w: flush did not return", walrus.ErrFailed)

// round is a group with those who own a batch in it. At most two are
// not settled: one collects, one is in flight.
type round struct {
	owners    int           // batches
	appenders int           // owners that lead or wait in await
	told      sync.Cond     // for those who wait there: the round is settled, or the lead is offered
	watchers  *waiter       // that wait for a ticket
	done      chan struct{} // closed with the outcome; nil until somebody asks for it
}

// round returns a round that is not settled.
func (l *Log) round(number uint64) *round { return &l.rounds[number&1] }

// await waits for the outcome of the open round, in which the caller owns a batch, or
// brings it about. The caller holds mu, and does not any more when await returns.
func (l *Log) await() error {
	t := Ticket{log: l, round: l.open, era: l.era}
	r := l.round(t.round)
	r.appenders++
	for l.leading && !l.offered {
		r.told.Wait()
		if settled, err := t.state(); settled {
			l.mu.Unlock()
			return err
		}
	}
	l.leading, l.offered = true, false
	return l.lead()
}

// lead closes the open round, makes it durable, tells its owners, and passes the
// lead on. The caller has the lead and holds mu; it has neither when lead returns.
func (l *Log) lead() error {
	l.gather()
	g := l.log.Cut()
	if g == nil {
		panic("group: lead of a round without owners")
	}
	l.open++
	l.callNext()
	l.mu.Unlock()
	return l.flush(g)
}

// flush makes the group durable. It settles the round even if the file system
// unwinds the goroutine, so that nobody waits for ever.
func (l *Log) flush(g *walrus.Group) (err error) {
	err = errUnwound
	defer func() {
		l.mu.Lock()
		var woken *waiter
		woken, err = l.finish(g, err)
		l.mu.Unlock()
		wakeAll(woken)
	}()
	failure := walrus.Flush(l.disk, g)
	if failure != nil && l.reopens {
		failure = l.elsewhere(g, failure)
	}
	return failure
}

// finish gives the round in flight its outcome, tells the appenders, and returns the outcome and
// the watchers to wake.
func (l *Log) finish(g *walrus.Group, err error) (woken *waiter, outcome error) {
	r := l.round(l.open - 1)
	l.crowd.expect(r.owners, l.round(l.open).appenders)
	switch {
	case err == nil:
		l.log.Publish(g)
		l.stats.Groups++
		l.stats.Batches += uint64(r.owners)
		l.settled = l.open - 1
		l.tend()
	case !errors.Is(err, walrus.ErrFailed) && l.log.Withdraw(g):
		outcome = l.takeBack(err, &woken)
	default:
		if !errors.Is(err, walrus.ErrFailed) {
			err = fmt.Errorf("%w: %w", walrus.ErrFailed, err) // no space, found when it was too late
		}
		l.failed = fmt.Errorf("group: %w", err)
		l.log.Fail(err)
		l.round(l.open).settle(l.failed, &woken) // nobody will flush it
		outcome = l.failed
	}
	r.settle(outcome, &woken)
	l.announce()
	l.passOn()
	l.callNext()
	return woken, outcome
}

// passOn offers the lead to those who wait for the open round, or gives it to nobody if it
// has no owners. An appender leads on its own stack: the one that is told, or one that comes
// before it has woken up. Tickets have nobody to lead: a goroutine is started for them.
func (l *Log) passOn() {
	r := l.round(l.open)
	switch {
	case r.owners == 0:
		l.leading = false
		l.nowIdle()
	case r.appenders > 0:
		l.offered = true
		r.told.Signal()
	default:
		go l.leadAlone()
	}
}

// settle empties the round, whose outcome is known, tells the appenders, and moves the watchers to woken.
func (r *round) settle(err error, woken **waiter) {
	for r.watchers != nil {
		w := pop(&r.watchers)
		w.err = err
		push(woken, w)
	}
	if r.done != nil {
		close(r.done)
		r.done = nil
	}
	r.owners, r.appenders = 0, 0
	r.told.Broadcast()
}

// nowIdle lets Close look again, and who reopens the log.
func (l *Log) nowIdle() {
	if l.closing || l.chores.held {
		l.idle.Broadcast()
	}
}
