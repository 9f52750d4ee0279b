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
// The slices, and the Write, belong to the core and are valid until its next
// method call (Deadline, Status and Void excepted). Payloads are immutable and
// may be kept.
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
	// The driver offers its newest snapshot to each by MsgSnapshot, and ends
	// each transfer with Core.SnapshotSent, also one that it gives up.
	SendSnapshot []runtime.NodeID
	// Offers are snapshots that the leader of this term offers. The driver answers them,
	// fetches what it needs, and calls Core.Install when it has it.
	Offers []Message
}

// Gated is a message that may leave once the write, and all before it, are
// durable and reported by Core.Persisted. Write zero means that nothing is
// waited for. Just before it leaves the driver asks Core.Void, and drops it if so:
// a later term may have truncated what it acknowledges, in the same sync.
//
// Of several successful append replies to one peer that may leave at once, the
// last says all; a driver may send just that one.
type Gated struct {
	Write   WriteID
	Message Message
}

// Write is one atomic change of the log: all of it becomes durable, or none.
// The parts take effect in this order: Reset, TruncateFrom, Entries, Compact.
type Write struct {
	ID WriteID
	// State is the hard state, if HasState.
	State    HardState
	HasState bool
	// Reset, if not nil, replaces the whole log by a snapshot that is durable
	// already: the next entry follows its index.
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
