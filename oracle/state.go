package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// StateOracle judges what state machines are given and what becomes of it
// (Raft, section 5.4.3 and 7; invariants L6, K5, S1 to S5). It keeps the chain
// hash and the model's hash at every index, within the 56 bytes of the entry, and the
// content hash of every snapshot not older than the oldest log.
//
// Planted bugs it trips on:
//
//	order              apply-twice, a skipped index (T10), an install that races with applying (S16)
//	uncommitted        applying before commit, a stale cache (B24)
//	diverged           state machines that differ
//	wrong-result       state machines that are wrong in the same way, apply-twice within a batch
//	snapshot-early     a snapshot labelled with the commit index
//	snapshot-chain     a label with the current term (S02)
//	snapshot-content   state that moves on while it is written (S06), chunks of two snapshots (S14)
//	snapshot-claim     skip-sync and skip-dir-sync around the snapshot file (S08)
//	install-regressed  installing an older snapshot (S10)
//	compacted-early    compaction before the snapshot is durable (W18)
//	gap                the same, seen after a crash
type StateOracle struct {
	h    *history
	p    *reporter
	disk *inspector
	// model makes an empty reference model.
	model func() Model
	seen  uint64 // entries applied
}

// applied judges raft.Applied (L6, K5).
func (o *StateOracle) applied(m *member, r *runtime.Record) bool {
	o.seen++
	p := place{raft.Index(r.A), raft.Term(r.B)}
	if p.index != m.applied+1 {
		return o.p.fail(r, stateOrder, about{index: r.A},
			"%v applies entry %d after %d",
			m.id, p.index, m.applied)
	}
	if p.index > m.commit || p.index > o.h.committed.last {
		return o.p.fail(r, stateUncommitted, about{index: r.A},
			"%v applies entry %d, and has committed up to %d",
			m.id, p.index, m.commit)
	}
	e := o.h.entries.main(p.index)
	if e == nil || e.term != p.term || e.hash != r.D {
		var is entry
		if e != nil {
			is = *e
		}
		return o.p.fail(r, stateUncommitted, about{index: r.A},
			"%v applies entry %d of term %d with hash %x; committed is term %d, hash %x",
			m.id, p.index, p.term, r.D, is.term, is.hash)
	}
	if e.marks&applied != 0 && e.chain != r.C {
		return o.p.fail(r, stateDiverged, about{index: r.A, call: e.call},
			"%v has chain hash %x after entry %d; elsewhere it is %x: a result differs",
			m.id, r.C, p.index, e.chain)
	}
	return true
}

// apply folds raft.Applied. The first time an index is applied anywhere, its
// command goes to the model, and the model's response must make the same chain hash
// (K1). That holds for every command, whatever its client was told.
func (o *StateOracle) apply(m *member, r *runtime.Record, l *LinearOracle) bool {
	m.applied = raft.Index(r.A)
	e := o.h.entries.main(m.applied)
	if c := o.h.calls.of(e); c != nil && c.node == m.id && c.settled == 0 {
		c.settled = r.At
	}
	if e.marks&applied != 0 {
		return true
	}
	var chain uint64
	if before := o.h.entries.main(m.applied - 1); before != nil {
		chain = before.chain
	}
	e.marks |= applied
	e.chain = r.C
	o.h.frontier = m.applied
	response := l.applied(e)
	if want := raft.ChainHash(chain, m.applied, e.term, e.hash, response); want != r.C {
		return o.p.fail(r, stateWrong, about{index: r.A, call: e.call},
			"%v has chain hash %x after entry %d of term %d; with the model's result it would be %x",
			m.id, r.C, m.applied, e.term, want)
	}
	return true
}
