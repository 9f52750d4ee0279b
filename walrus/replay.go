package walrus

import (
	"fmt"
	"slices"
)

// begin takes the bounds of all topics from the header of the oldest segment.
func (r *recovery) begin(h *segmentHeader) error {
	for _, row := range h.topics {
		t := r.state.topic(row.topic)
		t.live, t.located = row.bounds, row.bounds.next
	}
	for _, m := range r.o.Mirror {
		if err := r.state.pair(m.Main, m.Recovery); err != nil {
			return err
		}
	}
	return r.checkMirrors(h)
}

// checkMirrors compares the header's pairs with those of the options.
func (r *recovery) checkMirrors(h *segmentHeader) error {
	for _, row := range h.topics {
		t := r.state.find(row.topic)
		if row.mirrorOf != 0 && (t == nil || t.main == nil || t.main.id != row.mirrorOf) {
			return fmt.Errorf("walrus: topic %d mirrors %d: %w", row.topic, row.mirrorOf, ErrMirror)
		}
	}
	return nil
}

// readPinned reads a segment up to where the next one's header says it ends.
// Up to there it was durable before the next one began.
func (r *recovery) readPinned(f *file, next *segmentHeader) error {
	end := f.header.offset(next.prev.end)
	if next.prev.end < f.header.base || end > segmentGrowMax+MaxGroup {
		return r.corrupt(CorruptError{File: f.name, What: "end that makes no sense"})
	}
	data, err := r.load(f.name, r.buf, end)
	if err != nil {
		return err
	}
	r.buf = data
	v := &view{name: f.name, header: f.header, data: data}
	seg := r.join(v)
	for r.end < end {
		g, bad := v.parse(r.end, r.sum)
		if bad != nil {
			return r.corrupt(bad.corruption(v.name))
		}
		if err := r.apply(v, &g, v.ops, seg); err != nil {
			return err
		}
		r.end, r.sum = g.end(), g.sum
	}
	if r.end != end || r.sum != next.prev.sum {
		return r.corrupt(CorruptError{File: f.name, Offset: end, What: "segment does not end where the next one says"})
	}
	return r.compareRows(next)
}

// join appends a segment to the chain.
func (r *recovery) join(v *view) *segment {
	seg := &segment{seq: v.header.seq, name: v.name, salt: v.header.salt, base: v.header.base}
	r.chain = append(r.chain, seg)
	r.headers = append(r.headers, v.header)
	r.end, r.sum = bodyStart, v.header.prev.sum
	r.report.Segments++
	return seg
}

// readLast reads the last segment to its end, whatever that is, and holds the last
// group back if no claim covers it.
func (r *recovery) readLast(v *view) error {
	seg := r.join(v)
	var last found // read and not applied yet, with its records
	var lastOps []placed
	for waiting := false; ; waiting = true {
		g, bad := v.parse(r.end, r.sum)
		if bad == nil {
			r.claim = max(r.claim, g.header.durable)
		}
		if waiting && v.header.lsn(last.end()) <= r.claim {
			if err := r.apply(v, &last, lastOps, seg); err != nil {
				return err
			}
			waiting = false
		}
		if waiting && bad == nil {
			// Version 1 writes a group only when the one before is durable, and says so in it.
			return r.corrupt(CorruptError{File: v.name, Offset: g.off, What: "group does not vouch for the one before it"})
		}
		if bad != nil {
			if waiting {
				r.hold(v, &last, lastOps)
			}
			return r.readTail(v, bad)
		}
		last, lastOps, v.ops = g, v.ops, lastOps
		r.end, r.sum = g.end(), g.sum
	}
}

// hold keeps the last group for rebuild.
func (r *recovery) hold(v *view, g *found, ops []placed) {
	r.count(g)
	r.held, r.heldOps = g, ops
	r.heldBytes = v.data[g.off+groupHeaderBytes : g.end()-trailerBytes]
}

// readTail judges what follows the last valid group.
func (r *recovery) readTail(v *view, bad *flaw) error {
	if v.header.lsn(r.end) < r.claim {
		return r.corrupt(bad.corruption(v.name))
	}
	if r.end == bodyStart && v.header.flags&headerWhole != 0 {
		return r.corrupt(bad.corruption(v.name))
	}
	if size := int64(len(v.data)); uint64(size) < v.header.size {
		// The sync of the first group made the size durable.
		first := r.held != nil && r.held.off == bodyStart
		f := Finding{Verdict: Torn, File: v.name, Offset: size, What: "file is shorter than it was made"}
		if !first || v.header.flags&headerWhole != 0 {
			f.Verdict = Corrupt
		}
		if err := r.note(f); err != nil {
			return err
		}
	}
	return r.noteFlaw(v.judge(bad, r.end, r.sum), bad)
}

// apply publishes the records of a group where they lie.
func (r *recovery) apply(v *view, g *found, ops []placed, seg *segment) error {
	r.count(g)
	group := Group{buf: v.data[g.off-bodyStart : g.end()], ops: ops, seg: seg, off: g.off}
	return r.publish(&group, v.name, nil)
}

func (r *recovery) count(g *found) {
	r.report.Groups++
	r.report.Records += int(g.header.records)
}

// publish applies a group's records to the state. That they do not fit is not the
// disk's fault, as all checksums hold; it is reported all the same.
func (r *recovery) publish(g *Group, name string, out *[]Placed) error {
	for i := range g.ops {
		op := &g.ops[i]
		if op.kind != kindLink {
			continue
		}
		t := r.state.find(op.topic)
		if t == nil || t.main == nil || t.main.id != mainOf(g.ops, op).topic {
			return fmt.Errorf("walrus: topic %d holds links: %w", op.topic, ErrMirror)
		}
	}
	if err := r.state.publish(g, out); err != nil {
		return r.corrupt(CorruptError{File: name, Offset: g.off, What: err.Error()})
	}
	for _, t := range r.state.topics {
		if t.main != nil && t.live != t.main.live {
			return fmt.Errorf("walrus: topic %d is behind %d: %w", t.id, t.main.id, ErrMirror)
		}
	}
	return nil
}

// compareRows checks the state against the checkpoint in the next header.
func (r *recovery) compareRows(h *segmentHeader) error {
	if err := r.checkMirrors(h); err != nil {
		return err
	}
	for _, row := range h.topics {
		t := r.state.topic(row.topic)
		if t == nil || t.live != row.bounds {
			return r.misfit(h, row.topic, row.bounds.next, "bounds differ from the records before")
		}
		if term, ok := t.lastTerm(); ok && term != row.lastTerm {
			return r.misfit(h, row.topic, row.bounds.next-1, "last term differs from the records before")
		}
	}
	for _, t := range r.state.topics {
		listed := slices.ContainsFunc(h.topics, func(row headerRow) bool { return row.topic == t.id })
		if !listed && t.live != fresh {
			return r.misfit(h, t.id, t.live.next, "topic is not in the header")
		}
	}
	return nil
}

func (r *recovery) misfit(h *segmentHeader, t Topic, index uint64, what string) error {
	return r.corrupt(CorruptError{File: segmentName(r.o.Dir, h.seq), Topic: t, Index: index, What: what})
}

// checkComplete reports entries that lie in segments which are not there.
func (r *recovery) checkComplete() error {
	for _, t := range r.state.topics {
		if t.main == nil && t.live.first < t.live.next && t.live.first < t.located {
			what := fmt.Sprintf("entries [%d,%d) lie before segment %d, in one that is missing",
				t.live.first, min(t.located, t.live.next), r.headers[0].seq)
			return r.corrupt(CorruptError{Topic: t.id, Index: t.live.first, What: what})
		}
	}
	return nil
}
