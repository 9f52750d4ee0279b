// Package hashi runs hashicorp/raft as the second engine: its consensus, on our log and our network.
//
// It is for those who trust that library's years in production, and for comparing: a service's
// state machine, its outcomes and its operation are the same on both engines. [Start] returns a replica, an
// [Engine]. What hashicorp/raft asks its users for, and what it gets:
//
//	LogStore, StableStore  Store        one log of package walrus for both, shared by walrus/group
//	SnapshotStore          Snapshots    files, verified before they are used
//	StreamLayer            streamLayer  streams of package transport/quic, by node id
//	FSM                    replica      the service's raft.StateMachine
//	hclog.Logger           logger       log/slog
//
// The stores can be used without the engine. This is the only package that knows hashicorp/raft.
//
// # What is stored
//
// Entries are a topic of the log, with a recovery topic beside it. A batch of them is one group and one
// sync. What raft deletes at the end of its log, and puts in its place with the next call, is one record group
// too: it happened or it did not. See the comments in entry.go and stablestore.go for the bytes.
//
// # Where we do not follow the library
//
// It has been run against failing disks, and these are the findings and the answers:
//   - It goes on after a store has failed, with a wrong idea of where its log ends: after a deletion and a failed
//     store a follower can apply what was never committed, or panic. Here a store that has failed stays
//     failed, and the call in which that shows does not return: raft's goroutine is unwound, and the engine
//     ends with the reason (guard.go).
//   - It stores a vote in two calls, and a crash between them leaves a vote of the new term for the candidate of
//     the old. Here both become durable in one record.
//   - Its bootstrap is two calls; a crash between them leaves a member that will never have a
//     configuration. Here it is one record.
//   - Its VerifyLeader can be satisfied by an answer to a heartbeat from before the call, so that a read after
//     it may be stale. Here a query waits for a barrier, an entry that is committed and applied (query.go).
//   - When a follower refuses entries that were sent ahead of its answers, the goroutine that sends to it can wait for
//     ever: the follower is sent heartbeats and nothing else, and the replica cannot be shut down. Here it is
//     told (pipeline.go).
//   - When the newest snapshot is damaged it starts with an older one, even if the entries between are not in the log
//     any more. Here Start refuses that.
//   - When a state machine cannot restore a snapshot it goes on with it. Here the engine ends.
//
// # Outcomes
//
// A command is refused only if it can never take effect: it was not taken in, or its entry was not stored.
// Everything that happens later, leadership lost, shutdown, time over, is unknown. Queries change nothing, so that
// one that fails is refused.
package hashi
