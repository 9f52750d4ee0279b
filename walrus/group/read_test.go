package group

import (
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

func TestReadAsAsked(t *testing.T) {
	l := open(t, folder(t), small())
	var b walrus.Batch
	for i := uint64(1); i <= 100; i++ {
		b.Entry(1, i, i/10, uint8(i), payload(1, i))
	}
	b.TruncateFront(1, 11)
	check(t, l.Append(&b))
	for _, c := range []struct {
		name     string
		lo, hi   uint64
		max      int
		next     uint64
		want     error
		visitErr error
	}{
		{name: "all", lo: 11, hi: 101, max: math.MaxInt, next: 101},
		{name: "one at least", lo: 20, hi: 30, max: 0, next: 21},
		{name: "by size", lo: 20, hi: 30, max: len(payload(1, 20)) + len(payload(1, 21)), next: 22},
		{name: "before the first", lo: 10, hi: 30, next: 10, want: walrus.ErrCompacted},
		{name: "behind the last", lo: 100, hi: 102, next: 100, want: walrus.ErrGap},
		{name: "none", lo: 30, hi: 30, next: 30, want: walrus.ErrGap},
		{name: "given up", lo: 11, hi: 101, max: math.MaxInt, next: 11, want: errSync, visitErr: errSync},
	} {
		at := c.lo
		next, err := l.Read(1, c.lo, c.hi, c.max, func(e Entry) error {
			if c.visitErr != nil {
				return c.visitErr
			}
			if e.Index != at || e.Term != at/10 || e.Flags != uint8(at) || string(e.Payload) != string(payload(1, at)) {
				t.Errorf("%s: %+v at %d", c.name, e, at)
			}
			at++
			return nil
		})
		if next != c.next || !errors.Is(err, c.want) || at != next {
			t.Errorf("%s: next is %d, visited up to %d: %v", c.name, next, at, err)
		}
	}
	for e, err := range l.Entries(1, 5) {
		if !errors.Is(err, walrus.ErrCompacted) {
			t.Errorf("from before the first: %+v, %v", e, err)
		}
	}
	for e, err := range l.Entries(1, 50) {
		check(t, err)
		if e.Index == 60 {
			break
		}
	}
	for range l.Entries(1, 101) {
		t.Error("entry behind the last")
	}
	for range l.Entries(77, 1) {
		t.Error("entry of an empty topic")
	}
	check(t, l.Close()) // no reader was forgotten
}

// readEntries is Scan by means of Entries.
func readEntries(l *Log, t walrus.Topic, lo uint64, visit func(Entry) error) error {
	for e, err := range l.Entries(t, lo) {
		if err == nil {
			err = visit(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Readers see what was written, and nothing else, while writers append, truncate both
// ends and segments come and go.
func TestReadersBesideWriters(t *testing.T) {
	const writers, records = 3, 200
	fs := folder(t)
	l := open(t, fs, small())
	var stop atomic.Bool
	readers := inBackground(3*writers, func(r int) {
		topic, how := walrus.Topic(r%writers+1), r/writers
		for seen := uint64(0); !stop.Load(); {
			lo, next := l.Bounds(topic)
			if next == seen { // nothing new: leave the processor to the writers
				goruntime.Gosched()
				continue
			}
			seen = next
			from := lo
			compare := func(e Entry) error {
				if e.Index != lo || string(e.Payload) != string(payload(topic, lo)) {
					return fmt.Errorf("topic %d: %+v at %d of [%d,%d)", topic, e, lo, from, next)
				}
				lo++
				return nil
			}
			var err error
			switch how {
			case 0:
				err = readEntries(l, topic, lo, compare)
			case 1:
				_, err = l.Scan(topic, lo, compare)
			case 2:
				for lo < next && err == nil {
					_, err = l.Read(topic, lo, lo+1, 0, compare)
				}
			}
			if err != nil && !errors.Is(err, walrus.ErrCompacted) && !errors.Is(err, walrus.ErrGap) { // overtaken
				t.Error(err)
				return
			}
		}
	})
	done := inBackground(writers, func(w int) {
		topic := walrus.Topic(w + 1)
		var b walrus.Batch
		for i := uint64(1); i <= records; i++ {
			b.Reset()
			b.Entry(topic, i, 1, 0, payload(topic, i))
			if i%20 == 0 {
				b.TruncateFront(topic, i-10)
			}
			if i%17 == 0 {
				b.TruncateBack(topic, i-3)
				for j := i - 3; j <= i; j++ {
					b.Entry(topic, j, 2, 0, payload(topic, j))
				}
			}
			if err := l.Append(&b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	await(t, done, "the writers")
	stop.Store(true)
	await(t, readers, "the readers")
	for topic := walrus.Topic(1); topic <= writers; topic++ {
		if next, err := verify(l, topic); next != records+1 || err != nil {
			t.Errorf("topic %d ends at %d: %v", topic, next, err)
		}
	}
	check(t, l.Append(entry(1, records+1, nil)))
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	if names, err := fs.List("log"); err != nil || len(names) > 8 {
		t.Errorf("segments are not removed: %v, %v", names, err)
	}
	check(t, l.Close())
}
