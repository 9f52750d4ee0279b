package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"

	"github.com/octopii-go/octopii/faults"
)

var runCommand = command{
	doc: "Runs one seed, or many, and judges each run",
	usage: `  simrun --seed N [--faults SPEC] [--scenario NAME] [--check] [--json] [--trace FILE] ...
  simrun --seeds A-B [--faults SPEC] [--jobs J] ...
`,
	help: `
What to run, one of:
  --seed N           one seed
  --seeds A-B        all seeds from A to B
` + setupHelp + workHelp + `  --trace FILE       write every record of the run as a line of text (with --seed)

` + faults.Help() + exitHelp,
	run: (*app).runSeeds,
}

// exitHelp says what exit statuses mean.
const exitHelp = `
Exit status: 0 pass, 1 safety, 2 usage, 3 liveness, 4 nondeterminism, 5 panic or hang, 6 vacuous,
7 the simulator failed, 130 interrupted; of many runs the first of 4, 7, 5, 1, 3, 6 that came up.
"go run" makes 1 of all but 0.
`

// seedFlags say which seeds to run.
type seedFlags struct {
	one   optionalSeed
	many  optionalRange
	trace string
}

// optionalSeed is a seed, if given.
type optionalSeed struct {
	value uint64
	given bool
}

// Set implements flag.Value.
func (o *optionalSeed) Set(text string) error {
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return fmt.Errorf("want a whole number of at most 64 bits")
	}
	o.value, o.given = n, true
	return nil
}

// String implements flag.Value.
func (o *optionalSeed) String() string { return strconv.FormatUint(o.value, 10) }

// optionalRange is a range of seeds, if given.
type optionalRange struct {
	seedRange
	given bool
}

// Set implements flag.Value.
func (o *optionalRange) Set(text string) error {
	o.given = true
	return o.seedRange.Set(text)
}

func (f *seedFlags) register(fs *flag.FlagSet) {
	fs.Var(&f.one, "seed", "")
	fs.Var(&f.many, "seeds", "")
	fs.StringVar(&f.trace, "trace", "", "")
}

func (f *seedFlags) validate(check bool) error {
	switch {
	case f.one.given == f.many.given:
		return misuse("want either --seed N or --seeds A-B")
	case f.trace != "" && f.many.given:
		return misuse("--trace needs --seed: it is about one run")
	case f.trace != "" && check:
		return misuse("--trace and --check exclude each other")
	}
	return nil
}

// runSeeds is the command without a name.
func (a *app) runSeeds(ctx context.Context, args []string) (class, error) {
	fs := newFlags("simrun")
	var seeds seedFlags
	var setups setupFlags
	var work workFlags
	seeds.register(fs)
	setups.register(fs)
	work.register(fs)
	if _, err := parse(fs, args); err != nil {
		return usage, err
	}
	if err := seeds.validate(work.check); err != nil {
		return usage, err
	}
	if err := work.validate(); err != nil {
		return usage, err
	}
	setup, err := setups.setup()
	if err != nil {
		return usage, err
	}
	if seeds.many.given {
		return a.sweep(ctx, setup, seeds.many.seedRange, work)
	}
	setup.Seed = seeds.one.value
	return a.single(ctx, job{setup: setup, check: work.check, trace: seeds.trace}, work)
}

// single runs one seed and reports it.
func (a *app) single(ctx context.Context, j job, work workFlags) (class, error) {
	e, err := a.one(ctx, a.program, j, work)
	if err != nil {
		return usage, err
	}
	c := a.console(work.json)
	if e.outcome == nil {
		c.Printf("interrupted\n")
		return interrupted, nil
	}
	r := a.recorder(c, work.json, work.out)
	r.note(e, e.Class != pass)
	if e.Class == pass && !work.json {
		c.passed(e)
	}
	return e.Class, r.err
}

// one runs one job in a worker of the program. There is no outcome if the context ended.
func (a *app) one(ctx context.Context, program string, j job, work workFlags) (e ended, err error) {
	if j.trace != "" {
		f, err := os.Create(j.trace) // the worker makes it anew; here its error has a place to go
		if err != nil {
			return e, err
		}
		f.Close() // nothing was written
	}
	f := fleet{program: program, workers: 1, stall: work.stall}
	f.run(ctx, once(j), func(got ended) bool {
		e = got
		return true
	})
	return e, nil
}

// once returns a source of one job.
func once(j job) func() (job, bool) {
	given := false
	return func() (job, bool) {
		first := !given
		given = true
		return j, first
	}
}
