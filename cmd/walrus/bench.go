package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

var benchCommand = command{
	name:  "bench",
	usage: "walrus bench DIR [--quick] [--json]",
	help: `Measures how fast a log is on the disk of the folder DIR, beside a bare loop of write
and fdatasync over a file of zeros: the most that the disk can do. Both take turns, and
the medians of all rounds are compared. What it writes, up to 200 MiB, is in a folder of its
own in DIR and removed in the end.

  --quick    a second or two for each workload
  --json     one object a row: bench, workload, system, ops_per_s, p50_us, p99_us, ratio

ratio is ops_per_s by that of the bare loop.
`,
	run: runBench,
}

// workload is something to measure: so many entries of 1 KiB for each sync.
type workload struct {
	name    string
	entries int
	quick   int // syncs a round
	full    int
}

var workloads = []workload{
	{name: "1 KiB, sync each", entries: 1, quick: 60, full: 200},
	{name: "64 x 1 KiB, sync per batch", entries: 64, quick: 20, full: 30},
}

const (
	benchEntry  = 1 << 10
	quickRounds = 15
	fullRounds  = 25
	benchTopic  = 1
)

// row is a line of the result.
type row struct {
	Bench    string  `json:"bench"`
	Workload string  `json:"workload"`
	System   string  `json:"system"`
	Ops      float64 `json:"ops_per_s"` // entries
	P50      float64 `json:"p50_us"`    // of a sync with its write
	P99      float64 `json:"p99_us"`
	Ratio    float64 `json:"ratio"`
}

func runBench(out io.Writer, args []string) (status, error) {
	flags := newFlags("bench")
	quick := flags.Bool("quick", false, "")
	asJSON := flags.Bool("json", false, "")
	dir, err := parseArgs(flags, args)
	if err != nil {
		return usage, err
	}
	if info, err := os.Stat(dir); err != nil {
		return unreadable, err
	} else if !info.IsDir() {
		return usage, misuse("%s is not a folder", dir)
	}
	work, err := os.MkdirTemp(dir, "walrus-bench-")
	if err != nil {
		return unreadable, err
	}
	defer os.RemoveAll(work)
	if !*asJSON {
		fmt.Fprintf(out, "%-28s %-8s %12s %9s %9s %7s\n", "workload", "system", "entries/s", "p50 us", "p99 us", "ratio")
	}
	for i, w := range workloads {
		rounds, syncs := fullRounds, w.full
		if *quick {
			rounds, syncs = quickRounds, w.quick
		}
		rows, err := w.measure(filepath.Join(work, fmt.Sprint(i)), rounds, syncs)
		if err != nil {
			return unreadable, err
		}
		for _, r := range rows {
			if *asJSON {
				err = json.NewEncoder(out).Encode(r)
			} else {
				_, err = fmt.Fprintf(out, "%-28s %-8s %12.0f %9.0f %9.0f %7.2f\n", r.Workload, r.System, r.Ops, r.P50, r.P99, r.Ratio)
			}
			if err != nil {
				return unreadable, err
			}
		}
	}
	return clean, nil
}

// system is one of the two that take turns: sync makes the next entries durable.
type system struct {
	name   string
	sync   func() error
	rates  []float64       // entries a second, of each round
	delays []time.Duration // of each sync
}

// measure runs the workload on both systems.
func (w workload) measure(dir string, rounds, syncs int) ([]row, error) {
	folder, err := host.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	total := int64(rounds*syncs*w.entries*(benchEntry+64)) + 1<<20
	bare, file, err := w.bare(folder, total)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ours, l, err := w.log(folder, total)
	if err != nil {
		return nil, err
	}
	defer l.Close(folder)
	systems := []*system{bare, ours}
	for range rounds {
		for _, s := range systems {
			if err := s.round(syncs, w.entries); err != nil {
				return nil, err
			}
		}
	}
	var rows []row
	for _, s := range systems {
		rows = append(rows, row{
			Bench: "wal", Workload: w.name, System: s.name, Ops: median(s.rates), Ratio: median(s.rates) / median(bare.rates),
			P50: micros(s.delays, 50), P99: micros(s.delays, 99),
		})
	}
	return rows, nil
}

// bare is the loop that does nothing but write and sync, over zeros.
func (w workload) bare(folder *host.Folder, total int64) (*system, runtime.File, error) {
	f, err := folder.Create("bare")
	if err != nil {
		return nil, nil, err
	}
	if err := f.Allocate(0, total, true); err != nil {
		return nil, nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, nil, err
	}
	p, at := noise(w.entries*benchEntry), int64(0)
	return &system{name: "bare", sync: func() error {
		if _, err := f.WriteAt(p, at); err != nil {
			return err
		}
		at += int64(len(p))
		return f.SyncData()
	}}, f, nil
}

// log is a log that never needs a second segment.
func (w workload) log(folder *host.Folder, total int64) (*system, *walrus.Log, error) {
	l, _, err := walrus.Open(folder, walrus.Options{Dir: "log", Seed: rand.Uint64(), SegmentBytes: total * 5 / 4})
	if err != nil {
		return nil, nil, err
	}
	p, next := noise(benchEntry), uint64(1)
	to := writer{fs: folder, log: l}
	return &system{name: "walrus", sync: func() error {
		for range w.entries {
			to.batch.Entry(benchTopic, next, 1, 0, p)
			next++
		}
		return to.flush()
	}}, l, nil
}

// noise is a payload that no disk can compress.
func noise(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return p
}

// round measures so many syncs.
func (s *system) round(syncs, entries int) error {
	begun := time.Now()
	last := begun
	for range syncs {
		if err := s.sync(); err != nil {
			return err
		}
		now := time.Now()
		s.delays = append(s.delays, now.Sub(last))
		last = now
	}
	s.rates = append(s.rates, float64(syncs*entries)/last.Sub(begun).Seconds())
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// micros is a percentile in microseconds.
func micros(v []time.Duration, percent int) float64 {
	v = slices.Sorted(slices.Values(v))
	return float64(v[(len(v)-1)*percent/100].Nanoseconds()) / 1000
}
