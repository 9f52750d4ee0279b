package oracle

import "github.com/octopii-go/octopii/raft"

// place tells an entry from all others: index and term together.
type place struct {
	index raft.Index
	term  raft.Term
}

// behind reports whether a log that ends at p is less up to date than one that
// ends at q.
func (p place) behind(q place) bool {
	return p.term < q.term || p.term == q.term && p.index < q.index
}

// shadow is what the history knows of one log: the term of every entry, as
// runs of equal terms. With the table of entries that is the whole log.
type shadow struct {
	base place // the entry before the first one; zero: the log begins at 1
	last raft.Index
	runs []run // ascending; the first begins at base.index+1
}

// run is a stretch of entries of one term, up to the next run or the end.
type run struct {
	first raft.Index
	term  raft.Term
}

// term returns the term of the entry at i, or zero if the log has none there.
// The base counts as there.
func (s *shadow) term(i raft.Index) raft.Term {
	if i > s.last || i < s.base.index {
		return 0
	}
	for k := len(s.runs) - 1; k >= 0; k-- {
		if s.runs[k].first <= i {
			return s.runs[k].term
		}
	}
	return s.base.term
}

// has reports whether the log holds the entry, or began after it.
func (s *shadow) has(p place) bool {
	return p.index <= s.base.index || s.term(p.index) == p.term
}

// end returns the last entry, which is base if there is none.
func (s *shadow) end() place {
	if len(s.runs) == 0 {
		return s.base
	}
	return place{s.last, s.runs[len(s.runs)-1].term}
}

// push adds an entry.
func (s *shadow) push(term raft.Term) {
	s.last++
	if n := len(s.runs); n == 0 || s.runs[n-1].term != term {
		s.runs = append(s.runs, run{first: s.last, term: term})
	}
}

// cut drops the entries from index from on.
func (s *shadow) cut(from raft.Index) {
	from = max(from, s.base.index+1)
	if from > s.last {
		return
	}
	n := len(s.runs)
	for n > 0 && s.runs[n-1].first >= from {
		n--
	}
	s.runs = s.runs[:n]
	s.last = from - 1
}

// compact drops the entries before first; those that it has not got stay away.
func (s *shadow) compact(first raft.Index) {
	if first <= s.base.index+1 {
		return
	}
	base := place{first - 1, s.term(first - 1)}
	if base.index >= s.last {
		s.reset(place{s.last, s.end().term})
		return
	}
	gone := 0
	for gone+1 < len(s.runs) && s.runs[gone+1].first <= first {
		gone++
	}
	n := copy(s.runs, s.runs[gone:])
	s.runs = s.runs[:n]
	s.runs[0].first = first
	s.base = base
}

// reset empties the log, to go on after base.
func (s *shadow) reset(base place) {
	s.base, s.last, s.runs = base, base.index, s.runs[:0]
}

// copyFrom makes s equal to o and independent of it.
func (s *shadow) copyFrom(o *shadow) {
	s.base, s.last = o.base, o.last
	s.runs = append(s.runs[:0], o.runs...)
}

// differs returns the first index from lo to hi at which the logs differ, where
// an entry that is missing differs from one that is there. What lies at or before the
// later base is not compared.
func differs(a, b *shadow, lo, hi raft.Index) (raft.Index, bool) {
	lo = max(lo, a.base.index+1, b.base.index+1)
	i, j := a.runAt(lo), b.runAt(lo)
	for lo <= hi {
		if a.term(lo) != b.term(lo) {
			return lo, true
		}
		if lo > a.last { // and so is b
			return 0, false
		}
		// Both stay as they are until one of them begins a new run or ends.
		next := min(hi, a.last, b.last) + 1
		if i+1 < len(a.runs) {
			next = min(next, a.runs[i+1].first)
		}
		if j+1 < len(b.runs) {
			next = min(next, b.runs[j+1].first)
		}
		if i+1 < len(a.runs) && a.runs[i+1].first == next {
			i++
		}
		if j+1 < len(b.runs) && b.runs[j+1].first == next {
			j++
		}
		lo = next
	}
	return 0, false
}

// runAt returns which run holds index i: the last that begins at or before it.
func (s *shadow) runAt(i raft.Index) int {
	k := len(s.runs) - 1
	for k > 0 && s.runs[k].first > i {
		k--
	}
	return k
}
