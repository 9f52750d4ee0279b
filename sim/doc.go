// Package sim runs nodes in virtual time, from one seed.
//
// A [World] is a single-threaded scheduler with one queue of events. It holds
// machines, each with a disk and a clock that outlive the processes it runs, a network
// between them, clients that call them, and a nemesis that breaks all of it
// as a faults.Spec says. Nothing in a world depends on anything outside of it: the same
// seed, spec and driver give the same events, in the same order, on any
// computer, and [World.Digest] is a hash of them all. Worlds in one program
// never touch each other; each belongs to one goroutine at a time.
//
// # Choices
//
// Whatever is left to chance is a named choice (faults.Site): how long a sync
// takes, whether a frame is dropped, which of two events at the same instant
// comes first. A draw at one site never shifts another's, so that a run stays
// recognisably the same when a dial is turned or one choice is overridden.
//
// # Disk
//
// A file has bytes as reads see them, and bytes that the device holds. A write changes
// the first; a sync brings the second up to date. The end of a process, by a kill
// or by Halt, leaves the first as they are; a loss of power leaves, of
// every sector written since its last sync, the old bytes, the new ones, part of them, or
// noise where bytes were written; never a change of bytes that were not written.
// Names work the same way, with SyncDir. A failed sync leaves its pages
// clean: no later sync writes them, though reads may still show them.
// Every file call takes time, and a crash may strike before it, at it or after it.
//
// # Network
//
// Frames are carried each on its own: late, out of order, twice, damaged, or not at
// all. A partition cuts a direction of a link when a frame is sent, and when it arrives.
//
// The package knows nothing of Raft or logs. It must never import the clock
// functions of time, anything that starts a thread, or what a node is made of.
package sim
