package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"time"
)

var mutantsCommand = command{
	name:  "mutants",
	doc:   "Plants bugs, one at a time, and says which oracle finds each",
	usage: "  simrun mutants [--only NAME,...] [--seeds N] [--dials] [--jobs J] [--json]\n",
	help: `
Each planted bug is a file in ` + mutantsDir + `; the source tree around the current
folder is built with it, and seeds are run until an oracle fires. The failure must replay
in a fresh process, and the source as it is must pass the same seeds.

  --only NAME,...    these planted bugs only
  --seeds N          give a bug up after that many seeds (default 200)
  --dials            only bugs found with certain faults only; without these none may be
  --jobs N           worker processes (default: one per CPU)
  --json             one JSON object a planted bug on standard output
  --out DIR          leave the seed that found each bug there
  --stall DURATION   wall time without any progress after which a run is given up (default 30s)

The exit status is 0 if every bug was found, 1 if one was not or needs less than it says, 4 if a failure did not
replay, 2 if a bug could not be planted, and that of the run if the source as it is failed.
`,
	run: (*app).mutants,
}

// mutantFlags are the flags of the command.
type mutantFlags struct {
	only  string
	seeds int
	dials bool
	work  workFlags
}

func (f *mutantFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.only, "only", "", "")
	fs.IntVar(&f.seeds, "seeds", 200, "")
	fs.BoolVar(&f.dials, "dials", false, "")
	fs.IntVar(&f.work.jobs, "jobs", goruntime.NumCPU(), "")
	fs.BoolVar(&f.work.json, "json", false, "")
	fs.StringVar(&f.work.out, "out", "", "")
	fs.DurationVar(&f.work.stall, "stall", 30*time.Second, "")
}

func (a *app) mutants(ctx context.Context, args []string) (class, error) {
	fs := newFlags("mutants")
	var flags mutantFlags
	flags.register(fs)
	if _, err := parse(fs, args); err != nil {
		return usage, err
	}
	if err := flags.work.validate(); err != nil {
		return usage, err
	}
	if flags.seeds < 1 || flags.seeds > seedsMax {
		return usage, misuse("seeds is %d, want 1 to %d", flags.seeds, seedsMax)
	}
	root, err := sourceRoot()
	if err != nil {
		return usage, err
	}
	var names []string
	if flags.only != "" {
		names = strings.Split(flags.only, ",")
	}
	list, err := loadMutants(root, names)
	if err != nil {
		return usage, err
	}
	if flags.dials {
		list = slices.DeleteFunc(list, func(m mutant) bool { return len(m.onlyWith) == 0 })
	}
	dir, err := os.MkdirTemp("", "simrun")
	if err != nil {
		return usage, err
	}
	defer os.RemoveAll(dir) // of no use any more
	h := &hunt{app: a, root: root, dir: dir, flags: flags, console: a.console(flags.work.json), passed: map[string]bool{}}
	return h.run(ctx, list)
}

// catch is what came of one planted bug, as --json prints it.
type catch struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Bug       string `json:"bug"`
	Result    string `json:"result"`    // oracle, assert, survived or error
	Signature string `json:"signature"` // of the violation
	Expected  bool   `json:"expected"`  // by an oracle that should
	Seed      uint64 `json:"seed"`      // that found it
	Seeds     int    `json:"seeds"`     // tried, in order, up to that one
	VirtualNs int64  `json:"virtual_ns"`
	TriedNs   int64  `json:"virtual_tried_ns"` // of all seeds tried
	WallNs    int64  `json:"wall_ns"`
	Replays   bool   `json:"replays"`            // the same failure and digest in a fresh process
	Control   string `json:"control"`            // what the source as it is made of the seeds tried
	Needless  string `json:"needless,omitempty"` // of the faults that it is said to need, the first that it does not
	Error     string `json:"error,omitempty"`

	class class // that the command ends with for this bug's sake
}

// What may come of a planted bug.
const (
	byOracle = "oracle"
	byAssert = "assert"
	survived = "survived"
	broken   = "error"
)

// catchForm is a line of the report.
const catchForm = "%-24s %-9s %-28s %6s %6s %11s  %s\n"

// print prints the line of one planted bug.
func (k *catch) print(c *console) {
	if k.Result == broken {
		c.Printf("%-24s %s\n", k.Name, c.paint(red, k.Error))
		return
	}
	note := ""
	for _, n := range []struct {
		text string
		when bool
	}{
		{"another than expected", k.Result == byOracle && !k.Expected},
		{"does not replay", k.Result != survived && !k.Replays},
		{"found without " + k.Needless, k.Needless != ""},
		{"the source as it is: " + k.Control, k.Control != "" && k.Control != pass.String()},
	} {
		if n.when {
			note += "; " + n.text
		}
	}
	seed, at := "", ""
	if k.Result != survived {
		seed, at = fmt.Sprint(k.Seed), seconds(time.Duration(k.VirtualNs))
	}
	result := k.Result
	if k.class != pass {
		result = c.paint(red, fmt.Sprintf("%-9s", result))
	}
	c.Printf(catchForm, k.Name, result, k.Signature, seed, fmt.Sprint(k.Seeds), at, strings.TrimPrefix(note, "; "))
}
