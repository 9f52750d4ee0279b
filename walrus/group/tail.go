package group

import (
	"context"

	"github.com/octopii-go/octopii/walrus"
)

// TopicStats is what a topic holds.
type TopicStats struct {
	First, Next uint64 // its entries: First <= index < Next
	Entries     uint64
	Bytes       int64 // of their payloads
}

// TopicStats returns what a topic holds durably. It holds up writers for a few nanoseconds
// an entry.
func (l *Log) TopicStats(t walrus.Topic) TopicStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s TopicStats
	s.First, s.Next = l.log.Bounds(t)
	s.Entries, s.Bytes = l.log.Size(t)
	return s
}

// Tail returns the entries of a topic from lo on, in order, for use in a range loop, which
// does not end at the end of the topic but waits there until something new is durable. It
// has the errors of Read; one comes last, with an empty entry: ctx.Err() when ctx is done,
// ErrClosed when the log is closed, walrus.ErrFailed when it has failed and all that is durable
// has been seen. walrus.ErrGap means that the topic ends before lo: its end was cut off below what
// the loop has seen. The loop may append to the log.
func (l *Log) Tail(ctx context.Context, t walrus.Topic, lo uint64) func(yield func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for {
			next, err := l.follow(ctx, t, func() (uint64, error) { return lo, nil }, scanBytes, func(e Entry) error {
				if !yield(e, nil) {
					return errStop
				}
				return nil
			})
			if err == errStop {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			lo = next
		}
	}
}

// follow is Read from an index on to the end of the topic, for which it waits if the index is the
// end. Where is called with mu held, again whenever something has changed.
func (l *Log) follow(ctx context.Context, t walrus.Topic, where func() (uint64, error), maxBytes int, visit func(Entry) error) (next uint64, err error) {
	for {
		lo, r, grown, err := l.takeOrWait(t, where, maxBytes)
		switch {
		case err != nil:
			return lo, err
		case grown == nil:
			return l.read(r, true, lo, visit)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return lo, ctx.Err()
		}
	}
}

// takeOrWait returns a reader of the entries from an index on. If that is the end of the topic, there is
// a channel instead, closed when something has changed.
func (l *Log) takeOrWait(t walrus.Topic, where func() (uint64, error), maxBytes int) (lo uint64, r *reader, grown <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lo, err = where(); err != nil {
		return lo, nil, nil, err
	}
	if _, next := l.log.Bounds(t); lo != next {
		r, err = l.take(t, lo, max(next, lo+1), maxBytes)
		return lo, r, nil, err
	}
	if err := l.refuse(); err != nil {
		return lo, nil, nil, err
	}
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return lo, nil, l.grown, nil
}

// announce wakes those who wait for something new. The caller holds mu.
func (l *Log) announce() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}
