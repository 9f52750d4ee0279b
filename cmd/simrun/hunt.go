package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// hunt looks for planted bugs.
type hunt struct {
	app       *app
	root, dir string // of the source, for builds
	flags     mutantFlags
	console   *console
	control   string          // the binary of the source as it is; empty: not built yet
	passed    map[string]bool // runs that the control passed, as text of a seed file
}

// built is a planted bug and the binary that has it.
type built struct {
	*mutant
	program string
	err     error
}

// run looks for the bugs, in order, and reports each.
func (h *hunt) run(ctx context.Context, list []mutant) (class, error) {
	building, stop := context.WithCancel(ctx)
	defer stop()
	c := h.console
	c.Printf("%s", c.paint(bold, fmt.Sprintf(catchForm, "planted bug", "found by", "signature", "seed", "tried", "at", "")))
	counts := map[string]int{}
	seen := map[class]int{}
	ended := 0
	for b := range h.build(building, list) {
		c.status("%d of %d, %s", ended, len(list), b.name)
		k := h.look(ctx, b)
		if ctx.Err() != nil {
			break
		}
		ended++
		counts[k.Result]++
		seen[k.class]++
		k.print(c)
		if h.flags.work.json {
			if err := printJSON(h.app.stdout, k); err != nil {
				return usage, err
			}
		}
	}
	c.Printf("%d of %d: %d by an oracle, %d by an assertion alone, %d survived, %d could not be planted\n",
		ended, len(list), counts[byOracle], counts[byAssert], counts[survived], counts[broken])
	if seen[usage] > 0 {
		return usage, nil
	}
	return c.conclude(ctx, seen, len(list)-ended), nil
}

// build builds the bugs one after the other, one ahead of whoever reads.
func (h *hunt) build(ctx context.Context, list []mutant) <-chan built {
	ready := make(chan built)
	go func() {
		defer close(ready)
		for i := range list {
			b := built{mutant: &list[i]}
			b.program, b.err = h.app.buildMutant(ctx, h.root, h.dir, b.mutant)
			select {
			case ready <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ready
}

// look runs seeds with one planted bug until an oracle fires, then sees whether
// that replays, and whether the source as it is passes.
func (h *hunt) look(ctx context.Context, b built) *catch {
	begun := time.Now()
	k := &catch{ID: b.id, Name: b.name, Bug: b.bug, Result: survived, class: safety}
	defer func() { k.WallNs = time.Since(begun).Nanoseconds() }()
	if b.err != nil {
		k.Result, k.Error, k.class = broken, b.err.Error(), usage
		return k
	}
	found := h.search(ctx, b, k)
	if found == nil || ctx.Err() != nil {
		return k
	}
	k.Signature, k.Expected = found.Problem.Signature, b.finds(found.Problem.Signature)
	k.Seed, k.VirtualNs = found.setup.Seed, found.Problem.At.Nanoseconds()
	if k.Result == byOracle || b.assertOnly != "" {
		k.class = pass
	}
	k.Replays = h.replays(ctx, b, found)
	if !k.Replays {
		k.class = nondeterminism
	}
	control, err := h.controls(ctx, b, k)
	k.Control = control.String()
	switch {
	case err != nil:
		k.Result, k.Error, k.class = broken, err.Error(), usage
	case control != pass:
		k.class = control
	}
	if h.flags.dials && k.class == pass {
		h.withhold(ctx, b, k)
	}
	h.keep(b, found)
	return k
}

// withhold runs seeds with one fault less, for each of those that the bug needs, and
// sees that none finds it.
func (h *hunt) withhold(ctx context.Context, b built, k *catch) {
	for _, key := range b.onlyWith {
		mild := *b.mutant
		mild.setup.Faults, _ = b.setup.Faults.Without(key)
		tried := &catch{Result: survived}
		if h.search(ctx, built{mutant: &mild, program: b.program}, tried); tried.Result != survived {
			k.Needless, k.class = key, safety
			return
		}
	}
}

// oracles reports whether an oracle, rather than an assertion, made the run fail.
func oracles(e ended) bool { return e.Class == safety || e.Class == liveness }

// search returns the first seed's run that an oracle failed, or else that an
// assertion did, or nil. All seeds before it have been tried then.
func (h *hunt) search(ctx context.Context, b built, k *catch) *ended {
	var best *ended
	var virtual time.Duration
	next := uint64(1)
	f := h.fleet(b.program)
	f.run(ctx, func() (job, bool) {
		if best != nil && oracles(*best) || next > uint64(h.flags.seeds) {
			return job{}, false
		}
		j := job{setup: b.setup}
		j.setup.Seed = next
		next++
		return j, true
	}, func(e ended) bool {
		k.Seeds++
		virtual += e.Virtual
		switch {
		case e.Class == pass || e.Class == vacuous:
		case best == nil, oracles(e) && !oracles(*best), oracles(e) == oracles(*best) && e.setup.Seed < best.setup.Seed:
			best = &e
		}
		return true
	})
	k.TriedNs = virtual.Nanoseconds()
	if best == nil {
		return nil
	}
	k.Result = byAssert
	if oracles(*best) {
		k.Result = byOracle
		k.Seeds = int(best.setup.Seed) // those after it ran for nothing
	}
	return best
}

func (h *hunt) fleet(program string) *fleet {
	return &fleet{program: program, workers: h.flags.work.jobs, stall: h.flags.work.stall}
}

// replays runs the failure again, in a process that has run nothing else.
func (h *hunt) replays(ctx context.Context, b built, found *ended) bool {
	again, err := h.app.one(ctx, b.program, job{setup: found.setup}, h.flags.work)
	return err == nil && again.outcome != nil && again.Class == found.Class &&
		again.Problem.Signature == found.Problem.Signature && again.Digest == found.Digest
}

// controls runs the seeds that were tried on the source as it is, and returns
// the gravest class that came up. Seeds that have passed once are not run again.
func (h *hunt) controls(ctx context.Context, b built, k *catch) (class, error) {
	if h.control == "" {
		program := filepath.Join(h.dir, "simrun-as-it-is")
		if err := h.app.compile(ctx, h.root, "", program); err != nil {
			return usage, err
		}
		h.control = program
	}
	seen := map[class]int{}
	next := uint64(0)
	last := max(uint64(k.Seeds), k.Seed)
	h.fleet(h.control).run(ctx, func() (job, bool) {
		for next < last {
			next++
			j := job{setup: b.setup}
			j.setup.Seed = next
			if !h.passed[j.key()] {
				return j, true
			}
		}
		return job{}, false
	}, func(e ended) bool {
		if thin(e) || e.Class == pass {
			h.passed[e.key()] = true
		} else {
			seen[e.Class]++
		}
		return true
	})
	return gravest(seen), nil
}

// keep leaves the seed that found a bug, if that is wanted.
func (h *hunt) keep(b built, found *ended) {
	if h.flags.work.out == "" {
		return
	}
	r := h.app.recorder(h.console, false, h.flags.work.out)
	r.planted = b.name
	r.keep(*found)
	if r.err != nil {
		h.console.Printf("simrun: %v\n", r.err)
	}
}
