package group

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// bareBytes is the size of the bare loop's file, that of a segment.
const bareBytes = 64 << 20

// bare is the least that durability costs: one write and one sync on blocks that
// were written before. It goes round its file.
type bare struct {
	file runtime.File
	at   int64
}

func newBare(b *testing.B, fs runtime.FS) *bare {
	f, err := fs.Create("bare")
	check(b, err)
	check(b, f.Allocate(0, bareBytes, true))
	check(b, f.Sync())
	return &bare{file: f}
}

func (l *bare) append(tb testing.TB, p []byte) {
	if l.at+int64(len(p)) > bareBytes {
		l.at = 0
	}
	_, err := l.file.WriteAt(p, l.at)
	check(tb, err)
	check(tb, l.file.SyncData())
	l.at += int64(len(p))
}

func openBench(b *testing.B) (*host.Folder, *Log) {
	fs := folder(b)
	l := open(b, fs, walrus.Options{Dir: "log"})
	b.Cleanup(func() { check(b, l.Close()) })
	return fs, l
}

// writer appends batches of its own topic and keeps the topic short.
type writer struct {
	log     *Log
	topic   walrus.Topic
	next    uint64
	batch   walrus.Batch
	payload []byte
}

func newWriter(l *Log, t walrus.Topic, size int) *writer {
	_, next := l.Bounds(t)
	return &writer{log: l, topic: t, next: next, payload: make([]byte, size)}
}

func (w *writer) fill(entries int) *walrus.Batch {
	w.batch.Reset()
	for range entries {
		w.batch.Entry(w.topic, w.next, 1, 0, w.payload)
		w.next++
	}
	if w.next%4096 < uint64(entries) && w.next > 4096 {
		w.batch.TruncateFront(w.topic, w.next-4096)
	}
	return &w.batch
}

func (w *writer) append(tb testing.TB, entries int) {
	if err := w.log.Append(w.fill(entries)); err != nil {
		tb.Error(err)
	}
}

// blocks is in how many alternating parts a benchmark measures the log and the bare
// loop, so that both meet the same weather.
const blocks = 64

// besideBare runs n operations of each, alternating, and reports the time of one
// of the log's and the ratio of the bare loop's to it.
func besideBare(b *testing.B, l *Log, logOps, bareOps func(n int)) {
	logOps(256)
	bareOps(256)
	before := l.Stats()
	var inLog, inBare time.Duration
	var ratios []float64
	b.ReportAllocs()
	b.ResetTimer()
	for i, done := 0, 0; i < blocks; i++ {
		n := b.N*(i+1)/blocks - done
		done += n
		start := time.Now()
		logOps(n)
		middle := time.Now()
		bareOps(n)
		end := time.Now()
		inLog += middle.Sub(start)
		inBare += end.Sub(middle)
		ratios = append(ratios, float64(end.Sub(middle))/float64(max(middle.Sub(start), 1)))
	}
	b.StopTimer()
	after := l.Stats()
	b.ReportMetric(float64(inLog.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(inBare.Nanoseconds())/float64(b.N), "bare-ns/op")
	slices.Sort(ratios)
	b.ReportMetric(float64(inBare)/float64(inLog), "ratio")
	b.ReportMetric(ratios[len(ratios)/2], "median-ratio")
	b.ReportMetric(float64(after.Groups-before.Groups)/float64(b.N), "groups/op")
	b.ReportMetric(float64(after.Written-before.Written)/float64(after.Payload-before.Payload), "written/payload")
}

// One goroutine: what the log adds to a write and a sync.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name    string
		entries int
	}{{"1x1KiB", 1}, {"64x1KiB", 64}} {
		b.Run(c.name, func(b *testing.B) {
			fs, l := openBench(b)
			loop, w := newBare(b, fs), newWriter(l, 1, 1<<10)
			all := make([]byte, c.entries<<10)
			besideBare(b, l,
				func(n int) {
					for range n {
						w.append(b, c.entries)
					}
				},
				func(n int) {
					for range n {
						loop.append(b, all)
					}
				})
		})
	}
}

// Writers that each wait for durability, beside a loop that syncs for as many at a
// time. One operation is one round of all of them.
func BenchmarkWriters(b *testing.B) {
	for _, c := range []struct {
		name    string
		writers int
	}{{"2", 2}, {"4", 4}, {"8", 8}, {"16", 16}} {
		b.Run(c.name, func(b *testing.B) {
			fs, l := openBench(b)
			loop := newBare(b, fs)
			all := make([]byte, c.writers<<10)
			writers := make([]*writer, c.writers)
			for i := range writers {
				writers[i] = newWriter(l, walrus.Topic(i+1), 1<<10)
			}
			besideBare(b, l,
				func(n int) {
					var wg sync.WaitGroup
					for _, w := range writers {
						wg.Go(func() {
							for range n {
								w.append(b, 1)
							}
						})
					}
					wg.Wait()
				},
				func(n int) {
					for range n {
						loop.append(b, all)
					}
				})
		})
	}
}

// The processor's share of a record that nobody waits for, on a disk that costs nothing
// and on a real one, where the bare loop writes without a sync.
func BenchmarkSubmit(b *testing.B) {
	submit := func(b *testing.B, l *Log, n int) {
		w := newWriter(l, 1, 128)
		var last Ticket
		for range n {
			var err error
			last, err = l.Submit(w.fill(1))
			check(b, err)
		}
		if n > 0 {
			check(b, last.Wait(context.Background()))
		}
	}
	b.Run("128B-void", func(b *testing.B) {
		l := open(b, voidFS{}, walrus.Options{Dir: "log"})
		submit(b, l, 10_000)
		b.ReportAllocs()
		b.ResetTimer()
		submit(b, l, b.N)
	})
	b.Run("128B", func(b *testing.B) {
		fs, l := openBench(b)
		loop := newBare(b, fs)
		p := make([]byte, 128)
		besideBare(b, l,
			func(n int) { submit(b, l, n) },
			func(n int) {
				for range n {
					if loop.at+int64(len(p)) > bareBytes {
						loop.at = 0
					}
					_, err := loop.file.WriteAt(p, loop.at)
					check(b, err)
					loop.at += int64(len(p))
				}
			})
	})
}
