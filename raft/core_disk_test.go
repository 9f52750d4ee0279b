package raft

import (
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// rigMachine is a state machine: a hash over everything applied.
type rigMachine struct {
	index Index
	term  Term
	chain uint64
}

func (m *rigMachine) apply(e *Entry) {
	if e.Index != m.index+1 {
		panic(fmt.Sprintf("applied %d after %d", e.Index, m.index))
	}
	m.index, m.term = e.Index, e.Term
	m.chain = runtime.Mix(runtime.Mix(m.chain, uint64(e.Term)), e.Hash())
}

// rigDisk is what survives a crash.
type rigDisk struct {
	state    HardState
	snapshot SnapshotMeta
	first    Index // of entries; zero counts as 1
	entries  []Entry
}

func (d *rigDisk) last() Index { return d.first + Index(len(d.entries)) - 1 }

// covers reports whether the disk holds that entry, or a snapshot past it.
func (d *rigDisk) covers(id entryID) bool {
	if id.index <= d.snapshot.Index {
		return true
	}
	return id.index >= d.first && id.index <= d.last() && d.entries[id.index-d.first].Term == id.term
}

func (d *rigDisk) write(w *Write) error {
	if w.HasState {
		if w.State.Term < d.state.Term {
			return fmt.Errorf("term falls from %d to %d", d.state.Term, w.State.Term)
		}
		d.state = w.State
	}
	if w.Reset != nil {
		d.snapshot, d.first, d.entries = *w.Reset, w.Reset.Index+1, nil
	}
	if from := w.TruncateFrom; from != 0 {
		if from < d.first || from > d.last() {
			return fmt.Errorf("truncation from %d of [%d,%d]", from, d.first, d.last())
		}
		d.entries = slices.Clip(d.entries[:from-d.first])
	}
	for _, e := range w.Entries {
		if e.Index != d.last()+1 {
			return fmt.Errorf("entry %d after %d", e.Index, d.last())
		}
		d.entries = append(d.entries, e)
	}
	if w.Compact != nil {
		if w.First < d.first || w.First > d.last()+1 || w.First > w.Compact.Index+1 {
			return fmt.Errorf("compaction to %d, snapshot %d, of [%d,%d]", w.First, w.Compact.Index, d.first, d.last())
		}
		d.snapshot = *w.Compact
		d.entries, d.first = d.entries[w.First-d.first:], w.First
	}
	return nil
}
