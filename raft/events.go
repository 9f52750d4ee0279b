package raft

import "github.com/octopii-go/octopii/runtime"

// The events a node traces. Those named Placed are claims: what they say of
// the disk is for an oracle to doubt. Those of sends (VoteAsked, VoteGranted,
// Acked) come when the message leaves, not when it is decided.
const (
	// Started: the core begins after recovery with term A and vote B; C is the index of the snapshot it stands on, D its last index.
	Started runtime.EventKind = 0x51ed9e8d
	// Recovered: entry A of term B with entry hash C was found in the log at boot.
	Recovered runtime.EventKind = 0xbbbd0835
	// BootFinding: recovery of the log says verdict A (a walrus.Verdict) of C bytes at B in the file named by the note; no note: a file is missing.
	BootFinding runtime.EventKind = 0x79575c74
	// StateChanged: the term and vote in memory are now A and B.
	StateChanged runtime.EventKind = 0x6fec588c
	// RoleChanged: the role is now A in term B; C and D are the log's last index and term. For a leader the note lists the voters that granted, 8 bytes little endian each.
	RoleChanged runtime.EventKind = 0x8889e6e5
	// VoteAsked: a vote request of term A leaves the node; B and C are its last index and term; D is 1 for a pre-vote.
	VoteAsked runtime.EventKind = 0xbe2e4255
	// VoteGranted: a granted vote for term A leaves the node for candidate B, whose last index and term are C and D.
	VoteGranted runtime.EventKind = 0x37074882
	// PreVoteGranted: as VoteGranted, for a pre-vote, which binds nobody.
	PreVoteGranted runtime.EventKind = 0xbe754ef3
	// Appended: entry A of term B with entry hash C joins the log in memory; D is the term of the entry before.
	Appended runtime.EventKind = 0x4d460a39
	// Truncated: entries from A on leave the log in memory, for a conflict found in term B.
	Truncated runtime.EventKind = 0xf8aaa34a
	// Acked: a successful append reply leaves for leader A: the log holds everything up to C durably, in term B.
	Acked runtime.EventKind = 0xaada4c78
	// Matched: the leader of term C learnt that the log of A matches its own up to B. Its own writes count the same way.
	Matched runtime.EventKind = 0x8aa0b2b8
	// Rewound: the leader of term C goes back to send to A from entry B on.
	Rewound runtime.EventKind = 0x2f4da2ac
	// Spared: the leader of term C, to whom A has acknowledged everything up to B, lets entries for A gather from now on.
	Spared runtime.EventKind = 0xa18d97e5
	// Hedged: the leader of term C spares nobody until its next heartbeat, as entries A to B have not been committed in time.
	Hedged runtime.EventKind = 0xf38d0d6b
	// Committed: the commit index is now A, in term B, with role C; D is the last index known to match the leader's log.
	Committed runtime.EventKind = 0x58a5024a
	// Proposed: call A became the entry at index B of term C with entry hash D.
	Proposed runtime.EventKind = 0x0c8da1da
	// Applied: entry A of term B with entry hash D was applied; C is the chain hash of everything applied so far and its results.
	Applied runtime.EventKind = 0xd0c03015
	// SnapshotTaken: a snapshot of the state at index A, term B is complete on disk; C is the chain hash there and D the hash of its content.
	SnapshotTaken runtime.EventKind = 0x343c05c2
	// SnapshotInstalled: a snapshot, received or found at boot, replaced the state; fields as in SnapshotTaken.
	SnapshotInstalled runtime.EventKind = 0x51dd5d4b
	// Compacted: entries before A have left the log; the durable snapshot is at B.
	Compacted runtime.EventKind = 0x690a140c
	// EntryPlaced: claim: the payload of entry A of term B is durable in the file named by the note, at offset C, D bytes long.
	EntryPlaced runtime.EventKind = 0x097aea02
	// StatePlaced: claim: the hard state with term A and vote B is durable in the file named by the note, at offset C, D bytes long.
	StatePlaced runtime.EventKind = 0x1f3cb50d
	// SnapshotPlaced: claim: the snapshot at index A, term B, with content hash C is durable as the whole file named by the note, D bytes long.
	SnapshotPlaced runtime.EventKind = 0xae6f4602
	// FrameRefused: a frame of B bytes from A was not a valid message and was dropped.
	FrameRefused runtime.EventKind = 0x8057e688
	// DiskRefused: a job on lane A failed in a way the node survives; the note is the error.
	DiskRefused runtime.EventKind = 0x21ad93b8
)

// Events describes the events of this package.
var Events = []runtime.EventInfo{
	{Kind: Started, Name: "raft.started", Text: "term {A} vote {B:n} log ({C},{D}]"},
	{Kind: Recovered, Name: "raft.recovered", Text: "index {A} term {B} hash {C:x}"},
	{Kind: BootFinding, Name: "raft.boot-finding", Text: "verdict {A}: {C} bytes at {B} in {note}"},
	{Kind: StateChanged, Name: "raft.state-changed", Text: "term {A} vote {B:n}"},
	{Kind: RoleChanged, Name: "raft.role-changed", Text: "role {A} term {B} last {C}/{D}"},
	{Kind: VoteAsked, Name: "raft.vote-asked", Text: "term {A} last {B}/{C} pre {D}"},
	{Kind: VoteGranted, Name: "raft.vote-granted", Text: "term {A} to {B:n} whose last is {C}/{D}"},
	{Kind: PreVoteGranted, Name: "raft.prevote-granted", Text: "term {A} to {B:n} whose last is {C}/{D}"},
	{Kind: Appended, Name: "raft.appended", Text: "index {A} term {B} hash {C:x} after term {D}"},
	{Kind: Truncated, Name: "raft.truncated", Text: "from index {A} in term {B}"},
	{Kind: Acked, Name: "raft.acked", Text: "to {A:n} term {B} match {C}"},
	{Kind: Matched, Name: "raft.matched", Text: "{A:n} at {B} in term {C}"},
	{Kind: Rewound, Name: "raft.rewound", Text: "{A:n} to {B} in term {C}"},
	{Kind: Spared, Name: "raft.spared", Text: "{A:n}, who has {B}, in term {C}"},
	{Kind: Hedged, Name: "raft.hedged", Text: "{A} to {B} in term {C}"},
	{Kind: Committed, Name: "raft.committed", Text: "{A} in term {B} role {C} verified {D}"},
	{Kind: Proposed, Name: "raft.proposed", Text: "call {A} at {B} term {C} hash {D:x}"},
	{Kind: Applied, Name: "raft.applied", Text: "index {A} term {B} chain {C:x} hash {D:x}"},
	{Kind: SnapshotTaken, Name: "raft.snapshot-taken", Text: "at {A} term {B} chain {C:x} content {D:x}"},
	{Kind: SnapshotInstalled, Name: "raft.snapshot-installed", Text: "at {A} term {B} chain {C:x} content {D:x}"},
	{Kind: Compacted, Name: "raft.compacted", Text: "first kept {A}, snapshot at {B}"},
	{Kind: EntryPlaced, Name: "raft.entry-placed", Text: "index {A} term {B} in {note} at {C}+{D}"},
	{Kind: StatePlaced, Name: "raft.state-placed", Text: "term {A} vote {B:n} in {note} at {C}+{D}"},
	{Kind: SnapshotPlaced, Name: "raft.snapshot-placed", Text: "at {A} content {C:x} in {note}, {D} bytes"},
	{Kind: FrameRefused, Name: "raft.frame-refused", Text: "from {A:n}, {B} bytes"},
	{Kind: DiskRefused, Name: "raft.disk-refused", Text: "lane {A}: {note}"},
}
