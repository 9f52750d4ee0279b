package walrus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// journal is what the records of one segment did to the topics, in order and
// without their payloads: the content of a seal. It is written while groups are
// published, so that sealing a segment costs no second look at it.
//
// It begins with the numbers of groups and of records, 8 bytes each. Then, for each
// record that is neither a link nor a stable key nor of a recovery topic, one byte
// with the kind and what follows it: the topic, the term, the flags, each only if it
// differs from that of the record before; for an entry the distance from
// the entry before in units of 8 bytes, if there is one, and the length; for
// anything else the index, which for a copy comes in front of the others. Numbers are varints.
type journal struct {
	buf     []byte
	groups  uint64
	records uint64

	topic Topic
	term  uint64
	flags uint8
	end   uint32 // after the entry before, in units of 8 bytes
}

// Bits of a journal's first byte, beside the kind.
const (
	journalKind  = 0x0f
	journalTopic = 0x10
	journalTerm  = 0x20
	journalFlags = 0x40
	journalGap   = 0x80

	journalStart = 16 // where the records begin
	// journalMax is the longest journal that is written down.
	journalMax = 64 << 20
)

// reset empties the journal and keeps its memory.
func (j *journal) reset() { *j = journal{buf: j.buf[:0]} }

// add appends a record; at is the offset of an entry in units of 8 bytes.
func (j *journal) add(r *record, at uint32) {
	if len(j.buf) == 0 {
		j.buf = append(j.buf, zeros[:journalStart]...)
	}
	first := len(j.buf)
	j.buf = append(j.buf, byte(r.kind))
	if r.topic != j.topic {
		j.buf[first] |= journalTopic
		j.buf, j.topic = binary.AppendUvarint(j.buf, uint64(r.topic)), r.topic
	}
	if r.kind != kindEntry {
		j.buf = binary.AppendUvarint(j.buf, r.index)
	}
	if !r.kind.carries() {
		return
	}
	if r.term != j.term {
		j.buf[first] |= journalTerm
		j.buf, j.term = binary.AppendUvarint(j.buf, r.term), r.term
	}
	if r.flags != j.flags {
		j.buf[first] |= journalFlags
		j.buf, j.flags = append(j.buf, r.flags), r.flags
	}
	if at != j.end {
		j.buf[first] |= journalGap
		j.buf = binary.AppendUvarint(j.buf, uint64(at-j.end))
	}
	j.buf = binary.AppendUvarint(j.buf, uint64(r.length))
	j.end = at + uint32(r.size()/alignBytes)
}

// addAlike appends entries that differ from the record before in index and length only, and
// lie right behind it.
func (j *journal) addAlike(ops []placed) {
	const most = 1 + binary.MaxVarintLen32
	at := len(j.buf)
	buf := slices.Grow(j.buf, len(ops)*most)
	buf = buf[:at+len(ops)*most]
	for i := range ops {
		length := ops[i].length
		buf[at] = byte(kindEntry)
		if length-0x80 < 0x80<<7-0x80 { // two bytes: what most entries take
			buf[at+1], buf[at+2] = byte(length)|0x80, byte(length>>7)
			at += 3
		} else {
			at += 1 + binary.PutUvarint(buf[at+1:], uint64(length))
		}
		j.end += uint32((recordHeaderBytes + roundUp(int(length), alignBytes)) / alignBytes)
	}
	j.buf = buf[:at]
}

// bytes returns the journal as it is written down.
func (j *journal) bytes() []byte {
	if len(j.buf) == 0 {
		j.buf = append(j.buf, zeros[:journalStart]...)
	}
	binary.LittleEndian.PutUint64(j.buf[0:], j.groups)
	binary.LittleEndian.PutUint64(j.buf[8:], j.records)
	return j.buf
}

// journalReader reads a journal back.
type journalReader struct {
	p   []byte
	bad bool

	topic Topic
	term  uint64
	flags uint8
	end   uint32
}

func (j *journalReader) number() uint64 {
	v, n := binary.Uvarint(j.p)
	if n <= 0 {
		j.p, j.bad = nil, true
		return 0
	}
	j.p = j.p[n:]
	return v
}

// next decodes a record. Of an entry the index is not said: it is the topic's next.
func (j *journalReader) next(r *record) (at uint32) {
	first := j.p[0]
	j.p = j.p[1:]
	if first&journalTopic != 0 {
		j.topic = Topic(j.number())
	}
	*r = record{kind: kind(first & journalKind), topic: j.topic}
	if r.kind != kindEntry {
		r.index = j.number()
	}
	if !r.kind.carries() {
		return 0
	}
	if first&journalTerm != 0 {
		j.term = j.number()
	}
	if first&journalFlags != 0 {
		if len(j.p) == 0 {
			j.bad = true
			return 0
		}
		j.flags, j.p = j.p[0], j.p[1:]
	}
	at = j.end
	if first&journalGap != 0 {
		at += uint32(j.number())
	}
	r.term, r.flags, r.length = j.term, j.flags, uint32(j.number())
	j.end = at + uint32(r.size()/alignBytes)
	return at
}

// others decodes entries that lie right behind the one before and differ from it in no more than the
// length, as many as there are places for. It stops before anything else, and before a length of 2 MiB or
// more. A log consists of little else than such entries.
func (j *journalReader) others(places []place) int {
	p, end := j.p, j.end
	for i := range places {
		if len(p) < 4 || p[0] != byte(kindEntry) {
			places = places[:i]
			break
		}
		length, n := uint32(p[1]), 2
		if length >= 0x80 {
			length, n = length&0x7f|uint32(p[2])<<7, 3
		}
		if length >= 0x80<<7 {
			length, n = length&0x3fff|uint32(p[3])<<14, 4
		}
		if length >= 0x80<<14 {
			places = places[:i]
			break
		}
		places[i] = place{at: end, length: length}
		end += uint32((recordHeaderBytes + roundUp(int(length), alignBytes)) / alignBytes)
		p = p[n:]
	}
	j.p, j.end = p, end
	return len(places)
}

// replay applies a journal of the segment with that sequence number.
func (s *state) replay(p []byte, seq uint64) error {
	j := journalReader{p: p[journalStart:]}
	var r record
	var t *topic
	for len(j.p) > 0 {
		at := j.next(&r)
		if t == nil || t.id != r.topic {
			t = s.topic(r.topic)
		}
		if j.bad || t == nil || t.main != nil || r.topic == 0 {
			return errors.New("seal that makes no sense")
		}
		switch r.kind {
		case kindEntry: // what apply does, in short: a log has many
			if t.live.next == math.MaxUint64 {
				return errors.New("seal with an entry that has no next")
			}
			t.live.next++
			t.slots.push(slot{term: r.term, seg: uint32(seq), at: at, length: r.length, flags: r.flags})
			for full := true; full; {
				room := t.slots.room(math.MaxUint64 - t.live.next)
				n := j.others(room)
				t.slots.count += n
				t.live.next += uint64(n)
				full = n > 0 && n == len(room)
			}
		case kindTruncateBack, kindTruncateFront, kindRebase, kindCopy:
			place := slot{term: r.term, seg: uint32(seq), at: at, length: r.length, flags: r.flags}
			if err := t.apply(&r, place); err != nil {
				return err
			}
		default:
			return errors.New("seal with records of unknown kind")
		}
	}
	for _, t := range s.topics {
		if t.main != nil {
			t.live, t.located = t.main.live, t.main.live.first
		}
	}
	return nil
}

// sealing is a finished segment whose seal is to be written.
type sealing struct {
	name    string
	seq     uint64
	salt    uint64
	end     segmentEnd // of the segment itself
	off     int64      // in the file, of the seal
	journal journal
}

// group returns the seal as a group that stands at the segment's end. If the log is closed
// there, no later segment repeats the stable keys and the transactions in doubt: then the
// seal does, if it is given them.
func (s *sealing) group(flags uint32, kept *state) []byte {
	g := &Group{buf: make([]byte, 0, bodyStart+len(s.journal.buf)+256)}
	g.reset()
	p := s.journal.bytes()
	g.add(&record{kind: kindSeal, length: uint32(len(p))}, p)
	g.addMissing(kept)
	g.close(groupHeader{lsn: s.end.end, durable: s.end.end, prevSum: s.end.sum, flags: groupSeal | flags}, s.salt)
	g.sign()
	return g.bytes()
}

// write puts the seal into the segment's file. It is not synced: a seal that
// is not there as a whole is no seal, and recovery reads the segment instead.
func (s *sealing) write(d disk) error {
	f, err := d.open(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // makes nothing durable
	return writeAll(f, s.group(0, &state{}), s.off)
}

// sealChore writes the oldest seal that is due.
func (l *Log) sealChore() (job func(runtime.FS) error, done func(error)) {
	s := l.sealings[0]
	l.chore.busy = true
	job = func(fs runtime.FS) error { return s.write(disk{fs}) }
	done = func(err error) {
		l.chore.busy = false
		if err == nil {
			l.dropSealing(0)
		}
	}
	return job, done
}

// dropSealing forgets a seal and keeps its memory.
func (l *Log) dropSealing(i int) {
	l.journals = append(l.journals, l.sealings[i].journal)
	l.sealings = slices.Delete(l.sealings, i, i+1)
}

// sealingsMax is how many finished segments wait for their seal at most. One
// that comes too late for it is read as a whole by the next Open.
const sealingsMax = 8

// finish takes the journal of the active segment, which ends here, and begins a
// new one. The segment may have no seal: then nothing is written.
func (l *Log) finish(seg *segment, off int64, sum uint32) {
	s := &sealing{name: seg.name, seq: seg.seq, salt: seg.salt, off: off, journal: l.journal}
	s.end = segmentEnd{seq: seg.seq, end: seg.base + uint64(off-bodyStart), sum: sum}
	l.journal = journal{}
	if n := len(l.journals); n > 0 {
		l.journal = l.journals[n-1]
		l.journals = l.journals[:n-1]
	}
	l.journal.reset()
	l.sealings = append(l.sealings, s)
	if len(s.journal.buf) > journalMax {
		l.dropSealing(len(l.sealings) - 1)
	} else if len(l.sealings) > sealingsMax {
		l.dropSealing(0)
	}
}

// sealAt reads the seal of a file that stands for a segment end, if there is one
// that verifies: every checksum of it, its place in the log, and that it follows the
// group whose CRC is given. It returns the file's size too.
func (r *recovery) sealAt(f *file, off int64, end segmentEnd) (v *view, size int64, err error) {
	handle, err := r.d.open(f.name)
	if err != nil {
		return nil, 0, fmt.Errorf("walrus: open %s: %w", f.name, err)
	}
	defer func() { _ = handle.Close() }() // only read
	if size, err = sizeOf(handle); err != nil {
		return nil, 0, fmt.Errorf("walrus: read %s: %w", f.name, err)
	}
	// The seal is parsed as if it stood at the beginning of a file.
	v = &view{name: f.name, header: f.header}
	v.header.base = end.end + bodyStart
	v.data, err = readSpan(handle, nil, off, sealPeek)
	if err == nil && len(v.data) >= groupHeaderBytes {
		h, bad := v.parseHeader(0)
		if bad != nil || h.flags&groupSeal == 0 || off+int64(h.size()) > size {
			return nil, size, nil
		}
		v.data, err = readSpan(handle, v.data, off, h.size())
	}
	if err != nil {
		return nil, 0, fmt.Errorf("walrus: read %s: %w", f.name, err)
	}
	if _, bad := v.parse(0, end.sum); bad != nil || len(v.ops) == 0 || v.ops[0].kind != kindSeal || v.ops[0].length < journalStart {
		return nil, size, nil
	}
	return v, size, nil
}

// sealPeek is read of a seal at first: a short one as a whole.
const sealPeek = 64 << 10

// readSpan makes have the n bytes of a file from off on, or as many as there
// are; what have holds is not read again.
func readSpan(f runtime.File, have []byte, off int64, n int) ([]byte, error) {
	if n <= len(have) {
		return have[:n], nil
	}
	had := len(have)
	have = slices.Grow(have, n-had)[:n]
	got, err := readUpTo(f, have[had:], off+int64(had))
	return have[:had+got], err
}

// replaySeal applies a seal in the place of the segment it stands for.
func (r *recovery) replaySeal(v *view, seq uint64) error {
	p := v.ops[0].in(v.data)
	if err := r.state.replay(p, seq); err != nil {
		return r.corrupt(CorruptError{File: v.name, What: err.Error()})
	}
	for i := range v.ops[1:] {
		op := &v.ops[1+i]
		err := errors.New("seal with records of unknown kind")
		if op.kind == kindSet || op.kind == kindPrepare {
			err = r.state.apply(&op.record, op.in(v.data), slot{})
		}
		if err != nil {
			return r.corrupt(CorruptError{File: v.name, What: err.Error()})
		}
	}
	r.report.Sealed++
	r.report.Groups += int(binary.LittleEndian.Uint64(p[0:]))
	r.report.Records += int(binary.LittleEndian.Uint64(p[8:]))
	return nil
}
