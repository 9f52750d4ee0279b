package walrus

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// history returns records of every kind that a journal holds, and one of a length, a term
// and a topic that take several bytes.
func history() []record {
	return []record{
		{kind: kindEntry, topic: 1, index: 1, term: 1, length: 10},
		{kind: kindEntry, topic: 1, index: 2, term: 1, length: 1000, flags: 3},
		{kind: kindEntry, topic: 900, index: 1, term: 1 << 40, length: 1 << 20, flags: 3},
		{kind: kindTruncateBack, topic: 1, index: 2},
		{kind: kindEntry, topic: 1, index: 2, term: 7},
		{kind: kindTruncateFront, topic: 1, index: 2},
		{kind: kindRebase, topic: 900, index: 1 << 50},
		{kind: kindEntry, topic: 900, index: 1 << 50, term: 7, length: 3},
	}
}

// applied returns the state after the history, with gaps between some entries.
func applied(t *testing.T) *state {
	t.Helper()
	s := &state{}
	at := uint32(1024)
	for i, r := range history() {
		at += uint32(i % 3)
		if err := s.apply(&r, nil, slot{term: r.term, seg: 5, at: at, length: r.length, flags: r.flags}); err != nil {
			t.Fatal(err)
		}
		at += uint32(r.size() / alignBytes)
	}
	return s
}

// describe lists the bounds and the slots of all topics.
func describe(s *state) (out []any) {
	for _, t := range s.topics {
		out = append(out, t.id, t.live.first, t.live.next)
		for i := t.live.first; i < t.live.next; i++ {
			out = append(out, t.slot(i).term, t.slot(i).seg, t.slot(i).at, t.slot(i).length, t.slot(i).flags)
		}
	}
	return out
}

func TestJournalRepeatsTheRecords(t *testing.T) {
	want := applied(t)
	got := &state{}
	if err := got.replay(want.journal.bytes(), 5); err != nil {
		t.Fatal(err)
	}
	if text := cmp.Diff(describe(want), describe(got)); text != "" {
		t.Error(text)
	}
}

// Entries in a row are decoded in short, whatever the length of their lengths.
func TestJournalOfEntriesInARow(t *testing.T) {
	want, got := &state{}, &state{}
	at, index := uint32(1024), uint64(1)
	for _, length := range []uint32{5, 0, 127, 128, 300, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, 3 << 21, 1, 40_000, 7} {
		for range 2 {
			r := record{kind: kindEntry, topic: 9, index: index, term: 3, length: length}
			if err := want.apply(&r, nil, slot{term: 3, seg: 5, at: at, length: length}); err != nil {
				t.Fatal(err)
			}
			at += uint32(r.size() / alignBytes)
			index++
		}
	}
	if err := got.replay(want.journal.bytes(), 5); err != nil {
		t.Fatal(err)
	}
	if text := cmp.Diff(describe(want), describe(got)); text != "" {
		t.Error(text)
	}
}

// A journal that was cut, or changed, is refused or says something: it is never read beyond its end.
func FuzzJournal(f *testing.F) {
	var s state
	for _, r := range history() {
		if err := s.apply(&r, nil, slot{at: 9000}); err != nil {
			f.Fatal(err)
		}
	}
	whole := s.journal.bytes()
	f.Add(whole)
	for n := journalStart; n < len(whole); n++ {
		f.Add(whole[:n])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < journalStart || len(p) > 1<<12 {
			return
		}
		got := &state{}
		if err := got.replay(p, 1); err != nil {
			return
		}
		for _, topic := range got.topics {
			if topic.live.first > topic.live.next {
				t.Errorf("topic %d holds [%d,%d)", topic.id, topic.live.first, topic.live.next)
			}
		}
	})
}

// body is that of a transaction with one change of each kind.
func body(t *testing.T) []byte {
	t.Helper()
	p := appendChange(nil, &change{record: record{kind: kindEntry, topic: 4, term: 9, flags: 2, length: 3}, payload: []byte("abc")})
	return appendChange(p, &change{record: record{kind: kindSet, index: 6, length: 1}, payload: []byte("x")})
}

// A seal whose checksums hold and that does not say what the records say is corrupt.
func TestSealIsComparedWithTheRecords(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *state)
		want  error
	}{
		"the same":      {func(*state) {}, nil},
		"one more":      {func(s *state) { s.journal.add(&record{kind: kindEntry, topic: 1, index: 3}, 20000) }, ErrCorrupt},
		"another count": {func(s *state) { s.journal.groups++ }, ErrCorrupt},
		"another value": {func(s *state) { s.keys[0].value = []byte("other") }, ErrCorrupt},
		"another key":   {func(s *state) { s.keys[0].key++ }, ErrCorrupt},
		"decided":       {func(s *state) { s.decide(7) }, ErrCorrupt},
		"another one":   {func(s *state) { s.txs[0].body = nil }, ErrCorrupt},
	} {
		s := applied(t)
		s.set(3, []byte("value"))
		if err := s.prepare(7, body(t)); err != nil {
			t.Fatal(err)
		}
		seal := sealing{salt: testSalt, end: segmentEnd{end: 1 << 20, sum: 7}, journal: s.journal}
		v := &view{header: segmentHeader{salt: testSalt, base: 1<<20 + bodyStart}, data: seal.group(groupClosed, s)}
		if _, bad := v.parse(0, 7); bad != nil {
			t.Fatalf("%+v", bad)
		}
		r := &recovery{report: &Report{}, state: *applied(t)}
		r.state.set(3, []byte("value"))
		r.state.txs = slices.Clone(s.txs)
		c.spoil(&r.state)
		if err := r.compareSeal(v, v.data, 0); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Entries that are noted together take the bytes that they take one by one, whatever their lengths.
func TestJournalNotesManyAsOneByOne(t *testing.T) {
	var ops []placed
	for _, length := range []uint32{1000, 0, 1, 127, 128, 129, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, 3 << 20, 128} {
		ops = append(ops, placed{record: record{kind: kindEntry, topic: 3, index: uint64(len(ops)), term: 9, length: length}})
	}
	var one, many journal
	for i := range ops {
		one.add(&ops[i].record, one.end)
	}
	many.add(&ops[0].record, 0)
	many.addAlike(ops[1:])
	if !slices.Equal(one.bytes(), many.bytes()) || one.end != many.end {
		t.Errorf("% x up to %d, want % x up to %d", many.bytes(), many.end, one.bytes(), one.end)
	}
}
