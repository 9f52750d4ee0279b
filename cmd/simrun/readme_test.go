package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the output shown in README.md")

// readme is where the project is explained, from this folder.
const readme = "../../README.md"

// wallTime is the part of the output that differs from run to run.
var wallTime = regexp.MustCompile(`[0-9.]+[mµ]?s of wall time`)

// The README shows what simrun prints: the output below the line that runs
// it, as an indented block. -update rewrites the blocks; read the diff.
func TestReadmeShowsRealOutput(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, shown := range []struct {
		first, last string // how the lines of the block begin
		args        []string
	}{
		{"    pass  seed 42", "      time ", []string{"--seed", "42", "--faults", "io=0.15"}},
		{"    building simrun", "      kept as ", []string{"replay", "seeds/planted-commit-old-term.seed"}},
	} {
		from := strings.Index(page, shown.first)
		if from < 0 {
			t.Fatalf("README.md has no line that begins with %q", shown.first)
		}
		to := from + strings.Index(page[from:], "\n"+shown.last) + 1
		to += strings.Index(page[to:], "\n") + 1
		got := indent(simrun(t, "real", "../..", shown.args...).out)
		if wallTime.ReplaceAllString(got, "") == wallTime.ReplaceAllString(page[from:to], "") {
			continue
		}
		if !*update {
			t.Errorf("simrun %s prints\n%s\nREADME.md says\n%s\nrun this test with -update", strings.Join(shown.args, " "), got, page[from:to])
		}
		page = page[:from] + got + page[to:]
	}
	if *update {
		if err := os.WriteFile(readme, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func indent(out string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(out, "\n"), "\n", "\n    ") + "\n"
}
