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
		for _, read := range []func([]walrus.Extent, walrus.Visit) error{r.Read, r.ReadOwned} {
			got, err := collect(func(visit walrus.Visit) error { return read(extents, visit) })
			if err != nil || got != want {
				t.Errorf("[%d,%d): %v, %d bytes, want %d", c.lo, c.hi, err, len(got), len(want))
			}
		}
		d.log.Release(extents)
	}
	if len(segments) <= 16 {
		t.Errorf("only %d segments", len(segments))
	}
}

// A recovery puts another file in the place of a segment that holds its first group only. A Reader that
// has the old one open does not take it for the new one.
func TestReaderOpensAReplacedFileAnew(t *testing.T) {
	d := opened(t)
	r := walrus.NewReader(d.disk)
	defer r.Close()
	d.put(t, func(s *script) { s.entry(mainTopic, 3, 1, "here to stay") })
	names, files := map[string]bool{}, map[*memNode]bool{}
	for range 3 {
		extents, err := d.log.Locate(mainTopic, 1, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		names[extents[0].File], files[d.disk.seen[extents[0].File]] = true, true
		got, err := collect(func(visit walrus.Visit) error { return r.Read(extents, visit) })
		if want := "1 3 1 here to stay\n"; got != want || err != nil {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
		d.disk.kill()
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) != 2 || len(files) != 3 {
		t.Errorf("no file was replaced: %v", names)
	}
}

// What ReadOwned hands out stays as it is.
func TestOwnedPayloadsStay(t *testing.T) {
	d := opened(t)
	for i := range 40 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat(string(rune('a'+i%26)), 200)) })
	}
	r := walrus.NewReader(d.disk)
	defer r.Close()
	var kept [][]byte
	for lo := uint64(1); lo <= 40; lo += 10 {
		extents, err := d.log.Locate(mainTopic, lo, lo+10, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.ReadOwned(extents, func(_, _ uint64, _ uint8, payload []byte) error {
			kept = append(kept, payload)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		d.log.Release(extents)
	}
	for i, p := range kept {
		if want := strings.Repeat(string(rune('a'+i%26)), 200); string(p) != want {
			t.Errorf("entry %d has become %q", i+1, p)
		}
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

// Entries that follow one another are checked in short. Each bit of them that flips, and each record that
// lies in the place of another, is noticed all the same, at the entry it belongs to.
func TestReaderNoticesEveryFlip(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		for i := range 40 {
			s.entry(mainTopic, 3, 1, fmt.Sprintf("one like the others %02d", i)[:20+i/30])
		}
	})
	extents, err := d.log.Locate(mainTopic, 1, 41, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	r := walrus.NewReader(d.disk)
	defer r.Close()
	data := d.disk.seen[extents[0].File].data
	first := bytes.Index(data, []byte("one like")) - 32
	const size = 32 + 24
	check := func(entry uint64, what string) {
		t.Helper()
		next := uint64(1)
		err := r.Read(extents, func(index, _ uint64, _ uint8, _ []byte) error {
			next = index + 1
			return nil
		})
		var corrupt *walrus.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Index != entry || next != entry {
			t.Fatalf("%s of entry %d: %v, after %d entries", what, entry, err, next-1)
		}
	}
	for _, entry := range []uint64{1, 2, 17, 31, 40} {
		record := data[first+int(entry-1)*size:][:32+20+int(entry-1)/30]
		for i := range 8 * len(record) {
			record[i/8] ^= 1 << (i % 8)
			check(entry, fmt.Sprintf("bit %d", i))
			record[i/8] ^= 1 << (i % 8)
		}
	}
	for _, other := range []int{0, 16, 18} {
		kept := bytes.Clone(data[first+17*size:][:size])
		copy(data[first+17*size:], data[first+other*size:][:size])
		check(18, "another record in place")
		copy(data[first+17*size:], kept)
	}
	d.log.Release(extents)
}
