package sim

import (
	"slices"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// aims is how often the nemesis looks for bytes that an act of damage may strike.
const aims = 8

// damageKinds are the acts that change what a disk holds at rest.
var damageKinds = [actCount]faults.Kind{
	actRot: faults.KindRot, actLatent: faults.KindLatent, actPhantom: faults.KindPhantom, actMisdirect: faults.KindMisdirect,
}

// damage strikes bytes that some node has claimed, if the ledger allows it. What
// a lost or misdirected write does shows at once here, though the cache would hide
// it for a while: to a node that reads late enough the two are the same, and
// the claims that it made in good faith were true until now.
func (n *nemesis) damage(act uint64) {
	m := n.w.machines[n.whom[act].Below(uint64(len(n.w.machines)))]
	how := n.how[act]
	for range aims {
		hit, ok := n.aim(m, how)
		if !ok {
			continue
		}
		from, ok := hit, true
		if act == actMisdirect {
			if from, ok = n.aim(m, how); !ok || from == hit {
				continue
			}
		}
		kind := damageKinds[act]
		if n.w.ledger.Grant(faults.Act{Kind: kind, Nodes: []runtime.NodeID{m.id}}).Decision == faults.Refused {
			return
		}
		m.disk.harm(kind, hit, from, how)
		n.w.struck(kind, m.id)
		return
	}
}

// spot is a range of a file's bytes.
type spot struct {
	name   string
	inode  *inode
	off, n int64
}

// aim draws claimed bytes of a machine that lie still: synced, and not written since.
func (n *nemesis) aim(m *Machine, how *faults.Site) (spot, bool) {
	c, ok := n.w.ledger.Target(m.id, how)
	if !ok {
		return spot{}, false
	}
	f := m.disk.names.durableInode(c.File)
	s := spot{c.File, f, c.Off, c.Len}
	return s, f != nil && f.still(c.Off, c.Off+c.Len)
}

// still reports whether the range is within the file, and nothing waits for
// a sync in any of its sectors.
func (f *inode) still(lo, hi int64) bool {
	if lo >= hi || hi > f.floor {
		return false
	}
	for s := int(lo / sectorSize); int64(s)*sectorSize < hi; s++ {
		if s < len(f.slots) && f.slots[s] != 0 {
			return false
		}
	}
	return true
}

// sectors visits the sectors that the spot touches, as far as they were ever written.
func (s spot) sectors(visit func(sector int, bytes []byte)) {
	for at := int(s.off / sectorSize); int64(at)*sectorSize < s.off+s.n; at++ {
		if b := s.inode.sectorBytes(at); b != nil {
			visit(at, b)
		}
	}
}

// harm damages the bytes.
func (d *disk) harm(kind faults.Kind, hit, from spot, how *faults.Site) {
	switch kind {
	case faults.KindRot:
		hit.rot(how)
	case faults.KindLatent:
		hit.sectors(func(sector int, _ []byte) {
			if !slices.Contains(hit.inode.bad, sector) {
				hit.inode.bad = append(hit.inode.bad, sector)
			}
		})
	case faults.KindPhantom:
		hit.sectors(hit.inode.revert)
	case faults.KindMisdirect:
		var strayed [][sectorSize]byte
		from.sectors(func(_ int, b []byte) { strayed = append(strayed, [sectorSize]byte(b)) })
		from.sectors(from.inode.revert)
		hit.sectors(func(_ int, b []byte) {
			if len(strayed) > 0 {
				copy(b, strayed[0][:])
				strayed = strayed[1:]
			}
		})
	}
}

// rot flips a bit, or makes noise of the range.
func (s spot) rot(how *faults.Site) {
	if how.Below(2) == 0 {
		at := s.off + int64(how.Below(uint64(s.n)))
		bit := byte(1) << how.Below(8)
		if b := s.inode.sectorBytes(int(at / sectorSize)); b != nil {
			b[at%sectorSize] ^= bit
		}
		return
	}
	for at := s.off; at < s.off+s.n; at++ {
		if b := s.inode.sectorBytes(int(at / sectorSize)); b != nil {
			b[at%sectorSize] ^= byte(how.Draw())
		}
	}
}

// revert puts back what the sector held before it was synced last.
func (f *inode) revert(sector int, b []byte) {
	if sector < len(f.before) && f.before[sector] != nil {
		copy(b, f.before[sector][:])
	} else {
		clear(b)
	}
}

// supersede keeps, instead of giving it back, what a sector held before the sync
// that made it durable.
func (f *inode) supersede(sector int, old *[sectorSize]byte, p *pool) {
	for len(f.before) <= sector {
		f.before = append(f.before, nil)
	}
	p.putSector(f.before[sector])
	f.before[sector] = old
}

// badIn reports whether the range touches a sector that cannot be read.
func (f *inode) badIn(lo, hi int64) (first int64, found bool) {
	first = hi
	for _, s := range f.bad {
		if at := int64(s) * sectorSize; at < hi && at+sectorSize > lo {
			first, found = min(first, max(at, lo)), true
		}
	}
	return first, found
}

// meetBad is a read or write of a file that has unreadable sectors. A write of
// a whole sector heals it; one of a part would have to read it first. It reports
// whether the call failed.
func (d *disk) meetBad(op *fileOp) bool {
	f := op.file.inode
	lo, hi := op.off, op.off+int64(len(op.buf))
	if op.kind == opWrite {
		f.bad = slices.DeleteFunc(f.bad, func(s int) bool {
			at := int64(s) * sectorSize
			return at >= lo && at+sectorSize <= hi
		})
	}
	first, found := f.badIn(lo, hi)
	if !found {
		return false
	}
	if op.kind == opRead {
		op.buf = op.buf[:first-lo]
		d.do(op)
	}
	op.err = runtime.ErrIO
	return true
}
