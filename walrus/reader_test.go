package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// collect returns what read visits, as text.
func collect(read func(visit walrus.Visit) error) (string, error) {
	var all strings.Builder
	err := read(func(index, term uint64, flags uint8, payload []byte) error {
		fmt.Fprintf(&all, "%d %d %d %s\n", index, term, flags, payload)
		return nil
	})
	return all.String(), err
}

// A Reader sees what ReadExtents sees, over more segments than it keeps open.
func TestReader(t *testing.T) {
	d := opened(t)
	for i := range 60 {
		size := 900
		if i == 30 {
			size = 2 << 20 // larger than any buffer that is kept
		}
		d.put(t, func(s *script) { s.entry(mainTopic, 1, uint8(i), strings.Repeat(string(rune('a'+i%26)), size)) })
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	r := walrus.NewReader(d.disk)
	defer r.Close()
	var extents []walrus.Extent
	segments := map[string]bool{}
	for _, c := range []struct{ lo, hi uint64 }{{1, 61}, {60, 61}, {1, 2}, {7, 40}, {31, 32}, {1, 61}} {
		var err error
		if extents, err = d.log.LocateInto(extents, mainTopic, c.lo, c.hi, 8<<20); err != nil {
			t.Fatal(err)
		}
		for _, e := range extents {
			segments[e.File] = true
		}
		want, err := collect(func(visit walrus.Visit) error { return walrus.ReadExtents(d.disk, extents, visit) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := collect(func(visit walrus.Visit) error { return r.Read(extents, visit) })
		if err != nil || got != want {
			t.Errorf("[%d,%d): %v, %d bytes, want %d", c.lo, c.hi, err, len(got), len(want))
		}
		d.log.Release(extents)
	}
	if len(segments) <= 4 {
		t.Errorf("only %d segments", len(segments))
	}
}

// An entry at a time costs no memory and no opening of files, and every checksum is verified.
func TestReaderReadsSingleEntries(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		s.entry(mainTopic, 3, 1, "something to damage")
		s.entry(mainTopic, 3, 1, "another one")
	})
	r := walrus.NewReader(d.disk)
	defer r.Close()
	var extents []walrus.Extent
	ignore := func(_, _ uint64, _ uint8, _ []byte) error { return nil }
	read := func() (err error) {
		if extents, err = d.log.LocateInto(extents, mainTopic, 1, 2, 0); err != nil {
			return err
		}
		defer d.log.Release(extents)
		return r.Read(extents, ignore)
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opOpen }
	if n := testing.AllocsPerRun(100, func() {
		if err := read(); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
	d.disk.fail = nil
	data := d.disk.seen[extents[0].File].data
	at := bytes.Index(data, []byte("something"))
	data[at] ^= 4
	if err := read(); !errors.Is(err, walrus.ErrCorrupt) {
		t.Errorf("a flipped bit: %v", err)
	}
	data[at] ^= 4
	if err := read(); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}
