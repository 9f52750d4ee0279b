package walrus

import (
	"math"
	"slices"
)

// Publish makes a flushed group visible, and takes its buffer back.
func (l *Log) Publish(g *Group) {
	if g == nil || g != l.flight || l.failed != nil || !g.signed {
		panic("walrus: published a group that is not in flight, or one that failed")
	}
	if err := l.state.publish(g); err != nil {
		panic("walrus: a staged group does not apply: " + err.Error())
	}
	l.durable, l.settled, l.prevSum = g.end, g.seg.seq, g.sum
	g.seg.size = max(g.seg.size, g.prepared)
	l.stats.Records += g.values
	l.stats.PayloadBytes += g.valueBytes
	for _, t := range l.topics {
		t.cutFrom = noIndex
	}
	l.retain()
	l.flight, l.free, l.last = nil, g, g
}

// Placed returns where the entries of the group that was published last and the newest value
// of each key it sets lie. It is to be called before the next Stage, and after that may return
// nothing. The slice is valid until the next Placed.
func (l *Log) Placed() []Placed {
	l.placed = l.placed[:0]
	if l.last != nil {
		l.placed = l.state.placed(l.placed, l.last)
	}
	return l.placed
}

// publish applies the records of a group that lies at g.off in g.seg.
func (s *state) publish(g *Group) error {
	s.journal.groups++
	s.journal.records += uint64(len(g.ops))
	g.values, g.valueBytes = 0, 0
	group := g.bytes()
	for ops := g.ops; len(ops) > 0; {
		op := &ops[0]
		payload := op.in(group)
		place := slot{
			term: op.term, seg: uint32(g.seg.seq), at: op.at(g.off),
			length: op.length, flags: op.flags,
		}
		if err := s.apply(&op.record, payload, place); err != nil {
			return err
		}
		switch op.kind {
		case kindEntry, kindCopy, kindSet:
			g.values++
			g.valueBytes += uint64(len(payload))
		}
		ops = ops[1:]
		if op.kind == kindEntry || op.kind == kindLink {
			ops = ops[s.publishAlike(g, op, ops):]
		}
	}
	return nil
}

// publishAlike applies the entries or links that follow one which has been applied, as long as they
// differ from it in index and length only, and returns how many there are: what apply does,
// in short. A group has little else.
func (s *state) publishAlike(g *Group, op *placed, ops []placed) int {
	n := 0
	for n < len(ops) && ops[n].follows(op, uint64(n)+1) {
		n++
	}
	if n == 0 {
		return 0
	}
	ops = ops[:n]
	start := uint32(g.off / alignBytes)
	t := s.find(op.topic)
	if (t.main != nil) != (op.kind == kindLink) || t.live.next > math.MaxUint64-uint64(n) {
		return 0
	}
	if t.main != nil {
		t.live.next += uint64(n) // and nothing else: a recovery topic has no slots
		return n
	}
	for len(ops) > 0 {
		places := t.slots.room(uint64(len(ops)))
		for i := range places {
			op := &ops[i]
			places[i] = place{at: start + op.off/alignBytes, length: op.length}
			g.valueBytes += uint64(op.length)
		}
		s.journal.addAlike(ops[:len(places)])
		t.slots.count += len(places)
		t.count(t.slots.count-len(places), t.slots.count, 1)
		t.live.next += uint64(len(places))
		ops = ops[len(places):]
	}
	g.values += uint64(n)
	return n
}

// placed appends to out where the payloads of a group that has been published are.
func (s *state) placed(out []Placed, g *Group) []Placed {
	copies := false
	for i := range g.ops {
		op := &g.ops[i]
		p := Placed{File: g.seg.name, Offset: g.off + int64(op.off) + recordHeaderBytes, Length: op.payload()}
		switch op.kind {
		case kindEntry, kindCopy:
			p.Topic, p.Index, p.Term, p.copied = op.topic, op.index, op.term, op.kind == kindCopy
			copies = copies || p.copied
			out = append(out, p)
		case kindSet:
			p.Key, p.IsSet = uint16(op.index), true
			out = placeKey(out, p)
		}
	}
	if copies {
		out = slices.DeleteFunc(out, s.outlived)
	}
	return out
}

// outlived reports whether a copy is of an entry that the same group has truncated.
func (s *state) outlived(p Placed) bool {
	if !p.copied {
		return false
	}
	t := s.find(p.Topic)
	if p.Index < t.live.first || p.Index >= t.live.next {
		return true
	}
	if p.Index < t.located { // only while recovery reads the log
		return !slices.ContainsFunc(t.copies, func(c copied) bool { return c.index == p.Index && c.place.start()+recordHeaderBytes == p.Offset })
	}
	return t.slot(p.Index).start()+recordHeaderBytes != p.Offset
}

// placeKey adds the place of a key's value in the stead of an older one.
func placeKey(out []Placed, p Placed) []Placed {
	for i := range out {
		if out[i].IsSet && out[i].Key == p.Key {
			out[i] = p
			return out
		}
	}
	return append(out, p)
}
