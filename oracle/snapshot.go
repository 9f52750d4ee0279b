package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// label checks what a snapshot says of its place: its index was applied, with
// that term and chain hash (S1). Indices that every log has left behind are
// not judged any more; nobody can go back to them.
func (o *StateOracle) label(m *member, r *runtime.Record, p place, chain uint64) bool {
	if p.index > o.h.frontier {
		return o.p.fail(r, stateSnapshotChain, about{index: r.A},
			"%v has a snapshot at %d, and nobody has applied more than %d",
			m.id, p.index, o.h.frontier)
	}
	e := o.h.entries.main(p.index)
	if e == nil || e.marks&applied == 0 {
		return true
	}
	if e.term != p.term || e.chain != chain {
		return o.p.fail(r, stateSnapshotChain, about{index: r.A},
			"%v has a snapshot at %d with term %d, chain hash %x; that entry has term %d and chain hash %x",
			m.id, p.index, p.term, chain, e.term, e.chain)
	}
	return true
}

// content checks that all snapshots of an index are the same (S1), and
// remembers the first.
func (o *StateOracle) content(m *member, r *runtime.Record, index raft.Index, hash uint64) bool {
	if index < o.h.entries.first {
		return true
	}
	was, known := o.h.contents[index]
	if !known {
		o.h.contents[index] = hash
		return true
	}
	if was != hash {
		return o.p.fail(r, stateSnapshotContent, about{index: r.A},
			"%v has a snapshot at %d with content %x; elsewhere it is %x",
			m.id, index, hash, was)
	}
	return true
}

// taken judges raft.SnapshotTaken.
func (o *StateOracle) taken(m *member, r *runtime.Record) bool {
	p := place{raft.Index(r.A), raft.Term(r.B)}
	if p.index > m.applied {
		return o.p.fail(r, stateSnapshotEarly, about{index: r.A},
			"%v takes a snapshot at %d, having applied up to %d",
			m.id, p.index, m.applied)
	}
	return o.label(m, r, p, r.C) && o.content(m, r, p.index, r.D)
}

// installed judges raft.SnapshotInstalled (S1, S2) and folds it.
func (o *StateOracle) installed(m *member, r *runtime.Record) bool {
	p := place{raft.Index(r.A), raft.Term(r.B)}
	if p.index < m.applied {
		return o.p.fail(r, stateInstallRegressed, about{index: r.A},
			"%v installs a snapshot at %d after applying up to %d",
			m.id, p.index, m.applied)
	}
	if !o.label(m, r, p, r.C) || !o.content(m, r, p.index, r.D) {
		return false
	}
	m.applied = p.index
	m.commit = max(m.commit, p.index)
	return true
}

// claimed judges raft.SnapshotPlaced (S3): the whole file is durable, is a
// snapshot, and holds the state that the committed commands make (S1).
func (o *StateOracle) claimed(m *member, r *runtime.Record) bool {
	p := place{raft.Index(r.A), raft.Term(r.B)}
	file, verdict := o.disk.read(m, r, 0, r.D)
	if verdict == absent {
		return o.p.fail(r, stateSnapshotClaim, about{index: r.A},
			"%v says that its snapshot at %d is durable as %q, %d bytes, and a power loss could take it",
			m.id, p.index, r.Note, r.D)
	}
	if verdict == present && !o.whole(m, r, p, file) {
		return false
	}
	m.snapshot = max(m.snapshot, p.index)
	return o.content(m, r, p.index, r.C)
}

// whole judges the bytes of a snapshot file.
func (o *StateOracle) whole(m *member, r *runtime.Record, p place, file []byte) bool {
	meta, content, err := raft.CheckSnapshot(file)
	if err != nil || meta.Index != p.index || meta.Term != p.term || meta.Hash != r.C {
		return o.p.fail(r, stateSnapshotClaim, about{index: r.A},
			"%v says that its snapshot at %d, term %d, content %x is durable as %q, which has one at "+
				"%d, term %d, content %x (%v)",
			m.id, p.index, p.term, r.C, r.Note, meta.Index, meta.Term, meta.Hash, err)
	}
	if !o.label(m, r, p, meta.Chain) {
		return false
	}
	e := o.h.entries.main(p.index)
	state := o.model()
	restorer, can := state.(Restorer)
	if !can || e == nil || e.marks&applied == 0 {
		return true
	}
	if err := restorer.Restore(content); err != nil || state.Hash() != e.state {
		return o.p.fail(r, stateSnapshotContent, about{index: r.A},
			"%v has a snapshot at %d that is not the state which the commands up to there make (%v)",
			m.id, p.index, err)
	}
	return true
}

// compacted judges raft.Compacted (S4, S5).
func (o *StateOracle) compacted(m *member, r *runtime.Record) bool {
	first, snapshot := raft.Index(r.A), raft.Index(r.B)
	if first > snapshot+1 {
		return o.p.fail(r, stateGap, about{index: r.A},
			"%v drops the entries before %d, and its snapshot is at %d",
			m.id, first, snapshot)
	}
	if snapshot > m.snapshot || snapshot > o.h.frontier {
		return o.p.fail(r, stateCompactedEarly, about{index: r.A},
			"%v drops the entries before %d for a snapshot at %d; the newest durable one is at %d",
			m.id, first, snapshot, m.snapshot)
	}
	return true
}

// started judges raft.Started (S4): the snapshot reaches to where the log begins.
func (o *StateOracle) started(m *member, r *runtime.Record) bool {
	snapshot, base := raft.Index(r.C), max(m.found.log.base.index, m.disk.durable.log.base.index)
	if snapshot < base {
		return o.p.fail(r, stateGap, about{index: r.C},
			"%v starts on a snapshot at %d, and its log begins after %d",
			m.id, snapshot, base)
	}
	if snapshot > o.h.frontier {
		return o.p.fail(r, stateSnapshotChain, about{index: r.C},
			"%v starts on a snapshot at %d, and nobody has applied more than %d",
			m.id, snapshot, o.h.frontier)
	}
	return true
}
