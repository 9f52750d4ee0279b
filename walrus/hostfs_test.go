package walrus_test

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// hostFolder opens a folder of the operating system, empty at first.
func hostFolder(tb testing.TB) *host.Folder {
	tb.Helper()
	folder, err := host.OpenFolder(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := folder.Close(); err != nil {
			tb.Error(err)
		}
	})
	return folder
}

// fillLog appends entries of 1 KiB until the log holds that many bytes, and closes it.
func fillLog(tb testing.TB, fs runtime.FS, o walrus.Options, bytes int) (entries uint64) {
	tb.Helper()
	l, _, err := walrus.Open(fs, o)
	if err != nil {
		tb.Fatal(err)
	}
	payload := make([]byte, 1024)
	var b walrus.Batch
	for size := 0; size < bytes; {
		b.Reset()
		for range 256 {
			entries++
			payload[entries%1024]++
			b.Entry(1, entries, entries>>16, 1, payload)
			size += len(payload)
		}
		if err := l.Stage(&b); err != nil {
			tb.Fatal(err)
		}
		g := l.Cut()
		if err := walrus.Flush(fs, g); err != nil {
			tb.Fatal(err)
		}
		l.Publish(g)
		runChores(tb, fs, l, 4)
	}
	runChores(tb, fs, l, 1000)
	if err := l.Close(fs); err != nil {
		tb.Fatal(err)
	}
	return entries
}

// runChores does up to n chores.
func runChores(tb testing.TB, fs runtime.FS, l *walrus.Log, n int) {
	tb.Helper()
	for range n {
		job, done := l.Chore()
		if job == nil {
			return
		}
		err := job(fs)
		done(err)
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// Opening a log of 1 GiB that was closed; then the same with every checksum verified.
func BenchmarkOpen1GiB(b *testing.B) {
	folder := hostFolder(b)
	o := walrus.Options{Dir: "log", Seed: 1}
	entries := fillLog(b, folder, o, 1<<30)
	for _, verify := range []bool{false, true} {
		name := "sealed"
		if verify {
			name = "verified"
		}
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				o.Seed, o.VerifyOnOpen = uint64(i)+7, verify
				l, report, err := walrus.Open(folder, o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if _, next := l.Bounds(1); next != entries+1 || report.Verdict != walrus.Clean {
					b.Fatalf("next is %d, want %d: %+v", next, entries+1, report)
				}
				runChores(b, folder, l, 1000)
				if err := l.Close(folder); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// Reading 256 MiB in order from the page cache.
func BenchmarkScan(b *testing.B) {
	folder := hostFolder(b)
	o := walrus.Options{Dir: "log", Seed: 1}
	entries := fillLog(b, folder, o, 256<<20)
	o.Seed = 2
	l, _, err := walrus.Open(folder, o)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(folder)
	r := walrus.NewReader(folder)
	defer r.Close()
	ignore := func(_, _ uint64, _ uint8, _ []byte) error { return nil }
	b.SetBytes(256 << 20)
	for b.Loop() {
		var extents []walrus.Extent
		for lo := uint64(1); lo <= entries; lo = extents[len(extents)-1].Hi {
			if extents, err = l.LocateInto(extents, 1, lo, entries+1, 1<<20); err != nil {
				b.Fatal(err)
			}
			if err := r.Read(extents, ignore); err != nil {
				b.Fatal(err)
			}
			l.Release(extents)
		}
	}
}

// The log on a real disk: written, opened from its seals, and again with every checksum
// verified.
func TestRealFolder(t *testing.T) {
	folder := hostFolder(t)
	o := walrus.Options{Dir: "data/log", Seed: 1, SegmentBytes: 1 << 20}
	entries := fillLog(t, folder, o, 6<<20)
	for i, verify := range []bool{false, true, false} {
		o.Seed, o.VerifyOnOpen = uint64(10+i), verify
		l, report, err := walrus.Open(folder, o)
		if err != nil {
			t.Fatal(err)
		}
		if verify == (report.Sealed > 0) || report.Verdict != walrus.Clean || report.Segments < 6 {
			t.Errorf("verify %v: %+v", verify, report)
		}
		if !verify && report.Sealed != report.Segments {
			t.Errorf("open %d: %d of %d segments had seals", i, report.Sealed, report.Segments)
		}
		extents, err := l.Locate(1, 1, entries+1, 100<<20)
		if err != nil {
			t.Fatal(err)
		}
		next := uint64(1)
		err = walrus.ReadExtents(folder, extents, func(index, term uint64, _ uint8, payload []byte) error {
			if index != next || term != index>>16 || len(payload) != 1024 {
				t.Fatalf("entry %d term %d, %d bytes: want entry %d", index, term, len(payload), next)
			}
			next++
			return nil
		})
		if err != nil || next != entries+1 {
			t.Errorf("read up to %d: %v", next, err)
		}
		l.Release(extents)
		if err := l.Close(folder); err != nil {
			t.Fatal(err)
		}
	}
}
