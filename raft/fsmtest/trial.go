package fsmtest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// folder is where a raft.Storer keeps its files.
const folder = "machine"

// trial is a sequence of commands, and what a machine makes of it that executes them one by
// one and does nothing else: every other must do as that one did.
type trial struct {
	cfg     *Config
	dice    Dice
	entries []raft.Entry
	results [][]byte
	initial []byte // the snapshot of an empty machine
	final   []byte // the snapshot after all commands
}

func newTrial(cfg *Config, number uint64) (*trial, error) {
	t := &trial{cfg: cfg, dice: Dice{seed: runtime.Mix(cfg.Seed, number)}}
	commands := cfg.Commands
	if len(commands) == 0 {
		for range cfg.Count {
			commands = append(commands, cfg.Command(&t.dice))
		}
	}
	for i, c := range commands {
		t.entries = append(t.entries, raft.Entry{Index: raft.Index(i + 1), Term: 1, Type: raft.EntryCommand, Data: c})
	}
	m, err := t.machine()
	if err != nil {
		return nil, err
	}
	if t.initial, err = image(m); err != nil {
		return nil, err
	}
	if m, err = t.machine(); err != nil {
		return nil, err
	}
	if t.results, err = t.apply(m, t.entries, one); err != nil {
		return nil, err
	}
	t.final, err = image(m)
	return t, err
}

// machine returns a machine that has executed nothing.
func (t *trial) machine() (raft.StateMachine, error) {
	m := t.cfg.Machine()
	storer, ok := m.(raft.Storer)
	if !ok {
		return m, nil
	}
	if t.cfg.Files == nil {
		return nil, fmt.Errorf("%T keeps files, and Config.Files makes no file system for it", m)
	}
	files, err := t.cfg.Files()
	if err == nil {
		err = files.MkdirAll(folder)
	}
	if err == nil {
		err = storer.Open(files, folder)
	}
	return m, err
}

// one is the size of batches of one.
func one() int { return 1 }

// some returns batches of any size up to most.
func (t *trial) some(most int) func() int {
	return func() int { return 1 + t.dice.Below(most) }
}

// apply has a machine execute entries in batches, and returns its responses as they were when they came. It sees to
// what must hold for every call.
func (t *trial) apply(m raft.StateMachine, entries []raft.Entry, size func() int) ([][]byte, error) {
	var all [][]byte
	for len(entries) > 0 {
		n := min(size(), len(entries))
		results, err := t.batch(m, entries[:n])
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			all = append(all, bytes.Clone(r))
		}
		entries = entries[n:]
	}
	return all, nil
}

// batch has a machine execute one batch, and returns its responses.
func (t *trial) batch(m raft.StateMachine, entries []raft.Entry) ([][]byte, error) {
	given := slices.Clone(entries)
	for i := range given {
		given[i].Data = bytes.Clone(given[i].Data)
	}
	before := []byte("a response from before")
	results := m.Apply(given, [][]byte{before})
	switch {
	case len(results) != 1+len(entries):
		return nil, fmt.Errorf("%d commands: %d responses were appended to results", len(entries), len(results)-1)
	case !bytes.Equal(results[0], []byte("a response from before")):
		return nil, fmt.Errorf("the response before was changed to %q", clip(results[0]))
	}
	for i := range given {
		if !bytes.Equal(given[i].Data, entries[i].Data) {
			return nil, fmt.Errorf("command %q was changed to %q", clip(entries[i].Data), clip(given[i].Data))
		}
	}
	return results[1:], nil
}

// image takes a snapshot and writes it.
func image(m raft.StateMachine) ([]byte, error) {
	captured, err := m.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return write(captured)
}

// write writes an image, and ends its life.
func write(captured raft.Image) ([]byte, error) {
	defer captured.Release()
	var b bytes.Buffer
	n, err := captured.WriteTo(&b)
	if err != nil {
		return nil, fmt.Errorf("write of an image: %w", err)
	}
	if n != int64(b.Len()) {
		return nil, fmt.Errorf("an image of %d bytes says that it wrote %d", b.Len(), n)
	}
	return b.Bytes(), nil
}

// ends compares the responses to entries up to the last, and the state after it, with those of the trial.
func (t *trial) ends(m raft.StateMachine, results [][]byte) error {
	first := len(t.entries) - len(results)
	for i, r := range results {
		if want := t.results[first+i]; !bytes.Equal(r, want) {
			return fmt.Errorf("command %d, %q: response %q, want %q", first+i, clip(t.entries[first+i].Data), clip(r), clip(want))
		}
	}
	got, err := image(m)
	if err == nil {
		err = same("the state after the last command", got, t.final)
	}
	return err
}

// same compares two snapshots.
func same(what string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("%s: a snapshot of %d bytes, want %d, the same up to byte %d", what, len(got), len(want), at)
}

// cuts returns places between commands: both ends, and some in the midst.
func (t *trial) cuts() []int {
	places := []int{0, len(t.entries)}
	for range 3 {
		places = append(places, t.dice.Below(len(t.entries)))
	}
	return places
}

// at returns a machine that has executed the commands before a place, and its snapshot.
func (t *trial) at(place int) (raft.StateMachine, []byte, error) {
	m, err := t.machine()
	if err != nil {
		return nil, nil, err
	}
	if _, err := t.apply(m, t.entries[:place], t.some(20)); err != nil {
		return nil, nil, err
	}
	snapshot, err := image(m)
	return m, snapshot, err
}

// clip shortens what goes into a message.
func clip(b []byte) []byte { return b[:min(len(b), 60)] }
