package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// entry is what the history knows of one entry, wherever it was seen: 56 bytes.
type entry struct {
	term  raft.Term // zero: there is none
	hash  uint64    // the entry hash
	prev  raft.Term // of the entry before it, once marked prevKnown
	chain uint64    // the chain hash after it, once marked applied
	state uint64    // the model's hash after it, once marked applied
	call  runtime.CallID
	slot  int32 // of the call, while the call is remembered
	marks uint32
}

// The marks of an entry.
const (
	prevKnown = 1 << iota
	applied   // by some node
	acked     // its call was told done
)

// chunkEntries is how many entries are allocated, and forgotten, at a time.
const chunkEntries = 512

// reachMax is how far past the last known entry a record may point. What is
// further away is not an entry but a mistake.
const reachMax = 1 << 20

// entryTable maps index and term to the entry. Nearly always there is one term
// to an index; the others are in a map of their own.
type entryTable struct {
	first  raft.Index // of chunks[0]
	chunks []*[chunkEntries]entry
	spare  []*[chunkEntries]entry
	others map[raft.Index][]*entry
}

func newEntryTable() entryTable {
	return entryTable{first: 1, others: map[raft.Index][]*entry{}}
}

// main returns the main entry of the index, or nil.
func (t *entryTable) main(i raft.Index) *entry {
	if i < t.first {
		return nil
	}
	at := uint64(i - t.first)
	if at >= uint64(len(t.chunks))*chunkEntries {
		return nil
	}
	return &t.chunks[at/chunkEntries][at%chunkEntries]
}

// find returns the entry, or nil.
func (t *entryTable) find(p place) *entry {
	e := t.main(p.index)
	if e != nil && e.term == p.term {
		return e
	}
	if len(t.others) > 0 {
		for _, other := range t.others[p.index] {
			if other.term == p.term {
				return other
			}
		}
	}
	return nil
}

// put returns the entry, made if there was none, or nil if it is out of reach:
// forgotten, or far beyond every entry there is. A new one has a zero hash and no marks,
// and the second result says so.
func (t *entryTable) put(p place) (e *entry, made bool) {
	if e := t.find(p); e != nil {
		return e, false
	}
	if p.index < t.first || uint64(p.index-t.first) > uint64(len(t.chunks))*chunkEntries+reachMax || p.term == 0 {
		return nil, false
	}
	for t.main(p.index) == nil {
		t.grow()
	}
	e = t.main(p.index)
	if e.term != 0 {
		e = &entry{}
		t.others[p.index] = append(t.others[p.index], e)
	}
	e.term = p.term
	return e, true
}

func (t *entryTable) grow() {
	if n := len(t.spare); n > 0 {
		t.chunks = append(t.chunks, t.spare[n-1])
		t.spare = t.spare[:n-1]
		return
	}
	t.chunks = append(t.chunks, new([chunkEntries]entry))
}

// promote makes the entry, which exists, the main one of its index.
func (t *entryTable) promote(p place) *entry {
	e := t.main(p.index)
	if e.term == p.term {
		return e
	}
	for _, other := range t.others[p.index] {
		if other.term == p.term {
			*e, *other = *other, *e
		}
	}
	return e
}

// forget drops chunks of which every entry is below the index.
func (t *entryTable) forget(below raft.Index) {
	gone := 0
	for gone < len(t.chunks) && t.first+chunkEntries <= below {
		chunk := t.chunks[gone]
		if len(t.spare) < len(t.chunks) {
			*chunk = [chunkEntries]entry{}
			t.spare = append(t.spare, chunk)
		}
		t.first += chunkEntries
		gone++
	}
	if gone == 0 {
		return
	}
	n := copy(t.chunks, t.chunks[gone:])
	clear(t.chunks[n:])
	t.chunks = t.chunks[:n]
	for i := range t.others { //lint:sorted each is judged alone
		if i < t.first {
			delete(t.others, i)
		}
	}
}

// bytes returns how much memory the entries take.
func (t *entryTable) bytes() int { return (len(t.chunks) + len(t.spare)) * chunkEntries * 56 }
