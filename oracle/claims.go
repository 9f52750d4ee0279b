package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// claimed judges raft.EntryPlaced: the entry was written, and its bytes are on
// disk now (C7, D2). Each claim is asked of the image once, when it is made; what it
// proves stays in the member's ghost disk until the entry is truncated.
func (o *LogOracle) claimed(m *member, r *runtime.Record, p place) bool {
	e := o.h.entries.find(p)
	if e == nil {
		return o.p.fail(r, logClaimUnknown, about{index: r.A},
			"%v says that entry %d of term %d is durable, which nobody ever had",
			m.id, p.index, p.term)
	}
	data, verdict := o.disk.read(m, r, int64(r.C), r.D)
	if verdict == absent {
		return o.p.fail(r, logClaim, about{index: r.A},
			"%v says that entry %d of term %d is durable in %q at %d+%d, and a power loss could take it",
			m.id, p.index, p.term, r.Note, r.C, r.D)
	}
	if verdict == present && !isEntry(e, data) {
		return o.p.fail(r, logClaim, about{index: r.A},
			"%v says that entry %d of term %d is durable in %q at %d+%d, where the disk has other bytes",
			m.id, p.index, p.term, r.Note, r.C, r.D)
	}
	if m.running && !m.disk.placed(p) {
		return o.p.fail(r, logClaimUnknown, about{index: r.A},
			"%v says that entry %d of term %d is durable, which it did not write, or of which an "+
				"earlier entry was not claimed (its disk has up to %d)",
			m.id, p.index, p.term, m.disk.durable.log.last)
	}
	return true
}

// isEntry reports whether the bytes are the entry's payload.
func isEntry(e *entry, data []byte) bool {
	for t := raft.EntryCommand; t <= raft.EntryQuery; t++ {
		if raft.HashEntry(t, data) == e.hash {
			return true
		}
	}
	return false
}
