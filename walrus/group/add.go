package group

import (
	"context"
	"errors"

	"github.com/octopii-go/octopii/walrus"
)

// addAttemptsMax is how often Add looks for the end of a topic that others move.
const addAttemptsMax = 8

// end is where a topic ends once a round is settled: the last that Add has put there.
type end struct {
	topic walrus.Topic
	next  uint64
	round uint64
}

// Add appends an entry for each payload to a topic, numbered by the log, all or nothing, and
// returns the index of the first; the others follow it. It is as durable as Append and
// has the same errors. It is for topics whose order is that of arrival. Without payloads it
// returns the index that would be next.
//
// Batches that append to the same topic, truncate its end or rebase it are allowed but slow
// Add down, which then waits for them; walrus.ErrGap means that there were too many.
func (l *Log) Add(t walrus.Topic, term uint64, flags uint8, payloads ...[]byte) (first uint64, err error) {
	l.mu.Lock()
	for range addAttemptsMax {
		var owner bool
		owner, err = l.enter(func() error {
			first = l.next(t)
			return l.stageAll(t, first, term, flags, payloads)
		})
		switch {
		case owner:
			l.setEnd(end{topic: t, next: first + uint64(len(payloads)), round: l.open})
			return first, l.await()
		case err == nil: // no payloads
			l.mu.Unlock()
			return first, nil
		case !errors.Is(err, walrus.ErrGap):
			l.mu.Unlock()
			return 0, err
		}
		newest := Ticket{log: l, round: l.newest(), era: l.era}
		l.mu.Unlock()
		if err := newest.Wait(context.Background()); err != nil {
			return 0, err
		}
		l.mu.Lock()
	}
	l.mu.Unlock()
	return 0, err
}

// stageAll stages the payloads as entries from first on.
func (l *Log) stageAll(t walrus.Topic, first, term uint64, flags uint8, payloads [][]byte) error {
	for i, p := range payloads {
		l.scratch.Entry(t, first+uint64(i), term, flags, p)
	}
	err := l.log.Stage(&l.scratch)
	l.scratch.Reset() // the payloads are their owner's again
	return err
}

// next returns where the topic ends with all that was added to it, as far as Add knows.
func (l *Log) next(t walrus.Topic) uint64 {
	for i := range l.ends {
		if e := &l.ends[i]; e.topic == t && e.round > l.settled { // else it is published
			return e.next
		}
	}
	_, next := l.log.Bounds(t)
	return next
}

// setEnd replaces the topic's last end. There is one for each topic at most.
func (l *Log) setEnd(e end) {
	for i := range l.ends {
		if l.ends[i].topic == e.topic {
			l.ends[i] = e
			return
		}
	}
	l.ends = append(l.ends, e)
}

// newest returns the last round that has an owner, or a settled one.
func (l *Log) newest() uint64 {
	if l.round(l.open).owners > 0 {
		return l.open
	}
	return l.open - 1
}
