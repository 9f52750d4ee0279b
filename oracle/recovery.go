package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// recovered judges raft.Recovered (L1, L2) and folds it.
func (o *LogOracle) recovered(m *member, r *runtime.Record, p place) bool {
	log := &m.found.log
	fresh := log.last == 0
	if fresh {
		// The term before the first entry is known if anybody had the entry.
		var prev raft.Term
		if e := o.h.entries.find(p); e != nil {
			prev = e.prev
		}
		log.reset(place{p.index - 1, prev})
	}
	if p.index == 0 || p.index != log.last+1 || p.term < log.end().term {
		return o.p.fail(r, logShape, about{index: r.A},
			"%v recovers entry %d of term %d after entry %d of term %d",
			m.id, p.index, p.term, log.last, log.end().term)
	}
	if !o.matches(m, r, p, r.C, log.end().term, !fresh) {
		return false
	}
	log.push(p.term)
	return true
}

// started judges raft.Started against what came back (D2): what was durable
// for certain, with some first part of the writes that were under way. Entries
// under the snapshot no longer matter.
func (o *LogOracle) started(m *member, r *runtime.Record) bool {
	snapshot, last := raft.Index(r.C), raft.Index(r.D)
	found := &m.found
	found.state = ballot{raft.Term(r.A), runtime.NodeID(r.B)}
	if found.log.last == 0 {
		found.log.reset(place{snapshot, o.h.committed.term(snapshot)})
	}
	if last != max(found.log.last, snapshot) {
		return o.p.fail(r, logShape, about{index: r.D},
			"%v starts with a log that ends at %d; what it recovered ends at %d, on a snapshot at %d",
			m.id, last, found.log.last, snapshot)
	}
	if found.log.end().term > found.state.term {
		return o.p.fail(r, logRecoveredMixed, about{},
			"%v starts in term %d with entry %d of term %d",
			m.id, found.state.term, found.log.last, found.log.end().term)
	}
	var candidate store
	candidate.log.copyFrom(&m.disk.durable.log)
	candidate.state = m.disk.durable.state
	logFits := false
	for k, pending := 0, m.disk.pending(); ; k++ {
		if same(&candidate.log, &found.log, snapshot) {
			if candidate.state == found.state {
				return true
			}
			logFits = true
		}
		if k == len(pending) {
			break
		}
		candidate.apply(pending[k])
	}
	if logFits {
		return o.p.fail(r, logRecoveredMixed, about{},
			"%v starts with term %d, vote %v, which it was not in when its log ended at %d (durable: term %d, vote %v)",
			m.id, found.state.term, found.state.vote, last, m.disk.durable.state.term, m.disk.durable.state.vote)
	}
	return o.misrecovered(m, r, snapshot, &candidate.log)
}

// same reports whether two logs hold the same entries after the snapshot.
func same(a, b *shadow, snapshot raft.Index) bool {
	_, differ := differs(a, b, snapshot+1, max(a.last, b.last))
	return !differ
}

// misrecovered says what is wrong with a log that came back: it is neither what
// was durable nor that with some of the writes since; latest is that with all of them.
func (o *LogOracle) misrecovered(m *member, r *runtime.Record, snapshot raft.Index, latest *shadow) bool {
	durable, found := &m.disk.durable.log, &m.found.log
	i, _ := differs(durable, found, snapshot+1, max(durable.last, found.last))
	what := about{index: uint64(i)}
	if found.last < i {
		return o.p.fail(r, logRecoveredLost, what,
			"%v starts with a log that ends at %d; entry %d of term %d was durable, and the log ended at %d",
			m.id, found.last, i, durable.term(i), durable.last)
	}
	if j, differ := differs(latest, found, i, found.last); differ {
		i = j
	}
	return o.p.fail(r, logRecoveredExtra, what,
		"%v starts with entry %d of term %d, which was cut off or never written (durable there: "+
			"term %d, log end %d; written last: term %d, end %d)",
		m.id, i, found.term(i), durable.term(i), durable.last, latest.term(i), latest.last)
}
