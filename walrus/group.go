package walrus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// placed is a record of a group with its distance from the group's start.
type placed struct {
	record
	off uint32
}

// at returns where the record lies in the file, in units of 8 bytes, if its group lies at off.
func (p *placed) at(off int64) uint32 { return uint32((off + int64(p.off)) / alignBytes) }

// follows reports whether the record is an entry n behind an entry e, or a link n behind a link, and differs
// from it in index and length only.
func (p *placed) follows(e *placed, n uint64) bool {
	return p.kind == e.kind && (e.kind == kindEntry || e.kind == kindLink) && p.topic == e.topic && p.index == e.index+n && p.term == e.term && p.flags == e.flags
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
	ops     []placed // of buf
	links   []record // wait to be put behind all others
	unasked int      // records staged by chores: the group may wait for others

	// Known once the group is cut.
	seg   *segment
	off   int64 // of the group in the segment's file
	file  runtime.File
	write []byte // the part of buf to write, at that offset
	at    int64
	end   uint64 // LSN after the group
	// The checksums are the job's work: until Flush has signed the group its headers are blank.
	header groupHeader
	salt   uint64 // of the segment
	sum    uint32 // group CRC, once signed: the next group's prevSum
	signed bool
	stale  runtime.File // of the segment left behind by a rotation, to be closed
	// prepared is how much of the file has its blocks. Begun: a part of the group may have been written.
	prepared int64
	begun    bool
	// Known once it is published: how many entries and stable values are in it.
	values, valueBytes uint64
}

// zeros is appended in parts: room for headers, and padding.
const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// groupKeepBytes is the largest buffer kept for the next group. A group with a larger
// one gives all its memory back.
const groupKeepBytes = 4 << 20

// reset empties the group for staging.
func (g *Group) reset() {
	if cap(g.buf) > groupKeepBytes {
		*g = Group{}
	}
	if g.buf == nil {
		g.buf = make([]byte, 0, bodyStart+4096)
	}
	g.buf = g.buf[:bodyStart+groupHeaderBytes]
	g.links, g.ops = g.links[:0], g.ops[:0]
	g.seg, g.file, g.write, g.stale, g.unasked, g.signed, g.begun = nil, nil, nil, nil, 0, false, false
}

// bytes is the group as it lies in the segment, trailer included once closed.
func (g *Group) bytes() []byte { return g.buf[bodyStart:] }

// size returns how large the group would be if it were cut now.
func (g *Group) size() int { return len(g.bytes()) + len(g.links)*recordHeaderBytes + trailerBytes }

// idle reports whether nothing has been staged but what chores did, which waits for others.
func (g *Group) idle() bool { return len(g.ops) == g.unasked }

// add takes a record with its payload and returns its distance from the
// group's start. The header stays blank.
func (g *Group) add(r *record, payload []byte) uint32 {
	at, n := len(g.buf), len(g.ops)
	size := recordHeaderBytes + roundUp(len(payload), alignBytes)
	if cap(g.buf)-at < size {
		g.buf = slices.Grow(g.buf, size)
	}
	g.buf = g.buf[:at+size]
	binary.LittleEndian.PutUint64(g.buf[at+size-alignBytes:], 0) // the padding
	copy(g.buf[at+recordHeaderBytes:], payload)
	if n == cap(g.ops) {
		g.ops = slices.Grow(g.ops, 1)
	}
	g.ops = g.ops[:n+1]
	op := &g.ops[n]
	r.copyTo(&op.record)
	op.off = uint32(at - bodyStart)
	return op.off
}

// addLink takes a record of a recovery topic. Links wait apart and are put
// behind all main records, so that damage to a few sectors does not hit both.
func (g *Group) addLink(r *record) { g.links = append(g.links, *r) }

// joinLinks moves the links into the group.
func (g *Group) joinLinks() {
	for i := range g.links {
		g.add(&g.links[i], nil)
	}
	g.links = g.links[:0]
}

// close ends the group, which is complete. h.records and h.body are filled in here.
func (g *Group) close(h groupHeader, salt uint64) {
	h.records, h.body = uint32(len(g.ops)), uint32(len(g.bytes())-groupHeaderBytes)
	g.header, g.salt, g.signed = h, salt, false
	g.end = h.lsn + uint64(h.size())
	g.buf = append(g.buf, zeros[:trailerBytes]...)
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
func (g *Group) addMissing(s *state) {
	for _, k := range s.keys {
		if !g.sets(k.key) {
			g.add(&record{kind: kindSet, index: uint64(k.key), length: uint32(len(k.value))}, k.value)
		}
	}
	for _, p := range s.txs {
		if !g.mentions(p.id) {
			g.add(&record{kind: kindPrepare, index: p.id, length: uint32(len(p.body))}, p.body)
		}
	}
}

// Flush makes the group durable: checksums, one write, one data sync. It is a job for the
// log lane and touches nothing but the group. The write has up to 8 attempts, the sync
// has one. If the error matches ErrNoSpace, nobody knows of the group yet, and the same one
// may be flushed again when there is room, or be taken back by Log.Withdraw. After any other error, which matches
// ErrFailed, the group's outcome is unknown: report it to Log.Fail and halt.
func Flush(_ runtime.FS, g *Group) error {
	if g.stale != nil {
		_ = g.stale.Close() // every group in it was synced; Close promises nothing
		g.stale = nil
	}
	if err := g.reserve(); err != nil {
		return err
	}
	g.begun = true
	g.sign()
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
