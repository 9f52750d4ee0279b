package walrus_test

import (
	"io"
	"io/fs"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// voidFS keeps headers and nothing else: file calls cost next to nothing.
type voidFS struct{}

type voidFile struct{}

func (voidFS) Create(string) (runtime.File, error) { return voidFile{}, nil }
func (voidFS) Open(string) (runtime.File, error)   { return voidFile{}, nil }
func (voidFS) Rename(string, string) error         { return nil }
func (voidFS) Remove(string) error                 { return nil }
func (voidFS) List(string) ([]string, error)       { return nil, fs.ErrNotExist }
func (voidFS) MkdirAll(string) error               { return nil }
func (voidFS) SyncDir(string) error                { return nil }
func (voidFS) Lock(string) (io.Closer, error)      { return io.NopCloser(nil), nil }

func (voidFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (voidFile) Allocate(int64, int64, bool) error      { return nil }
func (voidFile) Size() (int64, error)                   { return 0, nil }
func (voidFile) Truncate(int64) error                   { return nil }
func (voidFile) SyncData() error                        { return nil }
func (voidFile) Sync() error                            { return nil }
func (voidFile) DropCache() error                       { return nil }
func (voidFile) Close() error                           { return nil }

// appender appends groups of entries with a snapshot now and then, as a node does.
type appender struct {
	log     *walrus.Log
	batch   walrus.Batch
	payload [128]byte
	next    uint64
}

func newAppender(tb testing.TB, mirror bool) *appender {
	o := walrus.Options{Dir: "log", Seed: 1, SegmentBytes: 1 << 20}
	if mirror {
		o.Mirror = []walrus.Mirror{{Main: 1, Recovery: 2}}
	}
	l, _, err := walrus.Open(voidFS{}, o)
	if err != nil {
		tb.Fatal(err)
	}
	return &appender{log: l, next: 1}
}

func (a *appender) group(tb testing.TB, entries int) {
	a.batch.Reset()
	for range entries {
		a.batch.Entry(1, a.next, 1, 1, a.payload[:])
		a.next++
	}
	if a.next%10_000 < uint64(entries) {
		a.batch.TruncateFront(1, a.next-min(a.next, 5_000))
	}
	if err := a.log.Stage(&a.batch); err != nil {
		tb.Fatal(err)
	}
	g := a.log.Cut()
	if err := walrus.Flush(voidFS{}, g); err != nil {
		tb.Fatal(err)
	}
	a.log.Publish(g)
	if job, done := a.log.Chore(); job != nil {
		done(job(voidFS{}))
	}
}

// The processor's share of making one group durable.
func BenchmarkGroup(b *testing.B) {
	for _, c := range []struct {
		name    string
		entries int
		mirror  bool
	}{{"1x128", 1, false}, {"1x128-mirror", 1, true}, {"64x128-mirror", 64, true}} {
		b.Run(c.name, func(b *testing.B) {
			a := newAppender(b, c.mirror)
			for range 20_000 / c.entries {
				a.group(b, c.entries)
			}
			b.ReportAllocs()
			b.SetBytes(int64(c.entries * len(a.payload)))
			b.ResetTimer()
			for range b.N {
				a.group(b, c.entries)
			}
		})
	}
}

// A million entries pass through, and the steady state allocates nothing per
// entry.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	a := newAppender(t, true)
	for range 40_000 {
		a.group(t, 1)
	}
	const runs = 20_000
	if n := testing.AllocsPerRun(runs, func() { a.group(t, 1) }); n != 0 {
		t.Errorf("%v allocations a group", n)
	}
	for a.next < 1_000_000 {
		a.group(t, 64)
	}
	if first, next := a.log.Bounds(1); next != a.next || next-first > 20_000 {
		t.Errorf("bounds [%d,%d), want the end %d", first, next, a.next)
	}
}
