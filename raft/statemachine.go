package raft

import "io"

// StateMachine is what a service replicates. Its methods are called on the
// node's apply lane, one at a time. They must depend on nothing but their
// arguments and the state they built: no clock, no randomness, no order of a map.
type StateMachine interface {
	// Apply executes committed commands in order and appends one response per
	// entry to results, which it returns. The caller owns the responses from
	// then on. Data of an entry is immutable and may be kept.
	Apply(entries []Entry, results [][]byte) [][]byte

	// Snapshot captures the state as of the last Apply, cheaply: the image is
	// written on another lane while applying goes on.
	Snapshot() (Image, error)

	// Restore replaces the state by what Image.WriteTo wrote. After an error
	// the state machine is unusable and the node halts.
	Restore(r io.Reader) error
}

// Image is a captured state. It is used on one lane, once.
type Image interface {
	// WriteTo writes the state. Equal states write equal bytes on every
	// replica: snapshots are compared by hash.
	io.WriterTo
	// Release ends the image's life. It is called exactly once.
	Release()
}
