package sim

import "github.com/octopii-go/octopii/faults"

// misread lets a read that succeeded show something else in place of some
// claimed bytes: what was there before the last write, or another place of the file.
// Made again, the read is right. The ledger spares the newest claims of a log,
// for the same reason for which nothing damages them.
func (m *Machine) misread(op *fileOp) bool {
	spec, d := &m.w.spec, m.disk
	stale := d.stale.Chance(spec.Stale)
	astray := !stale && d.astray.Chance(spec.Astray)
	if !stale && !astray || op.count == 0 {
		return false
	}
	kind, site := faults.KindStale, d.stale
	if astray {
		kind, site = faults.KindAstray, d.astray
	}
	c, ok := m.w.ledger.TargetIn(m.id, op.file.name, op.off, op.off+op.count, site)
	f := op.file.inode
	if astray && f.size < sectorSize {
		return false // there is no other place
	}
	if !ok || !f.still(c.Off, c.Off+c.Len) || m.disk.names.durableInode(c.File) != f {
		return false
	}
	shift := int64(0)
	if astray {
		shift = (1 + int64(site.Below(uint64(f.size/sectorSize)))) * sectorSize
	}
	changed := false
	spot{c.File, f, c.Off, c.Len}.sectors(func(sector int, b []byte) {
		var shown [sectorSize]byte
		if stale {
			f.revert(sector, shown[:])
		} else if other := f.sectorBytes(int((int64(sector)*sectorSize + shift) % f.size / sectorSize)); other != nil {
			copy(shown[:], other)
		}
		for i := range shown {
			if at := int64(sector)*sectorSize + int64(i) - op.off; at >= 0 && at < op.count {
				changed = changed || op.buf[at] != shown[i]
				op.buf[at] = shown[i]
			}
		}
	})
	if changed {
		m.w.struck(kind, m.id)
	}
	return changed
}
