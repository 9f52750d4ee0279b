// Package raft decides one order of commands among a few members, and drives
// itself through a [runtime.Env].
//
// It is in two halves that know little of each other.
//
// # The core
//
// [Core] is the algorithm and nothing else: no clock, no disk, no network, no
// randomness. It is told what happens (a message came, time passed, a write is
// durable, entries were applied), and asked by [Core.Take] what must be done about
// it. The answer, [Output], is a list of obligations:
//
//	happens                                     must be done
//	Step, Propose, Tick       ┌──────┐  Take    Events   trace them
//	Persisted, Applied   ───> │ Core │ ───────> Persist  one atomic write
//	Loaded, SnapshotSaved     └──────┘          Send     may leave at once
//	Install, SnapshotSent                       Gated    may leave after a write
//	                                            Loads, Apply, SendSnapshot, Offers
//
// The rule that Raft stands on is in the types: a message that asserts that
// something is durable (a vote, a request for votes, an acknowledgement) exists
// only as a [Gated], with the write that it waits for. A member that loses power
// before that write is done has asserted nothing. The leader's own log is no
// exception: it counts itself towards a quorum when [Core.Persisted] says so.
//
// Followed through once: a client's command is proposed to the leader's core
// and joins the log in memory. The next Take asks for two things at once, to write the
// entry and to send it to the followers: replication does not wait for the leader's disk.
// Each follower's core asks for the same write, and for an acknowledgement
// gated by it. When a majority of the members, the leader among them or not,
// has the entry durably, the leader commits it, and Take hands it over to be applied.
// A thrifty leader sends it at once only to as many as make a majority: see thrift.go.
//
// # The node
//
// [Node] implements [runtime.Node]: it carries the obligations out. Each of its
// methods changes something, tells the core, and ends in one place (settle), which takes
// the output and sees to it. What takes time is submitted to a lane and comes back
// later; the node never blocks.
//
//	lane      work                                        file
//	log       one group of writes in flight, one sync     node_log.go
//	read      old entries                                 node_read.go
//	apply     the state machine                           node_apply.go
//	snapshot  snapshot files: taken, checked, removed     node_snapshot.go, node_offer.go
//	ship      snapshot files: to peers and from them      node_ship.go, node_fetch.go
//
// Clients' calls are in node_client.go, recovery in node_boot.go, and all
// messages leave through node_send.go. Messages become frames in wire.go; snapshots
// become files in snapshotfile.go.
//
// A follower that is too far behind is offered the leader's snapshot in a message, and fetches the
// file over a shipping lane of the node's own ([transport.Shipper]): in chunks, from all
// members that have it, going on after a cut, a restart or a change of leaders with
// what is on disk. Members take snapshots at the same indices, where equal states make equal files, so
// that there mostly are several who have it. The frames of that lane go over ChannelBulk; their
// kinds, 0x10 to 0x14, tell them apart from messages and from what else a process may send there.
//
// What a client may conclude: done means that its command took effect exactly
// once and will never be lost; refused, that it did not and will not; unknown is
// everything else. A node that stops leading does not know what will
// become of the commands it took in, and says nothing until the log decides.
//
// # What fails, and how
//
// A lost, repeated, late or damaged message is nothing special. A failed read, or a
// snapshot that cannot be written, is tried again later and traced as [DiskRefused].
// When the log cannot be written or synced, nobody can say any more what is on the disk:
// the node halts in that very step, and its next boot finds out. At boot, whatever cannot be
// read or does not fit together halts the node too: it never begins with less than
// it had.
//
// The end of the log is the one place where it believes what it cannot prove. A last write that does not
// verify was torn by a loss of power, or was acknowledged and has rotted since; when the log cannot tell the two apart (the
// verdict is walrus.Uncertain) the node leaves that write out as if it were torn, and traces what it left out as
// [BootFinding]. That is legal as long as the newest claims of a log do not rot, which the contract in package faults
// grants. Who fears that they do must keep a member down whose boot found that, as it may have forgotten an acknowledgement or
// a vote: a node cannot ask its peers yet.
//
// # What can be seen
//
// Every step of consequence is an event (events.go). Votes and acknowledgements are
// traced when they leave, entries and snapshots when the disk is said to
// have them, and the chain hash of everything applied after each entry ([ChainHash]).
// Checkers judge a cluster by these alone.
//
// The package imports runtime, transport and walrus, and is pure: it knows no
// clock, file, socket or thread.
package raft
