package oracle

import (
	"encoding/binary"
	"math/bits"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// ElectionOracle judges terms, votes and roles (Raft, section 5.2 and 5.4.1;
// invariants E1 to E10). It keeps, for ever, the leader of every term and the
// votes of every member by term: 16 bytes each, none of it per operation.
//
// Planted bugs it trips on:
//
//	two-leaders       a quorum off by one (A14), votes counted by message (A12), two votes in a term
//	term-regressed    hard state not written when only the term changed (A04), a torn record (A02)
//	vote-changed      a vote forgotten on step-down (A08), or lost in a crash (forget-vote)
//	vote-twice        vote-twice, forget-vote
//	vote-not-durable  answering before the write (A34, A36)
//	term-not-durable  the same, for requests and acknowledgements (A04)
//	vote-for-behind   logs compared by index before term (A06)
//	no-quorum         A12, A14, stale grants counted (A20)
//	unled-term        entries with a made-up term (B28)
//	transition        elections without a pre-vote, obeying stale messages (A30, A32)
//	last-entry        a stale cache of the last entry (B34)
//	term-from-nowhere pre-votes that change the term (A18)
//	leader-pre-votes  no lease on votes (A22)
//	no-pre-quorum     pre-votes of an earlier round counted (A20)
//	claim             skip-sync, ack-before-durable
type ElectionOracle struct {
	h    *history
	p    *reporter
	disk *inspector
	seen uint64 // leaders

	campaigned raft.Term // the highest in which anybody stood for election
}

// claimed judges raft.StatePlaced: the bytes are there, and say so (E4).
func (o *ElectionOracle) claimed(m *member, r *runtime.Record) bool {
	want := ballot{raft.Term(r.A), runtime.NodeID(r.B)}
	value, verdict := o.disk.read(m, r, int64(r.C), r.D)
	if verdict == absent {
		return o.p.fail(r, electionClaim, about{},
			"%v says that term %d, vote %v are durable in %q at %d+%d, and a power loss could take them",
			m.id, want.term, want.vote, r.Note, r.C, r.D)
	}
	if verdict == present {
		if is, ok := decodeState(value); !ok || is != want {
			return o.p.fail(r, electionClaim, about{},
				"%v says that term %d, vote %v are durable in %q at %d+%d, where the disk has term %d, vote %v",
				m.id, want.term, want.vote, r.Note, r.C, r.D, is.term, is.vote)
		}
	}
	if m.running && !m.disk.statePlaced(want) {
		return o.p.fail(r, electionClaim, about{},
			"%v says that term %d, vote %v are durable, which it never was in: its term is %d, vote %v",
			m.id, want.term, want.vote, m.state.term, m.state.vote)
	}
	if m.running && want.term >= m.claimed.term {
		m.claimed = want
	}
	return true
}

// started judges raft.Started: what is durable binds the next boot (E2, E3).
func (o *ElectionOracle) started(m *member, r *runtime.Record) bool {
	term, vote, was := raft.Term(r.A), runtime.NodeID(r.B), m.claimed
	if term < was.term {
		return o.p.fail(r, electionTerm, about{},
			"%v starts in term %d after term %d was durable",
			m.id, term, was.term)
	}
	if term == was.term && was.vote != 0 && vote != was.vote {
		return o.p.fail(r, electionVoteChanged, about{},
			"%v starts in term %d with vote %v after its vote %v was durable",
			m.id, term, vote, was.vote)
	}
	return true
}

// stateChanged judges raft.StateChanged (E2, E3, E9).
func (o *ElectionOracle) stateChanged(m *member, r *runtime.Record, next ballot) bool {
	if next.term < m.state.term {
		return o.p.fail(r, electionTerm, about{},
			"%v goes from term %d back to %d",
			m.id, m.state.term, next.term)
	}
	if next.term == m.state.term && m.state.vote != 0 && next.vote != m.state.vote {
		return o.p.fail(r, electionVoteChanged, about{},
			"%v changes its vote in term %d from %v to %v",
			m.id, next.term, m.state.vote, next.vote)
	}
	if next.vote == m.id {
		o.campaigned = max(o.campaigned, next.term)
	}
	if next.term > o.campaigned {
		return o.p.fail(r, electionUncampaigned, about{},
			"%v goes to term %d, and nobody has stood for election beyond term %d",
			m.id, next.term, o.campaigned)
	}
	return true
}

// asked judges raft.VoteAsked (E7, E4 for the own vote, E5).
func (o *ElectionOracle) asked(m *member, r *runtime.Record) bool {
	term, last, pre := raft.Term(r.A), place{raft.Index(r.B), raft.Term(r.C)}, r.D == 1
	if !pre && m.claimed.term < term {
		return o.p.fail(r, electionTermDurable, about{},
			"%v asks for votes in term %d, and its durable term is %d",
			m.id, term, m.claimed.term)
	}
	if !pre && m.claimed.term == term && m.claimed.vote != m.id {
		return o.p.fail(r, electionVoteDurable, about{},
			"%v asks for votes in term %d, and its own durable vote is %v",
			m.id, term, m.claimed.vote)
	}
	if pre {
		m.canvass.begin(r.Step, term, m.position)
	}
	campaigns := !pre && m.role == raft.Candidate && m.state.term == term ||
		pre && m.role == raft.PreCandidate && m.state.term+1 == term
	if campaigns && last != m.log.end() {
		return o.p.fail(r, electionLast, about{index: r.B},
			"%v asks for votes in term %d as if its log ended with entry %d of term %d; it ends with %d of %d",
			m.id, term, last.index, last.term, m.log.end().index, m.log.end().term)
	}
	return true
}

// granted judges raft.VoteGranted (E3, E4, E5) and folds it.
func (o *ElectionOracle) granted(m *member, r *runtime.Record) bool {
	term, candidate := raft.Term(r.A), runtime.NodeID(r.B)
	if before, voted := m.votes[term]; voted && before != candidate {
		return o.p.fail(r, electionVoteTwice, about{},
			"%v grants its vote of term %d to %v after granting it to %v",
			m.id, term, candidate, before)
	}
	durable := m.claimed.term > term || m.claimed == ballot{term, candidate}
	if !durable {
		return o.p.fail(r, electionVoteDurable, about{},
			"%v grants its vote of term %d to %v; durable is term %d, vote %v",
			m.id, term, candidate, m.claimed.term, m.claimed.vote)
	}
	// A vote may leave after the log has grown: the log it was given by counts.
	last := place{raft.Index(r.C), raft.Term(r.D)}
	if m.state.term == term && last.behind(m.voteEnd) {
		return o.p.fail(r, electionBehind, about{index: uint64(m.voteEnd.index)},
			"%v votes in term %d for %v, whose log ends with entry %d of term %d; its own ended with %d of %d",
			m.id, term, candidate, last.index, last.term, m.voteEnd.index, m.voteEnd.term)
	}
	m.votes[term] = candidate
	return true
}

// preGranted judges raft.PreVoteGranted (E5, V8).
func (o *ElectionOracle) preGranted(m *member, r *runtime.Record) bool {
	if m.role == raft.Leader {
		return o.p.fail(r, electionDeposed, about{},
			"%v leads term %d and pre-votes in term %d for %v",
			m.id, m.state.term, r.A, runtime.NodeID(r.B))
	}
	last, own := place{raft.Index(r.C), raft.Term(r.D)}, m.log.end()
	if last.behind(own) {
		return o.p.fail(r, electionBehind, about{index: uint64(own.index)},
			"%v pre-votes in term %d for %v, whose log ends with entry %d of term %d; its own ends with %d of %d",
			m.id, r.A, runtime.NodeID(r.B), last.index, last.term, own.index, own.term)
	}
	if asker := o.h.member(runtime.NodeID(r.B)); asker != nil && asker.canvass.term == raft.Term(r.A) {
		asker.canvass.granted |= 1 << m.position
	}
	return true
}

// roleChanged judges raft.RoleChanged (E10, E2, and for a leader E1, E4, E6).
func (o *ElectionOracle) roleChanged(m *member, r *runtime.Record, role raft.Role, term raft.Term) bool {
	if term < m.state.term {
		return o.p.fail(r, electionTerm, about{},
			"%v becomes %v in term %d after term %d",
			m.id, role, term, m.state.term)
	}
	if !legal(m.role, role) {
		return o.p.fail(r, electionTransition, about{},
			"%v goes from %v to %v in term %d",
			m.id, m.role, role, term)
	}
	if granted := bits.OnesCount64(m.canvass.granted); role == raft.Candidate && len(o.h.members) > 1 &&
		(granted < o.h.quorum || m.canvass.term != term) {
		return o.p.fail(r, electionPreQuorum, about{},
			"%v stands for election in term %d with %d pre-votes of %d members, of those asked for last, in term %d",
			m.id, term, granted, len(o.h.members), m.canvass.term)
	}
	if role != raft.Leader {
		return true
	}
	o.seen++
	if before, led := o.h.leaders[term]; led {
		return o.p.fail(r, electionSafety, about{},
			"%v becomes leader of term %d, which %v led",
			m.id, term, before)
	}
	if m.claimed != (ballot{term, m.id}) {
		return o.p.fail(r, electionVoteDurable, about{},
			"%v becomes leader of term %d, and what is durable is term %d, vote %v",
			m.id, term, m.claimed.term, m.claimed.vote)
	}
	return o.elected(m, r, term)
}

// legal reports whether a role may follow another. Elections begin with a
// pre-vote, and only a candidate becomes leader.
func legal(from, to raft.Role) bool {
	switch to {
	case raft.Follower:
		return true
	case raft.PreCandidate:
		return from != raft.Leader
	case raft.Candidate:
		return from == raft.PreCandidate || from == raft.Candidate
	case raft.Leader:
		return from == raft.Candidate
	}
	return false
}

// elected judges the voters a new leader names (E6): they are distinct
// members, a majority, and each of them really voted for it.
func (o *ElectionOracle) elected(m *member, r *runtime.Record, term raft.Term) bool {
	var counted uint64 // by position
	count := 0
	for note := r.Note; len(note) >= 8; note = note[8:] {
		id := runtime.NodeID(binary.LittleEndian.Uint64(note))
		voter := o.h.member(id)
		if voter == nil || voter != m && voter.votes[term] != m.id {
			return o.p.fail(r, electionQuorum, about{},
				"%v becomes leader of term %d by a vote of %v, which never granted it",
				m.id, term, id)
		}
		if bit := uint64(1) << voter.position; counted&bit == 0 {
			counted |= bit
			count++
		}
	}
	if count < o.h.quorum {
		return o.p.fail(r, electionQuorum, about{},
			"%v becomes leader of term %d with %d votes of %d members",
			m.id, term, count, len(o.h.members))
	}
	return true
}

// appended judges raft.Appended: its term had a leader (E8).
func (o *ElectionOracle) appended(m *member, r *runtime.Record, p place) bool {
	if p.term == m.log.end().term {
		return true // judged with the entry before
	}
	if _, led := o.h.leaders[p.term]; !led {
		return o.p.fail(r, electionUnled, about{index: r.A},
			"%v appends entry %d of term %d, which nobody has led",
			m.id, p.index, p.term)
	}
	return true
}

// acked judges raft.Acked: its term is durable (E7).
func (o *ElectionOracle) acked(m *member, r *runtime.Record) bool {
	if term := raft.Term(r.B); m.claimed.term < term {
		return o.p.fail(r, electionTermDurable, about{},
			"%v acknowledges to %v in term %d, and its durable term is %d",
			m.id, runtime.NodeID(r.A), term, m.claimed.term)
	}
	return true
}
