package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/octopii-go/octopii/faults"
)

// row is a run as --json prints it.
type row struct {
	Scenario  string            `json:"scenario"`
	Seed      uint64            `json:"seed"`
	Faults    string            `json:"faults"`
	Nodes     int               `json:"nodes"`
	Result    string            `json:"result"` // a class
	Digest    string            `json:"digest"` // in hex
	Ops       rowOps            `json:"ops"`
	Steps     uint64            `json:"steps"`
	VirtualNs int64             `json:"virtual_ns"`
	WallNs    int64             `json:"wall_ns"`
	Injected  map[string]uint64 `json:"injected"` // every kind that was asked for or fired
	Violation *rowViolation     `json:"violation"`
}

type rowOps struct {
	Done    int `json:"done"`
	Refused int `json:"refused"`
	Unknown int `json:"unknown"`
}

type rowViolation struct {
	Signature string   `json:"signature"`
	Text      string   `json:"text"`
	AtNs      int64    `json:"at_ns"`
	Step      uint64   `json:"step"`
	Node      uint64   `json:"node"` // zero: none in particular
	Events    []string `json:"events,omitempty"`
	Stack     string   `json:"stack,omitempty"`
	SeedFile  string   `json:"seed_file,omitempty"`
}

// rowOf describes a run that ended; seedFile is where its seed was left.
func rowOf(e ended, seedFile string) row {
	r := row{
		Scenario: e.setup.Scenario, Seed: e.setup.Seed, Faults: e.setup.Faults.String(), Nodes: e.setup.Nodes,
		Result: e.Class.String(), Digest: fmt.Sprintf("%016x", e.Digest),
		Ops:   rowOps{Done: e.Ops.Done, Refused: e.Ops.Refused, Unknown: e.Ops.Unknown},
		Steps: e.Steps, VirtualNs: e.Virtual.Nanoseconds(), WallNs: e.Wall.Nanoseconds(),
		Injected: map[string]uint64{},
	}
	for _, k := range e.setup.Faults.Enabled() {
		r.Injected[k.String()] = e.Fired[k]
	}
	e.Fired.Each(func(k faults.Kind, n uint64) { r.Injected[k.String()] = n })
	if p := e.Problem; p != nil {
		r.Violation = &rowViolation{
			Signature: p.Signature, Text: p.Text, AtNs: p.At.Nanoseconds(), Step: p.Step, Node: uint64(p.Node),
			Events: p.Story, Stack: p.Stack, SeedFile: seedFile,
		}
	}
	return r
}

// printJSON prints a value as a line of JSON.
func printJSON(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
