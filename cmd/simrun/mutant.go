package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/octopii-go/octopii/scenarios"
)

// mutant is a planted bug: a small change to the source, and how to look for
// it. It is data, a file in the folder mutants; README.md there shows the format.
type mutant struct {
	id      string   // in the catalogue of planted bugs
	name    string   // also of the file
	bug     string   // what is planted, one line
	needs   string   // without what nobody can find it
	source  string   // where it happened
	killers []string // oracles, or signatures, that should find it
	// assertOnly is why it is enough that an assertion of the code finds it;
	// empty: an oracle must.
	assertOnly string
	onlyWith   []string        // keys of faults.Spec: with one of them off no run finds it
	setup      scenarios.Setup // of the runs that look for it, with seed zero
	editsOf    string          // the planted bug that has the edits; empty: this one
	edits      []edit
}

// edit replaces whole lines of a source file.
type edit struct {
	file          string // relative to the root of the module
	before, after string // before must be in the file once
	line          int    // of the mutant's file, for errors
}

// mutantsDir is where planted bugs are, relative to the root of the module.
const mutantsDir = "cmd/simrun/mutants"

// mutantSuffix ends the names of their files.
const mutantSuffix = ".mutant"

// loadMutants reads the planted bugs of a source tree, sorted by name. With
// names, it reads only those, in that order.
func loadMutants(root string, names []string) ([]mutant, error) {
	if len(names) == 0 {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(mutantsDir), "*"+mutantSuffix))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			names = append(names, strings.TrimSuffix(filepath.Base(f), mutantSuffix))
		}
		slices.Sort(names)
	}
	var all []mutant
	for _, name := range names {
		m, err := loadMutant(root, name)
		if err != nil {
			return nil, err
		}
		if m.editsOf != "" {
			other, err := loadMutant(root, m.editsOf)
			if err != nil {
				return nil, fmt.Errorf("edits of %s: %w", name, err)
			}
			m.edits = other.edits
		}
		all = append(all, m)
	}
	return all, nil
}

// loadMutant reads a planted bug, without the edits of another.
func loadMutant(root, name string) (mutant, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(mutantsDir), name+mutantSuffix))
	if err != nil {
		return mutant{}, fmt.Errorf("no planted bug %q in %s", name, mutantsDir)
	}
	m, err := parseMutant(string(text))
	if err == nil && m.name != name {
		err = fmt.Errorf("its name is %q", m.name)
	}
	if err != nil {
		return mutant{}, fmt.Errorf("%s/%s%s: %w", mutantsDir, name, mutantSuffix, err)
	}
	return m, nil
}

// parseMutant reads a planted bug: lines of "key: value", then its edits, if they are not another's.
func parseMutant(text string) (mutant, error) {
	var m mutant
	run := ""
	fields := map[string]*string{
		"id": &m.id, "name": &m.name, "bug": &m.bug, "needs": &m.needs, "source": &m.source,
		"assert-only": &m.assertOnly, "run": &run, "edits-of": &m.editsOf,
	}
	killers, onlyWith := "", ""
	fields["killers"], fields["only-with"] = &killers, &onlyWith
	head, edits, number := splitEdits(text)
	for i, line := range head {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		field := fields[key]
		switch {
		case field == nil:
			return m, fmt.Errorf("line %d: unknown key %.40q", i+1, key)
		case *field != "":
			return m, fmt.Errorf("line %d: %s is given twice", i+1, key)
		}
		*field = strings.TrimSpace(value)
	}
	for _, key := range []string{"id", "name", "bug", "needs", "source", "killers", "run"} {
		if *fields[key] == "" {
			return m, fmt.Errorf("%s is missing", key)
		}
	}
	m.killers, m.onlyWith = parseNames(killers), parseNames(onlyWith)
	var err error
	if m.setup, err = parseRun(run); err != nil {
		return m, fmt.Errorf("run: %w", err)
	}
	for _, key := range m.onlyWith {
		if _, off := m.setup.Faults.Without(key); !off {
			return m, fmt.Errorf("only-with: the run has no %.40q", key)
		}
	}
	switch {
	case m.editsOf == "":
		m.edits, err = parseEdits(edits, number)
	case len(edits) > 0:
		err = fmt.Errorf("line %d: an edit, beside those of %s", number, m.editsOf)
	}
	return m, err
}

// parseNames splits what commas separate.
func parseNames(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// parseRun reads the flags of the runs that look for a planted bug.
func parseRun(text string) (scenarios.Setup, error) {
	fs := newFlags("run")
	var setups setupFlags
	setups.register(fs)
	if _, err := parse(fs, strings.Fields(text)); err != nil {
		return scenarios.Setup{}, err
	}
	s, err := setups.setup()
	// A panic is one node's fail-stop, so that the oracles get their chance.
	s.PanicIsFailStop = true
	return s, err
}

// Marks of an edit: the first is followed by the name of a file.
const (
	markBefore = "--- "
	markAfter  = "+++"
)

// splitEdits separates the lines before the first edit from the others, and
// returns the number of the first of those.
func splitEdits(text string) (head, edits []string, number int) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, markBefore) })
	if i < 0 {
		return lines, nil, 0
	}
	return lines[:i], lines[i:], i + 1
}

func parseEdits(lines []string, number int) ([]edit, error) {
	var edits []edit
	var into *string
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, markBefore):
			file := strings.TrimSpace(line[len(markBefore):])
			if path.Clean(file) != file || path.IsAbs(file) || strings.HasPrefix(file, "..") {
				return nil, fmt.Errorf("line %d: %q is not a file of the module", number+i, file)
			}
			edits = append(edits, edit{file: file, line: number + i})
			into = &edits[len(edits)-1].before
		case line == markAfter:
			if into != &edits[len(edits)-1].before {
				return nil, fmt.Errorf("line %d: a second %s", number+i, markAfter)
			}
			into = &edits[len(edits)-1].after
		default:
			*into += line + "\n"
		}
	}
	if len(edits) == 0 {
		return nil, fmt.Errorf("no edit: a line %sFILE is missing", markBefore)
	}
	for _, e := range edits {
		if strings.TrimSpace(e.before) == "" || e.before == e.after {
			return nil, fmt.Errorf("line %d: the edit of %s changes nothing", e.line, e.file)
		}
	}
	return edits, nil
}

// apply returns the changed files, by name. An anchor that is not in its file
// exactly once is an error: the source has moved on, and the bug must follow.
func (m *mutant) apply(root string) (map[string][]byte, error) {
	changed := map[string][]byte{}
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, filepath.FromSlash(e.file))); err != nil {
				return nil, fmt.Errorf("planted bug %s: %w", m.name, err)
			}
		}
		// With a newline in front, an anchor is found at the beginning of a line only.
		text = append([]byte("\n"), text...)
		before := []byte("\n" + e.before)
		if n := bytes.Count(text, before); n != 1 {
			return nil, fmt.Errorf("planted bug %s, line %d: the anchor is in %s %d times, want once", m.name, e.line, e.file, n)
		}
		changed[e.file] = bytes.Replace(text, before, []byte("\n"+e.after), 1)[1:]
	}
	return changed, nil
}

// finds reports whether the signature is one of those that should find the bug.
func (m *mutant) finds(signature string) bool {
	oracle, _, _ := strings.Cut(signature, "/")
	return slices.Contains(m.killers, signature) || slices.Contains(m.killers, oracle)
}
