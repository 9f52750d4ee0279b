package group

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// failing is a file system of which every so many syncs of groups fail.
func failing(t *testing.T, every int64) *hookFS {
	var syncs atomic.Int64
	return &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
		if op == "sync data" && syncs.Add(1)%every == 0 {
			return errSync
		}
		return call()
	}}
}

// With the option a failed sync is not the end: nobody hears of it, nothing is lost, with chores and
// readers beside it, and the next life finds all.
func TestReopen(t *testing.T) {
	const writers, each = 6, 200
	fs := failing(t, 9)
	o := small()
	o.Reopen = true
	l := open(t, fs, o)
	done := inBackground(writers, func(w int) {
		topic := walrus.Topic(w + 1)
		for i := uint64(1); i <= each; i++ {
			var err error
			switch p := payload(topic, i); i % 3 {
			case 0:
				_, err = l.Add(topic, 1, 0, p)
			case 1:
				err = l.Append(entry(topic, i, p))
			default:
				var ticket Ticket
				if ticket, err = l.Submit(entry(topic, i, p)); err == nil {
					err = ticket.Wait(t.Context())
				}
			}
			if err != nil {
				t.Errorf("writer %d, entry %d: %v", w, i, err)
				return
			}
			if i%50 == 0 {
				if next, err := verify(l, topic); next != i+1 || err != nil {
					t.Errorf("writer %d: reads up to %d of %d: %v", w, next, i, err)
				}
			}
		}
	})
	await(t, done, "the writers")
	if s := l.Stats(); s.Reopened < 5 || s.Batches != writers*each {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
	l = open(t, fs, o)
	for w := range writers {
		if next, err := verify(l, walrus.Topic(w+1)); next != each+1 || err != nil {
			t.Errorf("next life: writer %d ends at %d: %v", w, next, err)
		}
	}
	check(t, l.Close())
}

// Without the option the same failure is final, and with it one more in the new segment is.
func TestFailureOfAReopen(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		var broken atomic.Bool
		renamed := 0
		fs := &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
			if broken.Load() && op == "rename" {
				renamed++
			}
			if broken.Load() && (op == "sync data" || op == "sync") {
				return errSync
			}
			return call()
		}}
		o := small()
		o.Reopen = reopen
		l := open(t, fs, o)
		check(t, l.Append(entry(1, 1, payload(1, 1))))
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		broken.Store(true)
		for range 2 {
			if err := l.Append(entry(1, 2, payload(1, 2))); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, errSync) {
				t.Errorf("got %v", err)
			}
		}
		if next, err := verify(l, 1); next != 2 || err != nil {
			t.Errorf("what was durable: ends at %d: %v", next, err)
		}
		if err := l.Close(); !errors.Is(err, walrus.ErrFailed) {
			t.Errorf("close: %v", err)
		}
		if renamed > 0 {
			t.Errorf("a segment that was not synced got its name")
		}
	}
}
