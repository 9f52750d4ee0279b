package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// settled returns a log of several segments whose every group was
// acknowledged, as the device holds it, and what it held after each group. Reopened, its
// last segment was made by a recovery and has taken that many groups since. It is opened with
// every checksum verified, unless verify is reset.
func settled(t *testing.T, reopened int) (d *driver, history []*model) {
	t.Helper()
	d = newDriver(5)
	d.verify = true
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	put := func(i int) {
		history = append(history, d.acked)
		d.put(t, func(s *script) {
			s.entry(mainTopic, uint64(1+i/6), 1, strings.Repeat(fmt.Sprint("entry", i), 50))
			s.set(stateKey, fmt.Sprint("vote", i))
			if i == 12 {
				s.truncateFront(mainTopic, 6)
			}
		})
	}
	for i := range 24 {
		put(i)
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	if reopened >= 0 {
		d.disk.losePower(imageAll)
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		for i := range reopened {
			put(24 + i)
		}
	}
	d.disk.losePower(imageAll)
	if n := len(d.segments()); n < 5 {
		t.Fatalf("only %d segments", n)
	}
	return d, history
}

// segments returns the names of the segment files, spares included.
func (d *driver) segments() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(d.disk.seen)) {
		if strings.HasSuffix(name, ".seg") {
			names = append(names, name)
		}
	}
	return names
}

// shallow forks a driver whose disk has nothing unsynced. The bytes of files are
// shared: recovery never writes into a file it found.
func (d *driver) shallow() *driver {
	c := *d
	c.disk = newMemFS(3)
	for name, n := range d.disk.seen {
		copied := *n
		copied.sectors = map[int]*memDirty{}
		c.disk.seen[name], c.disk.durable[name] = &copied, &copied
	}
	c.acked, c.log = d.acked.clone(), nil
	return &c
}

// damage is what opening a damaged log came to.
type damage struct {
	verdict walrus.Verdict
	lost    int // groups at the end that were left out
}

// judgeDamage opens a damaged copy and returns an error unless the damage was reported
// or did no harm: the log is refused as corrupt, or shows everything, or shows all groups
// but the last ones and says so.
func judgeDamage(d *driver, history []*model) (damage, error) {
	var err error
	for lost := range 4 {
		c := d.shallow()
		if lost > 0 {
			c.flight = history[len(history)-lost]
		}
		err = c.open()
		out := damage{verdict: c.report.Verdict, lost: lost}
		switch {
		case errors.Is(err, walrus.ErrCorrupt):
			if out.verdict != walrus.Corrupt && (d.verify || c.log == nil) {
				return out, fmt.Errorf("reported %v with %w", out.verdict, err)
			}
			return out, nil
		case err != nil && strings.Contains(err.Error(), "WRONG: recovered"):
			continue
		case err != nil:
			return out, err
		case diff(d.acked, c.acked) == "":
			out.lost = 0
			return out, nil
		case out.verdict < walrus.Torn:
			return out, fmt.Errorf("lost %d groups and reported %v", lost, out.verdict)
		}
		return out, nil
	}
	return damage{}, err
}

// Each byte of a small log is damaged, one bit or all of it. Nothing wrong is ever
// shown, and nothing is lost in silence.
func TestEveryByteFlipped(t *testing.T) {
	t.Parallel()
	for _, verify := range []bool{true, false} {
		flipBytes(t, verify)
	}
}

func flipBytes(t *testing.T, verify bool) {
	d, history := settled(t, -1)
	d.verify = verify
	var seen [walrus.Corrupt + 1]int
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		for at := 0; at < len(data); at++ {
			if data[at] == 0 && at%32 != 0 && at+1 < len(data) && data[at+1] == 0 {
				continue // a byte among zeros: one of 32 will do
			}
			for _, mask := range []byte{1 << (at % 8), 0xff} {
				if mask == 0xff && at%5 != 0 {
					continue
				}
				data[at] ^= mask
				got, err := judgeDamage(d, history)
				data[at] ^= mask
				if err != nil || got.lost > 1 {
					t.Fatalf("%s: byte %d ^ %#x: %+v, %v", name, at, mask, got, err)
				}
				seen[got.verdict]++
			}
		}
	}
	for v, n := range seen {
		if n == 0 && verify {
			t.Errorf("no flip was found %v", walrus.Verdict(v))
		}
	}
	t.Logf("clean, damaged, torn, uncertain, corrupt: %v", seen)
}

// Sectors that read as zeros, or as what another sector holds.
func TestEverySectorReplaced(t *testing.T) {
	for reopened := -1; reopened < 3; reopened++ {
		for _, verify := range []bool{true, false} {
			d, history := settled(t, reopened)
			d.verify = verify
			replaceSectors(t, d, history, reopened == 0)
		}
	}
}

// replaceSectors damages a log whose last segment may be whole: written and synced by
// a recovery before it got its name, and not used since, so that nothing in it can be torn.
func replaceSectors(t *testing.T, d *driver, history []*model, whole bool) {
	names := d.segments()
	other := slices.Clone(d.disk.seen[names[0]].data[8192 : 8192+memSector])
	for _, name := range names {
		data := d.disk.seen[name].data
		for at := 0; at+memSector <= len(data); at += memSector {
			for _, with := range [][]byte{make([]byte, memSector), other} {
				was := slices.Clone(data[at : at+memSector])
				copy(data[at:], with)
				got, err := judgeDamage(d, history)
				copy(data[at:], was)
				if err != nil {
					t.Fatalf("%s: sector at %d: %v", name, at, err)
				}
				if whole && got.lost > 0 {
					t.Errorf("%s: sector at %d: %+v, though it cannot be torn", name, at, got)
				}
				if end := len(bytes.TrimRight(data, "\x00")); got.lost > 1 && at+2*memSector < end {
					t.Errorf("%s: sector at %d of %d: %+v", name, at, end, got)
				}
			}
		}
	}
}

// A file that should exist and does not is never passed over in silence.
func TestEveryFileMissing(t *testing.T) {
	d, history := settled(t, -1)
	names := d.segments()
	for i, name := range names {
		c := d.shallow()
		delete(c.disk.seen, name)
		delete(c.disk.durable, name)
		got, err := judgeDamage(c, history)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		last := i == len(names)-1 // the second spare, which nothing hangs on yet
		if (got.verdict == walrus.Corrupt) == last {
			t.Errorf("%s, %d of %d, is missing: %v", name, i+1, len(names), got)
		}
	}
}

// Files cut short, at every length of interest, and files under a wrong name.
func TestFilesCutAndSwapped(t *testing.T) {
	d, history := settled(t, -1)
	names := d.segments()
	for _, name := range names {
		for size := 0; size < len(d.disk.seen[name].data); size += 24 {
			c := d.shallow()
			n := c.disk.seen[name]
			n.data, n.device, n.durable = n.data[:size], n.device[:size], size
			if _, err := judgeDamage(c, history); err != nil {
				t.Fatalf("%s cut to %d: %v", name, size, err)
			}
		}
	}
	for i, a := range names {
		for _, b := range names[:i] {
			c := d.shallow()
			c.disk.seen[a], c.disk.seen[b] = c.disk.seen[b], c.disk.seen[a]
			c.disk.durable[a], c.disk.durable[b] = c.disk.seen[a], c.disk.seen[b]
			got, err := judgeDamage(c, history)
			if spares := len(names) - 2; err != nil || got.verdict != walrus.Corrupt && i < spares {
				t.Errorf("%s and %s swapped: %+v, %v", a, b, got, err)
			}
		}
	}
}

// With both headers of the last segment gone, its groups still show that it was in use.
func TestHeadersLost(t *testing.T) {
	for reopened := -1; reopened < 3; reopened++ {
		d, history := settled(t, reopened)
		for i, name := range d.segments() {
			for _, with := range []byte{0, 0x77} {
				c := d.fork()
				data := c.disk.seen[name].data
				copy(data, bytes.Repeat([]byte{with}, 8192))
				got, err := judgeDamage(c, history)
				if err != nil || got.lost > 0 {
					t.Errorf("reopened %d, headers of %d: %+v, %v", reopened, i+1, got, err)
				}
			}
		}
	}
}

// A header whose group did not arrive vouches for everything before it: a tear there
// hides no damage here.
func TestTornRotationVouches(t *testing.T) {
	build := func(crash int) (*driver, bool) {
		d := newDriver(4)
		d.disk.crashAt, d.disk.half = crash, true
		died, err := catch(func() error {
			if err := d.open(); err != nil {
				return err
			}
			if err := d.chores(); err != nil {
				return err
			}
			for i := range 8 {
				d.put(t, func(s *script) { s.entry(mainTopic, 1, 1, strings.Repeat(fmt.Sprint(i), 1000)) })
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return d, died
	}
	seen := false
	for crash := 1; ; crash++ {
		d, died := build(crash)
		if !died {
			break
		}
		d.disk.losePower(imageAll)
		names := d.segments()
		if len(names) != 3 {
			continue
		}
		second := d.disk.seen[names[1]].data
		if len(bytes.Trim(second[:4096], "\x00")) == 0 || len(bytes.Trim(second[8192:], "\x00")) > 0 {
			continue // not in the first write of the second segment
		}
		seen = true
		last := bytes.TrimRight(d.disk.seen[names[0]].data, "\x00")
		c := d.fork()
		if err := c.open(); err != nil || c.report.Verdict != walrus.Torn || c.report.Reappended != 0 {
			t.Errorf("crash at %d: %v, %+v", crash, err, c.report)
		}
		clear(last[len(last)-100:]) // looks torn
		if err := d.open(); !errors.Is(err, walrus.ErrCorrupt) {
			t.Errorf("crash at %d, last group before damaged: %v, %+v", crash, err, d.report)
		}
	}
	if !seen {
		t.Error("no crash struck a rotation")
	}
}

// A segment that belongs to another course of the same log is not taken for its own, though
// every checksum in it holds.
func TestSegmentsOfAnotherLife(t *testing.T) {
	d, history := settled(t, 0)
	other := d.fork()
	for i, c := range []*driver{d, other} {
		c.boots += uint64(i)
		if err := c.open(); err != nil {
			t.Fatal(err)
		}
		if err := c.chores(); err != nil {
			t.Fatal(err)
		}
		for j := range 12 {
			if c == d {
				history = append(history, c.acked)
			}
			c.put(t, func(s *script) { s.entry(mainTopic, 9, 1, strings.Repeat(fmt.Sprint(i, j%10), 200)) })
			if err := c.chores(); err != nil {
				t.Fatal(err)
			}
		}
		c.disk.losePower(imageAll)
	}
	shared, refused := 0, 0
	for _, name := range d.segments() {
		from := other.disk.seen[name]
		if from == nil || bytes.Equal(from.data, d.disk.seen[name].data) {
			continue
		}
		shared++
		c := d.shallow()
		c.disk.seen[name], c.disk.durable[name] = from, from
		got, err := judgeDamage(c, history)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.verdict == walrus.Corrupt {
			refused++
		}
	}
	if shared < 3 || refused < shared-2 {
		t.Errorf("%d of %d were refused", refused, shared)
	}
}

// Damage that the cache hides is found at Open, not when the cache is gone.
func TestOpenReadsTheDevice(t *testing.T) {
	d, _ := settled(t, -1)
	c := d.fork()
	n := c.disk.seen[c.segments()[0]]
	n.device[8192+100] ^= 1
	n.sectors[(8192+100)/memSector] = &memDirty{lost: true}
	if err := c.open(); !errors.Is(err, walrus.ErrCorrupt) {
		t.Errorf("opened with %v", err)
	}
}

// A segment that was removed, and whose removal was not durable, comes back after a
// power loss; whatever was removed after it may have stayed away.
func TestTruncatedNeverComesBack(t *testing.T) {
	d := newDriver(9)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	old := map[string]*memNode{}
	for i := range 40 {
		s := script{model: d.next.clone()}
		s.entry(mainTopic, 1, 0, strings.Repeat(fmt.Sprint(i, "."), 200))
		s.set(stateKey, fmt.Sprint(i))
		if i > 3 && i%4 == 0 {
			s.truncateFront(mainTopic, s.model.topic(mainTopic).next()-2)
		}
		if err := d.stageScript(&s); err != nil {
			t.Fatal(err)
		}
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		for _, name := range d.segments() {
			n := *d.disk.seen[name]
			n.data, n.device = slices.Clone(n.data), slices.Clone(n.device)
			old[name] = &n
		}
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(old)), func(name string) bool { return d.disk.seen[name] != nil })
	if len(gone) < 4 {
		t.Fatalf("only %d segments were removed", len(gone))
	}
	for mask := range 1 << len(gone) {
		c := d.follow(2, 1)
		for i, name := range gone {
			if mask>>i&1 == 1 {
				n := *old[name]
				n.sectors = map[int]*memDirty{}
				c.disk.seen[name], c.disk.durable[name] = &n, &n
			}
		}
		if err := c.open(); err != nil {
			t.Fatalf("segments %b of %v came back: %v", mask, gone, err)
		}
		for range 3 {
			if err := c.chores(); err != nil {
				t.Fatal(err)
			}
		}
		if first := c.segments()[0]; first < gone[len(gone)-1] && mask>>(len(gone)-1)&1 == 0 {
			t.Errorf("segments %b of %v came back and %s stayed", mask, gone, first)
		}
	}
}

// A file that cannot be read is not taken for the end of the log.
func TestUnreadableIsNotTheEnd(t *testing.T) {
	d, _ := settled(t, -1)
	for call := 1; ; call++ {
		c := d.shallow()
		hit := false
		c.disk.fail = func(n int, kind opKind) bool {
			fails := n >= call && kind == opRead
			hit = hit || fails
			return fails
		}
		err := c.open()
		if !hit {
			return
		}
		if !errors.Is(err, runtime.ErrIO) || errors.Is(err, walrus.ErrCorrupt) {
			t.Fatalf("reads failing from call %d on: %v", call, err)
		}
		if text := diff(d.acked, c.acked); text != "" {
			t.Fatal(text)
		}
	}
}
