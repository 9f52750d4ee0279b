package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/octopii-go/octopii/scenarios"
)

// keptMax is how many seed files are written for failures with one signature.
const keptMax = 20

// recorder reports runs as they end: rows of JSON for machines, failures for
// people, and a seed file for each failure. It belongs to one goroutine.
type recorder struct {
	app     *app
	console *console
	json    bool
	out     string // folder of the seed files; empty: none are written
	planted string // the planted bug of the binary
	seen    map[string]int
	err     error // the first that came in writing
}

func (a *app) recorder(c *console, json bool, out string) *recorder {
	return &recorder{app: a, console: c, json: json, out: out, seen: map[string]int{}}
}

// note reports a run. A failure is told in full the first time that its
// signature comes, and in a line from then on; one that is not a failure, for
// people, is not told at all.
func (r *recorder) note(e ended, failed bool) {
	seedFile := ""
	if failed {
		r.seen[e.Problem.Signature]++
		seedFile = r.keep(e)
	}
	if r.json {
		if err := printJSON(r.app.stdout, rowOf(e, seedFile)); err != nil && r.err == nil {
			r.err = err
		}
	}
	if !failed {
		return
	}
	if r.seen[e.Problem.Signature] == 1 {
		r.console.failure(e, seedFile, r.app.replayLine(seedFile))
		return
	}
	r.console.Printf("%s  seed %d  %s  %v  %s  %s\n",
		r.console.verdict(e.Class), e.setup.Seed, e.setup.Scenario, e.Class, e.Problem.Signature, seedFile)
}

// keep writes the seed file of a failure and returns its name, or an empty one.
func (r *recorder) keep(e ended) string {
	if r.out == "" || r.seen[e.Problem.Signature] > keptMax {
		return ""
	}
	text, _, _ := strings.Cut(e.Problem.Text, "\n")
	file := scenarios.SeedFile{
		Setup: e.setup, Commit: commit(), Verdict: e.Class.verdict(), Signature: e.Problem.Signature,
		Planted: r.planted, Note: strings.TrimSpace(text),
	}
	base := fmt.Sprintf("%s-%d-%s.seed", e.setup.Scenario, e.setup.Seed, e.Problem.Signature)
	name := filepath.Join(r.out, strings.ReplaceAll(base, "/", "-"))
	err := os.MkdirAll(r.out, 0o777)
	if err == nil {
		err = os.WriteFile(name, file.Format(), 0o666)
	}
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		return ""
	}
	return name
}

// replayLine returns the command that replays a seed file.
func (a *app) replayLine(seedFile string) string {
	if seedFile == "" {
		return ""
	}
	if strings.Contains(a.program, "go-build") { // a binary that "go run" made
		return "go run ./cmd/simrun replay " + seedFile
	}
	return "simrun replay " + seedFile
}
