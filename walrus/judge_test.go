package walrus

import (
	"bytes"
	"fmt"
	"testing"
)

const testSalt = 0xfeedface

// seal closes and signs a group that may have strange links: to the sum that such a one brings, that of
// the record where it points is added, if there is one. It returns the group CRC.
func (g *Group) seal(h groupHeader, salt uint64) uint32 {
	g.close(h, salt)
	signer := newSigner(salt)
	sums := map[uint32]uint32{}
	for i := range g.ops {
		op := &g.ops[i]
		switch {
		case op.kind.carries():
			op.sum = payloadSum(salt, op.topic, op.index, op.in(g.bytes()))
			sums[op.off] = op.sum
		case op.kind == kindLink:
			op.sum += sums[op.length]
		}
		signer.header(op, g.bytes()[op.off:])
	}
	g.signEnds(signer.group)
	return g.sum
}

// sample builds the content of a segment of three groups and returns where they begin,
// and the end.
func sample() (v *view, at []int64) {
	v = &view{name: "sample", header: segmentHeader{salt: testSalt, base: 1 << 20, seq: 3}}
	v.data = make([]byte, bodyStart)
	v.header.put(v.data)
	prev := v.header.prev.sum
	for i := range 3 {
		off := int64(len(v.data))
		at = append(at, off)
		var g Group
		g.reset()
		payload := make([]byte, 1500)
		for j := range payload {
			payload[j] = byte(1 + j%250)
		}
		main := g.add(&record{kind: kindEntry, topic: 1, index: uint64(1 + i), term: 1, length: 1500}, payload)
		g.add(&record{kind: kindSet, index: 4, length: 5}, []byte("value"))
		g.addLink(&record{kind: kindLink, topic: 2, index: uint64(1 + i), term: 1, length: main})
		g.joinLinks()
		prev = g.seal(groupHeader{lsn: v.header.lsn(off), durable: v.header.lsn(off), prevSum: prev}, testSalt)
		v.data = append(v.data, g.bytes()...)
	}
	at = append(at, int64(len(v.data)))
	v.data = append(v.data, make([]byte, 4096)...)
	return v, at
}

// scan reads groups until one does not verify, and judges there.
func (v *view) scan() (groups int, f Finding) {
	off, prev := int64(bodyStart), v.header.prev.sum
	for {
		g, bad := v.parse(off, prev)
		if bad != nil {
			return groups, v.judge(bad, off, prev)
		}
		off, prev = g.end(), g.sum
		groups++
	}
}

// seal puts a seal in the place of the last group of sample, and returns its end.
func (v *view) seal(at []int64, flags uint32) int64 {
	s := sealing{salt: testSalt, end: segmentEnd{end: v.header.lsn(at[2]), sum: v.mustSum(at)}}
	clear(v.data[at[2]:])
	return at[2] + int64(copy(v.data[at[2]:], s.group(flags, &state{keys: []stable{{key: 4, value: bytes.Repeat([]byte("value"), 200)}}})))
}

// The decision table of the package comment, row by row.
func TestDecisionTable(t *testing.T) {
	zero := func(p []byte) { clear(p) }
	noise := func(p []byte) {
		for i := range p {
			p[i] ^= byte(0x5a + 7*i)
		}
	}
	for _, c := range []struct {
		name   string
		damage func(v *view, at []int64)
		groups int
		want   Verdict
	}{
		{"nothing after the last group", func(*view, []int64) {}, 3, Clean},
		{"file ends after the last group", func(v *view, at []int64) { v.data = v.data[:at[3]] }, 3, Clean},
		{"file ends inside the last group", func(v *view, at []int64) { v.data = v.data[:at[3]-100] }, 2, Torn},
		{"file ends inside the last group's header", func(v *view, at []int64) { v.data = v.data[:at[2]+16] }, 2, Torn},
		{"only the first sector of the last group arrived", func(v *view, at []int64) { zero(v.data[roundUp(at[2]+1, 512):]) }, 2, Torn},
		{"all but the first sector of it arrived", func(v *view, at []int64) { zero(v.data[at[2]:roundUp(at[2]+1, 512)]) }, 2, Torn},
		{"a sector in its middle is missing", func(v *view, at []int64) { zero(v.data[roundUp(at[2]+1, 512):][:512]) }, 2, Torn},
		{"noise in a sector of it", func(v *view, at []int64) { noise(v.data[roundUp(at[2]+1, 512):][:512]) }, 2, Uncertain},
		{"its header torn in the middle", func(v *view, at []int64) { zero(v.data[at[2]+20 : at[2]+512]) }, 2, Uncertain},
		{"a bit flipped in its payload", func(v *view, at []int64) { v.data[at[2]+200] ^= 8 }, 2, Corrupt},
		{"a bit flipped in its header", func(v *view, at []int64) { v.data[at[2]+9] ^= 8 }, 2, Corrupt},
		{"a bit flipped in a stored checksum", func(v *view, at []int64) { v.data[at[2]+38] ^= 8 }, 2, Corrupt},
		{"a bit flipped in its trailer", func(v *view, at []int64) { v.data[at[3]-12] ^= 8 }, 2, Corrupt},
		{"a bit flipped in padding", func(v *view, at []int64) { v.data[at[3]-24-32-1] ^= 8 }, 2, Corrupt},
		{"two bits flipped", func(v *view, at []int64) { v.data[at[2]+200] ^= 8; v.data[at[2]+300] ^= 8 }, 2, Uncertain},
		{"two bits flipped in different records", func(v *view, at []int64) { v.data[at[2]+200] ^= 8; v.data[at[3]-80] ^= 8 }, 2, Uncertain},
		{"a byte of one bit missing", func(v *view, at []int64) {
			for i := at[2] + 100; ; i++ {
				if b := v.data[i]; b&(b-1) == 0 && b != 0 {
					v.data[i] = 0
					return
				}
			}
		}, 2, Uncertain},
		{"noise far behind the end", func(v *view, at []int64) { noise(v.data[at[3]+2048:][:64]) }, 3, Torn},
		{"noise at the end", func(v *view, at []int64) { noise(v.data[at[3]:][:64]) }, 3, Uncertain},
		{"a bit flipped in a group that a later one vouches for", func(v *view, at []int64) { v.data[at[1]+200] ^= 8 }, 1, Corrupt},
		{"a sector missing in such a group", func(v *view, at []int64) { zero(v.data[roundUp(at[1]+1, 512):][:512]) }, 1, Corrupt},
		{"such a group gone and only a later trailer left", func(v *view, at []int64) { zero(v.data[at[1]+600 : at[3]-24]) }, 1, Corrupt},
		{"such a group gone and two trailers left", func(v *view, at []int64) {
			zero(v.data[at[1] : at[2]-24])
			zero(v.data[at[2] : at[3]-24])
		}, 1, Corrupt},
		{"gone without a later trace", func(v *view, at []int64) { zero(v.data[at[1]:]) }, 1, Clean},
		{"the group before is another one", func(v *view, at []int64) {
			h, _ := getGroupHeader(v.data[at[2]:], testSalt)
			h.prevSum++
			h.put(v.data[at[2]:], testSalt)
		}, 2, Corrupt},
		{"a group of another place", func(v *view, at []int64) { copy(v.data[at[2]:], v.data[at[1]:at[2]]) }, 2, Corrupt},
		{"a later write that does not vouch for this one", func(v *view, at []int64) {
			h, _ := getGroupHeader(v.data[at[2]:], testSalt)
			h.durable = v.header.lsn(at[1])
			h.put(v.data[at[2]:], testSalt)
			zero(v.data[at[1]+512:][:512])
		}, 1, Torn},
		{"a seal of a close", func(v *view, at []int64) { v.seal(at, groupClosed) }, 3, Clean},
		{"a sector of it missing", func(v *view, at []int64) { v.seal(at, groupClosed); zero(v.data[roundUp(at[2]+1, 512):][:512]) }, 2, Torn},
		{"noise in a sector of it", func(v *view, at []int64) { v.seal(at, groupClosed); noise(v.data[roundUp(at[2]+1, 512):][:512]) }, 2, Torn},
		{"a bit flipped in its payload", func(v *view, at []int64) { v.seal(at, groupClosed); v.data[at[2]+80] ^= 8 }, 2, Torn},
		{"a bit flipped in its header", func(v *view, at []int64) { v.seal(at, groupClosed); v.data[at[2]+9] ^= 8 }, 2, Torn},
		{"a seal that is not of a close, and a sector missing", func(v *view, at []int64) { v.seal(at, 0); zero(v.data[roundUp(at[2]+1, 512):][:512]) }, 2, Corrupt},
		{"a bit flipped in the header of such a one", func(v *view, at []int64) { v.seal(at, 0); v.data[at[2]+9] ^= 8 }, 2, Corrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, at := sample()
			c.damage(v, at)
			groups, f := v.scan()
			if groups != c.groups || f.Verdict != c.want {
				t.Errorf("%d groups, %v (%s), want %d, %v", groups, f.Verdict, f.What, c.groups, c.want)
			}
		})
	}
}

// Links must repeat their main records, even where all checksums hold.
func TestLinkIsComparedWithItsMainRecord(t *testing.T) {
	for name, spoil := range map[string]func(link *record){
		"index": func(r *record) { r.index++ }, "term": func(r *record) { r.term++ }, "flags": func(r *record) { r.flags++ },
		"sum": func(r *record) { r.sum++ }, "place": func(r *record) { r.length += 8 },
	} {
		v := &view{header: segmentHeader{salt: testSalt}}
		v.data = make([]byte, bodyStart)
		var g Group
		g.reset()
		link := record{kind: kindLink, topic: 2, index: 1, term: 1, flags: 3}
		link.length = g.add(&record{kind: kindEntry, topic: 1, index: 1, term: 1, flags: 3, length: 2}, []byte("ab"))
		spoil(&link)
		g.addLink(&link)
		g.joinLinks()
		g.seal(groupHeader{}, testSalt)
		v.data = append(v.data, g.bytes()...)
		if _, bad := v.parse(bodyStart, 0); bad == nil || !bad.sound {
			t.Errorf("a link with a wrong %s passes: %+v", name, bad)
		}
	}
}

// The group CRC tells a group from one whose records were exchanged for
// others that are valid in themselves.
func TestGroupSumCoversItsRecords(t *testing.T) {
	v, at := sample()
	seen := map[uint32]bool{}
	for _, end := range at[1:] {
		trailer, _ := getTrailer(v.data[end-trailerBytes:], testSalt)
		seen[trailer.sum] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d sums of three groups", len(seen))
	}
	head := v.data[at[2]+groupHeaderBytes+recordHeaderBytes+roundUp(int64(1500), alignBytes):]
	r, ok := getRecord(head, testSalt)
	if !ok || r.kind != kindSet {
		t.Fatal("no record")
	}
	r.term++
	s := newSigner(testSalt)
	s.header(&placed{record: r}, head)
	if groups, f := v.scan(); groups != 2 || f.Verdict < Torn {
		t.Errorf("a record exchanged for another: %d groups, %+v", groups, f)
	}
}

// A file without a valid header, after the last segment.
func TestHeadlessFile(t *testing.T) {
	const end = 1 << 20 // as in sample
	for _, c := range []struct {
		name   string
		damage func(v *view, at []int64) []byte
		want   Verdict
	}{
		{"never written", func(*view, []int64) []byte { return make([]byte, 20000) }, Clean},
		{"groups behind lost headers", func(v *view, at []int64) []byte { clear(v.data[:bodyStart]); return v.data }, Corrupt},
		{"one group behind lost headers", func(v *view, at []int64) []byte { clear(v.data[:bodyStart]); return v.data[:at[1]] }, Torn},
		{"one group behind bad headers", func(v *view, at []int64) []byte { v.data[50]++; v.data[5000]++; return v.data[:at[1]] }, Uncertain},
		{"noise in a spare", func(v *view, at []int64) []byte {
			for i := range v.data {
				v.data[i] = byte(i*7 + 1)
			}
			return v.data
		}, Torn},
		{"a group that is not the first", func(v *view, at []int64) []byte { clear(v.data[:at[2]]); return v.data }, Corrupt},
		{"a group in the payload of the first", func(v *view, at []int64) []byte {
			copy(v.data[bodyStart+100:], v.data[at[1]:at[1]+1000])
			v.data[50]++
			v.data[5000]++
			return v.data[:at[1]]
		}, Uncertain},
	} {
		v, at := sample()
		if f := judgeHeadless("sample", c.damage(v, at), end); f.Verdict != c.want {
			t.Errorf("%s: %v (%s), want %v", c.name, f.Verdict, f.What, c.want)
		}
	}
}

// The header of a segment is a checkpoint: it must agree with the records before.
func TestCheckpointIsCompared(t *testing.T) {
	for name, c := range map[string]struct {
		row  headerRow
		want bool
	}{
		"the same":             {headerRow{topic: 1, bounds: bounds{1, 3}, lastTerm: 5}, true},
		"another end":          {headerRow{topic: 1, bounds: bounds{1, 4}, lastTerm: 5}, false},
		"another beginning":    {headerRow{topic: 1, bounds: bounds{2, 3}, lastTerm: 5}, false},
		"another term":         {headerRow{topic: 1, bounds: bounds{1, 3}, lastTerm: 6}, false},
		"another topic":        {headerRow{topic: 2, bounds: bounds{1, 3}, lastTerm: 5}, false},
		"another one, unused":  {headerRow{topic: 2, bounds: fresh}, false},
		"a mirror that is not": {headerRow{topic: 1, mirrorOf: 2, bounds: bounds{1, 3}, lastTerm: 5}, false},
	} {
		r := &recovery{report: &Report{}}
		for i := range 2 {
			if err := r.state.apply(&record{kind: kindEntry, topic: 1, index: uint64(1 + i)}, nil, slot{term: 5}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.compareRows(&segmentHeader{topics: []headerRow{c.row}}); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A single flipped bit is located exactly, wherever it is.
func TestFlippedBitIsLocated(t *testing.T) {
	v, at := sample()
	for off := at[2]; off < at[3]; off++ {
		bit := byte(1) << (off % 8)
		v.data[off] ^= bit
		_, bad := v.parse(at[2], v.mustSum(at))
		if bad == nil {
			t.Fatalf("byte %d: the flip went unnoticed", off)
		}
		if got, _, ok := v.explain(bad, at[2], v.mustSum(at)); !ok || got != off {
			t.Errorf("byte %d: located at %d, %v (%s)", off, got, ok, bad.what)
		}
		v.data[off] ^= bit
	}
}

// mustSum returns the group CRC of the second group of sample.
func (v *view) mustSum(at []int64) uint32 {
	t, _ := getTrailer(v.data[at[2]-trailerBytes:], testSalt)
	return t.sum
}

func TestSlots(t *testing.T) {
	var s slots
	var want []slot
	state := uint64(1)
	next := func(n int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int(state>>33) % n
	}
	check := func(i int) {
		if s.count != len(want) {
			t.Fatalf("step %d: %d slots, want %d", i, s.count, len(want))
		}
		for j := 0; j < len(want); j += 1 + len(want)/7 {
			if s.at(j) != want[j] {
				t.Fatalf("step %d: slot %d is %+v, want %+v", i, j, s.at(j), want[j])
			}
		}
		for j := 0; j < len(want); {
			places, run := s.stretch(j, min(len(want)-j, 1+next(600)))
			for _, p := range places {
				if run.slot(p) != want[j] {
					t.Fatalf("step %d: slot %d of a stretch is %+v, want %+v", i, j, run.slot(p), want[j])
				}
				j++
			}
			if len(places) == 0 {
				t.Fatalf("step %d: empty stretch at %d", i, j)
			}
		}
	}
	for i := range 2000 {
		switch next(5) {
		case 0, 1:
			change := []int{1, 20, 2000}[next(3)] // so many slots have the same term, segment and flags
			v := slot{term: uint64(i)}
			for j := range next(900) {
				if j%change == change-1 {
					v.term, v.seg, v.flags = uint64(next(3)), uint32(next(3)), uint8(next(3))
				}
				v.at, v.length = uint32(len(want)), uint32(i)
				s.push(v)
				want = append(want, v)
			}
		case 2:
			n := next(len(want) + 1)
			s.dropFront(n)
			want = want[n:]
		case 3:
			n := len(want) - next(len(want)/4+1)
			s.dropBack(n)
			want = want[:n]
		case 4:
			for j := next(len(want) + 1); j < len(want) && next(50) > 0; j++ {
				v := slot{term: uint64(next(2)), seg: 7, at: uint32(next(1000)), flags: uint8(next(2))}
				s.set(j, v)
				want[j] = v
			}
		}
		check(i)
	}
	if max := s.count/chunkSlots + 2; len(s.chunks) > max {
		t.Errorf("%d chunks for %d slots", len(s.chunks), s.count)
	}
}

func TestSegmentNames(t *testing.T) {
	for _, seq := range []uint64{1, 0xabc, 1<<64 - 1} {
		name := segmentName("dir", seq)
		if got, ok := segmentSeq(name[len("dir/"):]); !ok || got != seq {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{
		"", "wal-0000000000000000.seg", "wal-00000000000000AB.seg", "wal-+000000000000001.seg",
		"wal-0000000000000001.tmp", "val-0000000000000001.seg",
	} {
		if seq, ok := segmentSeq(name); ok {
			t.Errorf("%q is segment %d", name, seq)
		}
	}
}

func TestHeaderRefuses(t *testing.T) {
	base := segmentHeader{seq: 3, salt: 1, base: 100}
	base.prev = segmentEnd{end: 50}
	base.topics = []headerRow{{topic: 1, bounds: bounds{first: 2, next: 5}}, {topic: 2, bounds: bounds{first: 2, next: 5}, mirrorOf: 1}}
	for name, spoil := range map[string]func(h *segmentHeader){
		"another number":  func(h *segmentHeader) { h.seq = 4 },
		"unknown flags":   func(h *segmentHeader) { h.flags = 4 },
		"end after base":  func(h *segmentHeader) { h.prev.end = 101 },
		"topic zero":      func(h *segmentHeader) { h.topics[0].topic = 0 },
		"topics unsorted": func(h *segmentHeader) { h.topics[1].topic = 1 },
		"bounds reversed": func(h *segmentHeader) { h.topics[1].bounds.first = 6 },
	} {
		h := base
		h.topics = append([]headerRow(nil), base.topics...)
		var p [bodyStart]byte
		h.put(p[:])
		if b, err := getHeader(p[:], 3); err != nil || fmt.Sprint(b.header) != fmt.Sprint(base) {
			t.Fatalf("%v: got %+v, want %+v", err, b.header, base)
		}
		spoil(&h)
		h.put(p[:])
		if _, err := getHeader(p[:], 3); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var a, b [bodyStart]byte
	base.put(a[:])
	base.salt++
	base.put(b[:])
	copy(a[headerBytes:], b[headerBytes:])
	if _, err := getHeader(a[:], 3); err == nil {
		t.Error("two headers that differ were accepted")
	}
}
