package walrus

import (
	"bytes"
	"fmt"
	"slices"
)

// begin takes the bounds of all topics from the header of the oldest segment.
func (r *recovery) begin(h *segmentHeader) error {
	for _, row := range h.topics {
		t := r.state.topic(row.topic)
		t.live, t.located = row.bounds, row.bounds.next
	}
	for _, row := range h.topics {
		if r.anyMirror && row.mirrorOf != 0 {
			r.o.Mirror = append(r.o.Mirror, Mirror{Main: row.mirrorOf, Recovery: row.topic})
		}
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
	seg := r.join(f.name, &f.header)
	if sealed, err := r.readSealed(f, next); sealed || err != nil {
		return err
	}
	data, err := r.load(f.name, r.buf, end)
	if err != nil {
		return err
	}
	r.buf = data
	v := &view{name: f.name, header: f.header, data: data}
	for r.end < end {
		g, bad := v.parse(r.end, r.sum)
		if bad != nil && r.o.Holes {
			g, bad = r.parseHoles(v)
		}
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
	if err := r.checkSeal(f, next); err != nil {
		return err
	}
	return r.compareRows(next)
}

// checkSeal looks after the seal of a segment whose records have been read: one that is
// there must say the same as they, and one that is missing is to be written.
func (r *recovery) checkSeal(f *file, next *segmentHeader) error {
	if next.flags&headerSpoiled != 0 {
		r.state.journal.reset()
		return nil
	}
	if r.o.VerifyOnOpen {
		v, _, err := r.sealAt(f, next.sealOf(&f.header), next.prev)
		if err != nil {
			return err
		}
		if v != nil {
			return r.compareSeal(v, v.data, next.sealOf(&f.header))
		}
	}
	r.seal(next.prev, next.sealOf(&f.header))
	return nil
}

// compareSeal holds a seal, whose group begins where data does, against what was read.
func (r *recovery) compareSeal(v *view, data []byte, off int64) error {
	same := bytes.Equal(r.state.journal.bytes(), v.ops[0].in(data))
	for _, op := range v.ops[1:] {
		same = same && r.state.holds(&op.record, op.in(data))
	}
	r.state.journal.reset()
	if !same {
		return r.corrupt(CorruptError{File: v.name, Offset: off, What: "seal differs from the records"})
	}
	return nil
}

// readSealed takes a segment from its seal, if it has one that verifies.
func (r *recovery) readSealed(f *file, next *segmentHeader) (bool, error) {
	if r.o.VerifyOnOpen || next.flags&headerSpoiled != 0 {
		return false, nil
	}
	v, _, err := r.sealAt(f, next.sealOf(&f.header), next.prev)
	if err != nil || v == nil {
		return false, err
	}
	if err := r.replaySeal(v, f.seq); err != nil {
		return true, err
	}
	r.end, r.sum = f.header.offset(next.prev.end), next.prev.sum
	return true, r.compareRows(next)
}

// seal plans the seal of the segment read last: it had none. What it holds is in the
// state's journal.
func (r *recovery) seal(end segmentEnd, off int64) {
	seg := r.chain[len(r.chain)-1]
	s := &sealing{name: seg.name, seq: seg.seq, salt: seg.salt, end: end, off: off, journal: r.state.journal}
	r.state.journal = journal{}
	if len(s.journal.buf) <= journalMax {
		r.sealings = append(r.sealings, s)
	}
}

// join appends a segment to the chain.
func (r *recovery) join(name string, h *segmentHeader) *segment {
	seg := &segment{seq: h.seq, name: name, salt: h.salt, base: h.base}
	r.chain = append(r.chain, seg)
	r.headers = append(r.headers, *h)
	r.end, r.sum = bodyStart, h.prev.sum
	r.state.journal.reset()
	r.state.txs = r.state.txs[:0] // its first group repeats those in doubt
	r.report.Segments++
	return seg
}

// readLast reads the last segment to its end, whatever that is, and holds the last
// group back if no claim covers it.
func (r *recovery) readLast(v *view) error {
	seg := r.join(v.name, &v.header)
	var last found // read and not applied yet, with its records
	var lastOps []placed
	for waiting := false; ; waiting = true {
		g, bad := v.parse(r.end, r.sum)
		if bad != nil && r.o.Holes && r.acknowledged(v, bad) {
			if g, bad = r.parseHoles(v); bad == nil {
				// It is not written again: that would give what is damaged a checksum that holds.
				r.claim = max(r.claim, v.header.lsn(g.end()))
			}
		}
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
			// A group is written only when the one before is durable, and says so.
			return r.corrupt(CorruptError{File: v.name, Offset: g.off, What: "group does not vouch for the one before it"})
		}
		if bad == nil && g.header.flags&groupSeal != 0 {
			return r.readEnd(v, &g)
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

// readEnd meets a seal where the last segment ends. A close has left it; or it
// says that there was a later segment.
func (r *recovery) readEnd(v *view, g *found) error {
	if g.header.flags&groupClosed == 0 {
		return r.corrupt(CorruptError{File: v.name, Offset: g.off, What: "segment was finished, and the next one is missing"})
	}
	if err := r.checkSize(v); err != nil {
		return err
	}
	if len(v.ops) == 0 || v.ops[0].kind != kindSeal {
		return r.corrupt(CorruptError{File: v.name, Offset: g.off, What: "seal without its journal"})
	}
	if err := r.compareSeal(v, v.data[g.off:], g.off); err != nil {
		return err
	}
	r.closed, r.report.Closed = true, true
	f := Finding{Verdict: Uncertain, File: v.name, Offset: g.end(), What: "bytes behind the end of a closed log"}
	if f.Bytes = lastByte(v.data, g.end()) - g.end(); f.Bytes > 0 {
		return r.note(f)
	}
	return nil
}

// hold keeps the last group for rebuild.
func (r *recovery) hold(v *view, g *found, ops []placed) {
	r.count(g)
	r.held, r.heldOps = g, ops
	r.heldGroup = v.data[g.off-bodyStart : g.end()]
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
	if err := r.checkSize(v); err != nil {
		return err
	}
	r.left = lastByte(v.data, r.end)
	return r.noteFlaw(v.judge(bad, r.end, r.sum), bad)
}

// checkSize compares the last segment's file with the size it was made with, which
// the sync of the first group made durable.
func (r *recovery) checkSize(v *view) error {
	size := int64(len(v.data))
	if uint64(size) >= v.header.size {
		return nil
	}
	first := r.held != nil && r.held.off == bodyStart
	f := Finding{Verdict: Torn, File: v.name, Offset: size, What: "file is shorter than it was made"}
	if !first || v.header.flags&headerWhole != 0 {
		f.Verdict = Corrupt
	}
	return r.note(f)
}

// apply publishes the records of a group where they lie.
func (r *recovery) apply(v *view, g *found, ops []placed, seg *segment) error {
	r.count(g)
	group := Group{buf: v.data[g.off-bodyStart : g.end()], ops: ops, seg: seg, off: g.off}
	return r.publish(&group, v.name)
}

func (r *recovery) count(g *found) {
	r.report.Groups++
	r.report.Records += int(g.header.records)
}

// publish applies a group's records to the state. That they do not fit is not the
// disk's fault, as all checksums hold; it is reported all the same.
func (r *recovery) publish(g *Group, name string) error {
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
	if err := r.state.publish(g); err != nil {
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
		t.settleCopies()
		if t.main == nil && t.live.first < t.live.next && t.live.first < t.located {
			what := fmt.Sprintf("entries [%d,%d) lie before segment %d, in one that is missing",
				t.live.first, min(t.located, t.live.next), r.headers[0].seq)
			return r.corrupt(CorruptError{Topic: t.id, Index: t.live.first, What: what})
		}
	}
	return nil
}
