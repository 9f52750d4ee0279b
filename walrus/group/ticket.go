package group

import (
	"context"
)

// Ticket stands for a batch that was submitted. It is a small value without memory of its
// own, to be copied and dropped at will, and may be asked by any goroutine. The zero Ticket
// stands for nothing and must not be asked.
type Ticket struct {
	log   *Log
	round uint64
	era   *era
}

// Wait blocks until the batch is durable and visible, and returns nil; or the log has
// failed, and the error matches walrus.ErrFailed; or the device was full when the batch's group was to
// be written, which matches walrus.ErrNoSpace: nothing has happened; or ctx is done, and it returns
// ctx.Err(), which says nothing about the batch.
func (t Ticket) Wait(ctx context.Context) error {
	l := t.log
	l.mu.Lock()
	if settled, err := t.state(); settled {
		l.mu.Unlock()
		return err
	}
	w := l.waiters.take()
	r := l.round(t.round)
	push(&r.watchers, w)
	l.mu.Unlock()

	var err error
	select {
	case <-w.wake:
		err = w.err
	case <-ctx.Done():
		err = ctx.Err()
		l.mu.Lock()
		waiting := remove(&r.watchers, w)
		l.mu.Unlock()
		if !waiting {
			<-w.wake // it is being told at this moment
		}
	}
	l.waiters.give(w)
	return err
}

// Done returns a channel that is closed when the outcome is known.
func (t Ticket) Done() <-chan struct{} {
	l := t.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if settled, _ := t.state(); settled {
		done := make(chan struct{})
		close(done)
		return done
	}
	r := l.round(t.round)
	if r.done == nil {
		r.done = make(chan struct{})
	}
	return r.done
}

// Err returns nil if the batch is durable, or if that is not known yet, and else
// the failure of the log, or of the batch. It does not block.
func (t Ticket) Err() error {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	_, err := t.state()
	return err
}

// state returns whether the round is settled, and how. The caller holds mu.
// A failure is final, so that a number is all it takes to know.
func (t Ticket) state() (settled bool, err error) {
	switch {
	case t.era.refused != nil && t.round > t.era.settled:
		return true, t.era.refused
	case t.round <= t.log.settled:
		return true, nil
	case t.log.failed != nil:
		return true, t.log.failed
	}
	return false, nil
}
