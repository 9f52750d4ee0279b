package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// SeedFile is a run worth keeping: its setup, and what came of it when it was
// kept. As text it is lines of "key: value"; blank lines and those that begin with
// # mean nothing. The keys of the setup must all be there, since a default
// may change and the run must not; but override may come any number of times, and
// panic-is-fail-stop is there only if it is on:
//
//	scenario: custom
//	seed: 42
//	nodes: 3
//	ops: 1000
//	clients: 5
//	keys: 20
//	pace: 30s
//	snapshot-every: 200
//	faults: io=0.15,crash=leader
//	override: 0x9ae16a3b2f90404f 12 0       (site, counter, value)
//	panic-is-fail-stop: true
//	commit: 61f31d7
//	verdict: safety
//	signature: durability/acked-lost
//	planted: skip-sync
//	note: any line, and as many as wanted
type SeedFile struct {
	Setup     Setup
	Commit    string  // the revision that ran it; empty: not said
	Verdict   Verdict // that it had
	Signature string  // of the violation; empty after a Pass
	// Planted names the planted bug that was compiled in; empty: none.
	Planted string
	Note    string // for people; may have several lines
}

// seedTextMax bounds a seed file's text, in bytes.
const seedTextMax = 64 << 20

// seedKey is one key of a seed file.
type seedKey struct {
	name     string
	required bool
	repeated bool
	of       func(*SeedFile) seedValue
}

// seedValue is the part of a seed file that one key sets.
type seedValue interface {
	parse(text string) error
	lines() []string // what parse takes, once per line; none: the key is left out
}

// seedKeys are the keys, in the order in which they are written.
var seedKeys = []seedKey{
	{name: "scenario", required: true, of: func(f *SeedFile) seedValue { return (*seedText)(&f.Setup.Scenario) }},
	{name: "service", of: func(f *SeedFile) seedValue { return (*seedService)(&f.Setup.Service) }},
	{name: "seed", required: true, of: func(f *SeedFile) seedValue { return (*seedNumber)(&f.Setup.Seed) }},
	{name: "nodes", required: true, of: func(f *SeedFile) seedValue { return (*seedCount)(&f.Setup.Nodes) }},
	{name: "ops", required: true, of: func(f *SeedFile) seedValue { return (*seedCount)(&f.Setup.Ops) }},
	{name: "clients", required: true, of: func(f *SeedFile) seedValue { return (*seedCount)(&f.Setup.Clients) }},
	{name: "keys", required: true, of: func(f *SeedFile) seedValue { return (*seedCount)(&f.Setup.Keys) }},
	{name: "pace", required: true, of: func(f *SeedFile) seedValue { return (*seedDuration)(&f.Setup.Pace) }},
	{name: "snapshot-every", required: true, of: func(f *SeedFile) seedValue { return (*seedNumber)(&f.Setup.SnapshotEvery) }},
	{name: "faults", required: true, of: func(f *SeedFile) seedValue { return (*seedFaults)(&f.Setup.Faults) }},
	{name: "override", repeated: true, of: func(f *SeedFile) seedValue { return (*seedOverrides)(&f.Setup.Overrides) }},
	{name: "panic-is-fail-stop", of: func(f *SeedFile) seedValue { return (*seedSwitch)(&f.Setup.PanicIsFailStop) }},
	{name: "commit", of: func(f *SeedFile) seedValue { return (*seedText)(&f.Commit) }},
	{name: "verdict", of: func(f *SeedFile) seedValue { return (*seedVerdict)(&f.Verdict) }},
	{name: "signature", of: func(f *SeedFile) seedValue { return (*seedText)(&f.Signature) }},
	{name: "planted", of: func(f *SeedFile) seedValue { return (*seedText)(&f.Planted) }},
	{name: "note", repeated: true, of: func(f *SeedFile) seedValue { return (*seedNote)(&f.Note) }},
}

// ParseSeed reads a seed file. The error is one line and names the line at fault.
func ParseSeed(text []byte) (SeedFile, error) {
	var f SeedFile
	if len(text) > seedTextMax {
		return SeedFile{}, fmt.Errorf("scenarios: seed file of %d bytes, at most %d are read", len(text), seedTextMax)
	}
	seen := make([]bool, len(seedKeys))
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f.parseLine(line, seen); err != nil {
			return SeedFile{}, fmt.Errorf("scenarios: seed file line %d: %w", number, err)
		}
	}
	for i, key := range seedKeys {
		if key.required && !seen[i] {
			return SeedFile{}, fmt.Errorf("scenarios: seed file has no %s", key.name)
		}
	}
	if err := f.Setup.Validate(); err != nil {
		return SeedFile{}, fmt.Errorf("scenarios: seed file: %w", err)
	}
	return f, nil
}

// parseLine reads one line, and notes in seen which key it had.
func (f *SeedFile) parseLine(line string, seen []bool) error {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%.40q is not key: value", line)
	}
	i := slices.IndexFunc(seedKeys, func(k seedKey) bool { return k.name == name })
	switch {
	case i < 0:
		return fmt.Errorf("unknown key %.40q", name)
	case seen[i] && !seedKeys[i].repeated:
		return fmt.Errorf("%s is given twice", name)
	}
	seen[i] = true
	if err := seedKeys[i].of(f).parse(strings.TrimSpace(value)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Format returns the file's text, which ParseSeed takes back.
func (f SeedFile) Format() []byte {
	var b strings.Builder
	for _, key := range seedKeys {
		for _, value := range key.of(&f).lines() {
			b.WriteString(strings.TrimSpace(key.name + ": " + value))
			b.WriteByte('\n')
		}
	}
	return []byte(b.String())
}
