package walrus_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

const markFile = "data/log/closed.mark"

// closedLog returns a log of several segments that was closed.
func closedLog(t *testing.T) (d *driver, history []*model) {
	t.Helper()
	d, history = settled(t, 1)
	d.verify = false
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if err := d.chores(); err != nil {
		t.Fatal(err)
	}
	if err := d.log.Close(d.disk); err != nil {
		t.Fatal(err)
	}
	d.disk.losePower(imageAll)
	if d.disk.seen[markFile] == nil {
		t.Fatal("no mark")
	}
	return d, history
}

// A closed log is opened without reading what is in its segments, and shows the same with and
// without the mark, the seals, or the verification of everything.
func TestClosedLogOpensFromSeals(t *testing.T) {
	d, _ := closedLog(t)
	seen, err := inspect(d)
	if err != nil || len(seen.seals) != len(seen.segments) || !seen.report.Closed || !seen.seals[len(seen.seals)-1].Closed {
		t.Errorf("inspected %+v, %v: %+v", seen.seals, err, seen.report)
	}
	for _, c := range []struct {
		name           string
		verify, unmark bool
		sealed         bool
	}{{"seals", false, false, true}, {"no mark", false, true, false}, {"verify", true, false, false}} {
		f := d.fork()
		f.verify = c.verify
		if c.unmark {
			delete(f.disk.seen, markFile)
			delete(f.disk.durable, markFile)
		}
		if err := f.open(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := f.report
		if r.Verdict != walrus.Clean || r.Reappended != 0 || (r.Sealed == r.Segments) != c.sealed || !r.Closed || c.verify && r.Sealed > 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
		if f.disk.seen[markFile] != nil {
			t.Errorf("%s: the mark is still there", c.name)
		}
	}
}

// Whatever happens to a seal or to the mark, the log opens and shows the same: the seal
// is not needed, and a damaged one is not trusted.
func TestDamagedSealsAreIgnored(t *testing.T) {
	d, history := closedLog(t)
	opened := 0
	flip := func(name string, data []byte, from int) {
		for at := from; at < len(data); at++ {
			for _, mask := range []byte{1 << (at % 8), 0xff} {
				data[at] ^= mask
				got, err := judgeDamage(d, history)
				data[at] ^= mask
				if err != nil || got.lost > 0 {
					t.Fatalf("%s: byte %d ^ %#x: %+v, %v", name, at, mask, got, err)
				}
				if got.verdict == walrus.Corrupt {
					t.Fatalf("%s: byte %d ^ %#x: refused", name, at, mask)
				}
				opened++
			}
		}
	}
	flip(markFile, d.disk.seen[markFile].data, 0)
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		if at := bytes.LastIndex(data, []byte("WLRG")); at > 8192 {
			flip(name, data[:len(bytes.TrimRight(data, "\x00"))], at)
		}
	}
	if opened < 1000 {
		t.Errorf("only %d damaged seals and marks were opened", opened)
	}
}

// The mark of a close does not hide what came after it, and is gone, durably, before
// anything comes after it.
func TestMarkIsGoneBeforeTheLogGoesOn(t *testing.T) {
	d, history := closedLog(t)
	mark := *d.disk.seen[markFile]
	d.fork()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	history = append(history, d.acked)
	d.put(t, func(s *script) { s.entry(mainTopic, 90, 1, "after the close") })
	d.disk.losePower(imageNone)
	if d.disk.seen[markFile] != nil {
		t.Fatal("a loss of power brought the mark back")
	}
	names := d.segments()
	for _, name := range names[len(names)-2:] {
		c := d.fork()
		copy(c.disk.seen[name].data, bytes.Repeat([]byte{0x77}, 8192))
		if got, err := judgeDamage(c, history); err != nil || got.lost > 0 {
			t.Errorf("headers of %s: %+v, %v", name, got, err)
		}
	}
	d.disk.seen[markFile], d.disk.durable[markFile] = &mark, &mark
	if err := d.open(); err != nil {
		t.Errorf("with the mark of an earlier close: %v", err)
	}
}

// A seal in the last segment says that there was a later one.
func TestSealVouchesForTheNextSegment(t *testing.T) {
	d, history := settled(t, -1)
	d.verify = false
	names := d.segments()
	last := len(names) - 3 // two spares
	for i := last; i < len(names); i++ {
		data := d.disk.seen[names[i]].data
		clear(data)
	}
	got, err := judgeDamage(d, history)
	if err != nil || got.verdict != walrus.Corrupt {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestVerify(t *testing.T) {
	d, _ := closedLog(t)
	calls := d.disk.calls
	report, err := walrus.Verify(d.disk, "data/log")
	if err != nil || report.Verdict != walrus.Clean || report.Segments < 5 {
		t.Errorf("%v: %+v", err, report)
	}
	if d.disk.seen[markFile] == nil || d.disk.calls == calls {
		t.Error("changed something, or did nothing")
	}
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		at := bytes.Index(data, []byte("entry"))
		if at < 0 {
			continue
		}
		data[at] ^= 1
		report, err := walrus.Verify(d.disk, "data/log")
		if !errors.Is(err, walrus.ErrCorrupt) || report.Verdict != walrus.Corrupt {
			t.Errorf("%s damaged: %v, %+v", name, err, report)
		}
		data[at] ^= 1
	}
	if _, err := walrus.Verify(newMemFS(1), "data/log"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where no log is: %v", err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := walrus.Verify(d.disk, "data/log"); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("a log that is open: %v", err)
	}
}

// scrubRound scrubs until every finished segment has been read, and returns the errors.
func scrubRound(d *driver, max int) (jobs int, found []error) {
	before := d.log.Stats().ScrubbedBytes
	total := uint64(0)
	for jobs = 0; jobs < 10_000; jobs++ {
		job, done := d.log.Scrub(max)
		if job == nil {
			break
		}
		err := job(d.disk)
		done(err)
		if err != nil {
			found = append(found, err)
		}
		s := d.log.Stats()
		if total = s.ScrubbedBytes - before; total > uint64(s.SegmentBytes) {
			break
		}
	}
	return jobs, found
}

func TestScrub(t *testing.T) {
	d, _ := closedLog(t)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if jobs, found := scrubRound(d, 1000); len(found) > 0 || jobs < 10 {
		t.Fatalf("an intact log: %d jobs, %v", jobs, found)
	}
	if jobs, found := scrubRound(d, 1<<20); len(found) > 0 || jobs > 100 {
		t.Fatalf("in large pieces: %d jobs, %v", jobs, found)
	}
	for _, name := range d.segments()[:4] {
		data := d.disk.seen[name].data
		for _, at := range []int{100, 4200, 8200, bytes.Index(data, []byte("entry"))} {
			for _, n := range []*memNode{d.disk.seen[name]} {
				n.data[at] ^= 1
				_, found := scrubRound(d, 1500)
				n.data[at] ^= 1
				var e *walrus.CorruptError
				if len(found) == 0 || !errors.As(found[0], &e) || e.File != name {
					t.Errorf("%s: byte %d: %v", name, at, found)
				}
			}
		}
	}
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opRead }
	job, done := d.log.Scrub(1000)
	err := job(d.disk)
	done(err)
	if !errors.Is(err, runtime.ErrIO) || errors.Is(err, walrus.ErrCorrupt) {
		t.Errorf("a read that fails: %v", err)
	}
	d.disk.fail = nil
	if _, found := scrubRound(d, 1500); len(found) > 0 {
		t.Errorf("after it: %v", found)
	}
}
