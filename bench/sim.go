package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/scenarios"
)

// rounds is how often the systems take turns.
const rounds = 5

// ours is the system's name in the rows.
const ours = "octopii, all checks"

// benchSim measures the simulated stack, by the time it computes: how fast it commits beside a bare
// loop of etcd/raft, how fast an idle cluster's time passes, how long the
// everyday run takes, and what a million operations need.
func benchSim(quick bool, profile string) ([]row, error) {
	// One core: the scheduler is single-threaded, and so is the peer's loop.
	runtime.GOMAXPROCS(1)
	stop, err := startProfile(profile)
	if err != nil {
		return nil, err
	}
	defer stop()
	ops := 200_000
	if quick {
		ops = 40_000
	}
	rows, err := benchPuts(ops)
	if err != nil {
		return nil, err
	}
	idle, err := benchIdle()
	if err != nil {
		return nil, err
	}
	daily, err := benchDaily()
	if err != nil {
		return nil, err
	}
	rows = append(rows, idle, daily)
	if !quick {
		million, err := benchMillion()
		if err != nil {
			return nil, err
		}
		rows = append(rows, million)
	}
	return rows, nil
}

// benchPuts lets our whole stack, with its checkers, and the bare loop of
// etcd/raft commit the same number of operations in turn.
func benchPuts(ops int) ([]row, error) {
	clients := []int{1, 5, 25}
	rates := make([][]float64, len(clients))
	var peer []float64
	for round := range rounds {
		rate, err := timeEtcd(uint64(round), ops)
		if err != nil {
			return nil, err
		}
		peer = append(peer, rate)
		for i, n := range clients {
			s := scenarios.Default()
			s.Seed, s.Ops, s.Clients, s.Keys, s.Pace, s.SnapshotEvery = uint64(round), ops, n, 1000, 0, 10_000
			rate, _, err := timeRun(s)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	bare := median(peer)
	rows := []row{{Bench: "sim", Workload: "put, one in flight", System: "etcd/raft loop, no checks", OpsPerSec: bare, Ratio: 1}}
	for i, n := range clients {
		rate := median(rates[i])
		rows = append(rows, row{Bench: "sim", Workload: fmt.Sprintf("put and get, %d clients", n), System: ours,
			OpsPerSec: rate, Ratio: rate / bare, Note: "to the etcd/raft loop; bar 1"})
	}
	return rows, nil
}

func timeEtcd(seed uint64, ops int) (float64, error) {
	l, err := newEtcdLoop(seed + 1)
	if err != nil {
		return 0, err
	}
	data := make([]byte, 128)
	start := cpuTime()
	for range ops {
		if err := l.put(slices.Clone(data)); err != nil {
			return 0, err
		}
	}
	return float64(ops) / (cpuTime() - start).Seconds(), nil
}

// cpuTime returns how long the process has computed. Both systems run on one
// core and never wait, so on an idle machine this is the wall clock; on a
// shared one it leaves out what the neighbours took.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it has no way to fail but a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// timeRun runs the setup and returns operations a second. A run that does
// not pass is an error: its speed means nothing.
func timeRun(s scenarios.Setup) (float64, scenarios.Result, error) {
	run, err := scenarios.New(s, nil)
	if err != nil {
		return 0, scenarios.Result{}, err
	}
	start := cpuTime()
	res := run.Finish()
	rate := float64(res.Ops.Done) / (cpuTime() - start).Seconds()
	if res.Verdict != scenarios.Pass {
		return 0, res, fmt.Errorf("seed %d: %v: %v", s.Seed, res.Verdict, res.Violation)
	}
	return rate, res, nil
}

// benchIdle lets the time of a cluster pass in which nothing happens but heartbeats.
func benchIdle() (row, error) {
	const bar = 20_000 // virtual seconds a second
	var speeds []float64
	for round := range rounds {
		s := scenarios.Default()
		// A handful of operations spread over the whole time: idle, near enough.
		s.Seed, s.Ops, s.Clients, s.Pace = uint64(round), 20, 1, 20_000*time.Second
		start := cpuTime()
		_, res, err := timeRun(s)
		if err != nil {
			return row{}, err
		}
		speeds = append(speeds, res.Virtual.Seconds()/(cpuTime()-start).Seconds())
	}
	speed := median(speeds)
	return row{Bench: "sim", Workload: "idle, virtual seconds", System: ours,
		OpsPerSec: speed, Ratio: speed / bar, Note: "to the bar of 20,000"}, nil
}

// benchDaily times the run of the README.
func benchDaily() (row, error) {
	const bar = 50 * time.Millisecond
	spec, err := faults.Parse("io=0.15")
	if err != nil {
		return row{}, err
	}
	var times []float64
	for round := range 20 {
		s := scenarios.Default()
		s.Seed, s.Faults = uint64(round), spec
		start := cpuTime()
		if _, _, err := timeRun(s); err != nil {
			return row{}, err
		}
		times = append(times, (cpuTime() - start).Seconds())
	}
	took := median(times)
	return row{Bench: "sim", Workload: "run of 1000 with io=0.15", System: ours,
		OpsPerSec: 1000 / took, Ratio: bar.Seconds() / took,
		Note: fmt.Sprintf("%.1f ms a run; to the bar of 50 ms", took*1000)}, nil
}

// benchMillion runs a million operations and looks at the heap while they run.
func benchMillion() (row, error) {
	const bar = 256 << 20
	s := scenarios.Default()
	s.Ops, s.Clients, s.Keys, s.Pace, s.SnapshotEvery = 1_000_000, 25, 1000, 0, 10_000
	run, err := scenarios.New(s, nil)
	if err != nil {
		return row{}, err
	}
	var most, steps uint64
	var stats runtime.MemStats
	start := cpuTime()
	for run.Step() {
		if steps++; steps%500_000 == 0 {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapInuse)
		}
	}
	res := run.Finish()
	rate := float64(res.Ops.Done) / (cpuTime() - start).Seconds()
	if res.Verdict != scenarios.Pass {
		return row{}, fmt.Errorf("a million operations: %v: %v", res.Verdict, res.Violation)
	}
	return row{Bench: "sim", Workload: "a million operations", System: ours,
		OpsPerSec: rate, Ratio: bar / float64(most),
		Note: fmt.Sprintf("heap at most %d MiB; to the bar of 256 MiB", most>>20)}, nil
}

func median(values []float64) float64 {
	slices.SortFunc(values, cmp.Compare)
	return values[len(values)/2]
}
