package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/scenarios"
)

var suiteCommand = command{
	name:  "suite",
	doc:   "Runs every scenario with many seeds, from 1, and prints a line for each",
	usage: "  simrun suite [--seeds N] [--ops N] [--only NAME,...] [--jobs J] [--check] [--json]\n",
	help: `
  --seeds N          seeds of each scenario (default: its own number, see simrun list)
  --ops N            operations of each run (default: the scenario's own number)
  --only NAME,...    these scenarios only
` + workHelp,
	run: (*app).suite,
}

// suiteFlags say what of the suite to run.
type suiteFlags struct {
	seeds, ops int // zero: the scenario's own
	only       string
}

func (f *suiteFlags) register(fs *flag.FlagSet) {
	into := func(n *int) func(string) error {
		return func(text string) (err error) {
			*n, err = fromOne(text)
			return err
		}
	}
	fs.Func("seeds", "", into(&f.seeds))
	fs.Func("ops", "", into(&f.ops))
	fs.StringVar(&f.only, "only", "", "")
}

// chosen returns the scenarios to run.
func (f *suiteFlags) chosen() ([]scenarios.Scenario, error) {
	if f.seeds > seedsMax {
		return nil, misuse("want --seeds from 1 to %d", seedsMax)
	}
	list := scenarios.List()
	if f.only != "" {
		list = nil
		for name := range strings.SplitSeq(f.only, ",") {
			s, ok := scenarios.Lookup(name)
			if !ok {
				return nil, misuse("unknown scenario %q (simrun list shows all)", name)
			}
			if slices.ContainsFunc(list, func(other scenarios.Scenario) bool { return other.Name == name }) {
				return nil, misuse("scenario %q is given twice", name)
			}
			list = append(list, s)
		}
	}
	for i := range list {
		if f.seeds > 0 {
			list[i].Seeds = f.seeds
		}
		if f.ops > 0 {
			list[i].Setup.Ops = f.ops
		}
		list[i].Setup.Scenario = list[i].Name
		if err := list[i].Setup.Validate(); err != nil {
			return nil, misuse("%s: %v", list[i].Name, err)
		}
	}
	return list, nil
}

func (a *app) suite(ctx context.Context, args []string) (class, error) {
	fs := newFlags("suite")
	var flags suiteFlags
	var work workFlags
	flags.register(fs)
	work.register(fs)
	if _, err := parse(fs, args); err != nil {
		return usage, err
	}
	if err := work.validate(); err != nil {
		return usage, err
	}
	list, err := flags.chosen()
	if err != nil {
		return usage, err
	}
	c := a.console(work.json)
	r := a.recorder(c, work.json, work.out)
	s := newTable(list, c)
	f := fleet{program: a.program, workers: work.jobs, stall: work.stall}
	f.run(ctx, s.source(work.check), func(e ended) bool {
		r.note(e, s.add(e))
		return r.err == nil
	})
	return s.finish(ctx), r.err
}

// table is the suite as it runs: a tally for each scenario, printed as a row
// when it and those before it are complete.
type table struct {
	list    []scenarios.Scenario
	tallies map[string]*tally
	console *console
	printed int
	total   int
	ended   int
	begun   time.Time
}

func newTable(list []scenarios.Scenario, c *console) *table {
	s := &table{list: list, tallies: map[string]*tally{}, console: c, begun: time.Now()}
	for _, sc := range list {
		s.tallies[sc.Name] = newTally(sc.Setup.Faults)
		s.total += sc.Seeds
	}
	c.Printf("%s\n", c.paint(bold, fmt.Sprintf(rowForm, "scenario", "passed", "ops done", "least", "leaders", "time", "faults fired")))
	return s
}

// rowForm is a line of the table.
const rowForm = "%-14s %9s %9s %6s %8s %8s  %s"

// source returns the jobs of the suite, scenario by scenario.
func (s *table) source(check bool) func() (job, bool) {
	row, seed := 0, 0
	return func() (job, bool) {
		if row < len(s.list) && seed == s.list[row].Seeds {
			row, seed = row+1, 0
		}
		if row == len(s.list) {
			return job{}, false
		}
		seed++
		j := job{setup: s.list[row].Setup, check: check}
		j.setup.Seed = uint64(seed)
		return j, true
	}
}

// add counts a run, prints the rows that are complete, and reports whether it failed.
func (s *table) add(e ended) bool {
	s.ended++
	failed := s.tallies[e.setup.Scenario].add(e)
	for s.printed < len(s.list) && s.tallies[s.list[s.printed].Name].runs == s.list[s.printed].Seeds {
		s.print(s.list[s.printed])
		s.printed++
	}
	s.console.status("%d of %d runs", s.ended, s.total)
	return failed
}

// print prints the row of a scenario.
func (s *table) print(sc scenarios.Scenario) {
	t := s.tallies[sc.Name]
	if t.runs == 0 {
		return
	}
	var fired []string
	t.fired.Each(func(k faults.Kind, n uint64) { fired = append(fired, k.String()+" "+short(n)) })
	for _, k := range t.never() {
		fired = append(fired, s.console.paint(red, k.String()+" never (vacuous)"))
	}
	for _, d := range t.deeds {
		if d.Count > 0 {
			fired = append(fired, d.Name+" "+short(d.Count))
		}
	}
	for _, name := range t.idle() {
		fired = append(fired, s.console.paint(red, name+" nothing (vacuous)"))
	}
	line := fmt.Sprintf(rowForm, sc.Name, fmt.Sprintf("%d/%d", t.passes(), t.runs), short(uint64(sum(t.done))), short(uint64(t.least())),
		short(uint64(t.leaders)), round(t.wall), strings.Join(fired, ", "))
	if t.passes() < t.runs {
		line = s.console.paint(red, line)
	}
	s.console.Printf("%s\n", line)
}

// finish prints what is left, and a line about all.
func (s *table) finish(ctx context.Context) class {
	passes, done := 0, 0
	var virtual time.Duration
	seen := map[class]int{}
	for i, sc := range s.list {
		if i >= s.printed {
			s.print(sc)
		}
		t := s.tallies[sc.Name]
		passes += t.passes()
		done += sum(t.done)
		virtual += t.virtual
		for c, n := range t.seen() {
			seen[c] += n
		}
	}
	s.console.Printf("%s  %d of %d runs passed, %d operations done, %s virtual in %s\n",
		s.console.verdict(gravest(seen)), passes, s.total, done, virtual.Round(time.Second), round(time.Since(s.begun)))
	return s.console.conclude(ctx, seen, s.total-s.ended)
}

// short renders a number in at most five characters or so.
func short(n uint64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1fM", float64(n)/1e6)
}
