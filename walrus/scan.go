package walrus

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// view is the content of a segment file while recovery reads it.
type view struct {
	name   string
	header segmentHeader
	data   []byte // from the file's start, as far as it was read
	ops    []placed
	// lenient: a group whose only flaws are payloads of entries passes; broken are these entries.
	lenient bool
	broken  []placed
}

// found is a group that verifies. Its records are in view.ops until the next parse.
type found struct {
	off    int64 // in the file
	header groupHeader
	sum    uint32 // group CRC
}

// end returns the offset after the group.
func (g *found) end() int64 { return g.off + int64(g.header.size()) }

// flaw says why there is no valid group at an offset.
type flaw struct {
	off  int64
	what string
	op   *record // the record it was found at, if its header verified
	// The checksum that does not hold: over [lo, hi), stored at sumAt.
	lo, hi, sumAt int64
	seed          uint32
	// headed: the group's header verifies, and it ends at end, which may be beyond
	// the file.
	headed bool
	end    int64
	flags  uint32
	// sound: all checksums hold and yet the group does not belong here. No tear
	// and no flipped bit looks like that.
	sound bool
	// payload: only the payload of a record is damaged.
	payload bool
}

// over says which checksum does not hold. A negative sumAt stands for bytes that
// must be zero.
func (f *flaw) over(lo, hi, sumAt int64, seed uint32) *flaw {
	f.lo, f.hi, f.sumAt, f.seed = lo, hi, sumAt, seed
	return f
}

// parse verifies the group at an offset, every checksum of it, and collects its
// records. prevSum is the group CRC of the group before.
func (v *view) parse(off int64, prevSum uint32) (found, *flaw) {
	v.ops, v.broken = v.ops[:0], v.broken[:0]
	h, bad := v.parseHeader(off)
	if bad != nil {
		return found{}, bad
	}
	g := found{off: off, header: h}
	fail := func(bad flaw) (found, *flaw) {
		bad.headed, bad.end, bad.flags = true, g.end(), h.flags
		return found{}, &bad
	}
	switch {
	case g.end() > int64(len(v.data)):
		return fail(flaw{off: off, what: "group beyond the end of the file"})
	case h.prevSum != prevSum:
		return fail(flaw{off: off, what: "group does not follow the one before it", sound: true})
	}
	groupSum := seed(v.header.salt, seedGroup)
	at, end := off+groupHeaderBytes, off+groupHeaderBytes+int64(h.body)
	for range h.records {
		op, bad := v.parseRecord(at, end)
		switch {
		case bad == nil:
		case v.lenient && bad.payload && (op.kind == kindEntry || op.kind == kindCopy):
			v.broken = append(v.broken, placed{record: op, off: uint32(at - off)})
		default:
			return fail(*bad)
		}
		v.ops = append(v.ops, placed{record: op, off: uint32(at - off)})
		groupSum = sum(groupSum, v.data[at:at+recordHeaderSummed])
		at += int64(op.size())
	}
	groupSum = sum(groupSum, v.data[off:off+groupHeaderSummed])
	if at != end {
		return fail(flaw{off: at, what: "records shorter than their group", sound: true})
	}
	if bad := v.parseTrailer(&g, groupSum); bad != nil {
		return fail(*bad)
	}
	for i := range v.ops {
		if op := &v.ops[i]; op.kind == kindLink && !v.linkHolds(op) {
			what := "link differs from its main record"
			return fail(flaw{off: off + int64(op.off), what: what, op: &op.record, sound: true})
		}
	}
	g.sum = groupSum
	return g, nil
}

func (v *view) parseHeader(off int64) (groupHeader, *flaw) {
	if off+groupHeaderBytes > int64(len(v.data)) {
		return groupHeader{}, &flaw{off: off, what: "end of the file"}
	}
	salt := v.header.salt
	h, ok := getGroupHeader(v.data[off:], salt)
	if !ok {
		bad := &flaw{off: off, what: "group header checksum"}
		return h, bad.over(off, off+groupHeaderSummed, off+groupHeaderSummed, seed(salt, seedGroupHeader))
	}
	if h.lsn != v.header.lsn(off) || h.durable > h.lsn || h.flags&^groupFlags != 0 ||
		h.body%alignBytes != 0 || h.size() > MaxGroup || uint64(h.records)*recordHeaderBytes > uint64(h.body) {
		return h, &flaw{off: off, what: "group header of another place", sound: true}
	}
	return h, nil
}

func (v *view) parseRecord(at, end int64) (record, *flaw) {
	salt := v.header.salt
	if at+recordHeaderBytes > end {
		return record{}, &flaw{off: at, what: "more records than the group has room for", sound: true}
	}
	r, ok := getRecord(v.data[at:], salt)
	if !ok {
		bad := &flaw{off: at, what: "record header checksum"}
		return r, bad.over(at, at+recordHeaderSummed, at+recordHeaderSummed, seed(salt, seedRecord))
	}
	switch r.kind {
	case kindEntry, kindLink, kindSet, kindTruncateBack, kindTruncateFront, kindRebase, kindSeal,
		kindPrepare, kindCommit, kindAbort, kindCopy:
	default:
		return r, &flaw{off: at, what: "record of unknown kind", op: &r, sound: true}
	}
	if at+int64(r.size()) > end || r.kind.topicless() != (r.topic == 0) {
		return r, &flaw{off: at, what: "record that makes no sense", op: &r, sound: true}
	}
	if !r.kind.carries() {
		return r, nil
	}
	lo := at + recordHeaderBytes
	hi := lo + int64(r.payload())
	if payloadSum(salt, r.topic, r.index, v.data[lo:hi]) != r.sum {
		bad := &flaw{off: at, what: "payload checksum", op: &r, payload: true}
		return r, bad.over(lo, hi, at+24, payloadSum(salt, r.topic, r.index, nil))
	}
	if pad := v.data[hi : at+int64(r.size())]; !isZero(pad) {
		bad := &flaw{off: hi, what: "padding is not zero", op: &r}
		return r, bad.over(hi, hi+int64(len(pad)), -1, 0)
	}
	return r, nil
}

func (v *view) parseTrailer(g *found, groupSum uint32) *flaw {
	salt := v.header.salt
	at := g.end() - trailerBytes
	t, ok := getTrailer(v.data[at:], salt)
	switch {
	case !ok:
		bad := &flaw{off: at, what: "trailer checksum"}
		return bad.over(at, at+20, at+20, seed(salt, seedTrailer))
	case t.records != g.header.records || t.end != g.header.lsn+uint64(g.header.size()) || t.sum != groupSum:
		return &flaw{off: at, what: "trailer of another group"}
	}
	return nil
}

// linkHolds compares a link with the main record it points to.
func (v *view) linkHolds(link *placed) bool {
	main := mainOf(v.ops, link)
	return main != nil && main.index == link.index && main.term == link.term &&
		main.flags == link.flags && main.sum == link.sum
}

// mainOf returns the entry a link points to, or nil.
func mainOf(ops []placed, link *placed) *placed {
	at, ok := slices.BinarySearchFunc(ops, link.length, func(p placed, off uint32) int { return cmp.Compare(p.off, off) })
	if !ok || ops[at].kind != kindEntry {
		return nil
	}
	return &ops[at]
}

// laterWrite looks behind a flawed group for traces of a group written after
// it: a valid header, or a valid trailer that is not the flawed group's own. It returns
// where the trace is and the LSN below which it vouches for the log. A trailer vouches for
// everything before its group, since a group is written when the one before is durable.
func (v *view) laterWrite(bad *flaw, off int64) (at int64, durable uint64, ok bool) {
	own := 1 // trailers that may belong to the flawed group
	for at = off + alignBytes; at+trailerBytes <= int64(len(v.data)); at += alignBytes {
		switch binary.LittleEndian.Uint32(v.data[at:]) {
		case groupMagic:
			if h, bad := v.parseHeader(at); bad == nil {
				return at, h.durable, true
			}
		case trailerMagic:
			t, ok := getTrailer(v.data[at:], v.header.salt)
			if !ok || t.end != v.header.lsn(at+trailerBytes) {
				continue
			}
			if own--; own < 0 || bad.headed && at+trailerBytes > bad.end {
				return at, v.header.lsn(off + alignBytes), true
			}
		}
	}
	return 0, 0, false
}
