package walrus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strconv"
)

const (
	headerMagic   = 0x53524c57 // "WLRS"
	formatVersion = 2

	// headerWhole marks a segment that was written and synced before it got its
	// name: its first group cannot be torn.
	headerWhole = 1
	// headerSpoiled says that a sync of the segment before failed and the log went on here:
	// nothing is written to that file any more, not even a seal.
	headerSpoiled = 2
	headerFlags   = headerWhole | headerSpoiled

	headerRowBytes = 32
	headerRows     = 80 // where the rows start
	headerSeal     = headerBytes - 12
)

// logID tells the segments of one log from those of any other.
type logID [16]byte

// segmentHeader opens a segment. It is a checkpoint of the bounds of all topics:
// with the stable keys, which the first group repeats, recovery can begin at any segment.
type segmentHeader struct {
	flags uint16
	id    logID
	seq   uint64
	salt  uint64
	base  uint64 // LSN of the first byte after the headers
	size  uint64 // of the file in bytes when it was made; groups may have grown it
	// prev pins the end of the segment before; seq zero: there is none.
	prev segmentEnd
	// seal is where in its file the seal of the segment before may lie; zero: right
	// behind its end.
	seal   int64
	topics []headerRow // ascending
}

// segmentEnd pins where a segment ends.
type segmentEnd struct {
	seq uint64
	end uint64 // LSN; what lies behind is not part of the log
	sum uint32 // group CRC of the last group before the end
}

// headerRow is a topic as it was before the segment's first group.
type headerRow struct {
	topic    Topic
	mirrorOf Topic // zero: not a recovery topic
	bounds   bounds
	lastTerm uint64 // of the last entry; zero if there is none
}

// put encodes both copies of the header into the first 8 KiB of p.
func (h *segmentHeader) put(p []byte) {
	clear(p[:bodyStart])
	binary.LittleEndian.PutUint32(p[0:], headerMagic)
	binary.LittleEndian.PutUint16(p[4:], formatVersion)
	binary.LittleEndian.PutUint16(p[6:], h.flags)
	copy(p[8:24], h.id[:])
	binary.LittleEndian.PutUint64(p[24:], h.seq)
	binary.LittleEndian.PutUint64(p[32:], h.salt)
	binary.LittleEndian.PutUint64(p[40:], h.base)
	binary.LittleEndian.PutUint64(p[48:], h.prev.seq)
	binary.LittleEndian.PutUint64(p[56:], h.prev.end)
	binary.LittleEndian.PutUint32(p[64:], h.prev.sum)
	binary.LittleEndian.PutUint32(p[68:], uint32(len(h.topics)))
	binary.LittleEndian.PutUint64(p[72:], h.size)
	for i, row := range h.topics {
		q := p[headerRows+i*headerRowBytes:]
		binary.LittleEndian.PutUint16(q[0:], uint16(row.topic))
		binary.LittleEndian.PutUint16(q[2:], uint16(row.mirrorOf))
		binary.LittleEndian.PutUint64(q[8:], row.bounds.first)
		binary.LittleEndian.PutUint64(q[16:], row.bounds.next)
		binary.LittleEndian.PutUint64(q[24:], row.lastTerm)
	}
	binary.LittleEndian.PutUint64(p[headerSeal:], uint64(h.seal))
	binary.LittleEndian.PutUint32(p[headerBytes-4:], headerSum(p))
	copy(p[headerBytes:bodyStart], p[:headerBytes])
}

// headerSum is over the whole block: what is reserved is zero and covered.
func headerSum(p []byte) uint32 { return sum(seed(0, seedSegment), p[:headerBytes-4]) }

// headerHolds reports whether magic and checksum of one copy hold.
func headerHolds(p []byte) bool {
	return binary.LittleEndian.Uint32(p) == headerMagic && binary.LittleEndian.Uint32(p[headerBytes-4:]) == headerSum(p)
}

// headerBlocks is what the first 8 KiB of a segment file turned out to be.
type headerBlocks struct {
	header segmentHeader
	valid  bool // at least one copy is
	badA   bool // that copy is not, though the other is
	badB   bool
	blank  bool // both copies are zero: never written
}

// getHeader reads the two copies of the header of the segment with that
// sequence number. The error is a version this code does not know, or a
// header that cannot be this segment's: never a damaged copy.
func getHeader(p []byte, seq uint64) (headerBlocks, error) {
	var b headerBlocks
	a, c := p[:headerBytes], p[headerBytes:bodyStart]
	okA, okB := headerHolds(a), headerHolds(c)
	switch {
	case okA && okB && !bytes.Equal(a, c):
		return b, fmt.Errorf("two headers that differ")
	case !okA && !okB:
		b.blank = isZero(p[:bodyStart])
		return b, nil
	case !okA:
		a = c
	}
	b.valid, b.badA, b.badB = true, !okA, !okB
	if v := binary.LittleEndian.Uint16(a[4:]); v == 0 || v > formatVersion {
		return b, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	return b, b.header.decode(a, seq)
}

func (h *segmentHeader) decode(p []byte, seq uint64) error {
	h.flags = binary.LittleEndian.Uint16(p[6:])
	copy(h.id[:], p[8:24])
	h.seq = binary.LittleEndian.Uint64(p[24:])
	h.salt = binary.LittleEndian.Uint64(p[32:])
	h.base = binary.LittleEndian.Uint64(p[40:])
	h.prev.seq = binary.LittleEndian.Uint64(p[48:])
	h.prev.end = binary.LittleEndian.Uint64(p[56:])
	h.prev.sum = binary.LittleEndian.Uint32(p[64:])
	n := binary.LittleEndian.Uint32(p[68:])
	h.size = binary.LittleEndian.Uint64(p[72:])
	h.seal = int64(binary.LittleEndian.Uint64(p[headerSeal:]))
	switch {
	case h.seq != seq:
		return fmt.Errorf("header of segment %d", h.seq)
	case h.flags&^headerFlags != 0 || n > MaxTopics || h.prev.end > h.base, h.seal < 0:
		return fmt.Errorf("header that makes no sense")
	}
	for i := range int(n) {
		q := p[headerRows+i*headerRowBytes:]
		row := headerRow{
			topic:    Topic(binary.LittleEndian.Uint16(q[0:])),
			mirrorOf: Topic(binary.LittleEndian.Uint16(q[2:])),
			bounds:   bounds{first: binary.LittleEndian.Uint64(q[8:]), next: binary.LittleEndian.Uint64(q[16:])},
			lastTerm: binary.LittleEndian.Uint64(q[24:]),
		}
		if row.topic == 0 || row.bounds.first > row.bounds.next || (i > 0 && row.topic <= h.topics[i-1].topic) {
			return fmt.Errorf("header row %d that makes no sense", i)
		}
		h.topics = append(h.topics, row)
	}
	return nil
}

// lsn returns the position in the log of an offset in the segment's file.
func (h *segmentHeader) lsn(off int64) uint64 { return h.base + uint64(off-bodyStart) }

// sealOf returns where in its file the seal of the segment before may lie.
func (h *segmentHeader) sealOf(before *segmentHeader) int64 {
	if h.seal != 0 {
		return h.seal
	}
	return before.offset(h.prev.end)
}

// offset is the inverse of lsn.
func (h *segmentHeader) offset(lsn uint64) int64 { return int64(lsn-h.base) + bodyStart }

// segmentName returns the path of a segment file.
func segmentName(dir string, seq uint64) string {
	return path.Join(dir, fmt.Sprintf("wal-%016x.seg", seq))
}

// segmentSeq is the inverse for a name within the folder.
func segmentSeq(name string) (uint64, bool) {
	if len(name) != len("wal-0123456789abcdef.seg") || name[:4] != "wal-" || name[20:] != ".seg" {
		return 0, false
	}
	seq, err := strconv.ParseUint(name[4:20], 16, 64)
	return seq, err == nil && seq != 0 && fmt.Sprintf("%016x", seq) == name[4:20]
}

// isZero reports whether p holds nothing but zeros.
func isZero(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p) != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
