package raft

import "github.com/octopii-go/octopii/runtime"

// Output is what the core obliges its driver to do, in this order: trace
// Events, begin Persist, send Send, and when that write is durable report it
// with Core.Persisted, which may release further messages.
//
// Messages that assert that something is durable (votes, vote requests,
// acknowledgements) are in Gated and nowhere else: each leaves only after the
// write it names. A driver that loses power before has asserted nothing.
//
// The slices belong to the core and are valid until its next method call.
type Output struct {
	Events  []runtime.Event
	Persist *Write // nil: nothing to write
	Send    []Message
	Gated   []Gated
	Loads   []Load // old entries to read from the log
	// Apply are the next committed entries, contiguous with those given before,
	// for the state machine. The driver reports with Core.Applied.
	Apply []Entry
	// SendSnapshot names peers whose next entries are no longer in the log.
	// The driver streams its newest snapshot to each as MsgSnapshot.
	SendSnapshot []runtime.NodeID
	// Chunks are parts of a snapshot that the leader of this term sends. The
	// driver stores and answers them, and calls Core.Install with the last one.
	Chunks []Message
}

// Gated is a message that may leave once the write is durable. Write zero
// means that nothing is waited for.
type Gated struct {
	Write   WriteID
	Message Message
}

// Write is one atomic change of the log: all of it becomes durable, or none.
// Within it, truncation comes first.
type Write struct {
	ID WriteID
	// State is the hard state, if HasState.
	State    HardState
	HasState bool
	// Reset, if not nil, replaces the whole log by a snapshot that is durable
	// already: the next entry follows its index. Entries are as below.
	Reset *SnapshotMeta
	// Compact, if not nil, records a durable snapshot, and lets the entries
	// before First go.
	Compact *SnapshotMeta
	First   Index
	// TruncateFrom drops the entries from that index on; zero drops nothing.
	TruncateFrom Index
	Entries      []Entry
}

// Load asks for entries [Lo, Hi) from the log, as many from Lo on as fit in
// MaxBytes but at least one. The driver answers with Core.Loaded or
// Core.Unreadable.
type Load struct {
	ID       uint64
	Lo, Hi   Index
	MaxBytes int
}
