package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// deposed makes n1, which leads term 1, a follower in the term.
func deposed(tr *trace, term uint64) {
	tr.state(1, term, 0)
	tr.role(1, raft.Follower, term)
}

// usurp makes n the leader of the term by a vote for a log that it has not got.
func usurp(tr *trace, n, voter runtime.NodeID, term uint64) {
	tr.campaign(n, term)
	tr.state(voter, term, uint64(n))
	tr.emit(voter, raft.VoteGranted, term, uint64(n), 1000, term-1)
	tr.role(n, raft.Leader, term, uint64(n), uint64(voter))
}

var logCases = []ruleCase{
	{"a leader begins with a command", "log/no-op-missing", func(tr *trace) {
		tr.elect(2, 3, 2)
		tr.append(2, 2, tr.put("a"))
	}},
	{"a leader begins with a no-op", "", func(tr *trace) {
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		tr.append(2, 2, tr.put("a"))
	}},
	{"the same entry with other bytes", "log/matching", func(tr *trace) {
		p := tr.append(1, 1, tr.put("a"))
		tr.data[p] = []byte("other")
		tr.append(2, 1, nil)
	}},
	{"another term's entry at the same index", "", func(tr *trace) {
		tr.append(1, 1, tr.put("a"))
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
	}},
	{"the same entry after another one", "log/matching", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.append(3, 1, tr.put("a"))
		tr.elect(2, 1, 2)
		tr.append(2, 2, nil)
		tr.append(2, 2, nil) // entry 3 of term 2, after one of term 2
		tr.state(3, 2, 0)
		tr.append(3, 2, nil) // the same, after one of term 1
	}},
	{"a gap", "log/shape", func(tr *trace) {
		tr.emit(1, raft.Appended, 3, 1, 99, 1)
	}},
	{"a term that falls along the log", "log/shape", func(tr *trace) {
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		tr.role(2, raft.Follower, 2)
		tr.append(2, 1, tr.put("a"))
	}},
	{"an entry of a term to come", "log/shape", func(tr *trace) {
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		tr.role(1, raft.Follower, 1)
		tr.append(1, 2, nil)
	}},
	{"an entry after the wrong term", "log/shape", func(tr *trace) {
		tr.emit(1, raft.Appended, 2, 1, 99, 0)
	}},
	{"a leader appends an entry of an earlier term", "log/append-only", func(tr *trace) {
		tr.elect(2, 3, 2)
		tr.append(2, 1, tr.put("a"))
	}},
	{"a leader truncates", "log/append-only", func(tr *trace) {
		tr.append(1, 1, tr.put("a"))
		tr.cut(1, 2, 1)
	}},
	{"a follower truncates", "", func(tr *trace) {
		tr.append(1, 1, tr.put("a"))
		deposed(tr, 2)
		tr.cut(1, 2, 2)
	}},
	{"a follower truncates what it has committed", "log/truncated-committed", func(tr *trace) {
		tr.cut(2, 1, 1)
	}},
	{"a follower truncates what others have committed", "log/truncated-committed", func(tr *trace) {
		tr.settle(1, 2, 1, appended(tr))
		tr.cut(2, 2, 1)
	}},
	{"a leader without a committed entry", "log/completeness", func(tr *trace) {
		usurp(tr, 3, 2, 2)
	}},
	{"a leader of an earlier term, whose votes were late", "", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.campaign(3, 2)
		tr.grant(2, 3, 2)
		tr.role(1, raft.Follower, 1)
		tr.elect(1, 2, 3)
		tr.write(1, 2, 3, nil)
		tr.role(3, raft.Leader, 2, 3, 2)
	}},
	{"one that lacks what was committed before its term", "log/completeness", func(tr *trace) {
		tr.write(1, 2, 1, nil)
		tr.append(3, 1, nil)
		tr.campaign(3, 2)
		tr.suite.history.member(2).votes[2] = 3 // as no honest voter would
		tr.role(1, raft.Follower, 1)
		tr.elect(1, 2, 3)
		tr.write(1, 2, 3, nil)
		tr.role(3, raft.Leader, 2, 3, 2)
	}},
	{"a commit that a later leader lacks", "log/completeness", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.elect(3, 2, 2)
		p := appended(tr) // n2 takes an entry of the leader it has left
		tr.settle(1, 2, 1, p)
	}},
	{"a leader with an entry that is not committed", "", func(tr *trace) {
		tr.append(1, 1, tr.put("a"))
		tr.elect(2, 3, 2)
	}},
	{"entries that are durable nowhere at the end", "log/quorum", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.suite.history.member(2).disk.durable.log.cut(2)
		tr.suite.Finish()
	}},
	{"logs that differ under an entry in common at the end", "log/matching", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		tr.state(1, 2, 0)
		tr.role(1, raft.Follower, 2)
		tr.append(1, 2, nil)
		for i := range tr.suite.history.members {
			tr.suite.history.members[i].commit = 0
		}
		tr.suite.history.member(2).log.runs[0].term = 7
		tr.suite.Finish()
	}},
	{"a commit that does not hold at the end", "log/committed-changed", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.suite.history.member(2).log.runs[0].term = 7
		tr.suite.Finish()
	}},
}

func TestLogRules(t *testing.T) {
	for _, c := range logCases {
		c.settled(t)
	}
}

// appended appends an entry at n1 and n2 that a call asked for.
func appended(tr *trace) place {
	request := tr.put("a")
	p := place{tr.end(1).index + 1, 1}
	tr.data[p] = request
	tr.start(100, request)
	tr.proposed(1, 100, p)
	tr.append(1, 1, request)
	tr.append(2, 1, request)
	return p
}

var commitCases = []ruleCase{
	{"an entry that a power loss could take", "log/claim", func(tr *trace) {
		p := appended(tr)
		tr.disks.loses[fileKey(1, "log/1")] = true
		tr.placed(1, p)
	}},
	{"an entry that is not what the disk has", "log/claim", func(tr *trace) {
		p := appended(tr)
		off := tr.disks.write(1, "log/1", []byte("something else"))
		tr.emit(1, raft.EntryPlaced, uint64(p.index), 1, uint64(off), 14, []byte("log/1")...)
	}},
	{"an entry beyond the end of the file", "log/claim", func(tr *trace) {
		p := appended(tr)
		tr.emit(1, raft.EntryPlaced, uint64(p.index), 1, 0, 1<<40, []byte("log/1")...)
	}},
	{"a claim of an entry that nobody had", "log/claim-unknown", func(tr *trace) {
		tr.placed(1, place{2, 1})
	}},
	{"a claim of an entry that this node did not have", "log/claim-unknown", func(tr *trace) {
		p := appended(tr)
		tr.placed(3, p)
	}},
	{"a claim that passes over an earlier entry", "log/claim-unknown", func(tr *trace) {
		appended(tr)
		tr.placed(1, tr.append(1, 1, nil))
	}},
	{"claims of several entries, one of them again", "", func(tr *trace) {
		p := appended(tr)
		q := tr.append(1, 1, nil)
		tr.placed(1, p)
		tr.placed(1, q)
		tr.placed(1, p)
	}},
	{"claims of entries that replaced others in the same write", "", func(tr *trace) {
		tr.append(1, 1, tr.put("b"))
		deposed(tr, 2)
		tr.elect(2, 3, 3)
		tr.append(2, 3, nil)
		tr.state(1, 3, 0)
		tr.cut(1, 2, 3)
		tr.placed(1, tr.append(1, 3, nil))
	}},
	{"an acknowledgement before the entry is durable", "log/ack-not-durable", func(tr *trace) {
		p := appended(tr)
		tr.acked(2, 1, 1, p.index)
	}},
	{"an acknowledgement beyond the log", "log/ack-not-durable", func(tr *trace) {
		p := appended(tr)
		tr.placed(2, p)
		tr.acked(2, 1, 1, p.index+1)
	}},
	{"an acknowledgement of what is durable", "", func(tr *trace) {
		p := appended(tr)
		tr.placed(2, p)
		tr.acked(2, 1, 1, p.index)
	}},
	{"an acknowledgement that leaves after its term", "", func(tr *trace) {
		p := appended(tr)
		tr.state(2, 2, 0)
		tr.acked(2, 1, 1, p.index)
	}},
	{"an acknowledgement in a past term of what has been cut since", "log/ack-not-durable", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.placed(3, place{1, 1})
		tr.append(3, 1, tr.put("b"))
		tr.placed(3, place{2, 1})
		tr.elect(2, 1, 2)
		tr.state(3, 2, 0)
		tr.cut(3, 2, 2)
		tr.acked(3, 1, 1, 2)
	}},
	{"an acknowledgement in a past term of what stayed", "", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.placed(3, place{1, 1})
		tr.append(3, 1, tr.put("b"))
		tr.placed(3, place{2, 1})
		tr.elect(2, 1, 2)
		tr.state(3, 2, 0)
		tr.cut(3, 2, 2)
		tr.acked(3, 1, 1, 1)
	}},
	{"an acknowledgement after a truncated entry was durable", "log/ack-not-durable", func(tr *trace) {
		tr.append(1, 1, tr.put("b"))
		tr.placed(1, place{2, 1})
		deposed(tr, 2)
		tr.elect(2, 3, 3)
		tr.append(2, 3, nil)
		tr.state(1, 3, 0)
		tr.cut(1, 2, 3)
		tr.append(1, 3, nil)
		tr.acked(1, 2, 3, 2)
	}},
	{"a match that the peer has not got on disk", "log/match-untrue", func(tr *trace) {
		p := appended(tr)
		tr.matched(1, 2, p.index, 1)
	}},
	{"a match of a peer that has gone on to a later term", "", func(tr *trace) {
		p := appended(tr)
		tr.state(2, 2, 0)
		tr.matched(1, 2, p.index, 1)
	}},
	{"an own match before it is durable", "log/match-untrue", func(tr *trace) {
		p := appended(tr)
		tr.matched(1, 1, p.index, 1)
	}},
	{"a leader goes back below a match", "log/rewound", func(tr *trace) {
		p := appended(tr)
		tr.placed(2, p)
		tr.matched(1, 2, p.index, 1)
		tr.emit(1, raft.Rewound, 2, uint64(p.index), 1, 0)
	}},
	{"a leader goes back to what follows a match", "", func(tr *trace) {
		p := appended(tr)
		tr.placed(2, p)
		tr.matched(1, 2, p.index, 1)
		tr.emit(1, raft.Rewound, 2, uint64(p.index+1), 1, 0)
	}},
	{"a follower goes back", "trace/malformed", func(tr *trace) {
		p := appended(tr)
		tr.emit(2, raft.Rewound, 1, uint64(p.index), 1, 0)
	}},
	{"a match that falls", "log/match-regressed", func(tr *trace) {
		tr.matched(1, 2, 0, 1)
	}},
	{"a commit that is durable on one member of three", "log/commit-rule", func(tr *trace) {
		p := appended(tr)
		tr.placed(1, p)
		tr.committed(1, p.index, 1, raft.Leader)
	}},
	{"a commit without the leader's own disk", "", func(tr *trace) {
		p := appended(tr)
		tr.append(3, 1, nil)
		tr.append(3, 1, tr.data[p])
		tr.placed(2, p)
		tr.placed(3, place{1, 1})
		tr.placed(3, p)
		tr.committed(1, p.index, 1, raft.Leader)
	}},
	{"a commit of an earlier term's entry", "log/commit-rule", func(tr *trace) {
		p := appended(tr)
		tr.placed(1, p)
		tr.placed(2, p)
		tr.elect(2, 3, 2)
		tr.committed(2, p.index, 2, raft.Leader)
	}},
	{"a commit of an earlier term's entry with one of its own", "", func(tr *trace) {
		p := appended(tr)
		tr.placed(1, p)
		tr.placed(2, p)
		tr.elect(2, 3, 2)
		q := tr.append(2, 2, nil)
		tr.state(1, 2, 0)
		tr.role(1, raft.Follower, 2)
		tr.append(1, 2, nil)
		tr.settle(2, 1, 2, q)
	}},
	{"a commit index that falls", "log/commit-regressed", func(tr *trace) {
		tr.committed(1, 0, 1, raft.Leader)
	}},
	{"a commit index that begins again after a restart", "", func(tr *trace) {
		tr.restart(1, 1, 1, 0, 1)
		tr.committed(1, 1, 1, raft.Follower)
	}},
	{"a commit beyond the log", "log/commit-beyond-log", func(tr *trace) {
		tr.committed(2, 9, 1, raft.Follower)
	}},
	{"a follower commits before any leader", "log/commit-unverified", func(tr *trace) {
		p := appended(tr)
		tr.placed(1, p)
		tr.placed(2, p)
		tr.committed(2, p.index, 1, raft.Follower)
	}},
	{"a follower commits what it has not verified", "log/commit-unverified", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.emit(2, raft.Committed, uint64(p.index), 1, uint64(raft.Follower), 1)
	}},
	{"a follower commits another entry than the leader did", "log/committed-changed", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.elect(3, 2, 2)
		tr.append(3, 2, nil)
		tr.placed(3, place{1, 1})
		tr.placed(3, place{2, 2})
		tr.emit(3, runtime.WorldKill, 0, 0, 0, 0)
		p := appended(tr) // n2 takes an entry of the leader it has left
		tr.settle(1, 2, 1, p)
		tr.restart(3, 2, 3, 0, 1)
		tr.committed(3, 2, 2, raft.Follower)
	}},
}

func TestCommitRules(t *testing.T) {
	for _, c := range commitCases {
		c.settled(t)
	}
}

var recoveryCases = []ruleCase{
	{"everything comes back", "", func(tr *trace) {
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"a durable entry is gone", "log/recovered-lost", func(tr *trace) {
		tr.logs[1] = tr.logs[1][:0]
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"an entry that was not durable is gone", "", func(tr *trace) {
		appended(tr)
		tr.logs[1] = tr.logs[1][:1]
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"an entry that was not durable is there", "", func(tr *trace) {
		appended(tr)
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"what came back counts as durable from then on", "log/recovered-lost", func(tr *trace) {
		appended(tr)
		tr.restart(1, 1, 1, 0, 1)
		tr.logs[1] = tr.logs[1][:1]
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"an entry that was never there", "log/recovered-extra", func(tr *trace) {
		appended(tr)
		tr.logs[3] = []raft.Term{1, 1}
		tr.restart(3, 1, 0, 0, 1)
	}},
	{"an entry comes back after its truncation was durable", "log/recovered-extra", func(tr *trace) {
		replaced(tr)
		tr.placed(1, place{2, 3})
		tr.logs[1] = []raft.Term{1, 1}
		tr.restart(1, 3, 0, 0, 1)
	}},
	{"an entry comes back whose truncation was not durable", "", func(tr *trace) {
		replaced(tr)
		tr.logs[1] = []raft.Term{1, 1}
		tr.restart(1, 3, 0, 0, 1)
	}},
	{"the entry after a truncated one comes back with it", "log/recovered-extra", func(tr *trace) {
		tr.append(1, 1, tr.put("b"))
		tr.append(1, 1, tr.put("c"))
		tr.placed(1, place{2, 1})
		tr.placed(1, place{3, 1})
		deposed(tr, 2)
		tr.elect(2, 3, 3)
		tr.append(2, 3, nil)
		tr.state(1, 3, 0)
		tr.cut(1, 2, 3)
		tr.append(1, 3, nil)
		tr.placed(1, place{2, 3})
		tr.data[place{3, 3}], tr.noop[place{3, 3}] = nil, true
		tr.logs[1] = []raft.Term{1, 3, 3}
		tr.restart(1, 3, 0, 0, 1)
	}},
	{"an entry comes back with other bytes", "log/matching", func(tr *trace) {
		p := appended(tr)
		tr.data[p] = []byte("garbage")
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"entries come back with a gap", "log/shape", func(tr *trace) {
		appended(tr)
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.recovered(1, 1, 1)
		tr.recovered(1, 3, 1)
	}},
	{"a log that ends elsewhere than what came back", "log/shape", func(tr *trace) {
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.recovered(1, 1, 1)
		tr.emit(1, raft.Started, 1, 1, 0, 2)
	}},
	{"entries without the term they were written in", "log/recovered-mixed", func(tr *trace) {
		tr.elect(2, 1, 2)
		tr.append(2, 2, nil)
		tr.changed(3, 2, 0)
		tr.append(3, 1, nil)
		tr.append(3, 2, nil)
		tr.restart(3, 1, 0, 0, 1)
	}},
	{"an older hard state with newer entries", "log/recovered-mixed", func(tr *trace) {
		tr.changed(2, 2, 0)
		tr.append(2, 1, tr.put("a"))
		tr.restart(2, 1, 1, 0, 1)
	}},
	{"an older hard state with older entries", "", func(tr *trace) {
		tr.changed(2, 2, 0)
		tr.append(2, 1, tr.put("a"))
		tr.logs[2] = tr.logs[2][:1]
		tr.restart(2, 1, 1, 0, 1)
	}},
	{"a crash while starting", "", func(tr *trace) {
		appended(tr)
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.recovered(1, 1, 1)
		tr.restart(1, 1, 1, 0, 1)
	}},
}

// replaced lets n1 write entry 2 of term 1, durably, and then truncate it for one
// of term 3, which is not durable yet.
func replaced(tr *trace) {
	tr.append(1, 1, tr.put("b"))
	tr.placed(1, place{2, 1})
	deposed(tr, 2)
	tr.elect(2, 3, 3)
	tr.append(2, 3, nil)
	tr.state(1, 3, 0)
	tr.cut(1, 2, 3)
	tr.append(1, 3, nil)
}

func TestRecoveryRules(t *testing.T) {
	for _, c := range recoveryCases {
		c.settled(t)
	}
}
