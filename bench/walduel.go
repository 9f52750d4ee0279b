package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// lane is one system at work in one workload, with what has been measured.
type lane struct {
	system
	store store
	dir   string
	op    operation
	stop  func() // ends what prepare started; may be nil

	rates  []float64 // operations a second, by round
	ratios []float64 // to the bare loop of the same round
	took   []time.Duration
	ops    int
	allocs uint64
	disk   *diskCounter
	bytes  []float64 // sent to the device, by round
}

// operation runs n times what a workload is about, and returns how long that
// took. It adds to took how long the parts took: single operations, or the mean of
// many where one is too short to be timed.
type operation func(n int, took *[]time.Duration) (time.Duration, error)

func (l *lane) close() error {
	if l.stop != nil {
		l.stop()
	}
	return errors.Join(l.store.close(), os.RemoveAll(l.dir))
}

// duel has the lanes take turns. The order is drawn anew for each round, because who comes
// after a log that leaves the file system busy pays for it. The first round
// warms up and does not count.
func duel(lanes []*lane, rounds, ops int) error {
	order := rand.New(rand.NewPCG(1, 1))
	for round := range rounds + 1 {
		for _, i := range order.Perm(len(lanes)) {
			l := lanes[i]
			if err := l.turn(ops, round > 0); err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
		}
	}
	for _, l := range lanes {
		for round, rate := range l.rates {
			l.ratios = append(l.ratios, rate/lanes[0].rates[round])
		}
	}
	return nil
}

// turn runs one round of the lane.
func (l *lane) turn(ops int, counts bool) (err error) {
	l.took = slices.Grow(l.took, ops)
	before := len(l.took)
	bytes := l.disk.written()
	var elapsed time.Duration
	var allocs uint64
	pprof.Do(context.Background(), pprof.Labels("system", l.name), func(context.Context) {
		allocs = mallocs()
		elapsed, err = l.op(ops, &l.took)
		allocs = mallocs() - allocs
	})
	if err != nil {
		return err
	}
	if !counts {
		l.took = l.took[:before]
		return nil
	}
	l.allocs += allocs
	l.bytes = append(l.bytes, float64(l.disk.written()-bytes))
	l.rates = append(l.rates, float64(ops)/elapsed.Seconds())
	l.ops += ops
	return nil
}

// row is the lane's result.
func (l *lane) row(w workload) row {
	slices.SortFunc(l.took, cmp.Compare)
	r := row{
		Bench: "wal", Workload: w.name, System: l.name,
		OpsPerSec: median(l.rates) * float64(w.entries),
		P50:       microseconds(l.took[len(l.took)/2]), P99: microseconds(l.took[len(l.took)*99/100]),
		Ratio: median(l.ratios),
		Costs: &costs{Allocs: float64(l.allocs) / float64(l.ops*w.entries)},
	}
	if w.writes {
		slices.Sort(l.bytes)
		r.Costs.Device = l.bytes[len(l.bytes)/4] / float64(w.ops*w.entries*w.bytes)
	}
	if bar, ok := w.bars[l.name]; ok {
		r.Note = fmt.Sprintf("bar %.2f", bar)
		if r.Ratio < bar {
			r.Note += fmt.Sprintf(", missed by %.0f%%", 100*(bar-r.Ratio)/bar)
		}
	}
	if w.limit > 0 && l.name != bareName {
		r.Note = fmt.Sprintf("bar %v", w.limit)
		if over := r.P50 - microseconds(w.limit); over > 0 {
			r.Note += fmt.Sprintf(", missed by %.0f us", over)
		}
	}
	return r
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// each times every operation by itself.
func each(do func() error) operation {
	return func(n int, took *[]time.Duration) (time.Duration, error) {
		start := time.Now()
		last := start
		for range n {
			if err := do(); err != nil {
				return 0, err
			}
			now := time.Now()
			*took = append(*took, now.Sub(last))
			last = now
		}
		return last.Sub(start), nil
	}
}

// inChunks times many operations at once. N must be a multiple of the chunk.
func inChunks(chunk int, do, after func() error) operation {
	one := each(func() error {
		for range chunk {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	return func(n int, took *[]time.Duration) (time.Duration, error) {
		before := len(*took)
		start := time.Now()
		if _, err := one(n/chunk, took); err != nil {
			return 0, err
		}
		if err := after(); err != nil {
			return 0, err
		}
		for i := range (*took)[before:] {
			(*took)[before+i] /= time.Duration(chunk)
		}
		return time.Since(start), nil
	}
}
