package walrus

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/octopii-go/octopii/runtime"
)

// Sizes of the parts of the format, in bytes; doc.go draws them.
const (
	sectorBytes       = 512 // what a disk writes at once, at best
	headerBytes       = 4096
	bodyStart         = 2 * headerBytes
	groupHeaderBytes  = 40
	recordHeaderBytes = 32
	trailerBytes      = 24
	// The headers end with their own checksum, 4 bytes. The group CRC leaves
	// those out: a CRC that runs over a message and then over the message's own CRC
	// comes to the same whatever the message was.
	groupHeaderSummed  = groupHeaderBytes - 4
	recordHeaderSummed = recordHeaderBytes - 4
	recordSumAt        = recordHeaderSummed - 4 // the payload's CRC

	alignBytes = 8

	groupMagic   = 0x47524c57 // "WLRG"
	trailerMagic = 0x54524c57 // "WLRT"
)

// kind says what a record does. The values are on disk; zero, 4 and those
// from 13 on are reserved.
type kind uint8

const (
	kindEntry         kind = 1 // appends an entry to a topic
	kindLink          kind = 2 // appends to a recovery topic; see record.length
	kindSet           kind = 3 // gives a stable key a value; index is the key
	kindTruncateBack  kind = 5 // drops the entries from index on
	kindTruncateFront kind = 6 // drops the entries before index
	kindRebase        kind = 7 // empties the topic; index comes next
	kindSeal          kind = 8 // the journal of a segment; only in a seal
	kindPrepare       kind = 9 // makes a transaction; index is its number
	kindCommit        kind = 10
	kindAbort         kind = 11
	kindCopy          kind = 12 // an entry that is there has another place from now on
)

// Flags of a group.
const (
	groupRecovered = 1 // written by a recovery: repeats what an older place holds
	groupSeal      = 2 // stands behind the last group of a segment and sums it up
	groupClosed    = 4 // a seal that ends the log: it was closed
	groupFlags     = groupRecovered | groupSeal | groupClosed
)

// What a checksum is seeded for, beside the salt, so that no part of the
// format passes for another.
const (
	seedGroupHeader uint64 = iota + 1
	seedRecord
	seedGroup
	seedTrailer
	seedSegment
	seedMark
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seed derives the start value of a checksum from the segment's salt.
func seed(salt, what uint64) uint32 { return uint32(runtime.Mix(salt, what)) }

// sum continues a CRC32C.
func sum(crc uint32, p []byte) uint32 { return crc32.Update(crc, castagnoli, p) }

// payloadSum is the checksum of a payload, which binds it to the segment's
// incarnation, its topic and its index: a payload misplaced does not verify.
func payloadSum(salt uint64, t Topic, index uint64, payload []byte) uint32 {
	return sum(payloadSeed(payloadSeeds(salt, t), index), payload)
}

// payloadSeeds is what the seeds of all payloads of a topic in a segment derive from, and
// payloadSeed is that of one.
func payloadSeeds(salt uint64, t Topic) uint64      { return runtime.Mix(salt, uint64(t)) }
func payloadSeed(seeds uint64, index uint64) uint32 { return uint32(runtime.Mix(seeds, index)) }

// roundUp returns the next multiple of unit, a power of two.
func roundUp[N int | int64](n, unit N) N { return (n + unit - 1) &^ (unit - 1) }

// carries reports whether records of that kind have a payload.
func (k kind) carries() bool {
	return k == kindEntry || k == kindSet || k == kindSeal || k == kindPrepare || k == kindCopy
}

// topicless reports whether records of that kind belong to no topic.
func (k kind) topicless() bool {
	return k == kindSet || k == kindSeal || k == kindPrepare || k == kindCommit || k == kindAbort
}

// record is a record header, decoded.
type record struct {
	kind  kind
	flags uint8 // the caller's, for an entry; repeated by its link
	topic Topic
	// length is that of the payload in bytes. A link has no payload: there it is the
	// distance of the main record from the group's start.
	length uint32
	index  uint64
	term   uint64
	sum    uint32 // of the payload; a link repeats that of its main record
}

// payload returns how many bytes follow the header, padding not counted.
func (r *record) payload() int {
	if r.kind.carries() {
		return int(r.length)
	}
	return 0
}

// copyTo copies the record field by field. A processor that loads 16 bytes at once waits until
// every store of a part of them has left its pipeline, which for a record just made takes longer
// than all the rest.
func (r *record) copyTo(to *record) {
	to.kind, to.flags, to.topic, to.length = r.kind, r.flags, r.topic, r.length
	to.index, to.term, to.sum = r.index, r.term, r.sum
}

// size returns how many bytes the record takes.
func (r *record) size() int { return recordHeaderBytes + roundUp(r.payload(), alignBytes) }

// put encodes the header, without its own checksum, into the first 28 bytes of p.
func (r *record) put(p []byte) {
	_ = p[recordHeaderSummed-1]
	// One store, because the CRC loads the 8 bytes at once; see copyTo.
	binary.LittleEndian.PutUint64(p[0:], uint64(r.length)|uint64(r.topic)<<32|uint64(r.kind)<<48|uint64(r.flags)<<56)
	binary.LittleEndian.PutUint64(p[8:], r.index)
	binary.LittleEndian.PutUint64(p[16:], r.term)
	binary.LittleEndian.PutUint32(p[recordSumAt:], r.sum)
}

// getRecord decodes a record header, and reports whether its checksum holds.
func getRecord(p []byte, salt uint64) (record, bool) {
	_ = p[recordHeaderBytes-1]
	r := record{
		length: binary.LittleEndian.Uint32(p[0:]),
		topic:  Topic(binary.LittleEndian.Uint16(p[4:])),
		kind:   kind(p[6]),
		flags:  p[7],
		index:  binary.LittleEndian.Uint64(p[8:]),
		term:   binary.LittleEndian.Uint64(p[16:]),
		sum:    binary.LittleEndian.Uint32(p[24:]),
	}
	return r, recordHolds(p, seed(salt, seedRecord))
}

// recordHolds reports whether a record header's checksum, which starts from that seed, holds.
func recordHolds(p []byte, seed uint32) bool {
	return binary.LittleEndian.Uint32(p[28:]) == sum(seed, p[:recordHeaderSummed])
}

// groupHeader is a group header, decoded.
type groupHeader struct {
	records uint32
	lsn     uint64 // of the header's first byte
	durable uint64 // the log is durable below this LSN
	body    uint32 // bytes between header and trailer
	prevSum uint32 // group CRC of the group before
	flags   uint32
}

// size returns how many bytes the group takes, header and trailer included.
func (h *groupHeader) size() int { return groupHeaderBytes + int(h.body) + trailerBytes }

func (h *groupHeader) put(p []byte, salt uint64) {
	_ = p[groupHeaderBytes-1]
	binary.LittleEndian.PutUint32(p[0:], groupMagic)
	binary.LittleEndian.PutUint32(p[4:], h.records)
	binary.LittleEndian.PutUint64(p[8:], h.lsn)
	binary.LittleEndian.PutUint64(p[16:], h.durable)
	binary.LittleEndian.PutUint32(p[24:], h.body)
	binary.LittleEndian.PutUint32(p[28:], h.prevSum)
	binary.LittleEndian.PutUint32(p[32:], h.flags)
	binary.LittleEndian.PutUint32(p[36:], sum(seed(salt, seedGroupHeader), p[:groupHeaderSummed]))
}

// getGroupHeader decodes a group header, and reports whether magic and
// checksum hold.
func getGroupHeader(p []byte, salt uint64) (groupHeader, bool) {
	_ = p[groupHeaderBytes-1]
	h := groupHeader{
		records: binary.LittleEndian.Uint32(p[4:]),
		lsn:     binary.LittleEndian.Uint64(p[8:]),
		durable: binary.LittleEndian.Uint64(p[16:]),
		body:    binary.LittleEndian.Uint32(p[24:]),
		prevSum: binary.LittleEndian.Uint32(p[28:]),
		flags:   binary.LittleEndian.Uint32(p[32:]),
	}
	ok := binary.LittleEndian.Uint32(p[0:]) == groupMagic &&
		binary.LittleEndian.Uint32(p[36:]) == sum(seed(salt, seedGroupHeader), p[:groupHeaderSummed])
	return h, ok
}

// trailer is the commit marker of a group, decoded.
type trailer struct {
	records uint32
	end     uint64 // LSN of the first byte after the group
	sum     uint32 // the group CRC: over the record headers, then the group header
}

func (t *trailer) put(p []byte, salt uint64) {
	_ = p[trailerBytes-1]
	binary.LittleEndian.PutUint32(p[0:], trailerMagic)
	binary.LittleEndian.PutUint32(p[4:], t.records)
	binary.LittleEndian.PutUint64(p[8:], t.end)
	binary.LittleEndian.PutUint32(p[16:], t.sum)
	binary.LittleEndian.PutUint32(p[20:], sum(seed(salt, seedTrailer), p[:20]))
}

func getTrailer(p []byte, salt uint64) (trailer, bool) {
	_ = p[trailerBytes-1]
	t := trailer{
		records: binary.LittleEndian.Uint32(p[4:]),
		end:     binary.LittleEndian.Uint64(p[8:]),
		sum:     binary.LittleEndian.Uint32(p[16:]),
	}
	ok := binary.LittleEndian.Uint32(p[0:]) == trailerMagic &&
		binary.LittleEndian.Uint32(p[20:]) == sum(seed(salt, seedTrailer), p[:20])
	return t, ok
}
