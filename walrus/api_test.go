package walrus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// opened returns a driver with an empty open log.
func opened(t *testing.T) *driver {
	t.Helper()
	d := newDriver(11)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	return d
}

// put stages and publishes one batch made by f.
func (d *driver) put(t *testing.T, f func(s *script)) {
	t.Helper()
	s := script{model: d.next.clone()}
	f(&s)
	if err := d.stageScript(&s); err != nil {
		t.Fatal(err)
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
}

// publish makes a batch durable and visible.
func publish(t *testing.T, files runtime.FS, l *walrus.Log, b *walrus.Batch) {
	t.Helper()
	if err := l.Stage(b); err != nil {
		t.Fatal(err)
	}
	g := l.Cut()
	if err := walrus.Flush(files, g); err != nil {
		t.Fatal(err)
	}
	l.Publish(g)
}

func TestOptionsAreValidated(t *testing.T) {
	good := options(1)
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if err := (walrus.Options{Dir: "log"}).Validate(); err != nil {
		t.Errorf("sizes left to their defaults: %v", err)
	}
	for name, spoil := range map[string]func(*walrus.Options){
		"no folder":        func(o *walrus.Options) { o.Dir = "" },
		"the root":         func(o *walrus.Options) { o.Dir = "." },
		"outside":          func(o *walrus.Options) { o.Dir = "../log" },
		"tiny segments":    func(o *walrus.Options) { o.SegmentBytes = 4096 },
		"huge segments":    func(o *walrus.Options) { o.SegmentBytes = 2 << 30 },
		"tiny groups":      func(o *walrus.Options) { o.GroupBytes = 10 },
		"huge groups":      func(o *walrus.Options) { o.GroupBytes = walrus.MaxGroup },
		"topic zero":       func(o *walrus.Options) { o.Mirror = []walrus.Mirror{{Main: 0, Recovery: 1}} },
		"own mirror":       func(o *walrus.Options) { o.Mirror = []walrus.Mirror{{Main: 3, Recovery: 3}} },
		"mirror of mirror": func(o *walrus.Options) { o.Mirror = append(o.Mirror, walrus.Mirror{Main: recoveryTopic, Recovery: 9}) },
	} {
		o := options(1)
		spoil(&o)
		if o.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
		if l, report, err := walrus.Open(newMemFS(1), o); l != nil || report == nil || err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestStageRefusesWhatDoesNotFit(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		for range 5 {
			s.entry(mainTopic, 1, 0, "x")
		}
	})
	d.put(t, func(s *script) { s.truncateFront(mainTopic, 3) })
	for _, c := range []struct {
		name string
		make func(b *walrus.Batch)
		want error
	}{
		{"a gap", func(b *walrus.Batch) { b.Entry(mainTopic, 7, 1, 0, nil) }, walrus.ErrGap},
		{"an entry again", func(b *walrus.Batch) { b.Entry(mainTopic, 5, 1, 0, nil) }, walrus.ErrGap},
		{"a new topic not at 1", func(b *walrus.Batch) { b.Entry(9, 2, 1, 0, nil) }, walrus.ErrGap},
		{"dropping what is not there", func(b *walrus.Batch) { b.TruncateBack(mainTopic, 7) }, walrus.ErrGap},
		{"dropping what is gone", func(b *walrus.Batch) { b.TruncateBack(mainTopic, 2) }, walrus.ErrCompacted},
		{"a front beyond the end", func(b *walrus.Batch) { b.TruncateFront(mainTopic, 7) }, walrus.ErrGap},
		{"topic zero", func(b *walrus.Batch) { b.Entry(0, 1, 1, 0, nil) }, walrus.ErrTooLarge},
		{"a recovery topic", func(b *walrus.Batch) { b.Entry(recoveryTopic, 6, 1, 0, nil) }, walrus.ErrMirror},
		{"a large key", func(b *walrus.Batch) { b.Set(walrus.MaxKeys, nil) }, walrus.ErrTooLarge},
		{"a large value", func(b *walrus.Batch) { b.Set(1, make([]byte, walrus.MaxValue+1)) }, walrus.ErrTooLarge},
	} {
		var b walrus.Batch
		b.Set(3, []byte("first")) // all or nothing
		b.Entry(mainTopic, 6, 1, 0, nil)
		b.TruncateBack(mainTopic, 6)
		c.make(&b)
		if err := d.log.Stage(&b); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if n := d.log.StagedBytes(); n != 0 || d.log.Cut() != nil {
			t.Errorf("%s: %d bytes staged", c.name, n)
		}
	}
	d.put(t, func(s *script) { s.entry(mainTopic, 2, 0, "y") }) // bounds are as before
}

func TestGroupLimit(t *testing.T) {
	d := newDriver(1)
	o := options(1)
	o.GroupBytes = 1024
	l, _, err := walrus.Open(d.disk, o)
	if err != nil {
		t.Fatal(err)
	}
	var b walrus.Batch
	b.Entry(mainTopic, 1, 1, 0, make([]byte, 1000))
	if err := l.Stage(&b); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("a batch larger than a group: %v", err)
	}
	b.Reset()
	b.Entry(mainTopic, 1, 1, 0, make([]byte, 700))
	if err := l.Stage(&b); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	b.Entry(mainTopic, 2, 1, 0, make([]byte, 700))
	if err := l.Stage(&b); !errors.Is(err, walrus.ErrFull) {
		t.Errorf("a batch that does not fit now: %v", err)
	}
	if n := l.StagedBytes(); n < 700 || n > 1024 {
		t.Errorf("staged %d bytes", n)
	}
	first := l.Cut()
	if err := l.Stage(&b); err != nil {
		t.Errorf("the same after a cut: %v", err)
	}
	if l.Cut() != nil {
		t.Error("two groups in flight")
	}
	if err := walrus.Flush(d.disk, first); err != nil {
		t.Fatal(err)
	}
	if _, next := l.Bounds(mainTopic); next != 1 {
		t.Error("visible before it is published")
	}
	l.Publish(first)
	if _, next := l.Bounds(mainTopic); next != 2 {
		t.Error("not visible after it is published")
	}
}

func TestTooManyTopics(t *testing.T) {
	d := opened(t)
	for i := range walrus.MaxTopics {
		var b walrus.Batch
		b.Entry(walrus.Topic(100+i), 1, 1, 0, nil)
		err := d.log.Stage(&b)
		if fits := i+2 < walrus.MaxTopics; (err == nil) != fits || err != nil && !errors.Is(err, walrus.ErrTooLarge) {
			t.Fatalf("topic %d of %d: %v", i+3, walrus.MaxTopics, err)
		}
	}
}

// An entry larger than a segment gets one of its own, and is read in one piece.
func TestLargeEntries(t *testing.T) {
	d := opened(t)
	for i := range 6 {
		d.put(t, func(s *script) {
			s.entry(mainTopic, 1, 0, strings.Repeat(string(rune('a'+i)), 40<<10))
			s.entry(mainTopic, 1, 0, "small")
		})
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	d.disk.losePower(imageNone)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
}

// Without chores there is no successor: the segment grows, and nothing is lost.
func TestSegmentGrowsWithoutSuccessor(t *testing.T) {
	d := opened(t)
	for range 40 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 1000)) })
	}
	if n := len(d.segments()); n != 2 {
		t.Errorf("%d segment files, want the first and its successor", n)
	}
	d.disk.losePower(imageMixed)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
}

func TestLocate(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		for range 10 {
			s.entry(mainTopic, 1, 0, strings.Repeat("x", 100))
		}
		s.truncateFront(mainTopic, 3)
	})
	l := d.log
	for _, c := range []struct {
		lo, hi uint64
		max    int
		want   uint64 // how many
		err    error
	}{
		{3, 11, 1 << 20, 8, nil}, {3, 11, 250, 2, nil}, {3, 11, 0, 1, nil}, {9, 10, 1 << 20, 1, nil},
		{2, 11, 1, 0, walrus.ErrCompacted}, {3, 12, 1, 0, walrus.ErrGap}, {11, 11, 1, 0, walrus.ErrGap}, {5, 5, 1, 0, walrus.ErrGap},
	} {
		e, err := l.Locate(mainTopic, c.lo, c.hi, c.max)
		if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
			t.Errorf("[%d,%d) max %d: %v", c.lo, c.hi, c.max, err)
		}
		if n := e; c.err == nil && (len(n) != 1 || n[0].Lo != c.lo || n[0].Hi != c.lo+c.want) {
			t.Errorf("[%d,%d) max %d: got %+v", c.lo, c.hi, c.max, n)
		}
		l.Release(e)
	}
	if _, err := l.Locate(recoveryTopic, 3, 4, 1); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("payload of a link: %v", err)
	}
	if _, err := l.Locate(77, 1, 2, 1); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("a topic never used: %v", err)
	}
}

// Extents stay readable while the log goes on, truncates, and would remove the file.
func TestExtentsPinTheirSegments(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) { s.entry(mainTopic, 1, 5, "kept for the reader") })
	extents, err := d.log.Locate(mainTopic, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	file := extents[0].File
	more := func() {
		for range 12 {
			d.put(t, func(s *script) {
				s.entry(mainTopic, 1, 0, strings.Repeat("x", 1000))
				s.truncateFront(mainTopic, s.model.topic(mainTopic).next())
			})
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
		}
	}
	more()
	got := ""
	err = walrus.ReadExtents(d.disk, extents, func(_, _ uint64, flags uint8, payload []byte) error {
		got = fmt.Sprint(flags, string(payload))
		return nil
	})
	if err != nil || got != "5kept for the reader" {
		t.Errorf("read %q, %v", got, err)
	}
	stop := errors.New("stop")
	if err := walrus.ReadExtents(d.disk, extents, func(_, _ uint64, _ uint8, _ []byte) error { return stop }); err != stop {
		t.Errorf("visit's error came back as %v", err)
	}
	d.log.Release(extents)
	more()
	if d.disk.seen[file] != nil {
		t.Error("the segment stays although nobody needs it")
	}
}

// While the first group of a new segment is in flight, the one before still holds the only
// durable keys: no chore removes it.
func TestKeysOutliveARotationInFlight(t *testing.T) {
	d := opened(t)
	for i := range 30 {
		s := script{model: d.next.clone()}
		s.set(stateKey, strings.Repeat(fmt.Sprint(i%10), 700))
		if err := d.stageScript(&s); err != nil {
			t.Fatal(err)
		}
		d.flight = d.next
		g := d.log.Cut()
		for range 3 {
			job, done := d.log.Chore()
			if job == nil {
				break
			}
			done(job(d.disk))
		}
		for j, a := range afterwards {
			c := d.follow(j, uint64(i))
			if err := c.open(); err != nil {
				t.Fatalf("group %d, then %s: %v", i, a.name, err)
			}
		}
		if err := walrus.Flush(d.disk, g); err != nil {
			t.Fatal(err)
		}
		d.log.Publish(g)
		d.acked, d.flight = d.flight, nil
	}
	if first := d.segments()[0]; first == "data/log/wal-0000000000000001.seg" {
		t.Error("nothing was ever removed")
	}
}

// Every checksum is verified on every read: no flipped byte comes through.
func TestReadVerifies(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		s.entry(mainTopic, 3, 1, "something to damage")
		s.entry(mainTopic, 3, 1, "another one")
	})
	extents, err := d.log.Locate(mainTopic, 1, 3, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	ignore := func(_, _ uint64, _ uint8, _ []byte) error { return nil }
	if err := walrus.ReadExtents(d.disk, extents, ignore); err != nil {
		t.Fatal(err)
	}
	data := d.disk.seen[extents[0].File].data
	start := bytes.Index(data, []byte("something"))
	for at := start - 32; at < start+len("something to damage"); at++ {
		data[at] ^= 4
		var e *walrus.CorruptError
		err := walrus.ReadExtents(d.disk, extents, ignore)
		if !errors.Is(err, walrus.ErrCorrupt) || !errors.As(err, &e) || e.Index != 1 || e.Term != 3 {
			t.Errorf("byte %d: %v", at-start, err)
		}
		data[at] ^= 4
	}
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opRead }
	if err := walrus.ReadExtents(d.disk, extents, ignore); !errors.Is(err, runtime.ErrIO) || errors.Is(err, walrus.ErrCorrupt) {
		t.Errorf("a read that fails: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	d := opened(t)
	if _, _, err := walrus.Open(d.disk, options(2)); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := d.log.Close(d.disk); err != nil {
		t.Fatal(err)
	}
	if err := d.log.Stage(&walrus.Batch{}); !errors.Is(err, walrus.ErrFailed) {
		t.Errorf("staged on a closed log: %v", err)
	}
	if err := d.open(); err != nil {
		t.Errorf("after a close: %v", err)
	}
	// An Open that fails gives the lock back.
	d.disk.kill()
	d.disk.fail = func(_ int, kind opKind) bool { return kind == opRead }
	if _, _, err := walrus.Open(d.disk, options(3)); !errors.Is(err, runtime.ErrIO) {
		t.Fatal(err)
	}
	d.disk.fail = nil
	if err := d.open(); err != nil {
		t.Errorf("after an open that failed: %v", err)
	}
}

// The mirrored topics are part of the log: other options are refused, not obeyed.
func TestMirrorsCannotChange(t *testing.T) {
	for name, c := range map[string]struct{ before, after []walrus.Mirror }{
		"added":   {nil, []walrus.Mirror{{Main: 1, Recovery: 2}}},
		"removed": {[]walrus.Mirror{{Main: 1, Recovery: 2}}, nil},
		"swapped": {[]walrus.Mirror{{Main: 1, Recovery: 2}}, []walrus.Mirror{{Main: 2, Recovery: 1}}},
		"moved":   {[]walrus.Mirror{{Main: 1, Recovery: 2}}, []walrus.Mirror{{Main: 1, Recovery: 3}}},
	} {
		disk := newMemFS(1)
		o := options(1)
		o.Mirror = c.before
		l, _, err := walrus.Open(disk, o)
		if err != nil {
			t.Fatal(err)
		}
		var b walrus.Batch
		b.Entry(1, 1, 1, 0, []byte("x"))
		publish(t, disk, l, &b)
		disk.losePower(imageNone)
		o.Mirror = c.after
		if _, _, err := walrus.Open(disk, o); !errors.Is(err, walrus.ErrMirror) {
			t.Errorf("%s: %v", name, err)
		}
		o.Mirror = c.before
		disk.kill()
		if _, _, err := walrus.Open(disk, o); err != nil {
			t.Errorf("%s: as it was: %v", name, err)
		}
	}
}

// Names that are not the log's own are left alone, and do not hinder it.
func TestForeignNames(t *testing.T) {
	d := newDriver(3)
	if err := d.disk.MkdirAll("data/log"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/log/notes.txt", "data/log/wal-1.seg", "data/log/wal-000000000000000G.seg", "data/other"} {
		if _, err := d.disk.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, "x") })
		d.disk.kill()
	}
	for _, name := range []string{"data/log/notes.txt", "data/log/wal-1.seg", "data/other"} {
		if d.disk.seen[name] == nil {
			t.Errorf("%s is gone", name)
		}
	}
}

// A sync of the parent folder that failed proves nothing when it succeeds later: the
// folder itself is made anew.
func TestFolderIsMadeAnewAfterFailedSync(t *testing.T) {
	for failing := range 2 {
		for seed := range uint64(8) {
			d := newDriver(seed)
			syncs := 0
			d.disk.fail = func(_ int, kind opKind) bool {
				if kind == opSyncDir {
					syncs++
				}
				return kind == opSyncDir && syncs == failing+1
			}
			if err := d.open(); !errors.Is(err, walrus.ErrFailed) {
				t.Fatal(err)
			}
			d.disk.kill()
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
			d.put(t, func(s *script) { s.set(stateKey, "vote") }) // checks its claim against the disk
			d.disk.losePower(imageNone)
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) { s.entry(mainTopic, 4, 0, "x") })
	d.put(t, func(s *script) { s.entry(mainTopic, 4, 0, "y") })
	d.disk.losePower(imageNone)
	name := d.segments()[0]
	data := d.disk.seen[name].data
	data[bytes.Index(data, []byte("x\x00\x00\x00"))]++
	err := d.open()
	want := "walrus: log is corrupt: payload checksum, but what lies at 8392 was written when this was durable" +
		" in data/log/wal-0000000000000001.seg at "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "(topic 1 index 1 term 4)") {
		t.Errorf("got %v", err)
	}
	found := d.report.Findings
	if d.report.Verdict != walrus.Corrupt || len(found) != 1 || found[0].File != name {
		t.Errorf("report %+v", d.report)
	}
	got := fmt.Sprint(walrus.Clean, walrus.Damaged, walrus.Torn, walrus.Uncertain, walrus.Corrupt, walrus.Verdict(9))
	if got != "clean damaged torn uncertain corrupt verdict(9)" {
		t.Error(got)
	}
	var failing walrus.Log
	failing.Fail(io.ErrUnexpectedEOF)
	if err := failing.Stage(nil); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

// Each segment of each life has a salt of its own, and begins beyond every LSN used before.
func TestSaltsAndPositionsAreNeverUsedAgain(t *testing.T) {
	d := newDriver(1)
	salts := map[uint64]uint64{} // with the base of the segment
	end := uint64(0)             // of all bytes written so far
	look := func() {
		next := end
		for _, name := range d.segments() {
			data := d.disk.seen[name].data
			if len(data) < 8192 {
				continue // a spare whose size was not durable
			}
			salt, base := binary.LittleEndian.Uint64(data[32:]), binary.LittleEndian.Uint64(data[40:])
			if salt == 0 {
				continue // a spare
			}
			if known, ok := salts[salt]; ok && known != base {
				t.Fatalf("%s has the salt of another", name)
			} else if !ok && base < end {
				t.Fatalf("%s begins at %d, before %d", name, base, end)
			}
			salts[salt] = base
			next = max(next, base+uint64(len(bytes.TrimRight(data, "\x00"))-8192))
		}
		end = next
	}
	for range 6 {
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		look()
		for range 5 {
			d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 1500)) })
			look()
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.stage(5); err != nil {
			t.Fatal(err)
		}
		d.disk.crashAt, d.disk.half = d.disk.calls+1, true
		if _, err := catch(d.flush); err != nil {
			t.Fatal(err)
		}
		d.disk.kill()
		look()
		if err := d.open(); err != nil { // twice, so that a segment takes the place of another
			t.Fatal(err)
		}
		look()
		d.disk.losePower(imageMixed)
	}
	if len(salts) < 8 {
		t.Errorf("%d salts in 6 lives", len(salts))
	}
}
