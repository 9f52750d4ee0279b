package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/scenarios"
)

func TestMistakesAreALineAndTheUsage(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.seed")
	if err := os.WriteFile(bad, []byte("seed: 1\ncolour: red\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"", "nothing to do"},
		{"dance", `unknown command "dance"`},
		{"help dance", `unknown command "dance"`},
		{"--seed", "flag needs an argument"},
		{"--seed x", "invalid value \"x\" for flag -seed"},
		{"--seed -1", "want a whole number"},
		{"--faults none", "want either --seed N or --seeds A-B"},
		{"--seed 1 --seeds 1-2", "want either"},
		{"--seeds 2-1", "want A-B with A <= B"},
		{"--seeds 5", "want A-B"},
		{"--seed 1 --colour red", "flag provided but not defined: -colour"},
		{"--seed 1 more", `unexpected argument "more"`},
		{"--seed 1 --faults fire=1", `unknown key "fire" (valid keys: io, sync`},
		{"--seed 1 --faults io=2", "io=2"},
		{"--seed 1 --nodes 0", "want a whole number from 1"},
		{"--seed 1 --nodes 1000", "nodes is 1000, want 1 to"},
		{"--seed 1 --pace fast", "invalid value \"fast\" for flag -pace"},
		{"--seed 1 --scenario nowhere", `unknown scenario "nowhere"`},
		{"--seed 1 --jobs 0", "jobs is 0"},
		{"--seed 1 --stall 1ms", "stall is 1ms"},
		{"--seed 1 --trace /no/such/dir/f", "no such file"},
		{"--seed 1 --trace f --check", "exclude each other"},
		{"--seeds 1-2 --trace f", "--trace needs --seed"},
		{"list more", `unexpected argument "more"`},
		{"suite --only nowhere", `unknown scenario "nowhere"`},
		{"suite --only basic-3,basic-3", "given twice"},
		{"suite --seeds -1", "want a whole number from 1"},
		{"suite --seeds 0", "want a whole number from 1"},
		{"suite --ops 0", "want a whole number from 1"},
		{"suite --seeds 2000000000", "want --seeds from 1 to"},
		{"replay", "FILE.seed is missing"},
		{"replay a b", `unexpected argument "b"`},
		{"replay nowhere.seed", "no such file"},
		{"replay " + bad, `line 2: unknown key "colour"`},
		{"mutants --seeds 0", "seeds is 0"},
		{"mutants", "planted bugs are built from source"},
	} {
		s := simrun(t, "fake", dir, strings.Fields(c.args)...)
		first, rest, _ := strings.Cut(s.err, "\n")
		if s.code != usage || s.out != "" || !strings.HasPrefix(first, "simrun: ") || !strings.Contains(first, c.want) {
			t.Errorf("%q: exit %d, out %q, error %q; want 2, nothing, and %q", c.args, s.code, s.out, first, c.want)
		}
		if n := strings.Count(rest, "\n"); n > 12 {
			t.Errorf("%q: %d lines of usage", c.args, n)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "simrun-failures")); err == nil {
		t.Error("a mistake left a folder behind")
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	var set setupFlags
	var work workFlags
	var seeds seedFlags
	var suite suiteFlags
	var mutants mutantFlags
	for name, register := range map[string][]func(*flag.FlagSet){
		"":        {set.register, work.register, seeds.register},
		"suite":   {suite.register, work.register},
		"mutants": {mutants.register},
	} {
		fs := newFlags(name)
		for _, r := range register {
			r(fs)
		}
		args := []string{"-help"}
		if name != "" {
			args = []string{"help", name}
		}
		s := simrun(t, "fake", t.TempDir(), args...)
		s.want(t, pass, "usage:")
		fs.VisitAll(func(f *flag.Flag) {
			if !strings.Contains(s.out, "--"+f.Name) {
				t.Errorf("help of %q does not have --%s", name, f.Name)
			}
		})
	}
	simrun(t, "fake", t.TempDir(), "help").want(t, pass, "simrun --seed N", "simrun suite", "simrun replay", "simrun mutants", "simrun list")
	simrun(t, "fake", t.TempDir(), "-help").want(t, pass, "io=P", "crash=any|leader")
}

func TestListShowsTheSuite(t *testing.T) {
	simrun(t, "fake", t.TempDir(), "list").want(t, pass, "basic-3", "io=0.15", "chaos")

	decoder := json.NewDecoder(strings.NewReader(simrun(t, "fake", t.TempDir(), "list", "--json").out))
	for _, s := range scenarios.List() {
		var got listed
		want := listed{s.Name, s.Setup.Nodes, s.Setup.Ops, s.Seeds, s.Setup.Faults.String(), s.Doc}
		if err := decoder.Decode(&got); err != nil || got != want {
			t.Fatalf("listed as %+v, %v; want %+v", got, err, want)
		}
	}
	if decoder.More() {
		t.Error("more is listed than there is")
	}
}
