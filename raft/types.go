package raft

import (
	"strconv"

	"github.com/octopii-go/octopii/runtime"
)

// Term numbers elections. Zero is before the first.
type Term uint64

// Index numbers log entries from 1. Zero is before the first.
type Index uint64

// WriteID numbers the writes a core asks for, from 1, without gaps, within one boot.
type WriteID uint64

// Role is what a member is at the moment.
type Role uint8

// The roles.
const (
	Follower Role = iota
	PreCandidate
	Candidate
	Leader
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case Follower:
		return "follower"
	case PreCandidate:
		return "pre-candidate"
	case Candidate:
		return "candidate"
	case Leader:
		return "leader"
	}
	return "role(" + strconv.Itoa(int(r)) + ")"
}

// EntryType says what an entry is for. The values are on disk and on the wire.
type EntryType uint8

// The entry types.
const (
	EntryCommand EntryType = iota + 1 // a command for the state machine
	EntryNoop                         // a new leader's first entry; the state machine does not see it
	EntryQuery                        // a question to the state machine, which does not change it
)

// Entry is one slot of the log. Data is immutable once the entry exists.
type Entry struct {
	Index Index
	Term  Term
	Type  EntryType
	Data  []byte
}

// Hash returns the entry hash that events carry: over type and data, not
// over the place in the log.
func (e *Entry) Hash() uint64 { return HashEntry(e.Type, e.Data) }

// HashEntry returns the entry hash of an entry with that type and data.
func HashEntry(t EntryType, data []byte) uint64 {
	return runtime.HashBytes(runtime.Mix(0, uint64(t)), data)
}

// HardState is what must be durable before a message that depends on it leaves.
type HardState struct {
	Term        Term
	Vote        runtime.NodeID // in Term; zero: none
	Incarnation uint64         // drawn when the disk was initialised
}

// SnapshotMeta identifies a snapshot: the state after applying Index.
type SnapshotMeta struct {
	Index Index
	Term  Term   // of the entry at Index
	Chain uint64 // chain hash at Index
	Hash  uint64 // of the file's content
	Size  uint64 // of the file, in bytes
}

// MessageType says what a message asks or answers. The values are on the wire.
type MessageType uint8

// The message types and the fields each uses, beside From, To and Term.
const (
	// MsgPreVote asks whether a vote in Term would be granted. Index, LogTerm: the
	// asker's last entry. Seq: the round.
	MsgPreVote MessageType = iota + 1
	// MsgPreVoteReply answers. Reject; Seq: the round asked in. Term: the asked
	// term when granted, else the replier's own.
	MsgPreVoteReply
	// MsgVote asks for a vote in Term. Index, LogTerm: the candidate's last entry.
	MsgVote
	// MsgVoteReply answers. Reject. Index, LogTerm: as in the request.
	MsgVoteReply
	// MsgAppend carries Entries to follow Index of LogTerm, and the leader's
	// Commit. Without entries it is a probe. Seq: the send's number, echoed.
	MsgAppend
	// MsgAppendReply answers. Index: the match, durable; when Reject, Index and
	// LogTerm hint where the logs may agree. Seq: as in the append.
	MsgAppendReply
	// MsgHeartbeat keeps followers quiet. Commit: at most what the follower is
	// known to hold. Seq: the round.
	MsgHeartbeat
	// MsgHeartbeatReply answers. Seq: as in the heartbeat. Index: how far the
	// follower knows its log, in memory, to be the leader's: a hint of what was
	// lost on the way, not an acknowledgement.
	MsgHeartbeatReply
	// MsgSnapshot offers a snapshot, to be fetched: Snapshot; Digest: the hash of its file, as the shipping
	// lane names it. Index: the snapshot's. Seq: the number of the offer.
	MsgSnapshot
	// MsgSnapshotReply answers. Index: the snapshot's; Offset: how many bytes the receiver has, all when the
	// snapshot stands in its log; Reject: it does not want it, its commit is at Commit.
	MsgSnapshotReply
)

// Message is one message between members. Which fields count depends on Type.
type Message struct {
	Type     MessageType
	Reject   bool
	From, To runtime.NodeID
	Term     Term
	Index    Index
	LogTerm  Term
	Commit   Index
	Seq      uint64
	Entries  []Entry
	Snapshot SnapshotMeta
	Digest   uint64
	Offset   uint64
}
