package walrus

import (
	"fmt"
	"strings"
)

// missingMax bounds how many missing segments in a row are named one by one: names
// can be forged.
const missingMax = 64

// walker reads all segments again after they have been judged, and goes on behind
// damage.
type walker struct {
	*recovery
	visit   Visitor
	damaged bool // the log is corrupt

	lastSeq  uint64 // of the segment walked last
	lastEnd  uint64 // LSN where its valid groups end
	lastLone bool   // it was written whole and holds nothing but its first group
}

// walk visits everything.
func (w *walker) walk() error {
	w.report.Segments, w.report.Groups, w.report.Records = 0, 0, 0
	files, err := w.usable()
	if err != nil {
		return err
	}
	for i := range files {
		var next *segmentHeader
		if i+1 < len(files) {
			next = &files[i+1].header
		}
		if err := w.joinFile(&files[i]); err != nil {
			return err
		}
		if err := w.walkSegment(&files[i], next); err != nil {
			return err
		}
	}
	if !w.damaged {
		return nil
	}
	return w.checkEnd(files)
}

// usable returns the files to walk. Of a log that opens these are the segments in use. Of a damaged one
// it is everything with a valid header; what else there is counts as lost.
func (w *walker) usable() (files []file, err error) {
	if !w.damaged {
		for _, h := range w.headers {
			files = append(files, file{seq: h.seq, name: segmentName(w.o.Dir, h.seq), headerBlocks: headerBlocks{header: h}})
		}
		return files, nil
	}
	var newest *file
	var buf []byte
	for i := range w.files {
		f := &w.files[i]
		if buf, err = w.load(f.name, buf, bodyStart); err != nil {
			return nil, err
		}
		buf = append(buf, make([]byte, bodyStart-len(buf))...)
		var bad error
		if f.headerBlocks, bad = getHeader(buf, f.seq); bad != nil {
			f.valid = false // said in the report
		}
		if f.valid {
			newest = f
		}
	}
	for i := range w.files {
		f := &w.files[i]
		switch {
		case newest == nil || !f.valid && f.seq < newest.seq:
			err = w.lostFile(f, "segment without a valid header")
		case f.valid && f.header.id != newest.header.id:
			err = w.lostFile(f, "segment of another log")
		case f.valid:
			files = append(files, *f)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// lostFile counts all that a file holds as lost.
func (w *walker) lostFile(f *file, what string) error {
	data, err := w.load(f.name, nil, segmentGrowMax+MaxGroup)
	if err != nil {
		return err
	}
	n := lastByte(data, 0)
	w.add(Finding{Verdict: Corrupt, File: f.name, Bytes: n, What: what})
	return w.lost(LostInfo{File: f.name, Bytes: n, What: what})
}

// joinFile notes segments that are missing before a file.
func (w *walker) joinFile(f *file) error {
	if w.lastSeq == 0 || f.seq == w.lastSeq+1 {
		return nil
	}
	for seq := w.lastSeq + 1; seq < f.seq && seq-w.lastSeq <= missingMax; seq++ {
		if w.has(seq) {
			continue
		}
		what := fmt.Sprintf("segment %d is missing", seq)
		w.add(Finding{Verdict: Corrupt, What: what})
		if err := w.lost(LostInfo{What: what}); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether there is a file of that number.
func (w *walker) has(seq uint64) bool {
	for i := range w.files {
		if w.files[i].seq == seq {
			return true
		}
	}
	return false
}

// walkSegment visits a segment up to where the next one pins its end, or, if
// that one is not there, to the end of its groups.
func (w *walker) walkSegment(f *file, next *segmentHeader) error {
	data, err := w.load(f.name, w.buf, segmentGrowMax+MaxGroup)
	if err != nil {
		return err
	}
	w.buf = data
	s := &stretch{walker: w, view: &view{name: f.name, header: f.header, data: data}, at: bodyStart, sum: f.header.prev.sum}
	pinned := next != nil && next.prev.seq == f.seq && next.prev.end >= f.header.base
	if pinned {
		s.pin, s.pinSum, s.claim = f.header.offset(next.prev.end), next.prev.sum, next.prev.end
	} else if next != nil {
		s.claim = next.prev.end
	}
	w.report.Segments++
	if err := w.tellSegment(s.view); err != nil {
		return err
	}
	if err := s.walk(); err != nil {
		return err
	}
	if pinned && (s.at != s.pin || s.sum != s.pinSum) {
		what := "segment does not end where the next one says"
		w.add(Finding{Verdict: Corrupt, File: f.name, Offset: s.pin, What: what})
		err = w.lost(LostInfo{File: f.name, Offset: s.pin, What: what})
	} else if pinned {
		err = s.pinnedSeal(f, next)
	}
	w.lastSeq, w.lastEnd = f.seq, f.header.lsn(s.at)
	w.lastLone = f.header.flags&headerWhole != 0 && s.groups <= 1
	return err
}

// pinnedSeal visits the seal of a segment whose end is pinned, if there is one.
func (s *stretch) pinnedSeal(f *file, next *segmentHeader) error {
	off := next.sealOf(&f.header)
	v, _, err := s.sealAt(f, off, next.prev)
	if err != nil || v == nil {
		return err
	}
	h, _ := getGroupHeader(v.data, f.header.salt)
	return s.tellSeal(v, off, h)
}

func (w *walker) tellSegment(v *view) error {
	if w.visit.Segment == nil {
		return nil
	}
	h := &v.header
	info := SegmentInfo{
		File: v.name, Seq: h.seq, Base: h.base, Size: int64(len(v.data)),
		PrevSeq: h.prev.seq, PrevEnd: h.prev.end, Recovered: h.flags&headerWhole != 0,
	}
	for _, row := range h.topics {
		info.Topics = append(info.Topics, TopicInfo{
			Topic: row.topic, MirrorOf: row.mirrorOf, First: row.bounds.first, Next: row.bounds.next, LastTerm: row.lastTerm,
		})
	}
	return w.visit.Segment(info)
}

// checkEnd looks at what follows the last segment of a damaged log: its successor
// shows whether there was more.
func (w *walker) checkEnd(files []file) error {
	if len(files) == 0 {
		return nil
	}
	what := ""
	newest := w.files[len(w.files)-1].seq
	switch {
	case newest > w.lastSeq+sparesMin:
		what = fmt.Sprintf("segment %d was in use: there is a segment %d", newest-sparesMin, newest)
	case !w.has(w.lastSeq+1) && !w.lastLone:
		what = fmt.Sprintf("segment %d is missing", w.lastSeq+1)
	}
	if what != "" {
		w.add(Finding{Verdict: Corrupt, What: what})
		return w.lost(LostInfo{What: what})
	}
	for i := range w.files {
		if f := &w.files[i]; f.seq == w.lastSeq+1 {
			return w.checkSpare(f)
		}
	}
	return nil
}

// checkSpare judges the file after the last segment.
func (w *walker) checkSpare(f *file) error {
	data, err := w.load(f.name, w.buf, segmentGrowMax+MaxGroup)
	if err != nil {
		return err
	}
	if w.buf = data; len(data) < bodyStart+sectorBytes {
		data = append(data, make([]byte, bodyStart+sectorBytes-len(data))...)
	}
	found := judgeHeadless(f.name, data, w.lastEnd)
	if found.Verdict == Clean {
		return nil
	}
	w.add(found)
	if found.Verdict < Corrupt {
		return nil
	}
	return w.lost(LostInfo{File: f.name, Bytes: found.Bytes, What: found.What})
}

func (w *walker) lost(l LostInfo) error {
	if w.visit.Lost == nil {
		return nil
	}
	return w.visit.Lost(l)
}

// add puts a finding into the report, unless the judge has said the same.
func (w *walker) add(f Finding) {
	for i := range w.report.Findings {
		known := &w.report.Findings[i]
		if known.File != f.File || known.Offset != f.Offset || f.File == "" && known.What != f.What {
			continue
		}
		known.Bytes, known.Verdict = max(known.Bytes, f.Bytes), max(known.Verdict, f.Verdict)
		if strings.HasPrefix(f.What, known.What) {
			known.What = f.What
		}
		return
	}
	w.report.note(f)
}
