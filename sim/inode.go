package sim

import (
	"slices"

	"github.com/octopii-go/octopii/faults"
)

// fileSizeMax bounds a file's size, in bytes: a wild offset is an error of
// the node, not a reason to run out of memory.
const fileSizeMax = 1 << 36

// inode is a file: what reads see, and what the device would still hold
// after a loss of power. It lives as long as a name or a handle refers to it.
type inode struct {
	chunks      []*chunk // nil: zeros
	size        int64    // as seen
	durableSize int64
	floor       int64   // the least size since the last sync: no power loss leaves less
	slots       []int32 // per sector: index into unsynced plus one; zero: clean
	unsynced    []unsynced
	before      []*[sectorSize]byte // by sector, what it held before its last sync; kept if the pool says so
	bad         []int               // sectors that cannot be read
	dir         bool
}

func (f *inode) chunkAt(i int64, p *pool) *chunk {
	for int64(len(f.chunks)) <= i {
		f.chunks = append(f.chunks, nil)
	}
	if f.chunks[i] == nil {
		f.chunks[i] = p.chunk()
	}
	return f.chunks[i]
}

// sectorBytes returns the sector as seen, or nil if it was never written.
func (f *inode) sectorBytes(sector int) []byte {
	off := int64(sector) * sectorSize
	i := off / chunkSize
	if i >= int64(len(f.chunks)) || f.chunks[i] == nil {
		return nil
	}
	at := off % chunkSize
	return f.chunks[i][at : at+sectorSize]
}

// touch keeps the durable bytes of a sector before [lo, hi) of it is written.
func (f *inode) touch(sector, lo, hi int, p *pool) {
	for len(f.slots) <= sector {
		f.slots = append(f.slots, 0)
	}
	if slot := f.slots[sector]; slot != 0 {
		u := &f.unsynced[slot-1]
		u.lost = false // the page is dirty again, and will be written whole
		u.written.mark(lo, hi)
		return
	}
	if f.unsynced == nil {
		f.unsynced = p.list()
	}
	f.unsynced = append(f.unsynced, unsynced{sector: sector})
	f.slots[sector] = int32(len(f.unsynced))
	u := &f.unsynced[len(f.unsynced)-1]
	u.written.mark(lo, hi)
	if seen := f.sectorBytes(sector); seen != nil {
		u.durable = p.sector()
		copy(u.durable[:], seen)
	}
}

// touchRange does so for all sectors of [off, off+n).
func (f *inode) touchRange(off, n int64, p *pool) {
	for n > 0 {
		lo := off % sectorSize
		part := min(sectorSize-lo, n)
		f.touch(int(off/sectorSize), int(lo), int(lo+part), p)
		off, n = off+part, n-part
	}
}

func (f *inode) write(b []byte, off int64, p *pool) {
	if len(b) == 0 {
		return // it does not even grow the file
	}
	f.touchRange(off, int64(len(b)), p)
	f.size = max(f.size, off+int64(len(b)))
	for len(b) > 0 {
		at := off % chunkSize
		n := copy(f.chunkAt(off/chunkSize, p)[at:], b)
		b, off = b[n:], off+int64(n)
	}
}

// read copies what is seen at off, zeros where nothing was written. The range
// must lie within the file.
func (f *inode) read(b []byte, off int64) {
	for len(b) > 0 {
		at := off % chunkSize
		n := int(min(chunkSize-at, int64(len(b))))
		if i := off / chunkSize; i < int64(len(f.chunks)) && f.chunks[i] != nil {
			copy(b[:n], f.chunks[i][at:])
		} else {
			clear(b[:n])
		}
		b, off = b[n:], off+int64(n)
	}
}

// extend grows the file to size with zeros: written ones, if zero is set.
func (f *inode) extend(size int64, zero bool, p *pool) {
	if size <= f.size {
		return
	}
	if zero {
		f.touchRange(f.size, size-f.size, p)
		for off := f.size; off < size; off = off - off%chunkSize + chunkSize {
			f.chunkAt(off/chunkSize, p)
		}
	}
	f.size = size
}

func (f *inode) truncate(size int64, p *pool) {
	if size >= f.size {
		f.extend(size, false, p)
		return
	}
	for off := size; off < f.size; {
		lo := off % sectorSize
		part := min(sectorSize-lo, f.size-off)
		if seen := f.sectorBytes(int(off / sectorSize)); seen != nil {
			f.touch(int(off/sectorSize), int(lo), int(lo+part), p)
			clear(seen[lo : lo+part])
		}
		off += part
	}
	f.size = size
	f.floor = min(f.floor, size)
	f.bad = slices.DeleteFunc(f.bad, func(s int) bool { return int64(s)*sectorSize >= size })
}

// sync makes everything as seen durable, but for pages that count as clean
// since a sync of theirs failed.
func (f *inode) sync(p *pool) {
	kept := f.unsynced[:0]
	for i := range f.unsynced {
		u := f.unsynced[i]
		if u.lost {
			kept = append(kept, u)
			f.slots[u.sector] = int32(len(kept))
			continue
		}
		f.slots[u.sector] = 0
		if p.keepsBefore {
			f.supersede(u.sector, u.durable, p)
		} else {
			p.putSector(u.durable)
		}
	}
	f.unsynced = kept
	f.durableSize, f.floor = f.size, f.size
	if len(kept) == 0 {
		p.putList(f.unsynced)
		f.unsynced = nil
	}
}

// failSync is a sync that reports an error: of each page, the bytes reached
// the device or not, and either way it counts as clean from now on. If
// showNew is set, reads go on showing the bytes that were lost, until the cache is dropped.
func (f *inode) failSync(showNew bool, site *faults.Site, p *pool) {
	kept := f.unsynced[:0]
	for i := range f.unsynced {
		u := f.unsynced[i]
		arrived := !u.lost && site.Below(2) == 0
		if !arrived {
			u.lost = true
			if showNew {
				kept = append(kept, u)
				f.slots[u.sector] = int32(len(kept))
				continue
			}
			u.apply(fateLost, f.sectorBytes(u.sector), site)
		}
		f.slots[u.sector] = 0
		p.putSector(u.durable)
	}
	f.unsynced = kept
	if f.durableSize != f.size && site.Below(2) == 0 {
		f.durableSize, f.floor = f.size, f.size
	}
}

// dropCache forgets pages that count as clean, so that reads come from the device.
func (f *inode) dropCache(p *pool) {
	kept := f.unsynced[:0]
	for i := range f.unsynced {
		u := f.unsynced[i]
		if !u.lost {
			kept = append(kept, u)
			f.slots[u.sector] = int32(len(kept))
			continue
		}
		u.apply(fateLost, f.sectorBytes(u.sector), nil)
		f.slots[u.sector] = 0
		p.putSector(u.durable)
	}
	f.unsynced = kept
}

// losePower leaves a file of that size, and of the unsynced sectors what fateOf
// decides for each.
func (f *inode) losePower(size int64, fateOf func(sector int) fate, site *faults.Site, p *pool) {
	for i := range f.unsynced {
		u := &f.unsynced[i]
		verdict := fateLost
		if !u.lost {
			verdict = fateOf(u.sector)
		}
		if seen := f.sectorBytes(u.sector); seen != nil {
			u.apply(verdict, seen, site)
		}
		f.slots[u.sector] = 0
		p.putSector(u.durable)
	}
	f.unsynced = f.unsynced[:0]
	if size < f.size {
		f.size = size
		f.cutChunks()
	}
	f.size, f.durableSize, f.floor = size, size, size
}

// cutChunks zeroes what lies past the size, so that growing shows zeros.
func (f *inode) cutChunks() {
	for i, c := range f.chunks {
		start := int64(i) * chunkSize
		if c == nil || start+chunkSize <= f.size {
			continue
		}
		clear(c[max(f.size-start, 0):])
	}
}

// durable copies what every legal loss of power would leave at off, and
// reports false if some byte could differ or be missing.
func (f *inode) durable(b []byte, off int64) bool {
	if off+int64(len(b)) > f.floor {
		return false
	}
	if _, bad := f.badIn(off, off+int64(len(b))); bad {
		return false
	}
	f.read(b, off)
	for end := off + int64(len(b)); off < end; {
		sector := int(off / sectorSize)
		lo := int(off % sectorSize)
		hi := int(min(sectorSize, int64(lo)+end-off))
		if sector < len(f.slots) && f.slots[sector] != 0 && f.unsynced[f.slots[sector]-1].written.overlaps(lo, hi) {
			return false
		}
		off += int64(hi - lo)
	}
	return true
}

// free gives the buffers back. The inode must not be used any more.
func (f *inode) free(p *pool) {
	for _, c := range f.chunks {
		p.putChunk(c)
	}
	for i := range f.unsynced {
		p.putSector(f.unsynced[i].durable)
	}
	for _, b := range f.before {
		p.putSector(b)
	}
	p.putList(f.unsynced)
	*f = inode{}
}
