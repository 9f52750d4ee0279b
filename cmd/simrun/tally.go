package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
)

// tally sums many runs of one setup up. Its memory grows by a few words a run.
type tally struct {
	begun    time.Time
	spec     faults.Spec
	runs     int
	classes  map[class]int
	failures []*signed // in the order in which they first came
	thin     int       // runs in which some kind did not fire, and nothing else was wrong
	done     []int     // of each run
	refused  int
	unknown  int
	fired    faults.Counts
	firedIn  [faults.KindCount]int // runs
	leaders  int
	deeds    []oracle.Deed // of all runs
	virtual  time.Duration
	wall     time.Duration // of the workers
}

// signed are the failures with one signature.
type signed struct {
	class     class
	signature string
	seeds     []uint64
}

func newTally(spec faults.Spec) *tally {
	return &tally{begun: time.Now(), spec: spec, classes: map[class]int{}}
}

// thin reports whether a run failed for nothing but a kind of fault that did
// not fire. Among many seeds that is no failure, as long as it fired in others.
func thin(e ended) bool { return e.Class == vacuous && e.Problem.Signature == signNever }

// add counts a run and reports whether it failed.
func (t *tally) add(e ended) bool {
	t.runs++
	t.done = append(t.done, e.Ops.Done)
	t.refused += e.Ops.Refused
	t.unknown += e.Ops.Unknown
	t.fired.Merge(e.Fired)
	e.Fired.Each(func(k faults.Kind, _ uint64) { t.firedIn[k]++ })
	t.leaders += e.LeaderChanges
	t.addDeeds(e.Deeds)
	t.virtual += e.Virtual
	t.wall += e.Wall
	switch {
	case e.Class == pass:
		t.classes[pass]++
		return false
	case thin(e):
		t.thin++
		return false
	}
	t.classes[e.Class]++
	i := slices.IndexFunc(t.failures, func(s *signed) bool { return s.class == e.Class && s.signature == e.Problem.Signature })
	if i < 0 {
		i = len(t.failures)
		t.failures = append(t.failures, &signed{class: e.Class, signature: e.Problem.Signature})
	}
	t.failures[i].seeds = append(t.failures[i].seeds, e.setup.Seed)
	return true
}

// addDeeds adds what a run has counted. All runs of a setup count the same.
func (t *tally) addDeeds(deeds []oracle.Deed) {
	if t.deeds == nil {
		t.deeds = slices.Clone(deeds)
		return
	}
	for i := range min(len(deeds), len(t.deeds)) {
		t.deeds[i].Count += deeds[i].Count
	}
}

// idle returns the deeds that a setup is for, and that no run has seen.
func (t *tally) idle() (names []string) {
	for _, d := range t.deeds {
		if d.Wanted && d.Count == 0 {
			names = append(names, d.Name)
		}
	}
	return names
}

// passes returns how many runs had nothing wrong.
func (t *tally) passes() int { return t.classes[pass] + t.thin }

// never returns the kinds of fault that were asked for and fired in no run.
func (t *tally) never() []faults.Kind {
	if t.runs == 0 {
		return nil
	}
	return t.fired.Missing(t.spec)
}

// seen returns the classes that the runs had, all of them together included.
func (t *tally) seen() map[class]int {
	seen := map[class]int{}
	for c, n := range t.classes {
		seen[c] = n
	}
	seen[vacuous] += len(t.never()) + len(t.idle())
	return seen
}

// least and median describe operations done in a run.
func (t *tally) least() int { return slices.Min(t.done) }

func (t *tally) median() int {
	sorted := slices.Clone(t.done)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// What a summary may have of each, so that it fits on a screen.
const (
	signaturesShown = 8
	seedsShown      = 6
)

// summary prints what many runs have shown, in at most a screen.
func (c *console) summary(t *tally) {
	if t.runs == 0 {
		c.Printf("  no run has ended\n")
		return
	}
	c.Printf("  %s    %d\n", c.paint(green, "pass"), t.passes())
	for i, s := range t.failures {
		if i == signaturesShown {
			c.Printf("          and %d more signatures\n", len(t.failures)-i)
			break
		}
		c.Printf("  %s    %d %v  %s  %s\n", c.verdict(s.class), len(s.seeds), s.class, s.signature, someSeeds(s.seeds))
	}
	c.Printf("  ops     %d done, a seed at least %d and in the median %d; %d refused, %d unknown\n",
		sum(t.done), t.least(), t.median(), t.refused, t.unknown)
	label := "fired"
	t.fired.Each(func(k faults.Kind, n uint64) {
		c.Printf("  %-7s %-12s %9d  %9.1f a seed, in %d of %d seeds\n", label, k, n, float64(n)/float64(t.runs), t.firedIn[k], t.runs)
		label = ""
	})
	for _, k := range t.never() {
		c.Printf("  %s    vacuous: %v was asked for and fired in no seed\n", c.verdict(vacuous), k)
	}
	for i, d := range t.deeds {
		label := "deeds"
		if i > 0 {
			label = ""
		}
		c.Printf("  %-7s %-12s %9d  %9.1f a seed\n", label, d.Name, d.Count, float64(d.Count)/float64(t.runs))
	}
	for _, name := range t.idle() {
		c.Printf("  %s    vacuous: nothing was %s in any seed\n", c.verdict(vacuous), name)
	}
	c.Printf("  leaders %d changes, %.1f a seed\n", t.leaders, float64(t.leaders)/float64(t.runs))
	wall := time.Since(t.begun)
	c.Printf("  time    %s virtual in %s: %.1f seeds a second, %.0f times real time\n",
		t.virtual.Round(time.Second), round(wall), float64(t.runs)/wall.Seconds(), t.virtual.Seconds()/wall.Seconds())
}

// someSeeds lists the first seeds.
func someSeeds(seeds []uint64) string {
	sorted := slices.Clone(seeds)
	slices.Sort(sorted)
	var b strings.Builder
	b.WriteString("seeds")
	for i, seed := range sorted {
		if i == seedsShown {
			b.WriteString(" ...")
			break
		}
		fmt.Fprintf(&b, " %d", seed)
	}
	return b.String()
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
