package walrus

import (
	"encoding/binary"
	"fmt"
)

// stretch is one segment on a walk.
type stretch struct {
	*walker
	*view
	pin    int64  // where the next segment says that this one ends; zero: it does not say
	pinSum uint32 // and the group CRC there
	claim  uint64 // LSN below which everything was durable
	at     int64  // where the next group should be
	sum    uint32 // group CRC of the one before
	groups int
}

// walk visits the groups, and what can be read where no group verifies.
func (s *stretch) walk() error {
	for s.pin == 0 || s.at < s.pin {
		g, bad := s.parse(s.at, s.sum)
		if bad == nil && s.pin > 0 && g.end() > s.pin {
			bad = &flaw{off: s.at, what: "group beyond the end of its segment", sound: true}
		}
		var err error
		switch {
		case bad == nil && g.header.flags&groupSeal != 0:
			return s.tellSeal(s.view, g.off, g.header)
		case bad == nil:
			err = s.tellGroup(&g, false)
		case s.pin == 0 && !s.acknowledged(bad):
			return nil
		default:
			err = s.rescue(bad)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// acknowledged reports whether a flaw behind the last group of an unpinned segment
// damages what was durable; if not, the log ends there.
func (s *stretch) acknowledged(bad *flaw) bool {
	f := s.judge(bad, s.at, s.sum)
	if s.at == bodyStart && s.header.flags&headerWhole != 0 {
		return true // the first group was synced before the segment got its name
	}
	if f.Verdict == Corrupt || s.header.lsn(s.at) < s.claim && f.Bytes > 0 {
		return true
	}
	if f.Verdict != Clean && s.damaged {
		s.add(f) // the judge may have stopped before it came here
	}
	return false
}

// tellGroup visits the records of a group that verifies, and goes behind it.
func (s *stretch) tellGroup(g *found, corrected bool) error {
	s.report.Groups++
	s.groups++
	s.claim = max(s.claim, g.header.durable)
	for i := range s.ops {
		op := &s.ops[i]
		info := s.info(&op.record, g.off, g.off+int64(op.off))
		info.Repeated, info.Corrected = g.header.flags&groupRecovered != 0, corrected
		if err := s.tellRecord(info); err != nil {
			return err
		}
	}
	s.at, s.sum = g.end(), g.sum
	return nil
}

// tellSeal visits the seal that was parsed last into a view, and lies at an offset in the file.
func (s *stretch) tellSeal(v *view, off int64, h groupHeader) error {
	if s.visit.Seal == nil || len(v.ops) == 0 || v.ops[0].kind != kindSeal {
		return nil
	}
	journal := v.ops[0].in(v.data[v.header.offset(h.lsn):])
	return s.visit.Seal(SealInfo{
		File: s.name, Offset: off, Bytes: int64(h.size()), Closed: h.flags&groupClosed != 0,
		Groups:  int(binary.LittleEndian.Uint64(journal[0:])),
		Records: int(binary.LittleEndian.Uint64(journal[8:])),
	})
}

// info describes a record whose header holds.
func (s *stretch) info(r *record, group, at int64) RecordInfo {
	lo := at + recordHeaderBytes
	return RecordInfo{
		File: s.name, Offset: at, LSN: s.header.lsn(at), Group: group,
		Kind: RecordKind(r.kind), Topic: r.topic, Index: r.index, Term: r.term, Flags: r.flags,
		Length: r.payload(), Payload: s.data[lo : lo+int64(r.payload()) : lo+int64(r.payload())],
	}
}

func (s *stretch) tellRecord(info RecordInfo) error {
	if info.Kind == RecordKind(kindSeal) {
		return nil // met among the pieces of a damaged one
	}
	if info.Broken {
		info.Payload = nil
	} else {
		s.report.Records++
	}
	if s.visit.Record == nil {
		return nil
	}
	return s.visit.Record(info)
}

// rescue goes over a place where no group verifies although one did.
func (s *stretch) rescue(bad *flaw) error {
	finding := Finding{Verdict: Corrupt, File: s.name, Offset: bad.off, What: bad.what}
	if bad.op != nil {
		finding.What += fmt.Sprintf(" (topic %d index %d term %d)", bad.op.topic, bad.op.index, bad.op.term)
	}
	if at, bit, ok := s.suspect(bad); ok {
		s.data[at] ^= bit
		g, still := s.parse(s.at, s.sum)
		if still == nil && (s.pin == 0 || g.end() <= s.pin) {
			finding.Bytes, finding.What = 1, fmt.Sprintf("%s: one flipped bit at %d", finding.What, at)
			s.add(finding)
			return s.tellGroup(&g, true)
		}
		s.data[at] ^= bit
	}
	limit, sum, known := s.nextGroup(s.at + alignBytes)
	finding.Bytes = max(limit-bad.off, 0)
	s.add(finding)
	from := s.at
	s.at, s.sum = limit, sum
	if !known {
		return s.lost(LostInfo{File: s.name, Offset: from, Bytes: limit - from, What: bad.what})
	}
	p := &pieces{stretch: s, group: from, at: from, limit: limit, orderly: true}
	return p.read(bad)
}

// nextGroup returns where the next group is and the sum it builds on, or where the pinned
// end is; known says that what lies before was durable. Else it returns where the bytes end.
func (s *stretch) nextGroup(at int64) (limit int64, sum uint32, known bool) {
	end := int64(len(s.data))
	if s.pin > 0 {
		end = min(end, s.pin)
	}
	for ; at+groupHeaderBytes <= end; at += alignBytes {
		if binary.LittleEndian.Uint32(s.data[at:]) != groupMagic {
			continue
		}
		if h, bad := s.parseHeader(at); bad == nil {
			return at, h.prevSum, true
		}
	}
	if s.pin > 0 {
		return s.pin, s.pinSum, true
	}
	return roundUp(lastByte(s.data, s.at+1), alignBytes), s.sum, false
}

// pieces reads single records out of groups that do not verify. Each record
// has checksums of its own; they are believed because the group was durable as a whole.
type pieces struct {
	*stretch
	group   int64 // where the current group begins
	at      int64
	limit   int64 // the next good group
	orderly bool  // at is where a record, a trailer or a header is
}

// read visits what can be read from a group's beginning up to the limit.
func (p *pieces) read(bad *flaw) error {
	end := p.limit
	p.limit = min(p.limit, int64(len(p.data)))
	if bad.sound || p.limit-p.at < groupHeaderBytes {
		return p.skip(end, bad.what)
	}
	for p.at += groupHeaderBytes; p.at < p.limit; {
		if err := p.step(); err != nil {
			return err
		}
	}
	if p.at = min(p.at, p.limit); p.limit < end {
		return p.skip(end, "file ends")
	}
	return nil
}

// step reads one part, or what lies before the next that can be read.
func (p *pieces) step() error {
	if p.trailerAt(p.at) {
		p.at += trailerBytes
		p.group = p.at
		p.at += groupHeaderBytes // whatever it says, it cannot hide records
		p.orderly = true
		return nil
	}
	r, broken, ok := p.recordAt(p.at, p.orderly)
	if ok {
		info := p.info(&r, p.group, p.at)
		info.Broken = broken
		p.at += int64(r.size())
		p.orderly = true
		return p.tellRecord(info)
	}
	if p.orderly && p.limit-p.at == trailerBytes {
		p.at = p.limit // a trailer, damaged: it hides nothing
		return nil
	}
	next := p.at + alignBytes
	for next < p.limit && !p.trailerAt(next) {
		if _, _, ok := p.recordAt(next, false); ok {
			break
		}
		next += alignBytes
	}
	p.orderly = false
	return p.skip(min(next, p.limit), "records that cannot be read")
}

// skip reports what lies before an offset as lost.
func (p *pieces) skip(to int64, what string) error {
	from := p.at
	p.at = to
	return p.lost(LostInfo{File: p.name, Offset: from, Bytes: to - from, What: what})
}

// trailerAt reports whether a trailer lies there that belongs there.
func (p *pieces) trailerAt(at int64) bool {
	if at+trailerBytes > p.limit {
		return false
	}
	t, ok := getTrailer(p.data[at:], p.header.salt)
	return ok && t.end == p.header.lsn(at+trailerBytes)
}

// recordAt reads the record at an offset. Where the offset is only a guess, a
// header's checksum is not enough: the record must have a payload that verifies too.
func (p *pieces) recordAt(at int64, orderly bool) (r record, broken, ok bool) {
	if at+recordHeaderBytes > p.limit {
		return r, false, false
	}
	r, bad := p.parseRecord(at, p.limit)
	switch {
	case bad == nil:
		return r, false, orderly || r.kind == kindEntry || r.kind == kindSet
	case bad.op == nil || bad.sound:
		return r, false, false
	case bad.off != at: // the padding: the payload holds
		return r, false, true
	}
	return r, true, orderly
}
