package raft

import (
	"io"

	"github.com/octopii-go/octopii/runtime"
)

// StateMachine is what a service replicates. A node makes one at each boot and
// from then on uses it on its apply lane only, one call at a time.
//
// Package raft/fsmtest checks whether an implementation keeps its promises.
//
// A state machine that keeps files is also a [Storer], one that wants to know
// which of its past is not needed any more a [Compactor].
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

	// Query answers a question from the state as of the last Apply and changes
	// nothing. A query has a place in the log like a command, so its answer is
	// linearizable, and every replica gives it. The caller owns the
	// answer from then on; request is immutable and may be kept.
	Query(request []byte) []byte

	// Snapshot captures the state as of the last Apply, cheaply: the image is
	// written on another lane while applying goes on. After an error
	// the node tries again later.
	Snapshot() (Image, error)

	// Restore replaces the state by what Image.WriteTo wrote, and need not read
	// further than that. After an error the state machine is unusable and the node
	// halts.
	Restore(r io.Reader) error
}

// Storer is a StateMachine that keeps files.
type Storer interface {
	StateMachine
	// Open gives the state machine a folder of its own, which exists, once in
	// each life and before anything else. Files may be used in the state
	// machine's methods from then on, but not in those of an Image. What an earlier life
	// left in the folder is there, as far as that life has synced it; the node does not
	// rely on it: it restores the newest snapshot and applies what follows.
	// After an error the node halts.
	Open(files runtime.FS, dir string) error
}

// Compactor is a StateMachine that wants to know when a snapshot is there to
// stay.
type Compactor interface {
	StateMachine
	// Compact says that a snapshot at index is durable and will be what the next
	// Restore brings, unless a newer one is: nothing from before it is asked for
	// again. It comes after the Apply of index or the Restore of a snapshot there or later. After an error the node goes on,
	// and says more at its next snapshot.
	Compact(index Index) error
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
