package group

import (
	"errors"
	goruntime "runtime"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// Appends that run into Close are durable or refused, nothing between.
func TestCloseWhileAppending(t *testing.T) {
	for range 10 {
		fs := folder(t)
		l := open(t, fs, small())
		const writers = 6
		var acked [writers]uint64
		done := inBackground(writers, func(w int) {
			topic := walrus.Topic(w + 1)
			for i := uint64(1); ; i++ {
				err := l.Append(entry(topic, i, payload(topic, i)))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[w] = i
			}
		})
		l.until(t, "some groups", func() bool { return l.settled >= 20 })
		check(t, l.Close())
		await(t, done, "the writers")
		if err := l.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
		if _, err := l.Read(1, 1, 2, 0, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		l = open(t, fs, small())
		for w := range writers {
			if next, err := verify(l, walrus.Topic(w+1)); next != acked[w]+1 || err != nil {
				t.Errorf("topic %d ends at %d, acknowledged up to %d: %v", w+1, next, acked[w], err)
			}
		}
		check(t, l.Close())
	}
}

// Close waits for what was taken in, refuses who waits for room, and waits for readers.
func TestCloseDrains(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1)) // so that to yield is to let others run
	gate := newSyncGate()
	fs := folder(t)
	l := open(t, gate.over(fs), small())
	first, err := l.Submit(entry(1, 1, payload(1, 1)))
	check(t, err)
	gate.let <- nil
	check(t, first.Wait(t.Context()))
	await(t, gate.arrived, "the first sync")

	reading, finish := make(chan struct{}), make(chan struct{})
	reader := inBackground(1, func(int) {
		_, err := l.Read(1, 1, 2, 0, func(Entry) error {
			close(reading)
			<-finish
			if _, _, err := Open(fs, small()); !errors.Is(err, runtime.ErrLocked) {
				t.Errorf("opened beside a reader: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	await(t, reading, "the reader")
	inFlight, err := l.Submit(entry(2, 1, nil))
	check(t, err)
	await(t, gate.arrived, "the second sync")
	staged, err := l.Submit(entry(3, 1, make([]byte, roomBytes)))
	check(t, err)
	without := inBackground(1, func(int) {
		if err := l.Append(entry(4, 1, nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("without room: %v", err)
		}
	})
	l.until(t, "the one without room", func() bool { return len(l.queue) == 1 })

	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	await(t, without, "the refusal")
	gate.let <- nil
	check(t, inFlight.Wait(t.Context()))
	gate.let <- nil
	check(t, staged.Wait(t.Context()))
	l.until(t, "nothing but the reader", func() bool { return !l.leading && !l.chores.busy })
	for range 100 {
		goruntime.Gosched() // lets Close go wrong
	}
	close(finish)
	await(t, reader, "the reader")
	check(t, await(t, closed, "Close"))
}
