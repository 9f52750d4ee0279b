package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/octopii-go/octopii/raft"
)

// tally counts votes: a state machine as a service writes it. A command is the name of a candidate, a question is one too,
// and the answer is how many votes that has.
//
// It depends on nothing but its commands: no clock, no randomness, no order of a map. So all replicas have the same state, and give
// the same responses.
type tally struct {
	votes map[string]int
}

func newTally() raft.StateMachine { return &tally{votes: map[string]int{}} }

// Apply implements raft.StateMachine: one response for each command. A command that makes no sense gets a response that says so; it
// is no error, since it is in the log for ever.
func (t *tally) Apply(entries []raft.Entry, results [][]byte) [][]byte {
	for _, e := range entries {
		if len(e.Data) == 0 {
			results = append(results, []byte("nobody has no name"))
			continue
		}
		t.votes[string(e.Data)]++
		results = append(results, t.Query(e.Data))
	}
	return results
}

// Query implements raft.StateMachine, and changes nothing.
func (t *tally) Query(request []byte) []byte {
	text, err := json.Marshal(t.votes[string(request)])
	if err != nil {
		panic(err) // a number can be marshalled
	}
	return text
}

// Snapshot implements raft.StateMachine. The image is written while Apply goes on, so it must not share what Apply changes: here
// it is a copy, sorted, since equal states must write equal bytes.
func (t *tally) Snapshot() (raft.Image, error) {
	var lines []line
	for _, name := range slices.Sorted(maps.Keys(t.votes)) {
		lines = append(lines, line{name, t.votes[name]})
	}
	return &image{lines}, nil
}

// Restore implements raft.StateMachine. What was in the state before is gone.
func (t *tally) Restore(r io.Reader) error {
	var lines []line
	if err := json.NewDecoder(r).Decode(&lines); err != nil {
		return err
	}
	t.votes = map[string]int{}
	for _, l := range lines {
		t.votes[l.Name] = l.Votes
	}
	return nil
}

// line is a candidate in a snapshot.
type line struct {
	Name  string
	Votes int
}

// image is a captured tally.
type image struct{ lines []line }

// WriteTo implements raft.Image.
func (g *image) WriteTo(w io.Writer) (int64, error) {
	text, err := json.Marshal(g.lines)
	if err != nil {
		return 0, err
	}
	return bytes.NewReader(text).WriteTo(w)
}

// Release implements raft.Image.
func (g *image) Release() {}
