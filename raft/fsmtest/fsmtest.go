package fsmtest

import (
	"cmp"
	"errors"
	"fmt"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// The values that zero fields of a Config stand for.
const (
	defaultCount  = 200
	defaultTrials = 10
)

// countMin is how many commands a trial must have to show anything.
const countMin = 10

// Config says what is tested, and with what. Machine must be given, and Command or Commands.
type Config struct {
	// Machine makes a state machine, empty. It is called many times.
	Machine func() raft.StateMachine
	// Commands are what every trial executes, in this order, at least 10.
	Commands [][]byte
	// Command draws the next command, if Commands is empty.
	Command func(d *Dice) []byte
	// Count is how many commands a trial draws. Default 200.
	Count int
	// Query draws a question. Nil: the state machine is not asked any.
	Query func(d *Dice) []byte
	// Files makes an empty file system, if the state machine is a raft.Storer. It is called
	// once for each state machine.
	Files func() (runtime.FS, error)
	// Trials is how often each rule is checked, each time with other dice. Default 10.
	Trials int
	// Seed is what the dice are made of.
	Seed uint64
}

func (c Config) withDefaults() Config {
	c.Count = cmp.Or(c.Count, defaultCount)
	c.Trials = cmp.Or(c.Trials, defaultTrials)
	return c
}

// Validate reports the first thing wrong with the configuration, after defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	count := c.Count
	if len(c.Commands) > 0 {
		count = len(c.Commands)
	}
	switch {
	case c.Machine == nil:
		return errors.New("fsmtest: no state machine")
	case c.Command == nil && len(c.Commands) == 0:
		return errors.New("fsmtest: no commands")
	case count < countMin || c.Trials < 1:
		return fmt.Errorf("fsmtest: %d trials of %d commands, want one of %d at least", c.Trials, count, countMin)
	}
	return nil
}

// rule is a part of the contract of a raft.StateMachine.
type rule struct {
	name  string
	check func(t *trial) error
}

// rules returns the whole contract, the simplest parts first.
func rules() []rule {
	return []rule{
		{"commands change the state", changes},
		{"one more time is the same", again},
		{"batches do not matter", batches},
		{"nonsense gets a response", nonsense},
		{"responses belong to the caller", owned},
		{"queries change nothing", queries},
		{"taking a snapshot changes nothing", snapshots},
		{"an image is of its moment", isolated},
		{"an image tells a failed write", failedWrite},
		{"restored is as if it had never stopped", restored},
		{"half a snapshot is an error", truncated},
	}
}

// Run checks a state machine, in a subtest for each rule. It fails the test if the configuration does not validate.
func Run(t *testing.T, cfg Config) {
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if err := cfg.keeps(r); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check is Run without a test: it returns all that is wrong, nil if nothing is.
func Check(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	var all error
	for _, r := range rules() {
		if err := cfg.keeps(r); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", r.name, err))
		}
	}
	return all
}

// keeps checks one rule, up to the first trial that breaks it.
func (c Config) keeps(r rule) error {
	c = c.withDefaults()
	for i := range c.Trials {
		t, err := newTrial(&c, uint64(i))
		if err == nil {
			err = r.check(t)
		}
		if err != nil {
			return fmt.Errorf("trial %d: %w", i, err)
		}
	}
	return nil
}

// Dice are what a generator of commands draws with: the same seed and trial give the same numbers.
type Dice struct{ seed, drawn uint64 }

// Uint64 draws any number.
func (d *Dice) Uint64() uint64 {
	d.drawn++
	return runtime.Mix(d.seed, d.drawn)
}

// Below draws a number from 0 to n-1. It panics if n is less than 1.
func (d *Dice) Below(n int) int {
	if n < 1 {
		panic(fmt.Sprintf("fsmtest: draw below %d", n))
	}
	return int(d.Uint64() % uint64(n))
}

// Bytes draws n bytes.
func (d *Dice) Bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint64())
	}
	return b
}
