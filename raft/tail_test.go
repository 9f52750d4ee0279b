package raft

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTailAgainstModel does the same to a tail and to a plain slice of entries.
func TestTailAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := tailModel{t: t, term: 1}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.step()
			m.check()
		}
	})
}

// tailModel is a tail and all that it should know.
type tailModel struct {
	t       *rapid.T
	tail    tail
	base    entryID
	entries []Entry // after base
	term    Term
	durable Index // entries up to here may leave the cache
}

func (m *tailModel) last() Index { return m.base.index + Index(len(m.entries)) }

func (m *tailModel) step() {
	switch rapid.IntRange(0, 9).Draw(m.t, "action") {
	case 0, 1, 2, 3:
		m.term += Term(rapid.IntRange(0, 1).Draw(m.t, "term"))
		e := Entry{Index: m.last() + 1, Term: m.term, Data: make([]byte, rapid.IntRange(0, 100).Draw(m.t, "size"))}
		m.tail.push(e)
		m.entries = append(m.entries, e)
	case 4:
		if len(m.entries) > 0 {
			keep := rapid.IntRange(0, len(m.entries)-1).Draw(m.t, "keep")
			m.tail.truncate(m.entries[keep].Index)
			m.entries = m.entries[:keep]
			m.durable = min(m.durable, m.last())
		}
	case 5, 6:
		m.durable = Index(rapid.Uint64Range(uint64(m.durable), uint64(m.last())).Draw(m.t, "durable"))
		m.tail.evict(rapid.IntRange(0, 500).Draw(m.t, "limit"), m.durable)
	case 7:
		drop := rapid.IntRange(0, len(m.entries)).Draw(m.t, "drop")
		if drop > 0 {
			m.base = entryID{m.entries[drop-1].Index, m.entries[drop-1].Term}
			m.entries = m.entries[drop:]
		}
		m.tail.compact(m.base.index)
		m.durable = max(m.durable, m.base.index)
	case 8:
		if rapid.IntRange(0, 3).Draw(m.t, "really") == 0 {
			m.base = entryID{m.last() + 5, m.term}
			m.entries = nil
			m.tail.reset(m.base)
			m.durable = m.base.index
		}
	case 9:
		// As at boot: the entry stays on disk.
		if m.tail.cached() == m.last()+1 {
			m.tail.note(m.term)
			m.entries = append(m.entries, Entry{Index: m.last() + 1, Term: m.term})
			m.durable = m.last()
		}
	}
}

func (m *tailModel) check() {
	t, tl := m.t, &m.tail
	if tl.first() != m.base.index+1 || tl.last != m.last() {
		t.Fatalf("log [%d,%d], want (%d,%d]", tl.first(), tl.last, m.base.index, m.last())
	}
	if tl.cached() > m.durable+1 && tl.cached() > m.base.index+1 {
		t.Fatalf("cached from %d, durable up to %d", tl.cached(), m.durable)
	}
	lastTerm := m.base.term
	for _, e := range m.entries {
		lastTerm = e.Term
		if got := tl.term(e.Index); got != e.Term {
			t.Fatalf("term of %d is %d, want %d", e.Index, got, e.Term)
		}
		if !tl.has(entryID{e.Index, e.Term}) || tl.has(entryID{e.Index, e.Term + 1}) {
			t.Fatalf("has mistakes entry %d", e.Index)
		}
	}
	if tl.lastTerm() != lastTerm || tl.term(m.base.index) != m.base.term {
		t.Fatalf("terms of the ends are %d and %d, want %d and %d", tl.lastTerm(), tl.term(m.base.index), lastTerm, m.base.term)
	}
	bytes := 0
	if from := tl.cached(); from <= tl.last {
		want := m.entries[from-m.base.index-1:]
		for i := range want {
			bytes += entrySize(&want[i])
		}
		if diff := cmp.Diff(want, tl.view(from, tl.last+1, tl.bytes)); diff != "" {
			t.Fatalf("cache differs (-want +got):\n%s", diff)
		}
	}
	if tl.bytes != bytes {
		t.Fatalf("%d bytes cached, want %d", tl.bytes, bytes)
	}
	m.checkFloor()
}

func (m *tailModel) checkFloor() {
	i := Index(rapid.Uint64Range(0, uint64(m.last())+2).Draw(m.t, "floor index"))
	bound := Term(rapid.Uint64Range(0, uint64(m.term)+1).Draw(m.t, "floor term"))
	want := m.base
	for _, e := range m.entries {
		if e.Index <= i && e.Term <= bound {
			want = entryID{e.Index, e.Term}
		}
	}
	if got := m.tail.floor(i, bound); got != want {
		m.t.Fatalf("floor of %d/%d is %v, want %v", i, bound, got, want)
	}
}

func TestCutTakesAtLeastOne(t *testing.T) {
	entries := []Entry{{Data: make([]byte, 100)}, {Data: make([]byte, 100)}, {Data: make([]byte, 100)}}
	one := entrySize(&entries[0])
	for _, c := range []struct{ size, want int }{
		{0, 1}, {one - 1, 1}, {one, 1}, {2*one - 1, 1}, {2 * one, 2}, {10 * one, 3},
	} {
		if got := cut(entries, c.size); got != c.want {
			t.Errorf("cut at %d bytes: %d entries, want %d", c.size, got, c.want)
		}
	}
}
