package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// acked judges raft.Acked (C7): all that it covers is on this disk for
// certain. One that leaves after its term is over must not cover what a later term has cut:
// the leader that it goes to may not know yet that it is none.
func (o *LogOracle) acked(m *member, r *runtime.Record) bool {
	term, match := raft.Term(r.B), raft.Index(r.C)
	if term < m.cut.term && match >= m.cut.index {
		return o.p.fail(r, logAckDurable, about{index: r.C},
			"%v acknowledges up to %d to %v in term %d, and has cut its log from %d in term %d",
			m.id, match, runtime.NodeID(r.A), term, m.cut.index, m.cut.term)
	}
	if term < m.state.term {
		return true // a later term is not possible: the claim of it was judged
	}
	if match > m.log.last {
		return o.p.fail(r, logAckDurable, about{index: r.C},
			"%v acknowledges up to %d to %v, and its log ends at %d",
			m.id, match, runtime.NodeID(r.A), m.log.last)
	}
	durable := &m.disk.durable.log
	if i, lacks := differs(durable, &m.log, 1, match); lacks {
		return o.p.fail(r, logAckDurable, about{index: uint64(i)},
			"%v acknowledges up to %d to %v in term %d, and entry %d of term %d is not durable (its "+
				"disk has term %d there, and ends at %d)",
			m.id, match, runtime.NodeID(r.A), term, i, m.log.term(i), durable.term(i), durable.last)
	}
	return true
}

// matched judges raft.Matched (C4, C6) and folds it. A peer that has gone on to a
// later term may have dropped since what it once held.
func (o *LogOracle) matched(m *member, r *runtime.Record) bool {
	peer, match, term := o.h.member(runtime.NodeID(r.A)), raft.Index(r.B), raft.Term(r.C)
	if peer == nil || m.role != raft.Leader || term != m.state.term {
		return o.p.fail(r, malformed, about{},
			"%v (%v of term %d) takes %v for matched up to %d in term %d",
			m.id, m.role, m.state.term, runtime.NodeID(r.A), match, term)
	}
	if match < m.match[peer.position] {
		return o.p.fail(r, logMatchRegressed, about{index: r.B},
			"%v takes %v for matched up to %d after %d in term %d",
			m.id, peer.id, match, m.match[peer.position], term)
	}
	m.match[peer.position] = match
	if peer.state.term > term || match <= peer.snapshot {
		return true
	}
	p := place{match, m.log.term(match)}
	if match < m.log.base.index {
		// The leader has compacted past it since it sent the entries.
		p.term = o.h.committed.term(match)
	}
	if match > m.log.last || !peer.disk.durable.log.has(p) {
		return o.p.fail(r, logMatchUntrue, about{index: r.B},
			"%v takes %v for matched up to entry %d of term %d, where its disk has term %d and ends at %d",
			m.id, peer.id, match, p.term, peer.disk.durable.log.term(match), peer.disk.durable.log.last)
	}
	return true
}

// rewound judges raft.Rewound (C8).
func (o *LogOracle) rewound(m *member, r *runtime.Record) bool {
	peer, next, term := o.h.member(runtime.NodeID(r.A)), raft.Index(r.B), raft.Term(r.C)
	if peer == nil || m.role != raft.Leader || term != m.state.term {
		return o.p.fail(r, malformed, about{},
			"%v (%v of term %d) goes back to send to %v from %d on in term %d",
			m.id, m.role, m.state.term, runtime.NodeID(r.A), next, term)
	}
	if match := m.match[peer.position]; next <= match {
		return o.p.fail(r, logRewound, about{index: r.B},
			"%v goes back to send to %v from entry %d on, which has acknowledged up to %d in term %d",
			m.id, peer.id, next, match, term)
	}
	return true
}

// committed judges raft.Committed (C1, C3, C5, L5, L8).
func (o *LogOracle) committed(m *member, r *runtime.Record) bool {
	to, term, role := raft.Index(r.A), raft.Term(r.B), raft.Role(r.C)
	if to < m.commit {
		return o.p.fail(r, logCommitRegressed, about{index: r.A},
			"%v goes from commit index %d back to %d",
			m.id, m.commit, to)
	}
	if to > m.log.last {
		return o.p.fail(r, logCommitBeyond, about{index: r.A},
			"%v commits up to %d, and its log ends at %d",
			m.id, to, m.log.last)
	}
	if i, differ := differs(&m.log, &o.h.committed, m.commit+1, min(to, o.h.committed.last)); differ {
		return o.p.fail(r, logCommittedChanged, about{index: uint64(i)},
			"%v commits entry %d of term %d; committed at that index is term %d",
			m.id, i, m.log.term(i), o.h.committed.term(i))
	}
	if to == m.commit || to <= m.log.base.index {
		return true
	}
	o.seen++
	if role == raft.Leader {
		return o.commitRule(m, r, place{to, m.log.term(to)}, term)
	}
	if to > raft.Index(r.D) || to > o.h.committed.last {
		return o.p.fail(r, logCommitUnverified, about{index: r.A},
			"%v commits up to %d as %v, having verified up to %d, when leaders committed up to %d",
			m.id, to, role, r.D, o.h.committed.last)
	}
	return true
}

// commitRule judges what a leader commits (C1), and that the leaders of later
// terms have it (L4).
func (o *LogOracle) commitRule(m *member, r *runtime.Record, p place, term raft.Term) bool {
	if p.term != term || term != m.state.term || m.role != raft.Leader {
		return o.p.fail(r, logCommitRule, about{index: r.A},
			"%v (%v of term %d) commits entry %d of term %d as leader of term %d",
			m.id, m.role, m.state.term, p.index, p.term, term)
	}
	if n := o.h.durableOn(p); n < o.h.quorum {
		return o.p.fail(r, logCommitRule, about{index: r.A},
			"%v commits entry %d of term %d, which is durable on %d of %d members",
			m.id, p.index, p.term, n, len(o.h.members))
	}
	for i := range o.h.members {
		later := &o.h.members[i]
		if later.leads() && later.state.term > term && (later.log.last < p.index || !later.log.has(p)) {
			return o.p.fail(r, logCompleteness, about{index: r.A},
				"%v commits entry %d of term %d, and %v leads term %d without it",
				m.id, p.index, p.term, later.id, later.state.term)
		}
	}
	return true
}

// commit folds raft.Committed. Entries that nobody had committed before are
// handed to the durability oracle one by one.
func (h *history) commit(m *member, r *runtime.Record, d *DurabilityOracle) bool {
	to, term := raft.Index(r.A), raft.Term(r.B)
	if to > h.committed.last {
		if n := len(h.commits); n == 0 || h.commits[n-1].term < term {
			h.commits = append(h.commits, commits{term: term})
		}
		h.commits[len(h.commits)-1].last = to
	}
	for i := h.committed.last + 1; i <= to; i++ {
		p := place{i, m.log.term(i)}
		h.committed.push(p.term)
		if !d.committed(m, r, i, h.entries.promote(p)) {
			return false
		}
	}
	m.commit = max(m.commit, to)
	return true
}
