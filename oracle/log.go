package oracle

import (
	"slices"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// LogOracle judges logs (Raft, sections 5.3 and 5.4; invariants L1 to L5, L7
// to L9, C1 to C7, D2). It keeps one entry of 56 bytes per index, shared by all
// members, until every member's log on disk begins after it; and for each member
// the terms of its log in memory and on disk, as runs, and its writes under way.
//
// Planted bugs it trips on:
//
//	matching             corrupted frames or records (X04, ignore-checksum), stale caches (B24), reused buffers (W16)
//	shape                non-atomic append and truncate (B30), a stale last index (B34), resurrected entries (W10)
//	append-only          a leader that takes another's entries (A30)
//	completeness         commit-old-term, no-tail-truncate, logs compared wrongly (A06)
//	committed-changed    commit-old-term, B02, S12
//	truncated-committed  truncation below commit (B06), a purged prefix taken for a conflict (B08)
//	commit-rule          ack-before-durable on the leader, a wrong quorum index (B18), commit-old-term
//	commit-regressed     installing an older snapshot (S10)
//	commit-unverified    commit clamped to the last index, not the last verified (B02)
//	commit-beyond-log    commit not clamped at all (B04)
//	match-untrue         stale acknowledgements counted (B12), ack-before-durable
//	match-regressed      a match assigned, not raised (B10)
//	rewound              stray refusals obeyed (B26)
//	ack-not-durable      ack-before-durable (B14), out-of-order completion (B16)
//	claim                skip-sync, skip-dir-sync, trust-the-page-cache
//	claim-unknown        staged and flushed in another order (W14)
//	recovered-lost       skip-sync, silent cuts at corruption (W06), W18
//	recovered-extra      lost-truncate, no-tail-truncate, W08, W10
//	recovered-mixed      hard state and entries in two writes (A02, W20)
type LogOracle struct {
	h    *history
	p    *reporter
	disk *inspector
	seen uint64 // commits
}

// matches judges what an entry is, by whomever it was seen (L1), and remembers
// it the first time. prev is the term of the entry before, if known.
func (o *LogOracle) matches(m *member, r *runtime.Record, p place, hash uint64, prev raft.Term, known bool) bool {
	e, made := o.h.entries.put(p)
	if e == nil {
		return o.p.fail(r, malformed, about{index: uint64(p.index)},
			"%v has an entry %d of term %d, far from all that are known",
			m.id, p.index, p.term)
	}
	if made {
		e.hash = hash
	}
	if e.hash != hash {
		return o.p.fail(r, logMatching, about{index: uint64(p.index)},
			"%v has entry %d of term %d with hash %x; it was %x before",
			m.id, p.index, p.term, hash, e.hash)
	}
	if !known {
		return true
	}
	if e.marks&prevKnown == 0 {
		e.prev, e.marks = prev, e.marks|prevKnown
	}
	if e.prev != prev {
		return o.p.fail(r, logMatching, about{index: uint64(p.index)},
			"%v has entry %d of term %d after one of term %d; it was after term %d before",
			m.id, p.index, p.term, prev, e.prev)
	}
	return true
}

// appended judges raft.Appended (L1, L2, L3).
func (o *LogOracle) appended(m *member, r *runtime.Record, p place) bool {
	end := m.log.end()
	if p.index != end.index+1 || p.term < end.term || raft.Term(r.D) != end.term {
		return o.p.fail(r, logShape, about{index: r.A},
			"%v appends entry %d of term %d after term %d; its log ends with entry %d of term %d",
			m.id, p.index, p.term, r.D, end.index, end.term)
	}
	if p.term > m.state.term {
		return o.p.fail(r, logShape, about{index: r.A},
			"%v appends entry %d of term %d in its term %d",
			m.id, p.index, p.term, m.state.term)
	}
	if m.role == raft.Leader && p.term != m.state.term {
		return o.p.fail(r, logAppendOnly, about{index: r.A},
			"%v leads term %d and appends entry %d of term %d",
			m.id, m.state.term, p.index, p.term)
	}
	if m.role == raft.Leader && end.term < p.term && r.C != raft.HashEntry(raft.EntryNoop, nil) {
		return o.p.fail(r, logNoop, about{index: r.A},
			"%v begins to lead term %d with entry %d, which is a command and not a no-op",
			m.id, p.term, p.index)
	}
	return o.matches(m, r, p, r.C, end.term, true)
}

// truncated judges raft.Truncated (L3, L7).
func (o *LogOracle) truncated(m *member, r *runtime.Record, from raft.Index) bool {
	if m.role == raft.Leader {
		return o.p.fail(r, logAppendOnly, about{index: r.A},
			"%v leads term %d and cuts its log from entry %d",
			m.id, m.state.term, from)
	}
	if from <= m.commit || from <= m.log.base.index {
		return o.p.fail(r, logTruncatedCommitted, about{index: r.A},
			"%v cuts its log from entry %d, and has committed up to %d",
			m.id, from, max(m.commit, m.log.base.index))
	}
	// What a snapshot covers may go: it is about to replace the log.
	p := place{from, m.log.term(from)}
	if from > m.snapshot && from <= o.h.committed.last && o.h.committed.term(from) == p.term {
		return o.p.fail(r, logTruncatedCommitted, about{index: r.A},
			"%v cuts its log from entry %d, which is committed with its term %d",
			m.id, from, p.term)
	}
	return true
}

// elected judges a new leader's log (L4): everything committed in earlier terms is in it.
func (o *LogOracle) elected(m *member, r *runtime.Record) bool {
	if i, lacks := differs(&m.log, &o.h.committed, 1, o.h.owed(raft.Term(r.B))); lacks {
		return o.p.fail(r, logCompleteness, about{index: uint64(i)},
			"%v becomes leader of term %d without the committed entry %d of term %d (it has term %d "+
				"there; its log ends at %d)",
			m.id, r.B, i, o.h.committed.term(i), m.log.term(i), m.log.last)
	}
	return true
}

// whole is the end-of-run check on the incremental ones, over everything
// the history still has (L1, L4, L5, L9).
func (o *LogOracle) whole(r *runtime.Record) bool {
	for i := range o.h.members {
		a := &o.h.members[i]
		if at, differ := differs(&a.log, &o.h.committed, 1, a.commit); differ && a.up {
			return o.p.fail(r, logCommittedChanged, about{index: uint64(at)},
				"at the end %v has term %d at its committed entry %d; committed is term %d",
				a.id, a.log.term(at), at, o.h.committed.term(at))
		}
		for j := range i {
			if !o.agree(r, a, &o.h.members[j]) {
				return false
			}
		}
	}
	holders, missing := 0, []raft.Index(nil)
	for i := range o.h.members {
		m := &o.h.members[i]
		at, lacks := differs(&m.disk.durable.log, &o.h.committed, m.snapshot+1, o.h.committed.last)
		if !lacks {
			holders++
			continue
		}
		missing = append(missing, at)
	}
	if holders < o.h.quorum {
		i := slices.Min(missing)
		return o.p.fail(r, logQuorum, about{index: uint64(i)},
			"at the end %d of %d members have all that is committed up to %d on disk; entry %d of term %d is missing",
			holders, len(o.h.members), o.h.committed.last, i, o.h.committed.term(i))
	}
	return true
}

// agree checks that two logs are equal up to the last entry they have in common.
func (o *LogOracle) agree(r *runtime.Record, a, b *member) bool {
	i := min(a.log.last, b.log.last)
	for i > max(a.log.base.index, b.log.base.index) && a.log.term(i) != b.log.term(i) {
		i--
	}
	if at, differ := differs(&a.log, &b.log, 1, i); differ {
		return o.p.fail(r, logMatching, about{index: uint64(at)},
			"at the end %v and %v have the same entry %d of term %d, and differ at %d",
			a.id, b.id, i, a.log.term(i), at)
	}
	return true
}
