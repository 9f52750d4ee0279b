package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/faults"
)

// plantedBugs returns the root of the source tree, and what is planted there.
func plantedBugs(t *testing.T) (root string, list []mutant) {
	t.Helper()
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	if list, err = loadMutants(root, nil); err != nil {
		t.Fatal(err)
	}
	return root, list
}

// Every planted bug's anchors must be in the source as it is today, and what
// it makes of a file must be Go.
func TestPlantedBugsApply(t *testing.T) {
	root, list := plantedBugs(t)
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

// Every fault has a planted bug that no run finds without it: "simrun mutants --dials" sees to
// the second half. Kinds that are one way of several in which a dial strikes name a
// bug that takes this way.
func TestEveryFaultBringsABugOut(t *testing.T) {
	_, list := plantedBugs(t)
	byName, byKey := map[string]*mutant{}, map[string]bool{}
	for i, m := range list {
		byName[m.name] = &list[i]
		for _, key := range m.onlyWith {
			byKey[key] = true
		}
	}
	for _, key := range faults.Keys() {
		if !byKey[key] {
			t.Errorf("no planted bug is found only with %s", key)
		}
	}
	for k := faults.KindNone + 1; k < faults.KindCount; k++ {
		if slices.Contains(faults.Keys(), k.String()) || k == faults.KindToldLate {
			continue // no node of ours has two handles of a file on which a sync has failed, and then syncs the second
		}
		m := byName[ways[k].bug]
		switch {
		case m == nil:
			t.Errorf("no planted bug shows %v", k)
		case !ways[k].in(&m.setup.Faults):
			t.Errorf("the runs of %s, with %v, have no %v", m.name, m.setup.Faults, k)
		}
	}
}

// ways are kinds of fault without a key of their own: a planted bug that is there for each, and
// whether a spec has it.
var ways = [faults.KindCount]struct {
	bug string
	in  func(*faults.Spec) bool
}{
	faults.KindShortWrite: {"short-write-is-whole", func(s *faults.Spec) bool { return s.IO > 0 }},
	faults.KindShortRead:  {"short-read-is-end", func(s *faults.Spec) bool { return s.IO > 0 }},
	faults.KindNewOnce:    {"ship-read-back", afterIs(faults.AfterNewOnce)},
	faults.KindNewAll:     {"ship-read-back", afterIs(faults.AfterNewAll)},
	faults.KindOldOnce:    {"sync-again", afterIs(faults.AfterOldOnce)},
	faults.KindOldAll:     {"sync-again", afterIs(faults.AfterOldAll)},
	faults.KindGarbage:    {"rpc-boots-in-a-sector", func(s *faults.Spec) bool { return s.Torn > 0 }},
	faults.KindRuined:     {"rpc-boots-in-a-sector", func(s *faults.Spec) bool { return s.NoPSOW }},
	faults.KindLie:        {"rpc-boots-lied", func(s *faults.Spec) bool { return s.FS == faults.ProfileLiar }},
	faults.KindFull:       {"taken-back-still-counts", func(s *faults.Spec) bool { return s.Space.Mean > 0 }},
	faults.KindNoSpace:    {"taken-back-still-counts", func(s *faults.Spec) bool { return s.Space.Bytes > 0 }},
	faults.KindDeadCall:   {"reopen-error-ignored", func(s *faults.Spec) bool { return s.Dead.Max > 0 }},
	faults.KindUnreadable: {"error-is-end", func(s *faults.Spec) bool { return s.Latent > 0 }},
	faults.KindKill:       {"rpc-any-answer", func(s *faults.Spec) bool { return s.Crash.Target != faults.NoTarget && !s.Crash.Power }},
	faults.KindPowerLoss:  {"rpc-boots-lied", func(s *faults.Spec) bool { return s.Crash.Power }},
}

func afterIs(state faults.AfterSync) func(*faults.Spec) bool {
	return func(s *faults.Spec) bool { return s.After == state || s.After == faults.AfterAny }
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

// A bug may have the edits of another, and runs of its own.
func TestMutantHasTheEditsOfAnother(t *testing.T) {
	head, _, _ := strings.Cut(goodMutant, "\n--- ")
	like := func(name string) string {
		return strings.Replace(head, "name: found", "name: alike", 1) + "\nedits-of: " + name + "\n"
	}
	root := mutantTree(t, map[string]string{"found": goodMutant, "alike": like("found")})
	list, err := loadMutants(root, []string{"alike"})
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := list[0].apply(root); err != nil || !strings.Contains(string(changed["walrus/log.go"]), "TWO") {
		t.Errorf("changed %q, %v", changed["walrus/log.go"], err)
	}
	root = mutantTree(t, map[string]string{"alike": like("gone")})
	if _, err := loadMutants(root, nil); err == nil || !strings.Contains(err.Error(), `no planted bug "gone"`) {
		t.Errorf("the edits of nobody: %v", err)
	}
}

func TestBadMutantsAreErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "needs:", "wants:", `line 5: unknown key "wants"`},
		{"twice", "needs: nothing", "bug: other", "line 5: bug is given twice"},
		{"missing", "killers: durability\n", "", "killers is missing"},
		{"bad run", "--faults io=0.1", "--faults fire=1", "run: "},
		{"only-with", "--ops 100", "--ops 100\nonly-with: io, drop", `only-with: the run has no "drop"`},
		{"name", "name: found", "name: other", `its name is "other"`},
		{"edits of two", "--ops 100", "--ops 100\nedits-of: other", "an edit, beside those of other"},
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

// A bug that says without which faults no run finds it is looked for without each of them.
func TestHuntWithholdsFaults(t *testing.T) {
	root := mutantTree(t, map[string]string{
		"found":  mutantNamed("found", "only-with: io\n"),
		"needs":  mutantNamed("needs", "only-with: io\n"),
		"silent": mutantNamed("silent", ""),
	})
	hunt := func(names string, extra ...string) said {
		return simrun(t, "fake", root, append([]string{"mutants", "--only", names, "--seeds", "8", "--json"}, extra...)...)
	}
	hunt("found,needs").want(t, pass)
	s := hunt("needs,silent", "--dials")
	s.want(t, pass)
	if got := rows[catch](t, s); len(got) != 1 {
		t.Errorf("%d bugs were looked for, want the one that needs a fault", len(got))
	}
	s = hunt("found,needs", "--dials")
	s.want(t, safety)
	for i, want := range []string{"io", ""} {
		if got := rows[catch](t, s)[i]; got.Needless != want || got.Control != "pass" {
			t.Errorf("got %+v, want needless %q", got, want)
		}
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
