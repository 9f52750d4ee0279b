package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// fillUp appends entries until one is refused, and returns how many were taken.
func fillUp(t *testing.T, d *driver) (taken int) {
	t.Helper()
	for ; taken < 200; taken++ {
		refused := d.refused
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat(fmt.Sprint(taken%10), 800)) })
		if d.refused > refused {
			return taken
		}
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the device is full, and entries are taken for ever")
	return 0
}

// On a full device entries are refused, and nothing else: the log does not halt, truncations
// and keys are taken, what they free is used again, and space that returns is found.
func TestNoSpace(t *testing.T) {
	d := opened(t)
	d.disk.capacity = 100 << 10
	if fillUp(t, d) == 0 {
		t.Fatal("nothing was taken")
	}
	var b walrus.Batch
	b.Entry(mainTopic, d.acked.topic(mainTopic).next(), 1, 0, make([]byte, 800))
	if err := d.log.Stage(&b); !errors.Is(err, walrus.ErrNoSpace) || !errors.Is(err, runtime.ErrNoSpace) || errors.Is(err, walrus.ErrFailed) {
		t.Errorf("staged with %v", err)
	}
	refused := d.refused
	for i := range 30 { // there is a reserve
		d.put(t, func(s *script) { s.set(stateKey, strings.Repeat(fmt.Sprint(i%10), 100)) })
	}
	if d.refused > refused {
		t.Error("a key was refused")
	}
	for range 3 { // truncation alone makes room, on a device of the same size
		d.put(t, func(s *script) {
			s.set(stateKey, "still taken")
			s.truncateFront(mainTopic, s.model.topic(mainTopic).next()-2)
		})
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
		}
		if n := fillUp(t, d); n < 20 {
			t.Errorf("%d entries fit after a truncation", n)
		}
	}
	if d.log.Stats().Recycled == 0 {
		t.Error("no segment was used again")
	}
	d.disk.capacity += 100 << 10
	if err := d.chores(); err != nil {
		t.Fatal(err)
	}
	if n := fillUp(t, d); n < 25 {
		t.Errorf("%d entries fit after the device has grown", n)
	}
	d.disk.losePower(imageTorn)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
}

// A group that meets a full device is flushed again when there is room: nothing was lost,
// and nobody was told.
func TestFlushWithoutSpaceIsRepeated(t *testing.T) {
	d := opened(t)
	s := script{model: d.next.clone()}
	s.entry(mainTopic, 1, 0, strings.Repeat("long", 8000))
	if err := d.stageScript(&s); err != nil {
		t.Fatal(err)
	}
	d.disk.capacity = d.disk.used()
	g := d.log.Cut()
	for range 3 {
		err := walrus.Flush(d.disk, g)
		if !errors.Is(err, walrus.ErrNoSpace) || errors.Is(err, walrus.ErrFailed) {
			t.Fatalf("flushed with %v", err)
		}
	}
	d.disk.capacity *= 4
	if err := walrus.Flush(d.disk, g); err != nil {
		t.Fatal(err)
	}
	d.log.Publish(g)
	if err := d.checkPlaced(d.log.Placed(), d.next); err != nil {
		t.Error(err)
	}
	d.acked = d.next
	d.disk.losePower(imageNone)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
}

// A group that finds the device full before a byte of it is written is taken back, with all that
// was staged behind it. It has not happened, whatever comes then; and the log goes on.
func TestGroupThatFindsNoSpaceIsTakenBack(t *testing.T) {
	for before := range 6 { // in the midst of a segment, and as the first of one
		d := newDriver(uint64(before))
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		grow := func(size int) {
			t.Helper()
			d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", size)) })
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
		}
		follow := func(more int) {
			t.Helper()
			for j, a := range afterwards {
				c := d.follow(j, uint64(before))
				if err := c.open(); err != nil {
					t.Fatalf("after %d groups and %d more, then %s: %v\n%+v", before, more, a.name, err, c.report)
				}
			}
		}
		for range before {
			grow(1400)
		}
		takeBack(t, d)
		follow(0)
		d.disk.capacity *= 4
		for i := range 12 {
			grow(300)
			follow(i + 1)
		}
		if err := d.log.Close(d.disk); err != nil {
			t.Fatal(err)
		}
		follow(13)
	}
}

// takeBack stages a group that is larger than what was prepared, and another one behind it, on a full
// device, and takes them back.
func takeBack(t *testing.T, d *driver) {
	t.Helper()
	stage := func(size int) {
		s := script{model: d.next.clone()}
		s.entry(mainTopic, 1, 0, strings.Repeat("y", size))
		s.set(stateKey, "not to be")
		s.truncateFront(mainTopic, s.model.topic(mainTopic).next()-1)
		if err := d.stageScript(&s); err != nil {
			t.Fatal(err)
		}
	}
	stage(40_000)
	d.disk.capacity = d.disk.used()
	g := d.log.Cut()
	stage(10)
	for range 2 {
		if err := walrus.Flush(d.disk, g); !errors.Is(err, walrus.ErrNoSpace) {
			t.Fatalf("flushed with %v", err)
		}
	}
	if !d.log.Withdraw(g) {
		t.Fatal("not taken back")
	}
	d.next = d.acked.clone()
}

// A group of which a part may have been written is not taken back, for a crash may show it.
func TestGroupThatWasBegunIsNotTakenBack(t *testing.T) {
	d := opened(t)
	if err := d.stage(3); err != nil {
		t.Fatal(err)
	}
	g := d.log.Cut()
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opWrite }
	if err := walrus.Flush(d.disk, g); !errors.Is(err, walrus.ErrFailed) {
		t.Fatal(err)
	}
	if d.log.Withdraw(g) {
		t.Error("taken back")
	}
}

// The device may be full when the log is opened: then it does not open, and has lost nothing.
func TestOpenWithoutSpace(t *testing.T) {
	d, _ := settled(t, -1)
	d.disk.capacity = d.disk.used()
	if err := d.open(); !errors.Is(err, runtime.ErrNoSpace) {
		t.Errorf("opened with %v", err)
	}
	d.disk.kill()
	if err := d.open(); err != nil {
		t.Error(err)
	}
}

// keeping is like opened, but nothing is copied forward.
func keeping(t *testing.T) *driver {
	t.Helper()
	d := newDriver(11)
	d.pinned = 1000
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	return d
}

// Of the segments that nothing needs any more, each spare takes one. One is kept for
// the next, and the others are removed.
func TestOneSegmentIsTakenForASpare(t *testing.T) {
	d := keeping(t)
	for range 40 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	d.disk.kill()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	before := len(d.segments())
	d.put(t, func(s *script) { s.truncateFront(mainTopic, s.model.topic(mainTopic).next()) })
	for range 10 {
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	s, left := d.log.Stats(), len(d.segments())
	if s.Recycled != 2 || s.Removed < 5 || s.Segments != 2 || left != 4 || before-left != int(s.Removed+s.Recycled)-1 {
		t.Errorf("%d files before, %d after: %+v", before, left, s)
	}
	for _, name := range d.segments()[2:] {
		if n := d.disk.seen[name]; len(n.data) != 12<<10 || len(bytes.TrimLeft(n.data, "\x00")) > 0 || !bytes.Equal(n.data, n.device) {
			t.Errorf("%s holds %d bytes, not all of them zeros on the device", name, len(n.data))
		}
	}
}

// What is due when the log is closed is sealed then.
func TestCloseWritesTheSealsThatAreDue(t *testing.T) {
	d := opened(t)
	for range 4 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
	}
	if err := d.chores(); err != nil {
		t.Fatal(err)
	}
	for range 9 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
	}
	if err := d.log.Close(d.disk); err != nil {
		t.Fatal(err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if d.report.Segments < 2 || d.report.Sealed != d.report.Segments {
		t.Errorf("%+v", d.report)
	}
}

// What a reader or the scrub has pinned stays until it is released, whatever is truncated.
func TestPinnedSegmentStays(t *testing.T) {
	d := keeping(t)
	grow := func(n int) {
		t.Helper()
		for range n {
			d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
		}
	}
	grow(30)
	extents, err := d.log.Locate(mainTopic, 1, 10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	scrub, scrubbed := d.log.Scrub(1 << 20)
	d.put(t, func(s *script) { s.truncateFront(mainTopic, s.model.topic(mainTopic).next()) })
	grow(30)
	if s := d.log.Stats(); s.Removed+s.Recycled > 0 {
		t.Errorf("pinned, and %+v", s)
	}
	if err := scrub(d.disk); err != nil {
		t.Errorf("scrub: %v", err)
	}
	scrubbed(nil)
	read := 0
	err = walrus.ReadExtents(d.disk, extents, func(uint64, uint64, uint8, []byte) error { read++; return nil })
	if err != nil || read != 9 {
		t.Errorf("read %d entries, %v", read, err)
	}
	d.log.Release(extents)
	grow(3)
	if s := d.log.Stats(); s.Removed+s.Recycled < 5 {
		t.Errorf("released, and %+v", s)
	}
}
