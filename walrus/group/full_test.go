package group

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// fillable is a file system that can be full: for reservations, or for writes, too.
type fillable struct {
	hookFS
	full, evenWrites atomic.Bool
	reserving        func() // while a reservation is on its way
}

func newFillable(fs runtime.FS) *fillable {
	f := &fillable{hookFS: hookFS{FS: fs}, reserving: func() {}}
	f.around = func(op, _ string, call func() error) error {
		if op == "reserve" {
			f.reserving()
		}
		if f.full.Load() && (op == "allocate" || op == "reserve") || f.evenWrites.Load() && op == "write" {
			return runtime.ErrNoSpace
		}
		return call()
	}
	return f
}

// large is more than is ever prepared for one group in these tests.
func large() []byte { return make([]byte, 200<<10) }

// A group that finds the device full is refused, and those who were collected behind it. Nothing
// of them has happened; what was acknowledged is there; and the log goes on, with small groups at
// once, and with large ones when there is space.
func TestNoSpaceForAGroup(t *testing.T) {
	fs := newFillable(folder(t))
	l := open(t, fs, small())
	l.until(t, "the chores of Open", func() bool { return !l.chores.busy })
	next := uint64(1)
	appendOne := func() {
		t.Helper()
		check(t, l.Append(entry(1, next, payload(1, next))))
		next++
	}
	appendOne()
	kept, err := l.Submit(entry(1, next, payload(1, next)))
	check(t, err)
	next++
	check(t, kept.Wait(t.Context()))
	untilReady := func() {
		t.Helper()
		l.until(t, "two spares", func() bool {
			l.chores.skip = 0
			l.tend()
			return !l.chores.busy && !l.log.NoSpace(len(large()))
		})
	}
	var refused []Ticket
	for range 3 {
		untilReady()
		arrived, let := make(chan struct{}), make(chan struct{})
		fs.reserving = func() { arrived <- struct{}{}; <-let }
		fs.full.Store(true)
		var b walrus.Batch
		b.Entry(1, next, 1, 0, large())
		b.Set(3, []byte("not to be"))
		ticket, err := l.Submit(&b)
		check(t, err)
		await(t, arrived, "the reservation")
		results := make(chan error, 2)
		inBackground(1, func(int) { results <- l.Append(entry(1, next+1, payload(1, next+1))) })
		l.until(t, "the one behind it", func() bool { return l.round(l.open).owners == 1 })
		inBackground(1, func(int) { _, err := l.Add(5, 1, 0, []byte("x")); results <- err })
		l.until(t, "the other one", func() bool { return l.round(l.open).owners == 2 })
		fs.reserving = func() {}
		let <- struct{}{}
		for range 2 {
			if err := await(t, results, "one behind it"); !errors.Is(err, walrus.ErrNoSpace) || errors.Is(err, walrus.ErrFailed) {
				t.Errorf("behind the large one: %v", err)
			}
		}
		await(t, ticket.Done(), "the ticket")
		refused = append(refused, ticket)
		for range 3 { // there is still room for small ones
			appendOne()
		}
		fs.full.Store(false)
	}
	for _, ticket := range refused { // whatever has become durable since
		if err := ticket.Err(); !errors.Is(err, walrus.ErrNoSpace) || !errors.Is(ticket.Wait(t.Context()), walrus.ErrNoSpace) {
			t.Errorf("ticket: %v", err)
		}
	}
	check(t, kept.Wait(t.Context()))
	untilReady()
	check(t, l.Append(entry(2, 1, large())))
	first, err := l.Add(5, 1, 0, []byte("x"))
	check(t, err)
	if _, found := l.Get(3); found || first != 1 {
		t.Errorf("what was refused has happened: key found %v, first added is %d", found, first)
	}
	appendOne()
	check(t, l.Close())
	l = open(t, fs, small())
	if got, err := verify(l, 1); got != next || err != nil {
		t.Errorf("ends at %d, not %d: %v", got, next, err)
	}
	if _, found := l.Get(3); found {
		t.Error("what was refused is there in the next life")
	}
	check(t, l.Close())
}

// A file system that has no room for what it gave room for: a part of the group may be there, so the log fails.
func TestNoSpaceForWhatWasReserved(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		fs := newFillable(folder(t))
		o := small()
		o.Reopen = reopen
		l := open(t, fs, o)
		check(t, l.Append(entry(1, 1, payload(1, 1))))
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		fs.evenWrites.Store(true)
		for range 2 {
			if err := l.Append(entry(1, 2, nil)); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, walrus.ErrNoSpace) {
				t.Errorf("got %v", err)
			}
		}
		if err := l.Close(); !errors.Is(err, walrus.ErrFailed) {
			t.Errorf("close: %v", err)
		}
	}
}

// Writers of all kinds on a device that is full now and then: who is refused has not written, who is not has.
func TestFullNowAndThen(t *testing.T) {
	const writers, each = 6, 150
	fs := newFillable(folder(t))
	var reservations atomic.Int64
	fs.reserving = func() { fs.full.Store(reservations.Add(1)%3 > 0) }
	l := open(t, fs, small())
	var refused atomic.Int64
	var taken [writers][]byte
	done := inBackground(writers, func(w int) {
		topic := walrus.Topic(w + 1)
		for i := range each {
			p := []byte{byte(i), byte(w)}
			if i%10 == w {
				p = append(large(), p...)
			}
			_, err := l.Add(topic, 1, 0, p)
			switch {
			case err == nil:
				taken[w] = append(taken[w], byte(i))
			case errors.Is(err, walrus.ErrNoSpace) && !errors.Is(err, walrus.ErrFailed):
				refused.Add(1)
				fs.full.Store(false) // somebody has made room
			default:
				t.Error(err)
				return
			}
		}
	})
	await(t, done, "the writers")
	check(t, l.Close())
	fs.reserving = func() {}
	fs.full.Store(false)
	l = open(t, fs, small())
	for w := range writers {
		var got []byte
		for e, err := range l.Entries(walrus.Topic(w+1), 1) {
			check(t, err)
			got = append(got, e.Payload[len(e.Payload)-2])
		}
		if !slices.Equal(got, taken[w]) {
			t.Errorf("writer %d: acknowledged %v, found %v", w, taken[w], got)
		}
	}
	if refused.Load() == 0 {
		t.Error("nobody was refused")
	}
	check(t, l.Close())
}

// What a consumer acknowledges in a group that is taken back is not acknowledged.
func TestAcknowledgementWithoutSpace(t *testing.T) {
	fs := newFillable(folder(t))
	l := open(t, fs, small())
	check(t, l.Append(entry(1, 1, payload(1, 1))))
	check(t, l.Append(entry(1, 2, payload(1, 2))))
	c, err := l.Consumer("reader", 1)
	check(t, err)
	for range 2 {
		_, err := c.Next(t.Context())
		check(t, err)
	}
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	fs.full.Store(true)
	if err := c.AckWith(entry(2, 1, large()), 2); !errors.Is(err, walrus.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	if c.Rewind(); c.at != 1 {
		t.Fatalf("after the rewind it is at %d", c.at)
	}
	_, err = c.Next(t.Context())
	check(t, err)
	check(t, c.Ack(1))
	if next, _ := c.Cursor(); next != 2 {
		t.Errorf("the cursor is at %d", next)
	}
	fs.full.Store(false)
	check(t, l.Close())
}
