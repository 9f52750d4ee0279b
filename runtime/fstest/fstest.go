// Package fstest says what any [runtime.FS] must do.
//
// It is a list of cases, each a straight-line program against an empty file system
// that ends with nil or with the first thing that went wrong. Cases need
// nothing but the FS, so they run wherever its calls may be made: in a plain
// test over a real folder, or as a job on a lane of a simulated machine, where each
// call parks. They expect no faults: those are what simulations are for.
//
// What the cases cannot check is what only a power loss shows: that synced bytes
// and names survive it. Nor do they run two calls at the same time.
//
// The package is pure: it imports nothing that knows a file, a clock or a thread.
package fstest

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// Case is one rule of the contract, or a few that belong together.
type Case struct {
	// Name is unique, and what the rule is about comes first: "rename: over a file".
	Name string
	// Run checks the rule on an empty file system, and returns what is wrong
	// with it, or nil. It closes what it opens unless it fails.
	Run func(disk runtime.FS) error
}

// Cases returns all cases.
func Cases() []Case {
	var cases []Case
	for _, group := range [][]rule{nameRules(), directoryRules(), lockRules(), dataRules(), sizeRules(), handleRules()} {
		for _, r := range group {
			cases = append(cases, Case{Name: r.name, Run: r.run})
		}
	}
	return cases
}

// Check runs every case, each on a file system that empty makes for it, and
// returns all that is wrong.
func Check(empty func() (runtime.FS, error)) error {
	var all error
	for _, c := range Cases() {
		disk, err := empty()
		if err == nil {
			err = c.Run(disk)
		}
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", c.Name, err))
		}
	}
	return all
}

// rule is a case under construction.
type rule struct {
	name  string
	check func(p *probe)
}

func (r rule) run(disk runtime.FS) error {
	p := &probe{disk: disk}
	r.check(p)
	return p.err
}
