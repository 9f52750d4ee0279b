package main

import (
	"errors"
	"flag"
	"fmt"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/scenarios"
)

// setupFlags are the flags that describe a run. Those that are given change
// the scenario's setup, or the default one.
type setupFlags struct {
	scenario string
	edits    []func(*scenarios.Setup)
}

// setupHelp describes the flags of setupFlags.
const setupHelp = `
The run:
  --faults SPEC      what goes wrong, see below (default none)
  --scenario NAME    start from the setup of a scenario, see simrun list
  --nodes N          machines (default 3)
  --ops N            operations of all clients together (default 1000)
  --clients N        clients (default 5)
  --keys N           keys that they share (default 20)
  --pace DURATION    least virtual time that the operations are spread over; 0: none (default 30s)
  --snapshot-every N applied entries between two snapshots (default 200)
`

func (f *setupFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.scenario, "scenario", "", "")
	f.number(fs, "nodes", func(s *scenarios.Setup, n int) { s.Nodes = n })
	f.number(fs, "ops", func(s *scenarios.Setup, n int) { s.Ops = n })
	f.number(fs, "clients", func(s *scenarios.Setup, n int) { s.Clients = n })
	f.number(fs, "keys", func(s *scenarios.Setup, n int) { s.Keys = n })
	f.number(fs, "snapshot-every", func(s *scenarios.Setup, n int) { s.SnapshotEvery = uint64(n) })
	fs.Func("pace", "", func(text string) error {
		pace, err := time.ParseDuration(text)
		f.edits = append(f.edits, func(s *scenarios.Setup) { s.Pace = pace })
		return err
	})
	fs.Func("faults", "", func(text string) error {
		spec, err := faults.Parse(text)
		f.edits = append(f.edits, func(s *scenarios.Setup) { s.Faults = spec })
		return err
	})
}

// number defines a flag whose value is a whole number from 1.
func (f *setupFlags) number(fs *flag.FlagSet, name string, set func(*scenarios.Setup, int)) {
	fs.Func(name, "", func(text string) error {
		n, err := fromOne(text)
		f.edits = append(f.edits, func(s *scenarios.Setup) { set(s, n) })
		return err
	})
}

// fromOne reads a whole number from 1.
func fromOne(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("want a whole number from 1")
	}
	return n, nil
}

// setup returns the setup that the flags describe, with seed zero.
func (f *setupFlags) setup() (scenarios.Setup, error) {
	s := scenarios.Default()
	if f.scenario != "" {
		named, ok := scenarios.Lookup(f.scenario)
		if !ok {
			return s, misuse("unknown scenario %q (simrun list shows all)", f.scenario)
		}
		s = named.Setup
		s.Scenario = named.Name
	}
	for _, edit := range f.edits {
		edit(&s)
	}
	if err := s.Validate(); err != nil {
		return s, misuse("%v", err)
	}
	return s, nil
}

// workFlags are the flags that say how runs are carried out.
type workFlags struct {
	jobs  int
	stall time.Duration
	json  bool
	check bool
	out   string
}

// workHelp describes the flags of workFlags.
const workHelp = `
How it is run and reported:
  --check            run each seed twice in lockstep, stop at the first difference
  --json             one JSON object a run on standard output
  --jobs N           worker processes (default: one per CPU)
  --out DIR          where failures leave their .seed files (default simrun-failures)
  --stall DURATION   wall time without any progress after which a run is given up (default 30s)
`

func (f *workFlags) register(fs *flag.FlagSet) {
	fs.IntVar(&f.jobs, "jobs", goruntime.NumCPU(), "")
	fs.DurationVar(&f.stall, "stall", 30*time.Second, "")
	fs.BoolVar(&f.json, "json", false, "")
	fs.BoolVar(&f.check, "check", false, "")
	fs.StringVar(&f.out, "out", "simrun-failures", "")
}

func (f *workFlags) validate() error {
	switch {
	case f.jobs < 1 || f.jobs > jobsMax:
		return misuse("jobs is %d, want 1 to %d", f.jobs, jobsMax)
	case f.stall < time.Second:
		return misuse("stall is %v, want at least 1s", f.stall)
	}
	return nil
}

// seedRange is the seeds from first to last, both included.
type seedRange struct{ first, last uint64 }

// Set implements flag.Value; it reads A-B.
func (r *seedRange) Set(text string) error {
	a, b, _ := strings.Cut(text, "-")
	first, errA := strconv.ParseUint(a, 0, 64)
	last, errB := strconv.ParseUint(b, 0, 64)
	if errA != nil || errB != nil || first > last || last-first >= seedsMax {
		return fmt.Errorf("want A-B with A <= B, at most %d seeds", seedsMax)
	}
	r.first, r.last = first, last
	return nil
}

// String implements flag.Value.
func (r *seedRange) String() string { return fmt.Sprintf("%d-%d", r.first, r.last) }

// count returns how many seeds there are.
func (r *seedRange) count() int { return int(r.last - r.first + 1) }

// Bounds of what may be asked for.
const (
	jobsMax  = 1024
	seedsMax = 1_000_000_000
)
