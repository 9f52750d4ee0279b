package walrus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// reading is a fuzzer's input, taken apart piece by piece. When it has run out it gives zeros.
type reading struct{ data []byte }

func (r *reading) byte() byte {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

// number is mostly small, and else one where arithmetic goes wrong.
func (r *reading) number() uint64 {
	b := r.byte()
	if b < 240 {
		return uint64(b % 32)
	}
	return [...]uint64{1<<64 - 1, 1<<64 - 2, 1 << 63, 1<<63 - 1, 1 << 32, 1<<32 - 1, 1 << 31, 1 << 20}[b%8]
}

// A header that is accepted says the same when it is written again.
func FuzzSegmentHeader(f *testing.F) {
	v, _ := sample()
	f.Add(v.data[:bodyStart], uint64(3), false)
	f.Add(v.data[:headerBytes], uint64(3), true)
	h := segmentHeader{seq: 1, base: 10, flags: headerWhole, topics: []headerRow{{topic: 1, bounds: fresh}, {topic: 2, mirrorOf: 1}}}
	var p [bodyStart]byte
	h.put(p[:])
	f.Add(p[:100], uint64(1), true)
	f.Fuzz(func(t *testing.T, data []byte, seq uint64, sealed bool) {
		var p [bodyStart]byte
		copy(p[:], data)
		if sealed {
			copy(p[headerBytes:], p[:headerBytes])
			for _, c := range [][]byte{p[:headerBytes], p[headerBytes:]} {
				binary.LittleEndian.PutUint32(c, headerMagic)
				binary.LittleEndian.PutUint16(c[4:], formatVersion)
				binary.LittleEndian.PutUint32(c[headerBytes-4:], headerSum(c))
			}
		}
		b, err := getHeader(p[:], seq)
		if err != nil || !b.valid {
			return
		}
		var again [bodyStart]byte
		b.header.put(again[:])
		c, err := getHeader(again[:], seq)
		if err != nil || fmt.Sprint(c.header) != fmt.Sprint(b.header) {
			t.Errorf("%+v came back as %+v, %v", b.header, c.header, err)
		}
	})
}

// The headers of records and groups and the trailers are accepted only as they were written.
func FuzzParts(f *testing.F) {
	v, at := sample()
	f.Add(v.data[at[0]:][:groupHeaderBytes], uint64(testSalt), false)
	f.Add(v.data[at[0]+groupHeaderBytes:][:recordHeaderBytes], uint64(testSalt), false)
	f.Add(v.data[at[1]-trailerBytes:][:trailerBytes], uint64(testSalt), false)
	f.Add([]byte{9, 8, 7}, uint64(1), true)
	f.Fuzz(func(t *testing.T, data []byte, salt uint64, sealed bool) {
		var p, again [groupHeaderBytes]byte
		for _, part := range []struct {
			size  int
			magic uint32
			what  uint64
			get   func() bool
		}{
			{groupHeaderBytes, groupMagic, seedGroupHeader, func() bool {
				h, ok := getGroupHeader(p[:], salt)
				h.put(again[:], salt)
				return ok
			}},
			{recordHeaderBytes, 0, seedRecord, func() bool {
				r, ok := getRecord(p[:], salt)
				s := newSigner(salt)
				s.header(&placed{record: r}, again[:])
				return ok
			}},
			{trailerBytes, trailerMagic, seedTrailer, func() bool {
				tr, ok := getTrailer(p[:], salt)
				tr.put(again[:], salt)
				return ok
			}},
		} {
			copy(p[:], data)
			if sealed {
				if part.magic != 0 {
					binary.LittleEndian.PutUint32(p[:], part.magic)
				}
				end := part.size - 4
				binary.LittleEndian.PutUint32(p[end:], sum(seed(salt, part.what), p[:end]))
			}
			ok := part.get()
			if sealed && !ok || ok && !bytes.Equal(p[:part.size], again[:part.size]) {
				t.Errorf("%d bytes: %x was accepted (%v) and is %x", part.size, p[:part.size], ok, again[:part.size])
			}
		}
	})
}

// Groups of arbitrary bytes, in a segment whose other groups are good: those that verify are good ones.
func FuzzGroups(f *testing.F) {
	f.Add(uint16(50), []byte("noise"), false)
	f.Add(uint16(1700), []byte{0}, true)
	f.Add(uint16(3300), bytes.Repeat([]byte("WLRG"), 30), false)
	f.Add(uint16(1650), bytes.Repeat([]byte("WLRT"), 9), false)
	good, at := sample()
	intact := told(nil, &view{name: good.name, header: good.header, data: bytes.Clone(good.data)})
	if len(intact) != 9 {
		f.Fatalf("%d records", len(intact))
	}
	f.Fuzz(func(t *testing.T, off uint16, data []byte, flip bool) {
		v := &view{name: good.name, header: good.header, data: bytes.Clone(good.data)}
		target := v.data[bodyStart+int(off)%(len(v.data)-bodyStart):]
		for i := range min(len(data), len(target)) {
			if flip {
				target[i] ^= data[i]
			} else {
				target[i] = data[i]
			}
		}
		groups, found := v.scan()
		if groups > len(at)-1 {
			t.Fatalf("%d groups", groups)
		}
		if end := at[groups]; !bytes.Equal(v.data[bodyStart:end], good.data[bodyStart:end]) {
			t.Errorf("a group that was never written verifies: %+v", found)
		}
		if found.Offset < at[groups] || found.Bytes < 0 || found.Verdict > Corrupt {
			t.Errorf("%+v", found)
		}
		again, same := v.scan()
		if again != groups || same != found {
			t.Errorf("judged twice: %+v, then %+v", found, same)
		}
		for name := range told(t, v) {
			if !intact[name] {
				t.Errorf("the walk tells of %s, which was never written", name)
			}
		}
	})
}

// told returns the records that a walk tells of, behind damage too.
func told(t *testing.T, v *view) map[string]bool {
	out := map[string]bool{}
	w := &walker{recovery: &recovery{report: &Report{}}, damaged: true}
	w.visit.Record = func(r RecordInfo) error {
		if !r.Broken {
			out[fmt.Sprintf("%v at %d: topic %d index %d term %d flags %d %x", r.Kind, r.Offset, r.Topic, r.Index, r.Term, r.Flags, r.Payload)] = true
		}
		return nil
	}
	s := &stretch{walker: w, view: v, at: bodyStart, sum: v.header.prev.sum}
	if err := s.walk(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Records that no log of this package writes, with checksums that hold: they are refused, or
// what they make of the log is sound.
func FuzzRecords(f *testing.F) {
	f.Add([]byte{2, 1, 1, 0, 5, 9, 3, 4, 1, 1, 1, 6, 1, 2})
	f.Add([]byte{1, 1, 250, 250, 4, 1, 1, 240, 3, 1, 1, 241, 1, 0, 7, 1, 240, 1, 1})
	f.Add([]byte{0, 5, 7, 1, 240, 0, 1, 1, 240, 0, 1, 1, 0, 5, 5, 1, 1, 0, 6, 1, 245, 0})
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0, 240, 240, 0, 0, 1, 3, 240, 1, 0, 0, 1, 3, 0, 1, 0})
	f.Add([]byte{0, 3, 1, 1, 1, 0, 2, 2, 1, 0, 1, 1, 2, 0, 9, 3, 1, 1, 3, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &reading{data}
		h := segmentHeader{seq: 9, base: 1 << 20, salt: testSalt}
		for id := range Topic(in.byte() % 4) {
			first := in.number()
			row := headerRow{topic: id + 1, bounds: bounds{first: first, next: max(first, in.number())}, lastTerm: in.number()}
			h.topics = append(h.topics, row)
		}
		v := &view{name: "fuzzed", header: h, data: make([]byte, bodyStart)}
		for prev := uint32(0); len(in.data) > 0; {
			prev = addStrange(v, in, prev)
		}
		v.data = append(v.data, make([]byte, sectorBytes)...)
		told(t, v)
		r := &recovery{report: &Report{}, o: Options{Dir: "log", Mirror: []Mirror{{Main: 1, Recovery: 2}}}.withDefaults()}
		err := r.begin(&v.header)
		if err == nil {
			err = r.readLast(v)
		}
		if err == nil && r.held != nil {
			err = r.applyHeld()
		}
		if err == nil {
			err = r.checkComplete()
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMirror) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		for _, topic := range r.state.topics {
			b := topic.live
			if b.first > b.next || topic.main == nil && uint64(topic.slots.count) != b.next-b.first {
				t.Errorf("topic %d: %+v with %d slots", topic.id, b, topic.slots.count)
			}
		}
	})
}

// addStrange adds a group of strange records to a view.
func addStrange(v *view, in *reading, prev uint32) uint32 {
	g := &Group{}
	g.reset()
	for range 1 + in.byte()%6 {
		r := record{kind: kind(in.byte() % 9), topic: Topic(in.byte() % 4), index: in.number(), term: in.number()}
		switch r.kind {
		case kindEntry, kindSet:
			payload := bytes.Repeat([]byte{1}, int(in.byte()%40))
			r.length = uint32(len(payload))
			g.add(&r, payload)
			if main := &g.ops[len(g.ops)-1]; r.kind == kindEntry && r.topic == 1 && r.term%2 == 0 {
				link := main.record
				link.kind, link.topic, link.length = kindLink, 2, main.off
				g.addLink(&link)
			}
		case kindLink:
			r.length = uint32(in.number())
			g.addLink(&r)
		default:
			g.add(&r, nil)
			if r.topic == 1 {
				r.topic = 2
				g.addLink(&r)
			}
		}
	}
	g.joinLinks()
	lsn := v.header.lsn(int64(len(v.data)))
	prev = g.seal(groupHeader{lsn: lsn, durable: lsn, prevSum: prev}, testSalt)
	v.data = append(v.data, g.bytes()...)
	return prev
}
