package walrus_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// inspected is what a visitor was told.
type inspected struct {
	report   *walrus.Report
	segments []walrus.SegmentInfo
	records  []walrus.RecordInfo
	seals    []walrus.SealInfo
	lost     []walrus.LostInfo
}

// inspect looks at the driver's log. The process that wrote it must be gone.
func inspect(d *driver) (out inspected, err error) {
	out.report, err = walrus.Inspect(d.disk, "data/log", walrus.Visitor{
		Segment: func(s walrus.SegmentInfo) error { out.segments = append(out.segments, s); return nil },
		Record: func(r walrus.RecordInfo) error {
			r.Payload = slices.Clone(r.Payload)
			out.records = append(out.records, r)
			return nil
		},
		Seal: func(s walrus.SealInfo) error { out.seals = append(out.seals, s); return nil },
		Lost: func(l walrus.LostInfo) error { out.lost = append(out.lost, l); return nil },
	})
	return out, err
}

// written is everything that a log ever stored: entries by topic, index and bytes, and keys.
func written(history []*model) map[string]bool {
	all := map[string]bool{}
	for _, m := range history {
		for id, t := range m.Topics {
			for i, e := range t.Entries {
				all[fmt.Sprint(id, t.First+uint64(i), e.Term, e.Flags, e.Data)] = true
			}
		}
		for key, value := range m.Keys {
			all[fmt.Sprint("key", key, value)] = true
		}
	}
	return all
}

// identity names a record as written does; empty for records without payload.
func identity(r *walrus.RecordInfo) string {
	switch r.Kind {
	case walrus.RecordEntry, walrus.RecordCopy:
		return fmt.Sprint(r.Topic, r.Index, r.Term, r.Flags, string(r.Payload))
	case walrus.RecordSet:
		return fmt.Sprint("key", r.Index, string(r.Payload))
	}
	return ""
}

func TestInspectSeesEverything(t *testing.T) {
	for reopened := -1; reopened < 3; reopened++ {
		d, history := settled(t, reopened)
		before := d.fork()
		got, err := inspect(d)
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range before.disk.seen {
			if string(d.disk.seen[name].data) != string(n.data) {
				t.Errorf("%s was changed", name)
			}
		}
		if len(d.disk.pending) > 0 || len(d.disk.seen) != len(before.disk.seen) {
			t.Error("the folder was changed")
		}
		l, report, err := walrus.Open(before.disk, options(77))
		if err != nil {
			t.Fatal(err)
		}
		if got.report.Verdict != walrus.Clean || len(got.lost) > 0 {
			t.Errorf("report %+v, lost %v", got.report, got.lost)
		}
		if got.report.Records != report.Records || got.report.Groups != report.Groups || got.report.Segments != report.Segments {
			t.Errorf("inspected %+v, opened %+v", got.report, report)
		}
		all := written(append(history, d.acked))
		entries := map[uint64]bool{}
		for i := range got.records {
			r := &got.records[i]
			if id := identity(r); id != "" && !all[id] {
				t.Errorf("saw %+v, which was never written", r)
			}
			if (r.Kind == walrus.RecordEntry || r.Kind == walrus.RecordCopy) && r.Topic == mainTopic {
				entries[r.Index] = true
			}
		}
		first, next := l.Bounds(mainTopic)
		for index := first; index < next; index++ {
			if !entries[index] {
				t.Errorf("entry %d was not seen", index)
			}
		}
		if len(got.seals) != report.Sealed || got.report.Closed {
			t.Errorf("%d seals: %+v", len(got.seals), report)
		}
		if len(got.segments) != report.Segments || got.segments[0].Topics[1].MirrorOf != mainTopic {
			t.Errorf("segments %+v", got.segments)
		}
	}
}

// verified is options with every checksum verified.
func verified(seed uint64) walrus.Options {
	o := options(seed)
	o.VerifyOnOpen = true
	return o
}

// Whatever happens to a log, Inspect judges it as an Open does that verifies everything, and no
// milder than one that does not. It shows nothing that was never
// written, and finds all that is still whole: what it does not show it counts as lost.
func TestInspectOfDamagedLogs(t *testing.T) {
	t.Parallel()
	d, history := settled(t, -1)
	all := written(append(history, d.acked))
	intact, err := inspect(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		for at := 0; at < len(data); at += 211 {
			for _, n := range []int{1, 700} {
				was := slices.Clone(data)
				for i := at; i < min(at+n, len(data)); i++ {
					data[i] ^= byte(0x11 + i%3)
				}
				_, report, openErr := walrus.Open(d.shallow().disk, verified(78))
				_, quick, _ := walrus.Open(d.shallow().disk, options(78))
				got, err := inspect(d)
				copy(data, was)
				where := fmt.Sprintf("%s: %d bytes at %d", name, n, at)
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if report.Verdict != got.report.Verdict || quick.Verdict > report.Verdict {
					t.Fatalf("%s: opened %v (%v), from seals %v, inspected %+v", where, report.Verdict, openErr, quick.Verdict, got.report)
				}
				checkInspected(t, where, all, &intact, &got, n)
			}
		}
	}
}

// checkInspected holds what was seen of a damaged log against what there was.
func checkInspected(t *testing.T, where string, all map[string]bool, intact, got *inspected, damaged int) {
	t.Helper()
	seen := map[string]bool{}
	broken := 0
	for i := range got.records {
		r := &got.records[i]
		if r.Broken {
			broken++
			continue
		}
		id := identity(r)
		if id != "" && !all[id] {
			t.Errorf("%s: saw %+v, which was never written", where, r)
		}
		seen[fmt.Sprint(r.File, r.Offset, r.Kind, r.Topic, r.Index, r.Term, id)] = true
	}
	missing := 0
	for i := range intact.records {
		r := &intact.records[i]
		if !seen[fmt.Sprint(r.File, r.Offset, r.Kind, r.Topic, r.Index, r.Term, identity(r))] {
			missing++
		}
	}
	tail := slices.ContainsFunc(got.report.Findings, func(f walrus.Finding) bool {
		return f.Verdict == walrus.Torn || f.Verdict == walrus.Uncertain
	})
	if missing > broken && len(got.lost) == 0 && !tail {
		t.Errorf("%s: %d records are missing and nothing says so: %+v", where, missing, got.report)
	}
	// A record takes 32 bytes: 700 damaged bytes reach into 23 and two groups.
	if header := strings.Contains(fmt.Sprint(got.lost), "header"); !header && missing > 4+damaged/32 {
		t.Errorf("%s: %d of %d records were not seen: %+v", where, missing, len(intact.records), got.lost)
	}
}

// One flipped bit is turned back, whatever it strikes.
func TestInspectCorrectsABit(t *testing.T) {
	t.Parallel()
	d, _ := settled(t, -1)
	intact, err := inspect(d)
	if err != nil {
		t.Fatal(err)
	}
	last := intact.records[len(intact.records)-1]
	corrected := 0
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		for at := 8192; at < len(data) && (name < last.File || name == last.File && int64(at) < last.Group); at += 23 {
			data[at] ^= 1 << (at % 8)
			got, err := inspect(d)
			data[at] ^= 1 << (at % 8)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.lost) > 0 || len(got.records) != len(intact.records) {
				t.Fatalf("%s: bit at %d: %d of %d records, lost %+v", name, at, len(got.records), len(intact.records), got.lost)
			}
			for _, r := range got.records {
				if r.Corrected {
					corrected++
					break
				}
			}
		}
	}
	if corrected < 200 {
		t.Errorf("%d bits were turned back", corrected)
	}
}

func TestInspectFilesMissing(t *testing.T) {
	d, _ := settled(t, -1)
	names := d.segments()
	for i, name := range names[:len(names)-1] {
		c := d.shallow()
		delete(c.disk.seen, name)
		got, err := inspect(c)
		if err != nil || got.report.Verdict != walrus.Corrupt {
			t.Errorf("%s: %+v, %v", name, got.report, err)
		}
		// Nothing of the log itself shows that the oldest is missing, but the bounds do.
		if (len(got.lost) == 0) != (i == 0) {
			t.Errorf("%s: lost %+v", name, got.lost)
		}
	}
}

func TestInspectErrors(t *testing.T) {
	d := newDriver(2)
	if _, err := inspect(d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect(d); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	d.disk.kill()
	stop := errors.New("stop")
	_, err := walrus.Inspect(d.disk, "data/log", walrus.Visitor{Segment: func(walrus.SegmentInfo) error { return stop }})
	if err != stop {
		t.Errorf("the visitor's error came back as %v", err)
	}
	if _, err := walrus.Inspect(d.disk, ".", walrus.Visitor{}); err == nil {
		t.Error("the root was taken for a log")
	}
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opRead }
	if _, err := inspect(d); !errors.Is(err, runtime.ErrIO) {
		t.Errorf("unreadable: %v", err)
	}
	d.disk.kill()
	names := d.segments()
	delete(d.disk.seen, names[0])
	got, err := inspect(d)
	if err != nil || !got.report.Fresh || got.report.Verdict != walrus.Clean {
		t.Errorf("a log that was never finished: %+v, %v", got.report, err)
	}
	if text := fmt.Sprint(walrus.RecordEntry, walrus.RecordLink, walrus.RecordSet, walrus.RecordTruncateBack,
		walrus.RecordTruncateFront, walrus.RecordRebase, walrus.RecordPrepare, walrus.RecordCommit, walrus.RecordAbort, walrus.RecordCopy, walrus.RecordKind(99)); text != "entry link set truncate-back truncate-front rebase prepare commit abort copy kind(99)" {
		t.Error(text)
	}
}
