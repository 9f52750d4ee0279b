package main

import (
	"maps"
	"slices"

	"github.com/octopii-go/octopii/walrus"
)

// content is what a log holds in the end, built up from its records, with holes where
// something is lost.
//
// A place where unknown records were lost puts everything in doubt: they may have truncated
// topics and replaced entries. What a topic held before may still be what it holds, or not; what
// is appended later does not prove it. So between the entries before and those after there
// is a seam, and only one side of a seam is believed at a time.
type content struct {
	topics map[walrus.Topic]*topic
	keys   map[uint16]key
	txs    map[uint64]key // transactions in doubt
	// losses is how often unknown records were lost.
	losses int
}

// topic is a sequence of spans that join: each begins where the last one ends.
type topic struct {
	first    uint64
	spans    []span
	mirrorOf walrus.Topic
	doubtful bool // unknown records were lost since the last entry
}

// span is a run of entries that are all there, or all lost.
type span struct {
	lo, hi uint64
	items  []item // nil: lost
	seam   bool   // what lies before may have been replaced
}

// item is an entry that is there.
type item struct {
	lsn    uint64
	length int
}

// key is a stable key.
type key struct {
	lsn      uint64
	length   int
	broken   bool // its last value is damaged
	doubtful bool // a newer value may have been lost
}

func newContent() *content {
	return &content{topics: map[walrus.Topic]*topic{}, keys: map[uint16]key{}, txs: map[uint64]key{}}
}

// visitor returns the visitor that builds the content.
func (c *content) visitor() walrus.Visitor {
	return walrus.Visitor{Segment: c.segment, Record: c.record, Lost: c.lost}
}

// ids returns the topics in order.
func (c *content) ids() []walrus.Topic { return slices.Sorted(maps.Keys(c.topics)) }

func (c *content) topic(id walrus.Topic) *topic {
	t := c.topics[id]
	if t == nil {
		t = &topic{first: 1, doubtful: c.losses > 0}
		c.topics[id] = t
	}
	return t
}

// segment takes over the bounds of a header: they were durable with it. The transactions that were
// in doubt then are repeated in its first group.
func (c *content) segment(s walrus.SegmentInfo) error {
	clear(c.txs)
	for _, row := range s.Topics {
		t := c.topic(row.Topic)
		if t.mirrorOf = row.MirrorOf; t.mirrorOf == 0 {
			t.adopt(row.First, row.Next)
		}
	}
	return nil
}

func (c *content) lost(walrus.LostInfo) error {
	c.losses++
	for _, t := range c.topics {
		t.doubtful = true
	}
	for id, k := range c.keys {
		k.doubtful = true
		c.keys[id] = k
	}
	for id, k := range c.txs {
		k.doubtful = true
		c.txs[id] = k
	}
	return nil
}

func (c *content) record(r walrus.RecordInfo) error {
	switch r.Kind {
	case walrus.RecordSet:
		c.keys[uint16(r.Index)] = key{lsn: r.LSN, length: r.Length, broken: r.Broken}
		return nil
	case walrus.RecordPrepare:
		c.txs[r.Index] = key{lsn: r.LSN, length: r.Length, broken: r.Broken}
		return nil
	case walrus.RecordCommit, walrus.RecordAbort:
		delete(c.txs, r.Index)
		return nil
	}
	t := c.topic(r.Topic)
	if t.mirrorOf != 0 {
		return nil // says nothing that the main topic does not
	}
	switch r.Kind {
	case walrus.RecordEntry:
		t.entry(r.Index, item{lsn: r.LSN, length: r.Length}, r.Broken)
	case walrus.RecordCopy:
		t.copied(r.Index, item{lsn: r.LSN, length: r.Length}, r.Broken)
	case walrus.RecordTruncateBack:
		t.truncateBack(r.Index)
	case walrus.RecordTruncateFront:
		t.truncateFront(r.Index)
	case walrus.RecordRebase:
		t.rebase(r.Index)
	}
	return nil
}

// next returns the index after the last entry.
func (t *topic) next() uint64 {
	if len(t.spans) == 0 {
		return t.first
	}
	return t.spans[len(t.spans)-1].hi
}

// entry appends an entry. Indexes that do not follow show what was lost.
func (t *topic) entry(index uint64, it item, broken bool) {
	if t.doubtful && (t.first == t.next() || index < t.first) {
		t.rebase(index) // where it began is lost
	}
	t.reach(index)
	if broken {
		t.fill(index + 1)
		return
	}
	last := len(t.spans) - 1
	if last < 0 || t.spans[last].items == nil || t.doubtful {
		t.spans = append(t.spans, span{lo: index, hi: index, seam: t.doubtful && last >= 0})
		last++
	}
	t.doubtful = false
	s := &t.spans[last]
	s.items = append(s.items, it)
	s.hi++
}

// copied takes over another place of an entry that is there. It may be one that is lost where it was first.
func (t *topic) copied(index uint64, it item, broken bool) {
	i := slices.IndexFunc(t.spans, func(s span) bool { return index >= s.lo && index < s.hi })
	if i < 0 || broken {
		return
	}
	s := t.spans[i]
	if s.items != nil {
		s.items[index-s.lo] = it
		return
	}
	var parts []span
	for _, part := range []span{{lo: s.lo, hi: index, seam: s.seam}, {lo: index, hi: index + 1, items: []item{it}}, {lo: index + 1, hi: s.hi}} {
		if part.lo < part.hi {
			parts = append(parts, part)
		}
	}
	t.spans = slices.Replace(t.spans, i, i+1, parts...)
}

// reach makes index the next: it drops entries that a lost record must have dropped, or
// fills in entries that must have been.
func (t *topic) reach(index uint64) {
	if index < t.next() {
		t.truncateBack(index)
		t.doubtful = true
	}
	t.fill(index)
}

// fill appends lost entries up to an index.
func (t *topic) fill(next uint64) {
	lo := t.next()
	if lo >= next {
		return
	}
	if last := len(t.spans) - 1; last >= 0 && t.spans[last].items == nil {
		t.spans[last].hi = next
		return
	}
	t.spans = append(t.spans, span{lo: lo, hi: next})
}

func (t *topic) truncateBack(from uint64) {
	if from < t.first {
		t.rebase(from)
		return
	}
	t.fill(from)
	for i := len(t.spans) - 1; i >= 0 && t.spans[i].hi > from; i-- {
		s := &t.spans[i]
		if s.lo >= from {
			t.doubtful = t.doubtful || s.seam // what lies before is no better known now
			t.spans = t.spans[:i]
			continue
		}
		s.hi = from
		if s.items != nil {
			s.items = s.items[:from-s.lo]
		}
	}
}

func (t *topic) truncateFront(first uint64) {
	if first <= t.first {
		return
	}
	t.fill(first)
	t.first = first
	for len(t.spans) > 0 && t.spans[0].lo < first {
		s := &t.spans[0]
		if s.hi <= first {
			t.spans = t.spans[1:]
			continue
		}
		if s.items != nil {
			s.items = s.items[first-s.lo:]
		}
		s.lo = first
	}
	if len(t.spans) > 0 {
		t.spans[0].seam = false // nothing is before it
	} else {
		t.doubtful = false
	}
}

// rebase empties the topic.
func (t *topic) rebase(next uint64) { *t = topic{first: next, mirrorOf: t.mirrorOf} }

// adopt takes over bounds that are certain.
func (t *topic) adopt(first, next uint64) {
	if t.first == first && t.next() == next {
		return
	}
	doubtful := t.doubtful || t.next() > t.first
	if first < t.first {
		if len(t.spans) > 0 {
			t.spans = slices.Insert(t.spans, 0, span{lo: first, hi: t.first})
		}
		t.first = first
	}
	t.truncateFront(first)
	t.reach(next)
	t.doubtful = doubtful && t.next() > t.first
}

// kept returns the entries that a repaired log can hold: its topics have no holes, so these are
// those before the first hole or seam, or, if there are none, those before the next.
func (t *topic) kept() (lo, hi uint64, items [][]item) {
	spans := t.spans
	for len(spans) > 0 && spans[0].items == nil {
		spans = spans[1:]
	}
	if len(spans) == 0 {
		return t.next(), t.next(), nil
	}
	lo = spans[0].lo
	for i, s := range spans {
		if s.items == nil || s.seam && i > 0 {
			break
		}
		hi, items = s.hi, append(items, s.items)
	}
	return lo, hi, items
}

// dropped is a run of entries that a repaired log cannot hold.
type dropped struct {
	lo, hi uint64
	lost   bool  // damaged or missing; else whole, but not joined to those kept
	bytes  int64 // of payload; of those lost it is unknown
}

// drops returns what kept leaves out.
func (t *topic) drops() (out []dropped) {
	lo, hi, _ := t.kept()
	for _, s := range t.spans {
		if s.lo >= lo && s.hi <= hi {
			continue
		}
		d := dropped{lo: s.lo, hi: s.hi, lost: s.items == nil}
		for _, it := range s.items {
			d.bytes += int64(it.length)
		}
		if n := len(out); n > 0 && out[n-1].lost == d.lost && out[n-1].hi == d.lo {
			out[n-1].hi, out[n-1].bytes = d.hi, out[n-1].bytes+d.bytes
			continue
		}
		out = append(out, d)
	}
	return out
}

// lossy reports whether anything that was acknowledged may be missing.
func (c *content) lossy() bool {
	if c.losses > 0 {
		return true
	}
	for _, t := range c.topics {
		if t.mirrorOf == 0 && len(t.drops()) > 0 {
			return true
		}
	}
	for _, k := range c.keys {
		if k.broken {
			return true
		}
	}
	for _, k := range c.txs {
		if k.broken {
			return true
		}
	}
	return false
}
