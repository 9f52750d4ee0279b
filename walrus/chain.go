package walrus

import "fmt"

// replay finds the segments in use, reads them in order, and leaves in the state
// everything but the group that has to be written again.
func (r *recovery) replay() error {
	top := len(r.files) - 1
	for top >= 0 && !r.files[top].valid {
		top--
	}
	if top < 0 {
		return r.corrupt(CorruptError{What: "no segment has a valid header"})
	}
	if v, err := r.findClosed(top); err != nil {
		return err
	} else if v != nil {
		return r.replayClosed(top, v)
	}
	last, v, err := r.findLast(top)
	if err != nil {
		return err
	}
	if err := r.replayPinned(last); err != nil {
		return err
	}
	if err := r.readLast(v); err != nil {
		return err
	}
	return r.checkSuccessor(last, top, v)
}

// replayClosed reads a log that was closed: its last segment is taken from the seal v.
func (r *recovery) replayClosed(last int, v *view) error {
	if err := r.replayPinned(last); err != nil {
		return err
	}
	f := &r.files[last]
	r.join(f.name, &f.header)
	if err := r.replaySeal(v, f.seq); err != nil {
		return err
	}
	r.claim, r.end, r.sum = r.mark.end, f.header.offset(r.mark.end), r.mark.sum
	r.closed, r.report.Closed = true, true
	// The mark was gone before anything could be written to a later segment.
	return r.checkFiles(last)
}

// replayPinned reads the segments before the last one.
func (r *recovery) replayPinned(last int) error {
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
	return nil
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

// checkSuccessor looks at the files after the last segment. One exists whenever
// the last segment has taken a group of its own, and a third never does: otherwise something
// was lost, maybe the newest segment of all. The content of the first is
// judged in case it was being put to use; the second is never looked at.
func (r *recovery) checkSuccessor(last, top int, v *view) error {
	if err := r.checkFiles(last); err != nil || last < top {
		return err // or judged before
	}
	if last+1 == len(r.files) || r.files[last+1].seq != r.files[last].seq+1 {
		return nil // a recovery was cut short
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

// checkFiles looks at the names of the files after the last segment.
func (r *recovery) checkFiles(last int) error {
	h := &r.files[last].header
	if newest := r.files[len(r.files)-1].seq; newest > h.seq+sparesMin {
		what := fmt.Sprintf("segment %d was in use: there is a segment %d", newest-sparesMin, newest)
		return r.corrupt(CorruptError{What: what})
	}
	if last+1 < len(r.files) && r.files[last+1].seq == h.seq+1 {
		return nil
	}
	if h.flags&headerWhole != 0 && r.held != nil && r.held.off == bodyStart {
		return nil // a recovery, or the making of the log, was cut short
	}
	return r.corrupt(CorruptError{What: fmt.Sprintf("segment %d is missing", h.seq+1)})
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
