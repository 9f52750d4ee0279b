package main

import (
	"context"
	"os"
	"time"

	"github.com/octopii-go/octopii/scenarios"
)

var replayCommand = command{
	name:  "replay",
	doc:   "Runs the seed kept in a file again, and says whether it ends as it did",
	usage: "  simrun replay FILE.seed [--check] [--json] [--trace FILE]\n",
	help: `
A seed found with a planted bug is replayed with it: simrun builds itself anew, from
the source tree around the current folder. The exit status is that of the run.

  --check            run the seed twice in lockstep, stop at the first difference
  --json             one JSON object on standard output
  --trace FILE       write every record of the run as a line of text
  --stall DURATION   wall time without any progress after which the run is given up (default 30s)
`,
	run: (*app).replay,
}

func (a *app) replay(ctx context.Context, args []string) (class, error) {
	fs := newFlags("replay")
	work := workFlags{jobs: 1}
	trace := fs.String("trace", "", "")
	fs.BoolVar(&work.check, "check", false, "")
	fs.BoolVar(&work.json, "json", false, "")
	fs.DurationVar(&work.stall, "stall", 30*time.Second, "")
	names, err := parse(fs, args, "FILE.seed")
	if err != nil {
		return usage, err
	}
	if err := work.validate(); err != nil {
		return usage, err
	}
	if *trace != "" && work.check {
		return usage, misuse("--trace and --check exclude each other")
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		return usage, err
	}
	file, err := scenarios.ParseSeed(text)
	if err != nil {
		return usage, err
	}
	program := a.program
	c := a.console(work.json)
	if file.Planted != "" {
		dir, err := os.MkdirTemp("", "simrun")
		if err != nil {
			return usage, err
		}
		defer os.RemoveAll(dir) // of no use any more
		c.Printf("building simrun with the planted bug %s\n", file.Planted)
		if program, err = a.plant(ctx, dir, file.Planted); err != nil {
			return usage, err
		}
	}
	e, err := a.one(ctx, program, job{setup: file.Setup, check: work.check, trace: *trace}, work)
	if err != nil {
		return usage, err
	}
	if e.outcome == nil {
		c.Printf("interrupted\n")
		return interrupted, nil
	}
	return e.Class, a.compare(c, e, file, work.json)
}

// plant builds simrun with the planted bug of that name.
func (a *app) plant(ctx context.Context, dir, name string) (string, error) {
	root, err := sourceRoot()
	if err != nil {
		return "", err
	}
	list, err := loadMutants(root, []string{name})
	if err != nil {
		return "", err
	}
	return a.buildMutant(ctx, root, dir, &list[0])
}

// compare reports a run beside what its seed file says of it.
func (a *app) compare(c *console, e ended, file scenarios.SeedFile, json bool) error {
	if json {
		if err := printJSON(a.stdout, rowOf(e, "")); err != nil {
			return err
		}
	}
	signature := ""
	if e.Class == pass {
		c.passed(e)
	} else {
		c.failure(e, "", "")
		signature = e.Problem.Signature
	}
	same := e.Class.verdict() == file.Verdict && signature == file.Signature
	switch {
	case same:
		c.Printf("  kept as %v %s: %s\n", file.Verdict, file.Signature, c.paint(green, "the same again"))
	case file.Commit != "" && file.Commit != commit():
		c.Printf("  kept as %v %s by %s: %s, in this build of %s\n", file.Verdict, file.Signature, file.Commit, c.paint(red, "not so any more"), commit())
	default:
		c.Printf("  kept as %v %s: %s\n", file.Verdict, file.Signature, c.paint(red, "not so any more"))
	}
	return nil
}
