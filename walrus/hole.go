package walrus

// hole is an entry whose payload does not verify, and where it lies.
type hole struct {
	record
	file string
	seq  uint64
	off  int64
}

// parseHoles verifies the group at the end of what was read but for the payloads of its entries,
// and notes which of these are damaged. All else must hold: then it is known what is
// lost, and nothing that is shown hangs on it.
func (r *recovery) parseHoles(v *view) (found, *flaw) {
	v.lenient = true
	g, bad := v.parse(r.end, r.sum)
	v.lenient = false
	if bad != nil {
		return g, bad
	}
	for _, op := range v.broken {
		r.holes = append(r.holes, hole{record: op.record, file: v.name, seq: v.header.seq, off: r.end + int64(op.off)})
	}
	return g, nil
}

// acknowledged reports whether the group at the end of what was read, which has a flaw, was durable: a later
// one says so.
func (r *recovery) acknowledged(v *view, bad *flaw) bool {
	end := v.header.lsn(r.end)
	_, durable, ok := v.laterWrite(bad, r.end)
	return r.claim > end || ok && durable > end
}

// noteHoles reports the damaged entries: those that the log still holds there as corrupt, those that have
// been truncated, or have another place, as damage that harms nothing.
func (r *recovery) noteHoles(l *Log) {
	for i := range r.holes {
		h := &r.holes[i]
		f := Finding{Verdict: Damaged, File: h.file, Offset: h.off, Bytes: int64(h.size()), What: "payload of an entry that is not needed"}
		t := l.find(h.topic)
		if t != nil && h.index >= t.live.first && h.index < t.live.next {
			if s := t.slot(h.index); s.seg == uint32(h.seq) && s.start() == h.off {
				f.Verdict, f.What = Corrupt, "payload of an entry"
				r.report.Holes = append(r.report.Holes, Hole{
					Topic: h.topic, Index: h.index, Term: h.term, Flags: h.flags, Length: int(h.length),
				})
			}
		}
		r.report.note(f)
	}
}
