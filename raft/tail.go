package raft

import (
	"fmt"
	"slices"
)

// tail is what the core knows of its log: the term of every entry in it, as
// runs, and the entries themselves for a stretch at the end, the cache. The
// entries before the cache are on disk and come back by loads.
type tail struct {
	// base is the last entry that is not in the log: under the snapshot, or zero.
	// Its term is known, so that an append can follow it.
	base entryID
	last Index
	runs []termRun // ascending; the first begins at base.index+1

	// cache[head:] are the entries up to last. What lies before head is free: the
	// buffer slides, so that the cache is one slice and views of it cost nothing.
	cache []Entry
	head  int
	bytes int // of cache[head:], as entrySize counts
}

// entryID tells an entry from all others: no two have both in common.
type entryID struct {
	index Index
	term  Term
}

// termRun is a stretch of entries of one term, up to the next run or the end.
type termRun struct {
	first Index
	term  Term
}

// entrySize is what an entry counts for in limits, in bytes.
func entrySize(e *Entry) int { return len(e.Data) + entryOverhead }

// first returns the index of the first entry in the log, last+1 if it is empty.
func (t *tail) first() Index { return t.base.index + 1 }

// cached returns the index of the first entry in the cache, last+1 if it is empty.
func (t *tail) cached() Index { return t.last + 1 - Index(len(t.cache)-t.head) }

// lastID returns the last entry, which is base if the log is empty.
func (t *tail) lastID() entryID { return entryID{t.last, t.lastTerm()} }

// lastTerm returns the term of the last entry, or of base.
func (t *tail) lastTerm() Term {
	if len(t.runs) == 0 {
		return t.base.term
	}
	return t.runs[len(t.runs)-1].term
}

// term returns the term of the entry at i, from base to last.
func (t *tail) term(i Index) Term {
	if i < t.base.index || i > t.last {
		panic(fmt.Sprintf("raft: term of %d outside [%d,%d]", i, t.base.index, t.last))
	}
	// Nearly every question is about the newest term.
	for r := len(t.runs) - 1; r >= 0; r-- {
		if t.runs[r].first <= i {
			return t.runs[r].term
		}
	}
	return t.base.term
}

// has reports whether the log, or its base, has that entry.
func (t *tail) has(id entryID) bool {
	return id.index >= t.base.index && id.index <= t.last && t.term(id.index) == id.term
}

// floor returns the last entry, base included, at an index of at most i and of
// a term of at most bound; base itself if there is none.
func (t *tail) floor(i Index, bound Term) entryID {
	i = min(i, t.last)
	for r := len(t.runs) - 1; r >= 0; r-- {
		run := t.runs[r]
		if run.first > i {
			continue
		}
		if run.term <= bound {
			return entryID{i, run.term}
		}
		i = run.first - 1
	}
	return t.base
}

// note adds the term of an entry that stays on disk, after last.
func (t *tail) note(term Term) {
	if term < t.lastTerm() {
		panic(fmt.Sprintf("raft: entry %d of term %d after term %d", t.last+1, term, t.lastTerm()))
	}
	t.last++
	if len(t.runs) == 0 || t.runs[len(t.runs)-1].term != term {
		t.runs = append(t.runs, termRun{first: t.last, term: term})
	}
}

// push adds an entry after last, in the cache.
func (t *tail) push(e Entry) {
	if e.Index != t.last+1 {
		panic(fmt.Sprintf("raft: entry %d after %d", e.Index, t.last))
	}
	if len(t.cache) == cap(t.cache) && t.head > len(t.cache)/2 {
		n := copy(t.cache, t.cache[t.head:])
		clear(t.cache[n:])
		t.cache, t.head = t.cache[:n], 0
	}
	t.note(e.Term)
	t.cache = append(t.cache, e)
	t.bytes += entrySize(&e)
}

// truncate drops the entries from index from on, which is in the log.
func (t *tail) truncate(from Index) {
	if from <= t.base.index || from > t.last {
		panic(fmt.Sprintf("raft: truncation from %d in (%d,%d]", from, t.base.index, t.last))
	}
	keep := t.head
	if cached := t.cached(); from > cached {
		keep += int(from - cached)
	}
	for i := keep; i < len(t.cache); i++ {
		t.bytes -= entrySize(&t.cache[i])
	}
	clear(t.cache[keep:])
	t.cache = t.cache[:keep]
	for len(t.runs) > 0 && t.runs[len(t.runs)-1].first >= from {
		t.runs = t.runs[:len(t.runs)-1]
	}
	t.last = from - 1
}

// compact makes the entry at index i, in the log or base, the new base.
func (t *tail) compact(i Index) {
	base := entryID{i, t.term(i)}
	for t.head < len(t.cache) && t.cache[t.head].Index <= i {
		t.drop()
	}
	gone := 0
	for gone+1 < len(t.runs) && t.runs[gone+1].first <= i+1 {
		gone++
	}
	t.runs = slices.Delete(t.runs, 0, gone)
	if i == t.last {
		t.runs = t.runs[:0]
	} else {
		t.runs[0].first = i + 1
	}
	t.base = base
}

// reset empties the log, to go on after base.
func (t *tail) reset(base entryID) {
	clear(t.cache[t.head:])
	*t = tail{base: base, last: base.index, runs: t.runs[:0], cache: t.cache[:0]}
}

// evict drops entries from the front of the cache while it holds more than
// limit bytes, but none after durable: those are nowhere else.
func (t *tail) evict(limit int, durable Index) {
	for t.bytes > limit && t.head < len(t.cache) && t.cache[t.head].Index <= durable {
		t.drop()
	}
}

func (t *tail) drop() {
	t.bytes -= entrySize(&t.cache[t.head])
	t.cache[t.head] = Entry{}
	t.head++
}

// view returns the cached entries from lo on and before hi, cut at size bytes
// but not before the first. It is valid until the tail changes.
func (t *tail) view(lo, hi Index, size int) []Entry {
	from := t.cached()
	if lo < from || hi > t.last+1 || lo >= hi {
		panic(fmt.Sprintf("raft: view of [%d,%d) of cached [%d,%d]", lo, hi, from, t.last))
	}
	entries := t.cache[t.head+int(lo-from) : t.head+int(hi-from)]
	return entries[:cut(entries, size):len(entries)]
}

// cut returns how many entries fit in size bytes, one at least.
func cut(entries []Entry, size int) int {
	for i := range entries {
		size -= entrySize(&entries[i])
		if size < 0 {
			return max(i, 1)
		}
	}
	return len(entries)
}
