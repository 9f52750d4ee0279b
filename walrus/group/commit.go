package group

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/walrus"
)

// errUnwound is the failure of a flush that a panic, or runtime.Goexit, ended.
var errUnwound = fmt.Errorf("%w: flush did not return", walrus.ErrFailed)

// round is a group with those who own a batch in it. At most two are
// not settled: one collects, one is in flight.
type round struct {
	owners    int           // batches
	waiting   int           // appenders
	appenders *waiter       // owners that wait in Append: one of them may be asked to lead
	watchers  *waiter       // that wait for a ticket
	done      chan struct{} // closed with the outcome; nil until somebody asks for it
}

// round returns a round that is not settled.
func (l *Log) round(number uint64) *round { return &l.rounds[number&1] }

// await waits for the outcome of the open round, in which the caller owns a batch, or
// brings it about. The caller holds mu, and does not any more when await returns.
func (l *Log) await() error {
	if !l.leading {
		l.leading = true
		return l.lead()
	}
	w := l.waiters.take()
	r := l.round(l.open)
	push(&r.appenders, w)
	r.waiting++
	l.mu.Unlock()
	<-w.wake
	var err error
	switch w.news {
	case lead:
		l.mu.Lock()
		err = l.lead()
	case outcome:
		err = w.err
	default:
		panic("group: an appender was woken without an outcome")
	}
	l.waiters.give(w)
	return err
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
// unwinds the goroutine, so that nobody waits for ever. Waiters are woken without the
// lock, which is the first thing they want.
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

// finish gives the round in flight its outcome, and returns that and whom to wake: who waits for
// it, and the next leader.
func (l *Log) finish(g *walrus.Group, err error) (woken *waiter, outcome error) {
	r := l.round(l.open - 1)
	l.crowd.expect(r.owners, l.round(l.open).waiting)
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
	l.passOn(&woken)
	l.callNext()
	return woken, outcome
}

// passOn gives the lead to one who waits for the open round, or to nobody if it
// has no owners. An appender leads on its own stack. Tickets have nobody to lead: a
// goroutine is started for them.
func (l *Log) passOn(woken **waiter) {
	r := l.round(l.open)
	switch {
	case r.owners == 0:
		l.leading = false
		l.nowIdle()
	case r.appenders != nil:
		w := pop(&r.appenders)
		r.waiting--
		w.news = lead
		push(woken, w)
	default:
		go l.leadAlone()
	}
}

// settle empties the round, and moves all who wait for it to woken.
func (r *round) settle(err error, woken **waiter) {
	for _, list := range []**waiter{&r.appenders, &r.watchers} {
		for *list != nil {
			w := pop(list)
			w.news, w.err = outcome, err
			push(woken, w)
		}
	}
	if r.done != nil {
		close(r.done)
		r.done = nil
	}
	r.owners, r.waiting = 0, 0
}

// nowIdle lets Close look again, and who reopens the log.
func (l *Log) nowIdle() {
	if l.closing || l.chores.held {
		l.idle.Broadcast()
	}
}
