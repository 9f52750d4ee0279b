package walrus

import (
	"fmt"
	"slices"
)

// replay finds the segments in use, reads them in order, and leaves in the state
// everything but the group that has to be written again.
func (r *recovery) replay() error {
	top := len(r.files) - 1
	for top >= 0 && !r.files[top].valid {
		top--
	}
	if top < 0 {
		return r.corrupt(CorruptError{File: r.files[0].name, What: "no segment has a valid header"})
	}
	last, v, err := r.findLast(top)
	if err != nil {
		return err
	}
	start, err := r.findStart(last)
	if err != nil {
		return err
	}
	if err := r.begin(&r.files[start].header); err != nil {
		return err
	}
	for i := start; i < last; i++ {
		if err := r.readPinned(&r.files[i], &r.files[i+1].header); err != nil {
			return err
		}
	}
	if err := r.readLast(v); err != nil {
		return err
	}
	return r.checkSuccessor(last, top, v)
}

// findLast returns which file is the last segment in use, with its content. It is
// the one at top, unless that one's first group, written together with its header, is
// not there: then it was being put to use, and the one before is the last.
func (r *recovery) findLast(top int) (last int, v *view, err error) {
	v, err = r.open(top)
	if err != nil {
		return 0, nil, err
	}
	h := &v.header
	r.claim = h.prev.end
	if h.flags&headerWhole != 0 {
		return top, v, nil
	}
	_, bad := v.parse(bodyStart, h.prev.sum)
	if bad == nil {
		return top, v, nil
	}
	f := v.judge(bad, bodyStart, h.prev.sum)
	if f.Verdict == Clean {
		f.Verdict, f.What = Torn, "header without its group"
	}
	f.Offset, f.Bytes = 0, lastByte(v.data, 0)
	if err := r.noteFlaw(f, bad); err != nil {
		return 0, nil, err
	}
	if top == 0 || r.files[top-1].seq != h.seq-1 || !r.files[top-1].valid {
		return 0, nil, r.corrupt(CorruptError{What: fmt.Sprintf("segment %d is missing", h.seq-1)})
	}
	v, err = r.open(top - 1)
	return top - 1, v, err
}

// open loads a whole segment.
func (r *recovery) open(i int) (*view, error) {
	f := &r.files[i]
	data, err := r.load(f.name, nil, segmentGrowMax+MaxGroup)
	return &view{name: f.name, header: f.header, data: data}, err
}

// findStart returns the oldest file that is joined to last without a gap. What
// lies before a gap was removed, or is coming back after a removal that was
// not durable. Whether something is missing that is still needed shows when all
// truncations have been read.
func (r *recovery) findStart(last int) (int, error) {
	start := last
	for start > 0 && r.files[start-1].seq == r.files[start].seq-1 && r.files[start-1].valid {
		if r.files[start-1].header.id != r.files[start].header.id {
			return 0, r.corrupt(CorruptError{File: r.files[start-1].name, What: "segment of another log"})
		}
		start--
	}
	for i := start + 1; i <= last; i++ {
		if r.files[i].header.prev.seq != r.files[i-1].seq {
			return 0, r.corrupt(CorruptError{File: r.files[i].name, What: "segment follows another one"})
		}
	}
	return start, nil
}

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
	data, err := r.load(f.name, nil, end)
	if err != nil {
		return err
	}
	v := &view{name: f.name, header: f.header, data: data}
	seg := r.join(v)
	for r.end < end {
		g, bad := v.parse(r.end, r.sum)
		if bad != nil {
			return r.corrupt(bad.corruption(v.name))
		}
		if err := r.apply(v, &g, seg); err != nil {
			return err
		}
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
	var last *found
	for {
		g, bad := v.parse(r.end, r.sum)
		if bad == nil {
			r.claim = max(r.claim, g.header.durable)
		}
		if last != nil && (bad == nil || v.header.lsn(last.end()) <= r.claim) {
			if err := r.applyAgain(v, last, seg); err != nil {
				return err
			}
			last = nil
		}
		if bad != nil {
			if last != nil {
				r.hold(v, last)
			}
			return r.readTail(v, bad)
		}
		last, r.end, r.sum = &g, g.end(), g.sum
	}
}

// applyAgain parses a group once more, because its records have been
// overwritten by those of the next, and applies it.
func (r *recovery) applyAgain(v *view, g *found, seg *segment) error {
	again, bad := v.parse(g.off, g.header.prevSum)
	if bad != nil {
		panic("walrus: group at " + fmt.Sprint(g.off) + " verified once, and then not: " + bad.what)
	}
	end, sum := r.end, r.sum
	err := r.apply(v, &again, seg)
	r.end, r.sum = end, sum
	return err
}

// hold keeps the last group for rebuild.
func (r *recovery) hold(v *view, g *found) {
	again, _ := v.parse(g.off, g.header.prevSum)
	r.held = &again
	r.heldOps = v.ops
	v.ops = nil
	r.heldBytes = v.data[g.off+groupHeaderBytes : g.end()-trailerBytes]
	r.count(&again)
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

// noteFlaw adds what was judged of a flaw. If that is corruption, the error names the
// record where it was met.
func (r *recovery) noteFlaw(f Finding, bad *flaw) error {
	if f.Verdict != Corrupt {
		return r.note(f)
	}
	e := bad.corruption(f.File)
	e.What = f.What
	return r.corrupt(e)
}

// corruption makes the error of a flaw in durable bytes.
func (f *flaw) corruption(name string) CorruptError {
	e := CorruptError{File: name, Offset: f.off, What: f.what}
	if f.op != nil {
		e.Topic, e.Index, e.Term = f.op.topic, f.op.index, f.op.term
	}
	return e
}

// checkSuccessor looks at the files after the last segment. One exists whenever
// the last segment has taken a group of its own, and a third never does: otherwise something
// was lost, maybe the newest segment of all. The content of the first is
// judged in case it was being put to use; the second is never looked at.
func (r *recovery) checkSuccessor(last, top int, v *view) error {
	if newest := r.files[len(r.files)-1].seq; newest > v.header.seq+sparesMin {
		return r.corrupt(CorruptError{What: fmt.Sprintf("segment %d was in use: there is a segment %d", newest-sparesMin, newest)})
	}
	if last < top {
		return nil // judged before
	}
	if last+1 == len(r.files) || r.files[last+1].seq != r.files[last].seq+1 {
		if v.header.flags&headerWhole != 0 && r.held != nil && r.held.off == bodyStart {
			return nil // a recovery, or the making of the log, was cut short
		}
		return r.corrupt(CorruptError{What: fmt.Sprintf("segment %d is missing", v.header.seq+1)})
	}
	next, err := r.open(last + 1)
	if err != nil {
		return err
	}
	if len(next.data) < bodyStart+sectorBytes {
		next.data = append(next.data, make([]byte, bodyStart+sectorBytes-len(next.data))...)
	}
	return r.note(judgeHeadless(next.name, next.data, v.header.lsn(r.end)))
}

// apply publishes the records of the group last parsed, in place.
func (r *recovery) apply(v *view, g *found, seg *segment) error {
	r.count(g)
	r.end, r.sum = g.end(), g.sum
	r.claim = max(r.claim, g.header.durable)
	group := Group{buf: v.data[g.off-bodyStart : g.end()], ops: v.ops, seg: seg, off: g.off}
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
			return r.corrupt(CorruptError{File: segmentName(r.o.Dir, h.seq), Topic: row.topic, Index: row.bounds.next, What: "bounds differ from the records before"})
		}
		if term, ok := t.lastTerm(); ok && term != row.lastTerm {
			return r.corrupt(CorruptError{File: segmentName(r.o.Dir, h.seq), Topic: row.topic, Index: row.bounds.next - 1, What: "last term differs from the records before"})
		}
	}
	for _, t := range r.state.topics {
		listed := slices.ContainsFunc(h.topics, func(row headerRow) bool { return row.topic == t.id })
		if !listed && t.live != fresh {
			return r.corrupt(CorruptError{File: segmentName(r.o.Dir, h.seq), Topic: t.id, Index: t.live.next, What: "topic is not in the header"})
		}
	}
	return nil
}

// checkComplete reports entries that lie in segments which are not there.
func (r *recovery) checkComplete() error {
	for _, t := range r.state.topics {
		if t.main == nil && t.live.first < t.live.next && t.live.first < t.located {
			what := fmt.Sprintf("entries [%d,%d) lie before segment %d and their segment is missing", t.live.first, min(t.located, t.live.next), r.headers[0].seq)
			return r.corrupt(CorruptError{Topic: t.id, Index: t.live.first, What: what})
		}
	}
	return nil
}
