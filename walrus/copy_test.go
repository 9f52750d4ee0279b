package walrus_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// A few old entries of one topic do not keep the segments of another: they are copied
// forward, stay what they were through every kind of restart, and the space comes back.
func TestSmallTopicIsCopiedForward(t *testing.T) {
	for _, mirrored := range []bool{false, true} {
		d := newDriver(3)
		d.pinned = 4
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		small, large := otherTopic, mainTopic
		if mirrored {
			small, large = mainTopic, otherTopic
		}
		for i := range 5 {
			d.put(t, func(s *script) { s.entry(small, uint64(i), uint8(i), fmt.Sprint("entry ", i)) })
		}
		grow := func(n int) {
			t.Helper()
			for range n {
				d.put(t, func(s *script) {
					s.entry(large, 1, 0, strings.Repeat("x", 700))
					topic := s.model.topic(large)
					s.truncateFront(large, topic.next()-min(uint64(len(topic.Entries)), 3))
				})
				if err := d.chores(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for life := range 9 {
			grow(30)
			if n := d.log.Stats().Segments; n > 7 {
				t.Fatalf("life %d: %d segments", life, n)
			}
			switch life % 3 {
			case 0:
				d.disk.losePower(imageNone)
			case 1:
				if err := d.log.Close(d.disk); err != nil {
					t.Fatal(err)
				}
			case 2:
				d.disk.kill()
			}
			d.verify = life > 4
			if err := d.open(); err != nil {
				t.Fatalf("life %d: %v", life, err)
			}
		}
		d.put(t, func(s *script) { s.truncateFront(small, 3) })
		grow(40)
		s := d.log.Stats()
		if s.Copied < 3 || s.Reclaimed < 50_000 || s.Segments > 7 {
			t.Errorf("%+v", s)
		}
		d.put(t, func(s *script) { s.truncateBack(small, 4); s.entry(small, 9, 0, "replaced") })
		d.disk.losePower(imageNone)
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
	}
}

// A copy of an entry that has been replaced meanwhile, or is not published, is refused.
func TestCopyComesTooLate(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		for i := range 5 {
			s.entry(mainTopic, 1, 0, fmt.Sprint("entry ", i))
		}
	})
	stage := func(want error, f func(b *walrus.Batch)) {
		t.Helper()
		var b walrus.Batch
		f(&b)
		if err := d.log.Stage(&b); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	copyOf := func(index, term uint64, flags uint8, text string) func(b *walrus.Batch) {
		return func(b *walrus.Batch) { b.Repair(mainTopic, index, term, flags, []byte(text)) }
	}
	stage(walrus.ErrDiffers, copyOf(2, 2, 0, "entry 1"))
	stage(walrus.ErrDiffers, copyOf(2, 1, 1, "entry 1"))
	stage(walrus.ErrDiffers, copyOf(2, 1, 0, "entry"))
	stage(walrus.ErrGap, copyOf(6, 1, 0, "entry 5"))
	stage(nil, copyOf(2, 1, 0, "entry 1"))
	stage(nil, func(b *walrus.Batch) { b.TruncateBack(mainTopic, 4); b.Entry(mainTopic, 4, 1, 0, []byte("entry 7")) })
	stage(walrus.ErrGap, copyOf(4, 1, 0, "entry 3"))
	stage(nil, copyOf(3, 1, 0, "entry 2"))
	g := d.log.Cut()
	stage(walrus.ErrGap, copyOf(4, 1, 0, "entry 3"))
	if err := walrus.Flush(d.disk, g); err != nil {
		t.Fatal(err)
	}
	d.log.Publish(g)
	stage(nil, copyOf(4, 1, 0, "entry 7"))
	stage(nil, func(b *walrus.Batch) { b.TruncateFront(mainTopic, 4) })
	stage(walrus.ErrCompacted, copyOf(3, 1, 0, "entry 2"))
	stage(nil, func(b *walrus.Batch) { b.Rebase(mainTopic, 1) })
	stage(walrus.ErrGap, copyOf(1, 1, 0, "entry 0"))
}

// A copy that the same group truncates is nothing that the log holds.
func TestTruncatedCopyIsNotPlaced(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		s.entry(mainTopic, 1, 0, "one")
		s.entry(mainTopic, 1, 0, "two")
	})
	var b walrus.Batch
	b.Repair(mainTopic, 1, 1, 0, []byte("one"))
	b.Repair(mainTopic, 2, 1, 0, []byte("two"))
	b.TruncateFront(mainTopic, 2)
	publish(t, d.disk, d.log, &b)
	if placed := d.log.Placed(); len(placed) != 1 || placed[0].Index != 2 {
		t.Errorf("placed %+v", placed)
	}
}

// With Options.Holes a log opens although payloads of its entries are damaged. It names them, shows none, and
// shows them again when a peer has given them back.
func TestHolesAreRepaired(t *testing.T) {
	base, _ := settled(t, 1)
	open := func(c *driver, holes, verify bool, seed uint64) (*walrus.Log, *walrus.Report, error) {
		o := options(seed)
		o.Holes, o.VerifyOnOpen = holes, verify
		return walrus.Open(c.disk, o)
	}
	topic := base.acked.topic(mainTopic)
	found := 0
	for i, e := range topic.Entries {
		index := topic.First + uint64(i)
		if len(e.Data) < 20 {
			continue
		}
		c := base.copied()
		damage := func() (n int) {
			for _, name := range c.segments() {
				node := c.disk.seen[name]
				if at := strings.Index(string(node.data), e.Data); at >= 0 {
					node.data[at+9] ^= 0x21
					node.data[at+17] ^= 0x21
					node.device = slices.Clone(node.data)
					n++
				}
			}
			return n
		}
		if damage() != 1 {
			continue // it was written again, or another one is the same
		}
		if _, _, err := open(c, false, true, 90); err == nil {
			continue // in the last group, which nothing vouches for
		} else if !errors.Is(err, walrus.ErrCorrupt) {
			t.Errorf("entry %d: opened with %v", index, err)
		}
		c.disk.kill()
		l, report, err := open(c, true, true, 91)
		if err != nil {
			t.Fatalf("entry %d: %v", index, err)
		}
		want := walrus.Hole{Topic: mainTopic, Index: index, Term: e.Term, Flags: e.Flags, Length: len(e.Data)}
		if report.Verdict != walrus.Corrupt || len(report.Holes) != 1 || report.Holes[0] != want {
			t.Fatalf("entry %d: %+v", index, report)
		}
		found++
		var bad *walrus.CorruptError
		if _, err := read(c.disk, l); !errors.As(err, &bad) || bad.Topic != mainTopic || bad.Index != index {
			t.Errorf("entry %d: read with %v", index, err)
		}
		var b walrus.Batch
		b.Repair(mainTopic, index, e.Term, e.Flags, []byte(e.Data))
		if err := l.Stage(&b); err != nil {
			t.Fatal(err)
		}
		g := l.Cut()
		if err := walrus.Flush(c.disk, g); err != nil {
			t.Fatal(err)
		}
		l.Publish(g)
		for life, verify := range []bool{false, true, false} {
			got, err := read(c.disk, l)
			if err != nil || diff(base.acked, got) != "" {
				t.Errorf("entry %d, repaired, life %d: %v, %s", index, life, err, diff(base.acked, got))
			}
			c.disk.losePower(imageNone)
			if l, report, err = open(c, true, verify, 92+uint64(life)); err != nil || len(report.Holes) > 0 {
				t.Fatalf("entry %d, repaired, life %d: %v, %+v", index, life, err, report)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d holes", found)
	}
}

// If the group behind a damaged entry is left out, the damaged one is the last of the log. It is not
// written again, which would give its bytes a checksum that holds: it stays a hole, in all lives.
func TestHoleInTheLastGroupStaysAHole(t *testing.T) {
	d := opened(t)
	for _, data := range []string{"first", "second", "third"} {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat(data, 20)) })
	}
	d.disk.kill()
	for _, data := range []string{"second", "third"} {
		node := d.disk.seen[d.segments()[0]]
		at := strings.Index(string(node.data), strings.Repeat(data, 20))
		node.data[at+9] ^= 0x21
		node.data[at+57] ^= 0x21
		node.device = slices.Clone(node.data)
	}
	for life := range 4 {
		o := options(uint64(80 + life))
		o.Holes, o.VerifyOnOpen = true, life%2 == 0
		l, report, err := walrus.Open(d.disk, o)
		if err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		if first, next := l.Bounds(mainTopic); first != 1 || next != 3 {
			t.Errorf("life %d: [%d,%d): %+v", life, first, next, report)
		}
		if (life == 0 || o.VerifyOnOpen) && len(report.Holes) != 1 {
			t.Errorf("life %d: %+v", life, report)
		}
		var bad *walrus.CorruptError
		if got, err := read(d.disk, l); !errors.As(err, &bad) || bad.Index != 2 {
			t.Errorf("life %d: read with %v: %+v", life, err, got)
		}
		d.disk.kill()
	}
}

// Zeros in an entry that verifies were written: they do not make a tear of damage beside it.
func TestZerosThatWereWrittenAreNoTear(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		s.entry(mainTopic, 1, 0, strings.Repeat("damaged", 20))
		s.entry(mainTopic, 1, 0, strings.Repeat("\x00", 3000))
	})
	d.disk.kill()
	node := d.disk.seen[d.segments()[0]]
	at := strings.Index(string(node.data), "damageddamaged")
	node.data[at+9] ^= 0x21
	node.data[at+57] ^= 0x21
	node.device = slices.Clone(node.data)
	_, report, err := walrus.Open(d.disk, options(80))
	if err != nil || report.Verdict != walrus.Uncertain {
		t.Errorf("%v: %+v", err, report)
	}
}

// A topic keeps what its limits say, and its segments go.
func TestRetention(t *testing.T) {
	for name, r := range map[string]walrus.Retain{
		"bytes":    {Topic: otherTopic, Bytes: 5000},
		"segments": {Topic: otherTopic, Segments: 3},
	} {
		d := newDriver(8)
		d.retain = []walrus.Retain{r}
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		most := 0
		for i := range 200 {
			if i == 100 {
				d.disk.kill()
				l, _, err := walrus.Open(d.disk, func() walrus.Options { o := options(77); o.Retain = d.retain; return o }())
				if err != nil {
					t.Fatal(err)
				}
				d.log = l
			}
			_, next := d.log.Bounds(otherTopic)
			var b walrus.Batch
			b.Entry(otherTopic, next, 1, 0, make([]byte, 400+i%50))
			publish(t, d.disk, d.log, &b)
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
			bytes, entries := 0, 0
			d.log.Each(otherTopic, func(index, _ uint64, _ uint8) { entries++ })
			first, next := d.log.Bounds(otherTopic)
			extents, err := d.log.Locate(otherTopic, first, next, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			err = walrus.ReadExtents(d.disk, extents, func(_, _ uint64, _ uint8, p []byte) error { bytes += len(p); return nil })
			if err != nil {
				t.Fatal(err)
			}
			d.log.Release(extents)
			if i > 30 && name == "bytes" && (bytes < 5000 || bytes > 7000) {
				t.Fatalf("group %d: %d bytes in %d entries", i, bytes, entries)
			}
			if i > 50 {
				most = max(most, d.log.Stats().Segments)
			}
		}
		if first, _ := d.log.Bounds(otherTopic); most > 6 || first < 150 {
			t.Errorf("%s: %d segments, first is %d, %+v", name, most, first, d.log.Stats())
		}
	}
	for _, r := range []walrus.Retain{{Topic: 1}, {Bytes: 1}, {Topic: 1, Bytes: -1}, {Topic: 1, Segments: -1}} {
		if (walrus.Options{Dir: "log", Retain: []walrus.Retain{r}}).Validate() == nil {
			t.Errorf("%+v is allowed", r)
		}
	}
}
