package walrus

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// placed is a record of a group with its distance from the group's start.
type placed struct {
	record
	off uint32
}

// in returns the payload in the bytes of the group.
func (p *placed) in(group []byte) []byte {
	start := int(p.off) + recordHeaderBytes
	return group[start : start+p.payload()]
}

// Group is what one flush makes durable. It is made by Log.Cut, belongs to the
// lane job until that is done, and goes back to the log with Log.Publish.
type Group struct {
	// buf is bodyStart bytes of room for a segment header, then the group: its
	// header, the records of the batches as they came, the links, and in a new
	// segment the stable keys.
	buf     []byte
	salt    uint64 // of the segment that the records are encoded for
	links   []byte
	ops     []placed // of buf
	linkOps []placed // of links; off is from their start
	sum     uint32   // group CRC so far: over the record headers in buf
	unasked int      // records staged by chores: the group may wait for others

	// Known once the group is cut.
	seg   *segment
	off   int64 // of the group in the segment's file
	file  runtime.File
	write []byte // the part of buf to write, at that offset
	at    int64
	end   uint64       // LSN after the group
	stale runtime.File // of the segment left behind by a rotation, to be closed
}

// zeros is appended in parts: room for headers, and padding.
const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// groupKeepBytes is the largest buffer kept for the next group. A group with a larger
// one gives all its memory back.
const groupKeepBytes = 4 << 20

// reset empties the group for staging into a segment with that salt.
func (g *Group) reset(salt uint64) {
	if cap(g.buf) > groupKeepBytes {
		*g = Group{}
	}
	if g.buf == nil {
		g.buf = make([]byte, 0, bodyStart+4096)
	}
	g.buf = g.buf[:bodyStart+groupHeaderBytes]
	g.links, g.ops, g.linkOps = g.links[:0], g.ops[:0], g.linkOps[:0]
	g.salt, g.sum = salt, seed(salt, seedGroup)
	g.seg, g.file, g.write, g.stale, g.unasked = nil, nil, nil, nil, 0
}

// bytes is the group as it lies in the segment, trailer included once sealed.
func (g *Group) bytes() []byte { return g.buf[bodyStart:] }

// size returns how large the group would be if it were cut now.
func (g *Group) size() int { return len(g.bytes()) + len(g.links) + trailerBytes }

// idle reports whether nothing has been staged but what chores did, which waits for others.
func (g *Group) idle() bool { return len(g.ops) == g.unasked }

// add encodes a record with its payload and returns its distance from the
// group's start.
func (g *Group) add(r record, payload []byte, salt uint64) uint32 {
	off := uint32(len(g.bytes()))
	if r.kind.carries() {
		r.sum = payloadSum(salt, r.topic, r.index, payload)
	}
	at := len(g.buf)
	g.buf = append(g.buf, zeros[:recordHeaderBytes]...)
	r.put(g.buf[at:], salt)
	g.sum = sum(g.sum, g.buf[at:at+recordHeaderSummed])
	g.buf = append(g.buf, payload...)
	g.buf = append(g.buf, zeros[:roundUp(len(payload), alignBytes)-len(payload)]...)
	g.ops = append(g.ops, placed{record: r, off: off})
	return off
}

// addLink encodes a record of a recovery topic. Links wait apart and are put
// behind all main records, so that damage to a few sectors does not hit both.
func (g *Group) addLink(r record, salt uint64) {
	at := len(g.links)
	g.links = append(g.links, zeros[:recordHeaderBytes]...)
	r.put(g.links[at:], salt)
	g.linkOps = append(g.linkOps, placed{record: r, off: uint32(at)})
}

// joinLinks moves the links into the group.
func (g *Group) joinLinks() {
	base := uint32(len(g.bytes()))
	for i := 0; i < len(g.links); i += recordHeaderBytes {
		g.sum = sum(g.sum, g.links[i:i+recordHeaderSummed])
	}
	g.buf = append(g.buf, g.links...)
	for _, op := range g.linkOps {
		op.off += base
		g.ops = append(g.ops, op)
	}
	g.links, g.linkOps = g.links[:0], g.linkOps[:0]
}

// resalt renews every checksum of the records for another segment.
func (g *Group) resalt(salt uint64) {
	group := g.bytes()
	g.salt, g.sum = salt, seed(salt, seedGroup)
	for i := range g.ops {
		op := &g.ops[i]
		switch op.kind {
		case kindEntry, kindSet, kindPrepare, kindCopy:
			op.sum = payloadSum(salt, op.topic, op.index, op.in(group))
		case kindLink:
			main, ok := getRecord(group[op.length:], salt) // renewed before: it lies in front
			if !ok {
				panic(fmt.Sprintf("walrus: link at %d points to %d, where no record is", op.off, op.length))
			}
			op.sum = main.sum
		}
		head := group[op.off : op.off+recordHeaderBytes]
		op.put(head, salt)
		g.sum = sum(g.sum, head[:recordHeaderSummed])
	}
}

// seal writes the group's header and trailer. h.records and h.body are filled
// in here. It returns the group CRC, the next group's prevSum.
func (g *Group) seal(h groupHeader, salt uint64) uint32 {
	group := g.bytes()
	h.records, h.body = uint32(len(g.ops)), uint32(len(group)-groupHeaderBytes)
	h.put(group, salt)
	g.sum = sum(g.sum, group[:groupHeaderSummed])
	g.end = h.lsn + uint64(h.size())
	t := trailer{records: h.records, end: g.end, sum: g.sum}
	at := len(g.buf)
	g.buf = append(g.buf, zeros[:trailerBytes]...)
	t.put(g.buf[at:], salt)
	return g.sum
}

// sets reports whether the group gives the key a value.
func (g *Group) sets(key uint16) bool {
	for i := range g.ops {
		if g.ops[i].kind == kindSet && g.ops[i].index == uint64(key) {
			return true
		}
	}
	return false
}

// mentions reports whether the group prepares or decides the transaction.
func (g *Group) mentions(tx uint64) bool {
	for i := range g.ops {
		if op := &g.ops[i]; op.index == tx && (op.kind == kindPrepare || op.kind == kindCommit || op.kind == kindAbort) {
			return true
		}
	}
	return false
}

// addMissing repeats the stable keys that the group does not set itself, and the transactions
// in doubt, so that no segment before it is needed for them.
func (g *Group) addMissing(s *state, salt uint64) {
	for _, k := range s.keys {
		if !g.sets(k.key) {
			r := record{kind: kindSet, index: uint64(k.key), length: uint32(len(k.value))}
			g.add(r, k.value, salt)
		}
	}
	for _, p := range s.txs {
		if !g.mentions(p.id) {
			g.add(record{kind: kindPrepare, index: p.id, length: uint32(len(p.body))}, p.body, salt)
		}
	}
}

// Flush makes the group durable: one write, one data sync. It is a job for the
// log lane and touches nothing but the group. The write has up to 8 attempts, the sync
// has one. If the error matches ErrNoSpace, nobody knows of the group yet, and the same one
// may be flushed again when there is room. After any other error, which matches
// ErrFailed, the group's outcome is unknown: report it to Log.Fail and halt.
func Flush(_ runtime.FS, g *Group) error {
	if g.stale != nil {
		_ = g.stale.Close() // every group in it was synced; Close promises nothing
		g.stale = nil
	}
	err := writeAll(g.file, g.write, g.at)
	if errors.Is(err, runtime.ErrNoSpace) {
		return fmt.Errorf("walrus: write %s at %d: %w", g.seg.name, g.at, ErrNoSpace)
	}
	if err != nil {
		return failed(fmt.Sprintf("write %s at %d", g.seg.name, g.at), err)
	}
	if err := g.file.SyncData(); err != nil {
		return failed("sync "+g.seg.name, err)
	}
	return nil
}
