package walrus

import (
	"math"
	"testing"
)

// A batch that is staged in short comes to the same as any other: the size and the bounds that the
// long way gives it. And what the long way refuses is not taken by the short one.
func TestPlainBatches(t *testing.T) {
	payload := make([]byte, 100)
	entries := func(topic Topic, indexes ...uint64) func(*Batch) {
		return func(b *Batch) {
			for i, index := range indexes {
				b.Entry(topic, index, uint64(i), uint8(i), payload[:i])
			}
		}
	}
	for name, c := range map[string]struct { //lint:sorted each case is by itself
		fill  func(*Batch)
		plain bool
	}{
		"one entry":           {entries(1, 5), true},
		"entries in a row":    {entries(1, 5, 6, 7), true},
		"of a mirrored topic": {entries(2, 5, 6, 7, 8), true},
		"up to the last":      {entries(4, math.MaxUint64-1), true},
		"beyond the last":     {entries(4, math.MaxUint64-1, math.MaxUint64), false},
		"of a mirror":         {entries(3, 5), false},
		"of a new topic":      {entries(9, 1), false},
		"of no topic":         {entries(0, 1), false},
		"with a gap":          {entries(1, 5, 7), false},
		"there already":       {entries(1, 4), false},
		"too large":           {func(b *Batch) { b.Entry(1, 5, 1, 0, make([]byte, 2<<10)) }, false},
		"of two topics":       {func(b *Batch) { entries(1, 5)(b); entries(2, 5)(b) }, false},
		"with a key":          {func(b *Batch) { entries(1, 5)(b); b.Set(1, payload) }, false},
		"behind a truncation": {func(b *Batch) { b.TruncateBack(1, 4); entries(1, 4)(b) }, false},
		"prepared":            {func(b *Batch) { b.Prepare(7); entries(1, 5)(b) }, false},
	} {
		l := &Log{o: Options{Dir: "log", GroupBytes: 1 << 10}.withDefaults(), open: &Group{}}
		if err := l.pair(2, 3); err != nil {
			t.Fatal(err)
		}
		for _, topic := range []Topic{1, 2, 3} {
			l.topic(topic).staged = bounds{first: 2, next: 5}
		}
		l.topic(4).staged = bounds{first: 2, next: math.MaxUint64 - 1}
		var b Batch
		c.fill(&b)
		topic, size := l.plain(&b)
		if (topic != nil) != c.plain {
			t.Errorf("%s: plain: %v, want %v", name, topic != nil, c.plain)
		}
		if topic == nil {
			continue
		}
		ops, want, err := l.try(&b)
		if err != nil || size != want || len(ops) != len(b.ops) {
			t.Errorf("%s: %d bytes, want %d, %v", name, size, want, err)
		}
		l.open.reset()
		l.encodePlain(topic, b.ops)
		for _, other := range l.topics {
			if other.staged != other.trial {
				t.Errorf("%s: topic %d: staged %v, want %v", name, other.id, other.staged, other.trial)
			}
		}
		if got := l.open.size() - groupHeaderBytes - trailerBytes; got != want {
			t.Errorf("%s: encoded in %d bytes, want %d", name, got, want)
		}
	}
}

// Links are signed for the records that they say, although none but ours come in the order of these.
func TestLinksInAnyOrder(t *testing.T) {
	const salt = 7
	g := &Group{}
	g.reset()
	var main []uint32
	for i, payload := range []string{"first", "second", "third"} {
		main = append(main, g.add(&record{kind: kindEntry, topic: 1, index: uint64(i), length: uint32(len(payload))}, []byte(payload)))
	}
	for _, i := range []int{2, 0, 1, 1} {
		g.addLink(&record{kind: kindLink, topic: 2, index: uint64(i), length: main[i]})
	}
	g.joinLinks()
	g.close(groupHeader{}, salt)
	g.sign()
	for i := range g.ops[3:] {
		link := &g.ops[3+i]
		if main := g.ops[link.index]; link.sum != main.sum || link.sum == 0 {
			t.Errorf("link %d of record %d has the sum %#x, want %#x", i, link.index, link.sum, main.sum)
		}
	}
}
