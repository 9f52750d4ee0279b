package sim

import "github.com/octopii-go/octopii/faults"

// sectorSize is the unit in which a device writes, in bytes. A write may be
// torn inside one: nothing assumes that a sector is written whole.
const sectorSize = 512

// chunkSize is the unit in which a file's bytes are kept.
const chunkSize = 16 << 10

// chunk holds a part of a file: the bytes as reads see them.
type chunk [chunkSize]byte

// sectorMask marks bytes of a sector.
type sectorMask [sectorSize / 64]uint64

// mark sets the bits [lo, hi).
func (m *sectorMask) mark(lo, hi int) {
	if lo == 0 && hi == sectorSize {
		for i := range m {
			m[i] = ^uint64(0)
		}
		return
	}
	for lo < hi {
		word, bit := lo/64, lo%64
		n := min(64-bit, hi-lo)
		m[word] |= (^uint64(0) >> (64 - n)) << bit
		lo += n
	}
}

// overlaps reports whether any of the bits [lo, hi) is set.
func (m *sectorMask) overlaps(lo, hi int) bool {
	var want sectorMask
	want.mark(lo, hi)
	for i := range m {
		if m[i]&want[i] != 0 {
			return true
		}
	}
	return false
}

func (m *sectorMask) has(i int) bool { return m[i/64]>>(i%64)&1 == 1 }

// unsynced is a sector whose bytes as seen differ from those on the device.
type unsynced struct {
	sector  int
	written sectorMask        // bytes written since the sector was last synced
	durable *[sectorSize]byte // what the device holds; nil: zeros
	// lost: a sync of these bytes has failed. The page counts as clean, so no
	// later sync writes it, though reads may still show it.
	lost bool
}

// pool keeps buffers of one world for reuse.
type pool struct {
	sectors []*[sectorSize]byte
	chunks  []*chunk
	lists   [][]unsynced
	// keepsBefore: some fault may ask what a sector held before its last sync.
	keepsBefore bool
}

func (p *pool) sector() *[sectorSize]byte {
	if n := len(p.sectors); n > 0 {
		s := p.sectors[n-1]
		p.sectors = p.sectors[:n-1]
		return s
	}
	return new([sectorSize]byte)
}

func (p *pool) putSector(s *[sectorSize]byte) {
	if s != nil {
		p.sectors = append(p.sectors, s)
	}
}

func (p *pool) chunk() *chunk {
	if n := len(p.chunks); n > 0 {
		c := p.chunks[n-1]
		p.chunks = p.chunks[:n-1]
		*c = chunk{}
		return c
	}
	return new(chunk)
}

func (p *pool) putChunk(c *chunk) {
	if c != nil {
		p.chunks = append(p.chunks, c)
	}
}

// list returns an empty list, with room from a use before.
func (p *pool) list() []unsynced {
	if n := len(p.lists); n > 0 {
		l := p.lists[n-1]
		p.lists = p.lists[:n-1]
		return l
	}
	return nil
}

func (p *pool) putList(l []unsynced) {
	if cap(l) > 0 {
		p.lists = append(p.lists, l[:0])
	}
}

// fate is what a loss of power makes of one unsynced sector.
type fate uint8

const (
	fateLost    fate = iota // the device keeps the old bytes
	fateWhole               // all new bytes arrived
	fateTorn                // the bytes written before or after some point arrived
	fateGarbage             // the bytes written hold noise
	fateRuined              // the whole sector does
)

// apply turns seen, the sector as reads saw it, into what the device holds
// after the fate. Bytes not written since the last sync never change
// (powersafe overwrite), unless the sector is ruined.
func (u *unsynced) apply(f fate, seen []byte, site *faults.Site) {
	var old [sectorSize]byte
	if u.durable != nil {
		old = *u.durable
	}
	switch f {
	case fateWhole:
	case fateLost:
		copy(seen, old[:])
	case fateTorn:
		cut := int(site.Below(sectorSize + 1))
		keepHead := site.Below(2) == 0
		for i := range seen {
			if (i < cut) != keepHead {
				seen[i] = old[i]
			}
		}
	case fateGarbage, fateRuined:
		for i := range seen {
			if f == fateRuined || u.written.has(i) {
				seen[i] = byte(site.Draw())
			}
		}
	}
}
