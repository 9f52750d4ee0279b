package walrus

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/octopii-go/octopii/runtime"
)

// Extent is a run of consecutive entries of one topic in one segment. It pins
// the segment's file until Log.Release, and may be read on any lane.
type Extent struct {
	Topic  Topic
	Lo, Hi uint64 // the entries: Lo <= index < Hi
	File   string // path under the FS root

	seq   uint64
	salt  uint64
	slots []slot // a copy: the log may truncate meanwhile
}

// Locate returns where the entries [lo, hi) of a topic lie: as many from lo on as
// have maxBytes of payload together, but at least one. Each extent must be
// given back with Release. The error matches ErrCompacted if lo is before the topic's
// first, and ErrGap if lo is not before hi, hi is beyond the published end, or
// the topic is a recovery topic, which has no payloads.
func (l *Log) Locate(t Topic, lo, hi uint64, maxBytes int) ([]Extent, error) {
	return l.LocateInto(nil, t, lo, hi, maxBytes)
}

// LocateInto is Locate into the memory of extents that have been released, which are
// overwritten; nil is allowed.
func (l *Log) LocateInto(out []Extent, t Topic, lo, hi uint64, maxBytes int) ([]Extent, error) {
	first, next := l.Bounds(t)
	if lo < first {
		return nil, fmt.Errorf("walrus: topic %d: entry %d, first is %d: %w", t, lo, first, ErrCompacted)
	}
	if lo >= hi || hi > next {
		return nil, fmt.Errorf("walrus: topic %d: entries [%d,%d), next is %d: %w", t, lo, hi, next, ErrGap)
	}
	topic := l.find(t)
	if topic.main != nil {
		return nil, fmt.Errorf("walrus: topic %d has links only: %w", t, ErrGap)
	}
	out = out[:0]
	for least, left, full := 1, maxBytes, false; lo < hi && !full; least = 0 {
		var places []place
		var run *slotRun
		if places, run, full = topic.stretch(lo, hi, least, &left); len(places) == 0 {
			break
		}
		e := l.extend(&out, t, lo, run.seg)
		e.slots = run.appendTo(e.slots, places)
		lo += uint64(len(places))
		e.Hi = lo
	}
	return out, nil
}

// stretch returns the places of entries from lo on, before hi, of one run: as many as have left bytes
// of payload together, which it takes off, but at least so many. Full says that the one behind them
// is too much.
func (t *topic) stretch(lo, hi uint64, least int, left *int) (places []place, run *slotRun, full bool) {
	places, run = t.slots.stretch(int(lo-t.located), int(min(hi-lo, chunkSlots)))
	for i, p := range places {
		if *left -= int(p.length); *left < 0 && i >= least {
			return places[:i], run, true
		}
	}
	return places, run, false
}

// extend returns the extent of the entry lo, which lies in that segment: the last one, or a new one.
func (l *Log) extend(out *[]Extent, t Topic, lo uint64, low uint32) *Extent {
	n := len(*out)
	if n > 0 && uint32((*out)[n-1].seq) == low {
		return &(*out)[n-1]
	}
	seg := l.segment(low)
	seg.pins++
	var slots []slot
	if n < cap(*out) {
		slots = (*out)[:n+1][n].slots[:0]
	}
	*out = append(*out, Extent{Topic: t, Lo: lo, Hi: lo, File: seg.name, seq: seg.seq, salt: seg.salt, slots: slots})
	return &(*out)[n]
}

// Release gives extents back, once each.
func (l *Log) Release(extents []Extent) {
	for i := range extents {
		seg := l.segs[extents[i].seq-l.segs[0].seq]
		if seg.pins == 0 {
			panic("walrus: extent released twice: " + seg.name)
		}
		seg.pins--
	}
}

const (
	readSpanMax = 1 << 20 // one read call fetches at most this, or one record
	readGapMax  = 4 << 10 // bytes of no interest read for the sake of one call less
)

// Visit is given one entry. The payload is its to keep.
type Visit = func(index, term uint64, flags uint8, payload []byte) error

// ReadExtents reads the entries and calls visit for each, in order. It is a job for a read lane. Every checksum is verified: the error
// matches ErrCorrupt if one does not hold, and is the file system's, after 8
// attempts, if a file cannot be read; reading again later may succeed then. An
// error of visit ends the reading and is returned.
func ReadExtents(fs runtime.FS, extents []Extent, visit Visit) error {
	for i := range extents {
		if err := extents[i].read(disk{fs}, visit); err != nil {
			return err
		}
	}
	return nil
}

func (e *Extent) read(d disk, visit Visit) error {
	f, err := d.open(e.File)
	if err != nil {
		return fmt.Errorf("walrus: read %s: %w", e.File, err)
	}
	defer func() { _ = f.Close() }() // only read
	for done := 0; done < len(e.slots); {
		n := e.span(done, readSpanMax)
		if err := e.readSpan(f, done, n, make([]byte, e.spanBytes(done, n)), visit); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// readSpan reads n slots from i on into buf, verifies and visits them.
func (e *Extent) readSpan(f runtime.File, i, n int, buf []byte, visit Visit) error {
	start := e.slots[i].start()
	got, err := readUpTo(f, buf, start)
	if err != nil {
		return fmt.Errorf("walrus: read %s at %d: %w", e.File, start, err)
	}
	clear(buf[got:])
	c := checker{Extent: e, headers: seed(e.salt, seedRecord), payloads: payloadSeeds(e.salt, e.Topic)}
	index := e.Lo + uint64(i)
	for k, slots := 0, e.slots[i:i+n]; k < len(slots); k, index = k+1, index+1 {
		s := &slots[k]
		p := buf[s.start()-start:]
		p = p[: recordHeaderBytes+int(s.length) : recordHeaderBytes+int(s.length)]
		if !c.holds(p, s, index) {
			if _, err := c.verify(p, i+k); err != nil {
				return err
			}
		}
		if err := visit(index, s.term, s.flags, p[recordHeaderBytes:]); err != nil {
			return err
		}
	}
	return nil
}

// spanBytes returns how many bytes of the file n slots from i on take.
func (e *Extent) spanBytes(i, n int) int { return int(e.slots[i+n-1].end() - e.slots[i].start()) }

// span returns how many slots from i on to read with one call of at most limit bytes, but one
// slot at least.
func (e *Extent) span(i, limit int) int {
	slots := e.slots[i:]
	most, end := slots[0].start()+int64(limit), slots[0].end()
	for n := 1; n < len(slots); n++ {
		gap := slots[n].start() - end
		end = slots[n].end()
		if gap < 0 || gap > readGapMax || end > most {
			return n
		}
	}
	return len(slots)
}

// start and end are where the record lies in the file, without padding.
func (s slot) start() int64 { return int64(s.at) * alignBytes }
func (s *slot) end() int64  { return s.start() + recordHeaderBytes + int64(s.length) }

// checker verifies the records of an extent. What their checksums start from is worked out once.
type checker struct {
	*Extent
	headers  uint32
	payloads uint64
	// The last header that holds found: but for the index the next is mostly alike.
	like  uint64 // its first 8 bytes
	term  uint64
	index uint64
	most  uint32 // its CRC up to the payload's
}

// holds reports whether a record is the entry that the index says, and its checksums hold: what
// verify finds, in short. A header is compared with what it must be; so its CRC is that of
// the header before and a few look-ups, as in signer.header.
func (c *checker) holds(p []byte, s *slot, index uint64) bool {
	_ = p[recordHeaderBytes-1]
	like := uint64(s.length) | uint64(c.Topic)<<32 | uint64(kindEntry)<<48 | uint64(s.flags)<<56
	if binary.LittleEndian.Uint64(p) != like || binary.LittleEndian.Uint64(p[8:]) != index || binary.LittleEndian.Uint64(p[16:]) != s.term {
		return false
	}
	if like == c.like && s.term == c.term && index == c.index+1 {
		c.most ^= counted[bits.TrailingZeros64(index)&63]
	} else {
		c.most = sum(c.headers, p[:recordSumAt])
	}
	c.like, c.term, c.index = like, s.term, index
	payload := binary.LittleEndian.Uint32(p[recordSumAt:])
	return sumAfter(c.most, payload) == binary.LittleEndian.Uint32(p[recordHeaderSummed:]) &&
		payload == sum(payloadSeed(c.payloads, index), p[recordHeaderBytes:])
}

// verify checks a record against what the index says of it, and says what is wrong with it.
func (c *checker) verify(p []byte, i int) ([]byte, error) {
	s, index := &c.slots[i], c.Lo+uint64(i)
	payload := p[recordHeaderBytes:len(p):len(p)]
	what := ""
	switch {
	case !recordHolds(p, c.headers):
		what = "record header checksum"
	case kind(p[6]) != kindEntry && kind(p[6]) != kindCopy || Topic(binary.LittleEndian.Uint16(p[4:])) != c.Topic,
		binary.LittleEndian.Uint64(p[8:]) != index || binary.LittleEndian.Uint64(p[16:]) != s.term || p[7] != s.flags,
		binary.LittleEndian.Uint32(p) != s.length:
		what = "record of another entry"
	case binary.LittleEndian.Uint32(p[24:]) != sum(payloadSeed(c.payloads, index), payload):
		what = "payload checksum"
	default:
		return payload, nil
	}
	return nil, &CorruptError{File: c.File, Offset: s.start(), Topic: c.Topic, Index: index, Term: s.term, What: what}
}
