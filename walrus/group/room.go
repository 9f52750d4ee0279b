package group

import (
	"errors"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/walrus"
)

// roomBytes is the size from which on the open group takes no more batches: a larger
// one makes the flush longer without making it cheaper per byte. A batch that
// is larger by itself has a group of its own.
const roomBytes = 1 << 20

// enter calls stage when there is room in the open group. It reports whether that
// made the caller an owner of the open round: an empty batch does not. The caller holds mu, which
// enter gives up while it waits.
//
// Who finds no room stands in the queue, and who finds a queue too, so that small
// batches do not overtake a large one for ever. Only the head is called; it calls the
// next when it leaves.
func (l *Log) enter(stage func() error) (owner bool, err error) {
	if err := l.refuse(); err != nil {
		return false, err
	}
	if len(l.queue) == 0 {
		if owner, err = l.try(stage); err == nil || !errors.Is(err, walrus.ErrFull) {
			return owner, err
		}
		if l.hopeless() {
			return false, l.noSpace(err)
		}
	}
	w := l.waiters.take()
	l.queue = append(l.queue, w)
	for {
		l.mu.Unlock()
		<-w.wake
		l.mu.Lock()
		if err = l.refuse(); err != nil {
			break
		}
		if owner, err = l.try(stage); err == nil || !errors.Is(err, walrus.ErrFull) {
			break
		}
		if l.hopeless() {
			err = l.noSpace(err)
			break
		}
	}
	l.leave(w)
	return owner, err
}

// try stages once. Who is refused because the device is full has the chores look whether it still is,
// for the next.
func (l *Log) try(stage func() error) (owner bool, err error) {
	before := l.log.StagedBytes()
	if before >= roomBytes {
		return false, walrus.ErrFull
	}
	if err := stage(); err != nil {
		if errors.Is(err, walrus.ErrNoSpace) {
			l.chores.skip = 0
			l.tend()
		}
		return false, err
	}
	if l.log.StagedBytes() == before {
		return false, nil
	}
	l.round(l.open).owners++
	return true, nil
}

// hopeless reports whether nothing is under way that could make room. A full group
// is cut by whoever leads. An empty one without room means that the segment is full and
// has no successor, so it takes a chore to go on.
func (l *Log) hopeless() bool {
	if !l.leading && !l.chores.busy && l.chores.err == nil {
		l.tend()
	}
	return !l.leading && !l.chores.busy
}

// noSpace adds to ErrFull why there is no further segment, and has the next refusal try again.
func (l *Log) noSpace(full error) error {
	cause := l.chores.err
	l.chores.err, l.chores.skip = nil, 0
	if cause == nil {
		return full
	}
	return fmt.Errorf("group: %w: %w", full, cause)
}

// callNext has the head of the queue look again. It may be called once too often, never
// once too few: after every cut, chore, flush, failure and close.
func (l *Log) callNext() {
	if len(l.queue) == 0 {
		return
	}
	select {
	case l.queue[0].wake <- struct{}{}:
	default: // called already
	}
}

// leave takes the head out of the queue and calls the next.
func (l *Log) leave(w *waiter) {
	if l.queue[0] != w {
		panic("group: left the queue from its middle")
	}
	l.queue = slices.Delete(l.queue, 0, 1)
	select {
	case <-w.wake: // a call that came too late
	default:
	}
	l.waiters.give(w)
	l.callNext()
}
