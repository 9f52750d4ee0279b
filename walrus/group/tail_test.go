package group

import (
	"context"
	"errors"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// A tail sees what was there and what comes, in order, and waits in between.
func TestTailWaitsForWhatIsNew(t *testing.T) {
	l := open(t, folder(t), small())
	fill(t, l, 3)
	seen := make(chan uint64)
	ctx, cancel := context.WithCancel(t.Context())
	var last error
	done := inBackground(1, func(int) {
		for e, err := range l.Tail(ctx, topicJobs, 2) {
			if last = err; err == nil {
				seen <- e.Index
			}
		}
	})
	for want := uint64(2); want <= 20; want++ {
		if want > 3 {
			check(t, l.Append(entry(9, want-3, nil))) // of another topic: nothing new here
			fill(t, l, 1)
		}
		if got := await(t, seen, "an entry"); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	cancel()
	await(t, done, "the tail to end")
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	for range l.Tail(t.Context(), topicJobs, 1) {
		break // a loop may end when it likes
	}
	check(t, l.Close())
}

// Nobody waits for a log that is closed, cut, or has failed.
func TestTailEndsWithTheLog(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, l *Log, gate *syncGate)
		want error
	}{
		{"closed", func(t *testing.T, l *Log, _ *syncGate) { check(t, l.Close()) }, ErrClosed},
		{"failed", func(t *testing.T, l *Log, gate *syncGate) {
			done := inBackground(1, func(int) {
				if err := l.Append(entry(9, 1, nil)); !errors.Is(err, walrus.ErrFailed) {
					t.Errorf("append: %v", err)
				}
			})
			gate.let <- errSync
			await(t, done, "the failure")
		}, walrus.ErrFailed},
		{"cut", func(t *testing.T, l *Log, gate *syncGate) {
			var b walrus.Batch
			b.TruncateBack(topicJobs, 2)
			done := inBackground(1, func(int) { check(t, l.Append(&b)) })
			gate.let <- nil
			await(t, done, "the truncation")
		}, walrus.ErrGap},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := newSyncGate()
			l := open(t, gate.over(folder(t)), small())
			done := inBackground(1, func(int) { fill(t, l, 2) })
			gate.let <- nil
			gate.let <- nil
			await(t, done, "two entries")
			var last error
			seen := make(chan uint64, 2)
			tail := inBackground(1, func(int) {
				for e, err := range l.Tail(t.Context(), topicJobs, 1) {
					if last = err; err == nil {
						seen <- e.Index
					}
				}
			})
			await(t, seen, "an entry")
			await(t, seen, "another")
			c.end(t, l, gate)
			await(t, tail, "the tail to end")
			if !errors.Is(last, c.want) {
				t.Errorf("ended with %v, want %v", last, c.want)
			}
		})
	}
}
