package walrus

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// judge decides what the bytes from an offset on are, where the log's last
// segment has no valid group. This is the decision table of the package comment.
func (v *view) judge(bad *flaw, off int64, prevSum uint32) Finding {
	f := Finding{File: v.name, Offset: off, Bytes: lastByte(v.data, off) - off}
	say := func(verdict Verdict, what string) Finding {
		f.Verdict, f.What = verdict, what
		return f
	}
	if f.Bytes == 0 {
		return say(Clean, "end of the log")
	}
	if at, durable, ok := v.laterWrite(bad, off); ok {
		switch {
		case durable > v.header.lsn(off):
			return say(Corrupt, fmt.Sprintf("%s, but what lies at %d was written when this was durable", bad.what, at))
		case at-off > MaxGroup:
			return say(Corrupt, fmt.Sprintf("%s, and a write at %d, farther than one reaches", bad.what, at))
		}
		return say(Torn, bad.what+", parts of the write behind it arrived")
	}
	if bad.sound {
		return say(Corrupt, bad.what)
	}
	if bad.flags&groupSeal != 0 {
		return say(judgeSeal(bad.flags), "seal: "+bad.what)
	}
	if at, flags, ok := v.explain(bad, off, prevSum); ok {
		if flags&groupSeal != 0 {
			return say(judgeSeal(flags), fmt.Sprintf("seal: %s: one flipped bit at %d", bad.what, at))
		}
		if v.data[at] != 0 {
			return say(Corrupt, fmt.Sprintf("%s: one flipped bit at %d", bad.what, at))
		}
		// The bit is missing where nothing was before: a tear that spares all
		// but this byte leaves the same.
		return say(Uncertain, fmt.Sprintf("%s: one bit missing at %d", bad.what, at))
	}
	if v.untouchedSector(bad, off, v.verified(off, prevSum)) {
		return say(Torn, bad.what)
	}
	return say(Uncertain, bad.what)
}

// verified returns the records of a group that hold, as far as their headers lead: a sector in one of them that is
// zero is what was written.
func (v *view) verified(off int64, prevSum uint32) []placed {
	v.lenient = true
	_, _ = v.parse(off, prevSum) // what it made of the group is known
	v.lenient = false
	return slices.DeleteFunc(slices.Clone(v.ops), func(op placed) bool {
		return slices.ContainsFunc(v.broken, func(b placed) bool { return b.off == op.off })
	})
}

// lastByte returns the offset after the last byte from off on that is not zero.
func lastByte(data []byte, off int64) int64 {
	end := int64(len(data))
	for end-off >= 8 && binary.LittleEndian.Uint64(data[end-8:]) == 0 {
		end -= 8
	}
	for end > off && data[end-1] == 0 {
		end--
	}
	return max(end, off)
}

// untouchedSector reports whether a sector that the group reaches into still
// holds what was there before, zeros. How far a group without a valid header
// reaches is unknown, but it holds its magic in the first sector.
func (v *view) untouchedSector(bad *flaw, off int64, verified []placed) bool {
	end, least := off+4, off+groupHeaderBytes+trailerBytes
	if bad.headed {
		end, least = bad.end, bad.end
	}
	if least > int64(len(v.data)) {
		return true // the file never grew that far
	}
	for lo := off; lo < end; {
		hi := min(roundUp(lo+1, sectorBytes), end)
		within := func(op placed) bool {
			return off+int64(op.off) <= lo && hi <= off+int64(op.off)+int64(op.size())
		}
		if isZero(v.data[lo:hi]) && !slices.ContainsFunc(verified, within) {
			return true
		}
		lo = hi
	}
	return false
}

// judgeSeal decides what a seal means that is not whole. The one of a close repeats what the
// groups before it say, and they were durable. Any other was written when a later
// segment was in use.
func judgeSeal(flags uint32) Verdict {
	if flags&groupClosed != 0 {
		return Torn
	}
	return Corrupt
}

// explain looks for the one bit whose flip makes the group at off valid, and
// returns the byte it is in and the group's flags.
func (v *view) explain(bad *flaw, off int64, prevSum uint32) (at int64, flags uint32, ok bool) {
	at, bit, ok := v.suspect(bad)
	if !ok {
		return 0, 0, false
	}
	v.data[at] ^= bit
	g, still := v.parse(off, prevSum)
	v.data[at] ^= bit
	return at, g.header.flags, still == nil
}

// suspect returns the only bit that one flip could have changed to cause the
// flaw. A CRC is linear: the difference between the stored and the computed
// value depends only on which bits differ, so each single bit leaves its own.
func (v *view) suspect(bad *flaw) (at int64, bit byte, ok bool) {
	if bad.hi == bad.lo {
		return 0, 0, false
	}
	if bad.sumAt < 0 { // bytes that must be zero
		for at = bad.lo; at < bad.hi; at++ {
			if v.data[at] != 0 {
				return at, v.data[at], bits.OnesCount8(v.data[at]) == 1
			}
		}
		return 0, 0, false
	}
	diff := binary.LittleEndian.Uint32(v.data[bad.sumAt:]) ^ sum(bad.seed, v.data[bad.lo:bad.hi])
	if bits.OnesCount32(diff) == 1 { // a bit of the stored checksum itself
		n := bits.TrailingZeros32(diff)
		return bad.sumAt + int64(n/8), 1 << (n % 8), true
	}
	var traces [8]uint32 // what a flip of each bit of the byte looked at would leave
	for b := range traces {
		traces[b] = castagnoli[1<<b]
	}
	for at = bad.hi - 1; at >= bad.lo; at-- {
		for b := range traces {
			if traces[b] == diff {
				return at, 1 << b, true
			}
			traces[b] = castagnoli[byte(traces[b])] ^ traces[b]>>8
		}
	}
	return 0, 0, false
}

// judgeHeadless decides what a file is that follows the log's last segment and has
// no valid header. Its salt is unknown, so only the shape of its groups can
// be looked at. end is the LSN where the log ends: a segment begun by a
// rotation starts there.
func judgeHeadless(name string, data []byte, end uint64) Finding {
	f := Finding{File: name, Bytes: lastByte(data, 0)}
	second := secondGroup(data, end)
	switch {
	case f.Bytes == 0:
		f.Verdict, f.What = Clean, "spare segment"
	case second > 0:
		f.Verdict, f.What = Corrupt, fmt.Sprintf("both headers are bad, but the group at %d was not the first", second)
	case untouchedHeader(data):
		f.Verdict, f.What = Torn, "first write of a segment"
	case !written(data):
		// The zeros of a spare are not synced before its first use, so after a
		// power loss there may be anything.
		f.Verdict, f.What = Torn, "spare segment, or the first write of one"
	default:
		f.Verdict, f.What = Uncertain, "first write of a segment"
	}
	return f
}

// written reports whether a first write shows: a header or a group where it
// would begin.
func written(data []byte) bool {
	return binary.LittleEndian.Uint32(data) == headerMagic ||
		binary.LittleEndian.Uint32(data[headerBytes:]) == headerMagic ||
		binary.LittleEndian.Uint32(data[bodyStart:]) == groupMagic
}

// untouchedHeader reports whether a sector is zero in which any first write
// puts something: the beginnings and the checksums of both headers, and the group's magic.
func untouchedHeader(data []byte) bool {
	for _, at := range [...]int{0, headerBytes - sectorBytes, headerBytes, bodyStart - sectorBytes, bodyStart} {
		if isZero(data[at : at+sectorBytes]) {
			return true
		}
	}
	return false
}

// secondGroup returns the offset of something that looks like a group and is
// not the segment's first, or zero. A second group is written after the first
// was synced, and the headers with it: then their loss is not a tear.
func secondGroup(data []byte, end uint64) int64 {
	for at := int64(bodyStart); at+groupHeaderBytes <= int64(len(data)); at += alignBytes {
		if binary.LittleEndian.Uint32(data[at:]) != groupMagic {
			continue
		}
		h, _ := getGroupHeader(data[at:], 0)
		base := h.lsn - uint64(at-bodyStart)
		begun := base == end || (base >= end+lsnGap && base < end+lsnGap*lsnGap)
		if !begun || h.durable > h.lsn || h.size() > MaxGroup || h.body%alignBytes != 0 {
			continue
		}
		if at > bodyStart {
			return at
		}
		at += int64(h.size()) - alignBytes // not into its payloads: they may hold anything
	}
	return 0
}
