package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every planted bug's anchors must be in the source as it is today, and what
// it makes of a file must be Go.
func TestPlantedBugsApply(t *testing.T) {
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	list, err := loadMutants(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no planted bug")
	}
	ids := map[string]string{}
	for _, m := range list {
		if other := ids[m.id]; other != "" {
			t.Errorf("%s and %s have the id %s", m.name, other, m.id)
		}
		ids[m.id] = m.name
		changed, err := m.apply(root)
		if err != nil {
			t.Error(err)
		}
		for file, text := range changed {
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}

const goodMutant = `# A comment.
id: X01
name: found
bug: a bug
needs: nothing
source: a test
killers: durability
run: --faults io=0.1 --ops 100

--- walrus/log.go
two
+++
TWO
--- walrus/log.go
three
+++
`

// mutantTree makes a source tree with a file to change and these planted bugs.
func mutantTree(t *testing.T, mutants map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":        "module github.com/octopii-go/octopii\n",
		"walrus/log.go": "one\ntwo\nthree\ntwofold\n\ttwo\n",
	}
	for name, text := range mutants {
		files[mutantsDir+"/"+name+mutantSuffix] = text
	}
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMutantIsReadAndApplied(t *testing.T) {
	root := mutantTree(t, map[string]string{"found": goodMutant})
	list, err := loadMutants(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := list[0]
	if m.id != "X01" || m.setup.Ops != 100 || m.setup.Faults.IO != 100_000 || !m.setup.PanicIsFailStop {
		t.Errorf("got %+v", m)
	}
	if !m.finds("durability/acked-lost") || m.finds("log/matching") {
		t.Error("killers are not understood")
	}
	changed, err := m.apply(root)
	if want := "one\nTWO\ntwofold\n\ttwo\n"; err != nil || string(changed["walrus/log.go"]) != want {
		t.Errorf("got %q, %v, want %q", changed["walrus/log.go"], err, want)
	}
}

func TestBadMutantsAreErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "needs:", "wants:", `line 5: unknown key "wants"`},
		{"twice", "needs: nothing", "bug: other", "line 5: bug is given twice"},
		{"missing", "killers: durability\n", "", "killers is missing"},
		{"bad run", "--faults io=0.1", "--faults fire=1", "run: "},
		{"name", "name: found", "name: other", `its name is "other"`},
		{"escape", "--- walrus/log.go\ntwo", "--- ../walrus/log.go\ntwo", "is not a file of the module"},
		{"no edit", "--- walrus/log.go", "# ", "unknown key"},
		{"same", "TWO", "two", "changes nothing"},
		{"no anchor", "\ntwo\n", "\nfour\n", "line 10: the anchor is in walrus/log.go 0 times"},
		{"part of a line", "\ntwo\n", "\nold\n", "0 times"},
		{"no file", "--- walrus/log.go\ntwo", "--- walrus/none.go\ntwo", "no such file"},
		{"two marks", "+++\nTWO", "+++\n+++", "a second +++"},
	} {
		text := strings.Replace(goodMutant, c.old, c.new, -1)
		root := mutantTree(t, map[string]string{"found": text})
		list, err := loadMutants(root, nil)
		if err == nil {
			_, err = list[0].apply(root)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	twice := strings.Replace(goodMutant, "\ntwo\n", "\n\ttwo\n", 1)
	root := mutantTree(t, map[string]string{"found": twice})
	if err := os.WriteFile(filepath.Join(root, "walrus/log.go"), []byte("\ttwo\nthree\n\ttwo\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	list, err := loadMutants(root, []string{"found"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list[0].apply(root); err == nil || !strings.Contains(err.Error(), "2 times, want once") {
		t.Errorf("an anchor that is there twice: %v", err)
	}
}

// mutantNamed is the good one under another name.
func mutantNamed(name, extra string) string {
	return extra + strings.Replace(goodMutant, "name: found", "name: "+name, 1)
}

func TestHuntReportsEachBug(t *testing.T) {
	root := mutantTree(t, map[string]string{
		"found":    mutantNamed("found", ""),
		"both":     mutantNamed("both", ""),
		"panics":   mutantNamed("panics", ""),
		"argued":   mutantNamed("argued", "assert-only: no oracle can see it\n"),
		"flaky":    mutantNamed("flaky", ""),
		"survives": mutantNamed("survives", ""),
		"gone":     strings.Replace(mutantNamed("gone", ""), "\nthree\n", "\nthirty\n", 1),
	})
	hunt := func(names, out string, extra ...string) said {
		args := []string{"mutants", "--only", names, "--seeds", "8", "--jobs", "2", "--out", out}
		return simrun(t, "fake", root, append(args, extra...)...)
	}
	s := hunt("found,both,argued", "kept", "--json")
	s.want(t, pass)
	for i, want := range []catch{
		{Name: "found", Result: byOracle, Signature: "durability/acked-lost", Expected: true, Seed: 3, Seeds: 3},
		{Name: "both", Result: byOracle, Signature: "log/matching", Seed: 4, Seeds: 4},
		{Name: "argued", Result: byAssert, Signature: signPanic, Seed: 1, Seeds: 8},
	} {
		got := rows[catch](t, s)[i]
		if !got.Replays || got.Control != "pass" || got.Error != "" {
			t.Errorf("%s: %+v", want.Name, got)
		}
		if got.Name != want.Name || got.Result != want.Result || got.Signature != want.Signature ||
			got.Expected != want.Expected || got.Seed != want.Seed || got.Seeds != want.Seeds {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	simrun(t, "fake", root, "replay", "kept/custom-3-durability-acked-lost.seed").
		want(t, safety, "planted bug found", "the same again")

	hunt("panics", "").want(t, safety, "assert", "1 by an assertion alone")
	hunt("survives", "").want(t, safety, "survived")
	hunt("flaky", "").want(t, nondeterminism, "does not replay")
	hunt("gone,found", "").want(t, usage, "the anchor is in walrus/log.go 0 times", "1 by an oracle", "1 could not be planted")
}
