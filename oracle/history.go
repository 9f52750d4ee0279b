package oracle

import (
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// history is what all oracles share: the ghost of everything that happened. A
// record is judged by the history before it, and then folded in.
type history struct {
	order   uint64 // the number of the record
	members []member
	quorum  int // how many members are a majority

	entries   entryTable
	committed shadow     // the committed log, as long as any node's commit index ever was
	commits   []commits  // by the term in which they happened, ascending
	frontier  raft.Index // the last index applied by any node
	acked     raft.Index // the highest index of a call that was told done
	leaders   map[raft.Term]runtime.NodeID
	contents  map[raft.Index]uint64 // content hash by snapshot index
	calls     callTable
}

// commits are those that happened in one term: up to an index, after those of the
// terms before. A later term's leader has all that an earlier one can still commit,
// and commits it first or with something of its own, so these grow together.
type commits struct {
	term raft.Term
	last raft.Index
}

// owed returns the last index that a leader of the term must have in its log: what
// was committed in the terms before. One whose votes were long on their way may
// take office when later terms have committed more, and can do no harm then.
func (h *history) owed(term raft.Term) raft.Index {
	for k := len(h.commits) - 1; k >= 0; k-- {
		if h.commits[k].term < term {
			return h.commits[k].last
		}
	}
	return 0
}

func newHistory(voters []runtime.NodeID) *history {
	h := &history{
		entries:  newEntryTable(),
		leaders:  map[raft.Term]runtime.NodeID{},
		contents: map[raft.Index]uint64{},
		calls:    newCallTable(),
	}
	if len(voters) > 0 {
		h.quorum = len(voters)/2 + 1
	}
	voters = slices.Clone(voters)
	slices.Sort(voters)
	for i, id := range voters {
		if id == 0 || i > 0 && voters[i-1] == id {
			panic(fmt.Sprintf("oracle: voters %v", voters))
		}
		h.members = append(h.members, member{
			id: id, position: i,
			votes:    map[raft.Term]runtime.NodeID{},
			volatile: volatile{match: make([]raft.Index, len(voters))},
		})
	}
	return h
}

// member returns the ghost of a voter, or nil.
func (h *history) member(id runtime.NodeID) *member {
	for i := range h.members {
		if h.members[i].id == id {
			return &h.members[i]
		}
	}
	return nil
}

// leader returns the living leader of the highest term, or nil.
func (h *history) leader() *member {
	var best *member
	for i := range h.members {
		if m := &h.members[i]; m.leads() && (best == nil || m.state.term > best.state.term) {
			best = m
		}
	}
	return best
}

// durableOn counts the members on whose disk the entry is for certain.
func (h *history) durableOn(p place) int {
	n := 0
	for i := range h.members {
		if h.members[i].disk.durable.log.has(p) {
			n++
		}
	}
	return n
}

// trim forgets the entries that no member can refer to any more: every log on
// disk begins after them, and so after a snapshot that is durable. The entry at
// the floor stays: logs follow it and snapshots may end with it.
func (h *history) trim() {
	floor := h.frontier
	for i := range h.members {
		floor = min(floor, h.members[i].disk.durable.log.base.index)
	}
	if floor < h.entries.first+chunkEntries {
		return
	}
	h.entries.forget(floor)
	h.committed.compact(floor)
	for i := range h.contents { //lint:sorted each is judged alone
		if i < floor {
			delete(h.contents, i)
		}
	}
}

// started folds raft.Started.
func (h *history) started(m *member, r *runtime.Record) {
	m.running = true
	m.state = ballot{raft.Term(r.A), runtime.NodeID(r.B)}
	m.log.copyFrom(&m.found.log)
	m.found.state = m.state
	m.disk.restart(&m.found)
	m.claimed = m.state
	m.snapshot = max(m.snapshot, raft.Index(r.C))
	m.commit = max(m.commit, raft.Index(r.C))
	if base := (place{raft.Index(r.C), h.committed.term(raft.Index(r.C))}); !m.log.has(base) || m.log.last < base.index {
		m.log.reset(base)
		m.disk.push(change{kind: changeReset, at: base})
	}
	m.voteEnd = m.log.end()
}

// stateChanged folds raft.StateChanged.
func (h *history) stateChanged(m *member, next ballot) {
	if next.vote != 0 && next != m.state {
		m.voteEnd = m.log.end()
	}
	m.state = next
	m.disk.push(change{kind: changeState, at: place{term: next.term}, vote: next.vote})
}

// roleChanged folds raft.RoleChanged.
func (h *history) roleChanged(m *member, role raft.Role, term raft.Term) {
	m.role = role
	if role == raft.Leader {
		h.leaders[term] = m.id
		clear(m.match)
	}
}

// appended folds raft.Appended.
func (h *history) appended(m *member, p place) {
	m.log.push(p.term)
	m.disk.push(change{kind: changeAppend, at: p})
}

// truncated folds raft.Truncated.
func (h *history) truncated(m *member, from raft.Index) {
	m.log.cut(from)
	m.cut = place{from, m.state.term}
	m.disk.push(change{kind: changeTruncate, at: place{index: from}})
}

// compacted folds raft.Compacted. A log that holds the snapshot's last entry
// keeps what follows; another one is replaced.
func (h *history) compacted(m *member, first, snapshot raft.Index) {
	base := place{snapshot, h.committed.term(snapshot)}
	if m.log.last >= snapshot && m.log.has(base) {
		m.log.compact(first)
		m.disk.push(change{kind: changeCompact, at: place{index: first}})
		return
	}
	m.log.reset(base)
	m.commit = max(m.commit, snapshot)
	m.disk.push(change{kind: changeReset, at: base})
}
