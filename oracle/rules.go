package oracle

import "strconv"

// Class says what kind of failure a violation is.
type Class uint8

// The classes. The zero Class is invalid.
const (
	Safety   Class = iota + 1 // something happened that must never happen
	Liveness                  // something that must happen did not
	Panic                     // a node's own code gave up
	Vacuous                   // a check that passed because it saw nothing
)

// String returns the class's name.
func (c Class) String() string {
	switch c {
	case Safety:
		return "safety"
	case Liveness:
		return "liveness"
	case Panic:
		return "panic"
	case Vacuous:
		return "vacuous"
	}
	return "class(" + strconv.Itoa(int(c)) + ")"
}

// Rule is one thing that must hold in every run.
type Rule struct {
	Oracle string // who judges it
	Name   string // with Oracle, the signature of its violations
	Code   string // the invariant's short name in the literature of this project
	Class  Class
	Text   string
}

// Signature returns the name by which failures of the rule are told apart,
// such as "durability/acked-lost".
func (r Rule) Signature() string { return r.Oracle + "/" + r.Name }

// Rules returns all rules, each with what it says.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

// rule is an index into rules.
type rule uint8

const (
	malformed rule = iota

	electionSafety
	electionTerm
	electionVoteChanged
	electionVoteTwice
	electionVoteDurable
	electionTermDurable
	electionBehind
	electionQuorum
	electionUnled
	electionTransition
	electionUncampaigned
	electionDeposed
	electionPreQuorum
	electionLast
	electionClaim

	logMatching
	logShape
	logAppendOnly
	logNoop
	logCompleteness
	logCommittedChanged
	logTruncatedCommitted
	logQuorum
	logCommitRule
	logCommitRegressed
	logCommitUnverified
	logCommitBeyond
	logMatchUntrue
	logMatchRegressed
	logRewound
	logAckDurable
	logClaim
	logClaimUnknown
	logRecoveredLost
	logRecoveredExtra
	logRecoveredMixed

	stateOrder
	stateUncommitted
	stateDiverged
	stateWrong
	stateSnapshotEarly
	stateSnapshotChain
	stateSnapshotContent
	stateSnapshotClaim
	stateInstallRegressed
	stateCompactedEarly
	stateGap

	durabilityLost
	durabilityEarly
	durabilityNowhere
	durabilityRefused
	durabilityTwice
	durabilityPhantom
	durabilityOrder
	durabilityAnswers
	durabilityForwarded

	linearBroken
	linearUndecided

	progressStuck
	progressLeaderless
	progressRestless
	progressPanic
	progressUnanswered
	progressNothing
	progressUnseen

	ruleCount
)

// rules is read-only.
var rules = [ruleCount]Rule{
	malformed: {"trace", "malformed", "X3", Safety, "records make sense: of known members, after their boot, about calls that were made"},

	electionSafety:       {"election", "two-leaders", "E1", Safety, "at most one node ever leads a term, and once"},
	electionTerm:         {"election", "term-regressed", "E2", Safety, "a term never falls, in memory or across a restart"},
	electionVoteChanged:  {"election", "vote-changed", "E3", Safety, "the vote of a term, once given, stays, in memory and across a restart"},
	electionVoteTwice:    {"election", "vote-twice", "E3", Safety, "all votes a node grants in a term name one candidate"},
	electionVoteDurable:  {"election", "vote-not-durable", "E4", Safety, "a vote leaves, or counts for its own candidate, when it is durable"},
	electionTermDurable:  {"election", "term-not-durable", "E7", Safety, "a request for votes or an acknowledgement leaves when its term is durable"},
	electionBehind:       {"election", "vote-for-behind", "E5", Safety, "nobody votes for a candidate whose log is behind its own"},
	electionQuorum:       {"election", "no-quorum", "E6", Safety, "a leader has the granted votes of a majority"},
	electionUnled:        {"election", "unled-term", "E8", Safety, "an entry's term had a leader when the entry was made"},
	electionUncampaigned: {"election", "term-from-nowhere", "E9", Safety, "nobody goes to a term in which nobody has stood for election"},
	electionDeposed:      {"election", "leader-pre-votes", "V8", Safety, "a leader does not help to depose itself"},
	electionPreQuorum:    {"election", "no-pre-quorum", "E6", Safety, "a candidate has the pre-votes of a majority, granted since it asked last"},
	electionTransition:   {"election", "transition", "E10", Safety, "roles change along the allowed edges only"},
	electionLast:         {"election", "last-entry", "E5", Safety, "a candidate names the last entry of its log"},
	electionClaim:        {"election", "claim", "E4", Safety, "a hard state said to be durable is"},

	logMatching:           {"log", "matching", "L1", Safety, "index and term determine an entry and the term before it, everywhere, for ever"},
	logShape:              {"log", "shape", "L2", Safety, "indices are contiguous, terms never fall"},
	logNoop:               {"log", "no-op-missing", "C1", Safety, "a leader's first entry has no command, so that what came before can commit"},
	logAppendOnly:         {"log", "append-only", "L3", Safety, "a leader only appends, entries of its own term"},
	logCompleteness:       {"log", "completeness", "L4", Safety, "a leader has every entry committed in an earlier term"},
	logCommittedChanged:   {"log", "committed-changed", "L5", Safety, "what is committed at an index is the same for everyone, for ever"},
	logTruncatedCommitted: {"log", "truncated-committed", "L7", Safety, "a log is never cut at or below its own commit index, nor at any committed entry"},
	logQuorum:             {"log", "quorum", "L9", Safety, "a majority of disks holds every committed entry"},
	logCommitRule:         {"log", "commit-rule", "C1", Safety, "a leader commits up to an entry of its own term that is durable on a majority"},
	logCommitRegressed:    {"log", "commit-regressed", "C3", Safety, "a commit index never falls within a boot"},
	logCommitUnverified:   {"log", "commit-unverified", "C5", Safety, "a follower commits what it verified and a leader committed"},
	logCommitBeyond:       {"log", "commit-beyond-log", "L8", Safety, "a commit index is within the log"},
	logMatchUntrue:        {"log", "match-untrue", "C4", Safety, "what a leader takes for matched is durable at the peer"},
	logMatchRegressed:     {"log", "match-regressed", "C6", Safety, "a match never falls within a term"},
	logRewound:            {"log", "rewound", "C8", Safety, "nothing that a peer has acknowledged in a term is sent to it again"},
	logAckDurable:         {"log", "ack-not-durable", "C7", Safety, "an acknowledgement leaves when everything it covers is durable"},
	logClaim:              {"log", "claim", "C7", Safety, "an entry said to be durable is, byte for byte"},
	logClaimUnknown:       {"log", "claim-unknown", "D2", Safety, "what is said to be durable was written, and in order"},
	logRecoveredLost:      {"log", "recovered-lost", "D2", Safety, "every durable entry comes back at boot"},
	logRecoveredExtra:     {"log", "recovered-extra", "D2", Safety, "no truncated entry comes back at boot, nor one that was never there"},
	logRecoveredMixed:     {"log", "recovered-mixed", "D2", Safety, "log and hard state come back as they were at one moment"},

	stateOrder:            {"state", "order", "L6", Safety, "entries are applied one after the other, without gaps or repeats"},
	stateUncommitted:      {"state", "uncommitted", "L6", Safety, "what is applied is the committed entry"},
	stateDiverged:         {"state", "diverged", "K5", Safety, "the chain hash at an index is the same everywhere"},
	stateWrong:            {"state", "wrong-result", "K1", Safety, "the result of an entry is the model's"},
	stateSnapshotEarly:    {"state", "snapshot-early", "L8", Safety, "a snapshot's index was applied by the node that took it"},
	stateSnapshotChain:    {"state", "snapshot-chain", "S1", Safety, "a snapshot's term and chain hash are those of its index"},
	stateSnapshotContent:  {"state", "snapshot-content", "S1", Safety, "snapshots of an index are equal, and are the state that the commands make"},
	stateSnapshotClaim:    {"state", "snapshot-claim", "S3", Safety, "a snapshot said to be durable is, and is whole"},
	stateInstallRegressed: {"state", "install-regressed", "S2", Safety, "a snapshot never takes the state back"},
	stateCompactedEarly:   {"state", "compacted-early", "S5", Safety, "entries go only under a durable snapshot"},
	stateGap:              {"state", "gap", "S4", Safety, "the log begins at most one entry after the snapshot"},

	durabilityLost:      {"durability", "acked-lost", "D1", Safety, "what a client was told is done stays, through everything"},
	durabilityEarly:     {"durability", "acked-early", "K4", Safety, "a client is told done when its entry is committed"},
	durabilityNowhere:   {"durability", "acked-nowhere", "K4", Safety, "what a client is told is done became an entry"},
	durabilityRefused:   {"durability", "refused-committed", "K3", Safety, "what a client was told is refused never happens"},
	durabilityTwice:     {"durability", "twice", "K2", Safety, "a call becomes one entry, and an entry is one call's"},
	durabilityPhantom:   {"durability", "phantom", "K4", Safety, "every committed command is what a client asked for"},
	durabilityOrder:     {"durability", "order", "K1", Safety, "a call made after another was done comes after it in the log"},
	durabilityAnswers:   {"durability", "answered-twice", "K4", Safety, "a call is answered once"},
	durabilityForwarded: {"durability", "forwarded-on", "K2", Safety, "a call is forwarded by the node it was made at, and no further"},

	linearBroken:    {"linear", "broken", "K1", Safety, "answers are those of one order of the calls, true to time"},
	linearUndecided: {"linear", "undecided", "K1", Safety, "whether they are was decided"},

	progressUnanswered: {"progress", "unanswered", "V5", Liveness, "a node that lives answers a call whose entry it has applied"},
	progressStuck:      {"progress", "stuck", "V3", Liveness, "after the heal the core commits and converges in time"},
	progressLeaderless: {"progress", "leaderless", "V1", Liveness, "after the heal the core elects a leader within a few election timeouts"},
	progressRestless:   {"progress", "restless", "V14", Liveness, "a core with nothing to do keeps its leader, and sends no more than heartbeats and probes"},
	progressPanic:      {"progress", "panic", "X3", Panic, "no node panics"},
	progressNothing:    {"progress", "nothing-done", "V0", Vacuous, "some client was told that something is done"},
	progressUnseen:     {"progress", "nothing-seen", "V0", Vacuous, "every oracle saw something to judge"},
}
