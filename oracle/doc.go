// Package oracle judges a trace. A [Suite] sees every record of a run once, as
// it happens, and keeps the first [Violation] it finds.
//
// What an oracle goes by:
//   - The records of package runtime (what the world did, what clients asked and
//     were told) and of package raft (what the nodes say they did).
//   - An [Image], which says what a disk would still hold after any power loss that the
//     rules of the disk allow. What a node says of its own disk is a claim; the
//     image is asked whether it is true, once, when it is made. A world without
//     one (production) leaves those questions open; [Suite.Counts] says how many.
//   - A [Model], which replays the committed commands and says what the answers
//     should have been.
//
// What it never does: import the simulator, ask which faults were injected,
// forgive anything because of one, learn from the system under test what is
// true, or stand aside. There is no switch to turn a rule off.
//
// The rules are the table [Rules]. Each belongs to one oracle, which has a file
// of its own:
//
//	ElectionOracle    election.go   who leads, who voted, and what of it was durable
//	LogOracle         log.go        entries: one history of the log, nothing comes back
//	                  commit.go     what may be called committed, and acknowledged
//	                  claims.go     what is said to be on disk is there
//	                  recovery.go   what comes back at boot is what was written
//	StateOracle       state.go      what is applied: the same everywhere, once, in order
//	                  snapshot.go   snapshots and compaction
//	DurabilityOracle  durability.go what clients were told, against what was committed
//	LinearOracle      linear.go     answers against the model; judge.go asks porcupine
//	ProgressOracle    progress.go   does anything happen; finish.go is the end of a run
//
// Services other than raft's have a suite each, with rules of its own: [RPCSuite],
// [ShipSuite], and [WalSuite] for logs that stand alone.
//
// All of the oracles above share one ghost history (history.go), which no crash touches. It
// forgets nothing that a node could still refer to: entries go once every
// member's log on disk begins after them. Until then an entry costs 56 bytes,
// however many members and calls have to do with it; a member's log costs 16
// bytes per change of term. A call costs about 200 bytes and its request, and is
// forgotten once its fate is settled.
//
// The package is pure, with one exception: porcupine, which judge.go asks about
// histories, starts goroutines of its own. It is bounded by steps, not by time, so
// that its verdict depends on nothing but the history.
package oracle
