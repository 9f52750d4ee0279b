package raft

import (
	"encoding/binary"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// ghost remembers what no node can: all that ever happened in a rig, and panics
// when two things that happened contradict each other.
type ghost struct {
	r       *rig
	leaders map[Term]runtime.NodeID
	votes   map[ghostVote]runtime.NodeID
	entries map[entryID]ghostEntry
	// committed is the one order, with the term in which each place was settled.
	committed []ghostCommit
	chains    map[Index]uint64
	views     map[runtime.NodeID]*ghostView
	// matches are what leaders took peers to hold, by the newest leader.
	matches map[runtime.NodeID]ghostMatch
}

type ghostMatch struct {
	leader Term
	id     entryID
}

type ghostVote struct {
	voter runtime.NodeID
	term  Term
}

type ghostEntry struct {
	hash uint64
	prev Term
}

type ghostCommit struct {
	id     entryID
	inTerm Term // in which it was first seen as committed
}

// ghostView is a node's state as its events tell it.
type ghostView struct {
	role     Role
	term     Term
	commit   Index
	first    Index
	terms    []Term // of entries from first on
	baseTerm Term
}

func (v *ghostView) last() Index { return v.first + Index(len(v.terms)) - 1 }

func (v *ghostView) term1(i Index) Term {
	if i == v.first-1 {
		return v.baseTerm
	}
	return v.terms[i-v.first]
}

func newGhost(r *rig) *ghost {
	return &ghost{
		r:       r,
		leaders: map[Term]runtime.NodeID{},
		votes:   map[ghostVote]runtime.NodeID{},
		entries: map[entryID]ghostEntry{},
		chains:  map[Index]uint64{},
		matches: map[runtime.NodeID]ghostMatch{},
		views:   map[runtime.NodeID]*ghostView{},
	}
}

func (g *ghost) fail(n *rigNode, format string, args ...any) {
	panic(fmt.Sprintf("%v: ", n.id) + fmt.Sprintf(format, args...))
}

// booted takes a node's log from its disk.
func (g *ghost) booted(n *rigNode) {
	d := &n.disk
	v := &ghostView{term: d.state.Term, commit: d.snapshot.Index, first: d.first, baseTerm: d.snapshot.Term}
	for i := range d.entries {
		v.terms = append(v.terms, d.entries[i].Term)
		e := &d.entries[i]
		prev := v.baseTerm
		if i > 0 {
			prev = d.entries[i-1].Term
		} else if d.first != d.snapshot.Index+1 {
			prev = 0 // forgotten
		}
		g.entry(n, entryID{e.Index, e.Term}, ghostEntry{e.Hash(), prev})
	}
	g.views[n.id] = v
}

func (g *ghost) crashed(n *rigNode) { delete(g.views, n.id) }

// entry checks log matching: what an (index, term) is, it is everywhere.
func (g *ghost) entry(n *rigNode, id entryID, e ghostEntry) {
	old, known := g.entries[id]
	if known && (old.hash != e.hash || e.prev != 0 && old.prev != 0 && old.prev != e.prev) {
		g.fail(n, "entry %v is %v, was %v", id, e, old)
	}
	if !known || old.prev == 0 {
		g.entries[id] = e
	}
}

// observe takes in an event of a node.
func (g *ghost) observe(n *rigNode, ev *runtime.Event) {
	if text := renderEvent(ev); text != "" {
		g.r.say("%v %s", n.id, text)
	}
	v := g.views[n.id]
	switch ev.Kind {
	case StateChanged:
		if Term(ev.A) < v.term {
			g.fail(n, "term falls from %d to %d", v.term, ev.A)
		}
		v.term = Term(ev.A)
	case RoleChanged:
		g.role(n, v, ev)
	case Appended:
		id := entryID{Index(ev.A), Term(ev.B)}
		if id.index != v.last()+1 || Term(ev.D) != v.term1(v.last()) {
			g.fail(n, "appends %v after %d/%d", id, v.last(), v.term1(v.last()))
		}
		if v.role == Leader && id.term != v.term {
			g.fail(n, "leader of %d appends %v", v.term, id)
		}
		g.entry(n, id, ghostEntry{ev.C, Term(ev.D)})
		v.terms = append(v.terms, id.term)
	case Truncated:
		if v.role == Leader || Index(ev.A) <= v.commit || Index(ev.A) > v.last() {
			g.fail(n, "%v truncates from %d of %d, commit %d", v.role, ev.A, v.last(), v.commit)
		}
		v.terms = v.terms[:Index(ev.A)-v.first]
	case Compacted:
		g.compacted(v, Index(ev.A), Index(ev.B), n)
	case Matched:
		g.matched(n, v, runtime.NodeID(ev.A), Index(ev.B))
	case Committed:
		g.commit(n, v, ev)
	}
}

func (g *ghost) role(n *rigNode, v *ghostView, ev *runtime.Event) {
	v.role = Role(ev.A)
	if Term(ev.B) != v.term || Index(ev.C) != v.last() || Term(ev.D) != v.term1(v.last()) {
		g.fail(n, "changes role at %d %d/%d, is at %d %d/%d", ev.B, ev.C, ev.D, v.term, v.last(), v.term1(v.last()))
	}
	if v.role != Leader {
		return
	}
	if other, taken := g.leaders[v.term]; taken {
		g.fail(n, "leads term %d, which %v led", v.term, other)
	}
	g.leaders[v.term] = n.id
	voters := map[runtime.NodeID]bool{}
	for note := ev.Note; len(note) > 0; note = note[8:] {
		voters[runtime.NodeID(binary.LittleEndian.Uint64(note))] = true
	}
	for id := range voters {
		if d := &g.r.node(id).disk; d.state.Term < v.term || d.state.Term == v.term && d.state.Vote != n.id {
			g.fail(n, "leads term %d by a vote of %v, whose disk says %+v", v.term, id, d.state)
		}
	}
	if len(voters) <= len(g.r.nodes)/2 {
		g.fail(n, "leads term %d by votes of %v", v.term, voters)
	}
	for _, c := range g.committed {
		if c.inTerm < v.term && c.id.index >= v.first && (c.id.index > v.last() || v.term1(c.id.index) != c.id.term) {
			g.fail(n, "leads term %d without committed %v", v.term, c.id)
		}
	}
}

func (g *ghost) compacted(v *ghostView, first, snapshot Index, n *rigNode) {
	if first > snapshot+1 {
		g.fail(n, "log begins at %d, snapshot at %d", first, snapshot)
	}
	if first > v.last()+1 || int(snapshot) > len(g.committed) {
		v.baseTerm = g.committed[first-2].id.term
		v.terms, v.first = nil, first
		return
	}
	if term := g.committed[snapshot-1].id.term; snapshot <= v.last() && snapshot >= v.first && v.term1(snapshot) != term {
		// The snapshot contradicts the log, which is gone.
		v.terms, v.first, v.baseTerm = nil, first, term
		return
	}
	if first > v.first {
		v.baseTerm = v.term1(first - 1)
		v.terms, v.first = v.terms[first-v.first:], first
	}
}

// matched checks that a match is the truth on the peer's disk.
func (g *ghost) matched(n *rigNode, v *ghostView, peer runtime.NodeID, match Index) {
	old := g.matches[peer]
	if old.leader == v.term && old.id.index >= match {
		g.fail(n, "lowers the match of %v from %d to %d", peer, old.id.index, match)
	}
	if match < v.first-1 {
		return
	}
	if old.leader <= v.term {
		g.matches[peer] = ghostMatch{v.term, entryID{match, v.term1(match)}}
	}
	if d := &g.r.node(peer).disk; !d.covers(entryID{match, v.term1(match)}) {
		g.fail(n, "takes %v to match %d/%d, its disk ends at %d", peer, match, v.term1(match), d.last())
	}
}

// written checks that a disk goes on to hold what it was counted for, while its
// node is in the term of the leader that counts on it.
func (g *ghost) written(n *rigNode) {
	if m := g.matches[n.id]; m.leader == n.disk.state.Term && !n.disk.covers(m.id) {
		g.fail(n, "no longer holds %v, which the leader of %d counts on", m.id, m.leader)
	}
}

func (g *ghost) commit(n *rigNode, v *ghostView, ev *runtime.Event) {
	to := Index(ev.A)
	if to <= v.commit || to > v.last() || Index(ev.D) < to {
		g.fail(n, "commits %d after %d, last %d, verified %d", to, v.commit, v.last(), ev.D)
	}
	if v.role == Leader {
		if v.term1(to) != v.term {
			g.fail(n, "leader of %d commits %d of term %d", v.term, to, v.term1(to))
		}
		holders := 0
		for _, other := range g.r.nodes {
			if other.disk.covers(entryID{to, v.term}) {
				holders++
			}
		}
		if holders <= len(g.r.nodes)/2 {
			g.fail(n, "commits %d/%d, durable on %d", to, v.term, holders)
		}
	}
	for i := v.commit + 1; i <= to; i++ {
		if i < v.first-1 {
			continue // under a snapshot
		}
		id := entryID{i, v.term1(i)}
		if int(i) > len(g.committed) {
			g.committed = append(g.committed, ghostCommit{id, v.term})
		}
		if old := g.committed[i-1].id; old != id {
			g.fail(n, "commits %v, committed is %v", id, old)
		}
	}
	v.commit = to
}

// leaves checks what a gated message asserts against the disk.
func (g *ghost) leaves(n *rigNode, m *Message) {
	d := &n.disk
	if d.state.Term < m.Term {
		g.fail(n, "sends %s with term %d on disk", formatMessage(m), d.state.Term)
	}
	switch {
	case m.Type == MsgVote && (d.state.Term != m.Term || d.state.Vote != n.id):
		g.fail(n, "asks for votes in %d, its disk says %+v", m.Term, d.state)
	case m.Type == MsgVoteReply && !m.Reject:
		if d.state.Term != m.Term || d.state.Vote != m.To {
			g.fail(n, "votes for %v in %d, its disk says %+v", m.To, m.Term, d.state)
		}
		vote := ghostVote{n.id, m.Term}
		if to, voted := g.votes[vote]; voted && to != m.To {
			g.fail(n, "votes for %v and %v in %d", to, m.To, m.Term)
		}
		g.votes[vote] = m.To
	case m.Type == MsgAppendReply && !m.Reject:
		if m.Index > d.last() && m.Index > d.snapshot.Index {
			g.fail(n, "acknowledges %d, its disk ends at %d", m.Index, d.last())
		}
	}
}

// applied checks that an applied entry is the committed one, and that it makes the
// same state everywhere.
func (g *ghost) applied(n *rigNode, e *Entry) {
	id := entryID{e.Index, e.Term}
	if int(e.Index) > len(g.committed) || g.committed[e.Index-1].id != id {
		g.fail(n, "applies %v, which is not committed", id)
	}
	if known := g.entries[id]; known.hash != e.Hash() {
		g.fail(n, "applies %v with other data", id)
	}
	chain, known := g.chains[e.Index]
	if known && chain != n.machine.chain {
		g.fail(n, "has another state at %d", e.Index)
	}
	g.chains[e.Index] = n.machine.chain
}
