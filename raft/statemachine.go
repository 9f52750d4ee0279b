package raft

import (
	"io"

	"github.com/octopii-go/octopii/runtime"
)

// StateMachine is what a service replicates. A node makes one at each boot and
// from then on uses it on its apply lane only, one call at a time.
//
// The implementation promises:
//   - to depend on nothing but its arguments and the state they built: no clock,
//     no randomness, no order of a map. Replicas are compared after every entry,
//     state and responses alike, and one that differs is a violation;
//   - never to fail a command: what cannot be executed gets a response that says so.
//
// The node promises:
//   - to apply every committed command exactly once, in the order of the log,
//     counted from the state last restored;
//   - to call Restore on a state that may have been in use, at boot or when a
//     leader's snapshot replaces it.
type StateMachine interface {
	// Apply executes committed commands in order and appends one response per
	// entry to results, which it returns. The caller owns the responses from
	// then on, but not the results slice. Data of an entry is immutable and may be
	// kept; it may share memory with the data of its neighbours.
	Apply(entries []Entry, results [][]byte) [][]byte

	// Snapshot captures the state as of the last Apply, cheaply: the image is
	// written on another lane while applying goes on. After an error
	// the node tries again later.
	Snapshot() (Image, error)

	// Restore replaces the state by what Image.WriteTo wrote, and need not read
	// further than that. After an error the state machine is unusable and the node
	// halts.
	Restore(r io.Reader) error
}

// Image is a captured state. It is used on one lane, once, while the state
// machine that it came from goes on elsewhere.
type Image interface {
	// WriteTo writes the state. Equal states write equal bytes on every
	// replica: snapshots are compared by hash.
	io.WriterTo
	// Release ends the image's life. It is called exactly once, unless the node dies.
	Release()
}

// ChainHash returns the chain hash after an entry: a hash of every entry up to
// it and of every response, on which all replicas must agree. previous is the chain hash
// after the entry before, zero at the beginning; entry is [Entry.Hash], response
// is runtime.HashBytes(0, response), of no bytes for an entry that the state
// machine does not see.
func ChainHash(previous uint64, index Index, term Term, entry, response uint64) uint64 {
	h := runtime.Mix(previous, uint64(index))
	h = runtime.Mix(h, uint64(term))
	h = runtime.Mix(h, entry)
	return runtime.Mix(h, response)
}
