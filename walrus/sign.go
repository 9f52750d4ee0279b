package walrus

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// sign writes the headers and the trailer, and with them every checksum. Nothing before needs
// one, so that it is work for the lane, done once, when the segment is known for certain.
func (g *Group) sign() {
	if g.signed {
		return
	}
	group := g.bytes()
	s := newSigner(g.salt)
	main := 0 // where the record may be that the next link stands for
	for i := range g.ops {
		op := &g.ops[i]
		switch {
		case op.kind.carries():
			op.sum = s.payload(op, op.in(group))
		case op.kind == kindLink:
			main = g.linkedBy(op, main)
			op.sum = g.ops[main].sum
			main++
		}
		s.header(op, group[op.off:])
	}
	g.signEnds(s.group)
	g.signed = true
}

// signEnds writes the group's header and its trailer. The group CRC has run over the records.
func (g *Group) signEnds(crc uint32) {
	group := g.bytes()
	g.header.put(group, g.salt)
	g.sum = sum(crc, group[:groupHeaderSummed])
	t := trailer{records: g.header.records, end: g.end, sum: g.sum}
	t.put(group[len(group)-trailerBytes:], g.salt)
}

// linkedBy returns which record a link stands for. It lies in front of the link and has been signed. It is
// at the one given or soon behind: links come in the order of their main records.
func (g *Group) linkedBy(link *placed, from int) int {
	if g.ops[from].off > link.length {
		from = 0
	}
	for g.ops[from].off < link.length { // there is one that is not: the link itself lies behind
		from++
	}
	if main := &g.ops[from]; main.off != link.length || main.kind != kindEntry || main.index != link.index {
		panic(fmt.Sprintf("walrus: link of entry %d points to %d, where it is not", link.index, link.length))
	}
	return from
}

// signer computes the checksums of a group's records, in order.
type signer struct {
	salt  uint64
	start uint32 // of a record header's CRC
	group uint32 // the group CRC so far
	topic Topic  // of the last payload
	seeds uint64 // for payloads of that topic
	last  *placed
	most  uint32 // the CRC of the last header up to the payload's CRC
}

func newSigner(salt uint64) signer {
	return signer{salt: salt, start: seed(salt, seedRecord), group: seed(salt, seedGroup), seeds: payloadSeeds(salt, 0)}
}

// payload returns the CRC of a record's payload.
func (s *signer) payload(op *placed, payload []byte) uint32 {
	if op.topic != s.topic {
		s.topic, s.seeds = op.topic, payloadSeeds(s.salt, op.topic)
	}
	return sum(payloadSeed(s.seeds, op.index), payload)
}

// header writes the header of a record, whose payload CRC is known, into p. Its CRC follows from that
// of the header before, if they have nearly all in common, and the group's from both, for a few look-ups.
func (s *signer) header(op *placed, p []byte) {
	op.put(p)
	if s.last != nil && op.follows(s.last, 1) && op.length == s.last.length {
		s.most ^= counted[bits.TrailingZeros64(op.index)&63]
	} else {
		s.most = sum(s.start, p[:recordSumAt])
	}
	s.last = op
	own := sumAfter(s.most, op.sum)
	binary.LittleEndian.PutUint32(p[recordHeaderSummed:], own)
	s.group = own ^ skipHeader(s.group^s.start)
}
