package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// ruleCase is a trace and what it must lead to: the signature of a violation,
// or nothing. The traces that break a rule stand beside ones that just do not.
type ruleCase struct {
	name string
	want string
	run  func(tr *trace)
}

// fresh runs the case on three nodes that have just booted with empty disks.
func (c ruleCase) fresh(t *testing.T) {
	c.from(t, func(t *testing.T) *trace { tr := newTrace(t); tr.boot(1, 2, 3); return tr })
}

// settled runs it on a cluster with a leader and a no-op committed.
func (c ruleCase) settled(t *testing.T) { c.from(t, func(t *testing.T) *trace { return cluster(t) }) }

func (c ruleCase) from(t *testing.T, begin func(*testing.T) *trace) {
	t.Run(c.name, func(t *testing.T) {
		tr := begin(t)
		c.run(tr)
		tr.want(c.want)
	})
}

// Every rule is broken by some case.
func TestEveryRuleHasACaseThatBreaksIt(t *testing.T) {
	broken := map[string]bool{}
	for _, table := range [][]ruleCase{electionCases, logCases, commitCases, recoveryCases, stateCases, snapshotCases,
		durabilityCases, linearCases, progressCases, malformedCases} {
		for _, c := range table {
			broken[c.want] = true
		}
	}
	for _, r := range Rules() {
		if !broken[r.Signature()] {
			t.Errorf("no case breaks %s", r.Signature())
		}
	}
}

var electionCases = []ruleCase{
	{"a second leader of a term", "election/two-leaders", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.campaign(3, 1)
		tr.role(3, raft.Leader, 1, 3)
	}},
	{"a leader of a later term", "", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.elect(3, 2, 2)
	}},
	{"a node leads its term a second time", "election/two-leaders", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.role(1, raft.Follower, 1)
		tr.role(1, raft.PreCandidate, 1)
		tr.canvass(1, 1)
		tr.role(1, raft.Candidate, 1)
		tr.role(1, raft.Leader, 1, 1, 2)
	}},
	{"a term that nobody stood in", "election/term-from-nowhere", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.emit(3, raft.StateChanged, 2, 0, 0, 0)
	}},
	{"a term that somebody stands in", "", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.emit(3, raft.StateChanged, 1, 0, 0, 0)
	}},
	{"a leader pre-votes", "election/leader-pre-votes", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.emit(1, raft.PreVoteGranted, 2, 3, 9, 9)
	}},
	{"a follower pre-votes", "", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.emit(2, raft.PreVoteGranted, 2, 3, 9, 9)
	}},
	{"the term falls", "election/term-regressed", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.state(1, 2, 0)
	}},
	{"a role in a past term", "election/term-regressed", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.role(1, raft.PreCandidate, 2)
	}},
	{"a durable term is gone after a restart", "election/term-regressed", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.restart(1, 2, 0, 0, 1)
	}},
	{"a term that was not durable is gone after a restart", "", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.changed(1, 4, 0)
		tr.restart(1, 3, 0, 0, 1)
	}},
	{"a term that was not durable is there after a restart", "", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.changed(1, 4, 0)
		tr.restart(1, 4, 0, 0, 1)
	}},
	{"a vote is forgotten within its term", "election/vote-changed", func(tr *trace) {
		tr.state(1, 3, 2)
		tr.state(1, 3, 0)
	}},
	{"a vote is given late in its term", "", func(tr *trace) {
		tr.state(1, 3, 0)
		tr.state(1, 3, 2)
	}},
	{"a durable vote is gone after a restart", "election/vote-changed", func(tr *trace) {
		tr.state(1, 3, 2)
		tr.restart(1, 3, 0, 0, 1)
	}},
	{"two votes in a term", "election/vote-twice", func(tr *trace) {
		tr.grant(3, 1, 1)
		tr.changed(3, 1, 1)
		tr.granted(3, 2, 1)
	}},
	{"the same vote twice, and another in the next term", "", func(tr *trace) {
		tr.grant(3, 1, 1)
		tr.granted(3, 1, 1)
		tr.grant(3, 2, 2)
	}},
	{"two votes in a term, across a restart that forgot the first", "election/vote-changed", func(tr *trace) {
		tr.grant(3, 1, 1)
		tr.restart(3, 1, 0, 0, 1)
		tr.grant(3, 2, 1)
	}},
	{"a vote leaves before it is durable", "election/vote-not-durable", func(tr *trace) {
		tr.changed(3, 1, 1)
		tr.granted(3, 1, 1)
	}},
	{"a vote leaves when a later term is durable", "", func(tr *trace) {
		tr.changed(3, 1, 1)
		tr.state(3, 2, 0)
		tr.granted(3, 1, 1)
	}},
	{"a candidate asks before its own vote is durable", "election/vote-not-durable", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.canvass(1, 1)
		tr.state(1, 1, 0)
		tr.changed(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
		tr.emit(1, raft.VoteAsked, 1, 0, 0, 0)
	}},
	{"a leader whose own vote is not durable", "election/vote-not-durable", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.canvass(1, 1)
		tr.changed(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
		tr.grant(2, 1, 1)
		tr.grant(3, 1, 1)
		tr.role(1, raft.Leader, 1, 2, 3)
	}},
	{"a candidate asks before its term is durable", "election/term-not-durable", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.canvass(1, 1)
		tr.changed(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
		tr.emit(1, raft.VoteAsked, 1, 0, 0, 0)
	}},
	{"a pre-vote needs no durable term", "", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.emit(1, raft.VoteAsked, 1, 0, 0, 1)
		tr.emit(2, raft.PreVoteGranted, 1, 1, 0, 0)
	}},
	{"an acknowledgement in a term that is not durable", "election/term-not-durable", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.changed(3, 1, 0)
		tr.acked(3, 1, 1, 0)
	}},
	{"a vote for a candidate whose log is shorter", "election/vote-for-behind", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.append(1, 1, nil)
		tr.append(2, 1, nil)
		tr.campaign(3, 2)
		tr.grant(2, 3, 2)
	}},
	{"a vote for a candidate whose last term is older", "election/vote-for-behind", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.append(1, 1, nil)
		tr.append(1, 1, tr.put("a"))
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		tr.state(1, 2, 0)
		tr.role(1, raft.Follower, 2)
		tr.campaign(1, 3)
		tr.role(2, raft.Follower, 2)
		tr.grant(2, 1, 3)
	}},
	{"a vote that leaves after the log has grown", "", func(tr *trace) {
		tr.campaign(1, 1)
		tr.state(2, 1, 1)
		tr.grant(3, 1, 1)
		tr.role(1, raft.Leader, 1, 1, 3)
		tr.append(1, 1, nil)
		tr.append(2, 1, nil)
		tr.emit(2, raft.VoteGranted, 1, 1, 0, 0)
	}},
	{"a pre-vote for a candidate whose log is shorter", "election/vote-for-behind", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.append(1, 1, nil)
		tr.append(2, 1, nil)
		tr.role(3, raft.PreCandidate, 0)
		tr.emit(2, raft.PreVoteGranted, 1, 3, 0, 0)
	}},
	{"a leader by one vote of three", "election/no-quorum", func(tr *trace) {
		tr.campaign(1, 1)
		tr.role(1, raft.Leader, 1, 1)
	}},
	{"a leader by the same vote counted twice", "election/no-quorum", func(tr *trace) {
		tr.campaign(1, 1)
		tr.role(1, raft.Leader, 1, 1, 1)
	}},
	{"a leader by a vote of an earlier term", "election/no-quorum", func(tr *trace) {
		tr.campaign(1, 1)
		tr.grant(2, 1, 1)
		tr.campaign(1, 2)
		tr.role(1, raft.Leader, 2, 1, 2)
	}},
	{"a leader by a vote of a stranger", "election/no-quorum", func(tr *trace) {
		tr.campaign(1, 1)
		tr.role(1, raft.Leader, 1, 1, 9)
	}},
	{"an entry of a term without a leader", "election/unled-term", func(tr *trace) {
		tr.state(1, 1, 0)
		tr.append(1, 1, nil)
	}},
	{"a follower becomes leader", "election/transition", func(tr *trace) {
		tr.campaign(1, 1)
		tr.role(1, raft.Follower, 1)
		tr.grant(2, 1, 1)
		tr.role(1, raft.Leader, 1, 1, 2)
	}},
	{"a candidate without pre-votes", "election/no-pre-quorum", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.emit(1, raft.VoteAsked, 1, 0, 0, 1)
		tr.state(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
	}},
	{"a candidate by pre-votes of the round before", "election/no-pre-quorum", func(tr *trace) {
		tr.role(1, raft.PreCandidate, 0)
		tr.canvass(1, 1)
		tr.emit(1, raft.VoteAsked, 1, 0, 0, 1)
		tr.state(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
	}},
	{"an election without a pre-vote", "election/transition", func(tr *trace) {
		tr.state(1, 1, 1)
		tr.role(1, raft.Candidate, 1)
	}},
	{"a leader campaigns", "election/transition", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.role(1, raft.PreCandidate, 1)
	}},
	{"a candidate starts over", "", func(tr *trace) {
		tr.campaign(1, 1)
		tr.campaign(1, 2)
	}},
	{"a candidate names an entry that its log does not end with", "election/last-entry", func(tr *trace) {
		tr.elect(1, 2, 1)
		tr.append(1, 1, nil)
		tr.role(1, raft.Follower, 1)
		tr.role(1, raft.PreCandidate, 1)
		tr.emit(1, raft.VoteAsked, 2, 0, 0, 1)
	}},
	{"a hard state that a power loss could take", "election/claim", func(tr *trace) {
		tr.disks.loses[fileKey(1, "log/1")] = true
		tr.state(1, 1, 0)
	}},
	{"a hard state that is not what the disk has", "election/claim", func(tr *trace) {
		tr.changed(1, 2, 3)
		off := tr.disks.write(1, "log/1", stateBytes(2, 0))
		tr.emit(1, raft.StatePlaced, 2, 3, uint64(off), 24, []byte("log/1")...)
	}},
	{"a hard state of a length of its own", "election/claim", func(tr *trace) {
		tr.changed(1, 2, 0)
		tr.disks.write(1, "log/1", stateBytes(2, 0))
		tr.emit(1, raft.StatePlaced, 2, 0, 0, 16, []byte("log/1")...)
	}},
	{"a hard state that it never was in", "election/claim", func(tr *trace) {
		tr.changed(1, 2, 0)
		tr.statePlaced(1, 3, 0)
	}},
	{"a hard state claimed again", "", func(tr *trace) {
		tr.state(1, 2, 0)
		tr.statePlaced(1, 2, 0)
		tr.changed(1, 3, 1)
		tr.statePlaced(1, 2, 0)
		tr.statePlaced(1, 3, 1)
		tr.granted(1, 1, 3)
	}},
}

func TestElectionRules(t *testing.T) {
	for _, c := range electionCases {
		c.fresh(t)
	}
}

var malformedCases = []ruleCase{
	{"a stranger speaks", "trace/malformed", func(tr *trace) { tr.changed(9, 5, 0) }},
	{"a dead node speaks", "trace/malformed", func(tr *trace) {
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.changed(1, 5, 0)
	}},
	{"a node acts before it has started", "trace/malformed", func(tr *trace) {
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.changed(1, 5, 0)
	}},
	{"a node starts twice", "trace/malformed", func(tr *trace) { tr.emit(1, raft.Started, 1, 1, 0, 1) }},
	{"a node recovers after it has started", "trace/malformed", func(tr *trace) { tr.recovered(1, 1, 1) }},
	{"an entry far away", "trace/malformed", func(tr *trace) {
		tr.start(10, []byte("x"))
		tr.data[place{1 << 40, 1}] = []byte("x")
		tr.proposed(1, 10, place{1 << 40, 1})
	}},
	{"a match that a follower learns", "trace/malformed", func(tr *trace) { tr.matched(2, 1, 1, 1) }},
	{"a call with the id of another", "trace/malformed", func(tr *trace) {
		tr.start(10, []byte("x"))
		tr.start(10, []byte("y"))
	}},
	{"an answer without an outcome", "trace/malformed", func(tr *trace) {
		tr.start(10, []byte("x"))
		tr.reply(10, 0)
	}},
}

func TestMalformedTraces(t *testing.T) {
	for _, c := range malformedCases {
		c.settled(t)
	}
}

var progressCases = []ruleCase{
	{"a panic", "progress/panic", func(tr *trace) { tr.emit(1, runtime.WorldPanic, 0, 0, 0, 0, []byte("boom")...) }},
	{"a halt", "", func(tr *trace) { tr.emit(1, runtime.WorldHalt, 0, 0, 0, 0, []byte("sync")...) }},
	{"applied and not answered", "progress/unanswered", func(tr *trace) {
		tr.unanswered(func() {})
	}},
	{"applied and not answered by one that died", "", func(tr *trace) {
		tr.unanswered(func() { tr.emit(1, runtime.WorldKill, 0, 0, 0, 0) })
	}},
	{"nobody leads", "progress/leaderless", func(tr *trace) { tr.suite.Leaderless("nobody leads") }},
	{"no rest", "progress/restless", func(tr *trace) { tr.suite.Restless("it goes on") }},
	{"out of time", "progress/stuck", func(tr *trace) { tr.suite.Stuck("nothing happens") }},
	{"nothing done", "progress/nothing-done", func(tr *trace) {
		tr.start(10, tr.put("a"))
		tr.reply(10, runtime.Refused)
		tr.suite.Finish()
	}},
	{"nothing seen", "progress/nothing-seen", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.suite.election.seen = 0
		tr.suite.Finish()
	}},
	{"something done", "", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.suite.Finish()
	}},
}

func TestProgressRules(t *testing.T) {
	for _, c := range progressCases {
		c.settled(t)
	}
}

func TestAPanicMayCountAsAHalt(t *testing.T) {
	tr := cluster(t, func(c *Config) { c.PanicIsFailStop = true })
	tr.emit(1, runtime.WorldPanic, 0, 0, 0, 0)
	tr.want("")
	if tr.suite.Counts().Panics != 1 || tr.suite.Leader() != 0 {
		t.Errorf("counts %+v, leader %v", tr.suite.Counts(), tr.suite.Leader())
	}
}
