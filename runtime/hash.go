package runtime

import (
	"encoding/binary"
	"math/bits"
)

// The multipliers of Mix: odd, with about half of their bits set.
const (
	mixA = 0x9e3779b97f4a7c15
	mixB = 0xd1342543de82ef95
)

// Mix folds v into the hash h: the two halves of a 128-bit product, as in
// wyhash. It is fast and well spread, not cryptographic. Its values are
// pinned by a golden test: digests, chain hashes and seeds depend on them.
func Mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^mixA, v^mixB)
	return hi ^ lo ^ bits.RotateLeft64(h, 23)
}

// mix2 folds two values into the hash h with one multiplication.
func mix2(h, v, w uint64) uint64 {
	hi, lo := bits.Mul64(h^v^mixA, w^mixB)
	return hi ^ lo ^ bits.RotateLeft64(h, 23)
}

// HashBytes folds the bytes and their number into the hash h.
func HashBytes(h uint64, p []byte) uint64 {
	h = Mix(h, uint64(len(p)))
	for len(p) >= 16 {
		h = mix2(h, binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
		p = p[16:]
	}
	if len(p) > 0 {
		var tail [16]byte
		copy(tail[:], p)
		h = mix2(h, binary.LittleEndian.Uint64(tail[:]), binary.LittleEndian.Uint64(tail[8:]))
	}
	return h
}

// HashBulk is another hash, for many bytes at a time: four multiplications do not wait for each other, so that it is
// more than twice as fast as HashBytes.
func HashBulk(h uint64, p []byte) uint64 {
	h = Mix(h, uint64(len(p)))
	a, b, c, d := Mix(h, 1), Mix(h, 2), Mix(h, 3), Mix(h, 4)
	for len(p) >= 64 {
		block := p[:64]
		a = mix2(a, binary.LittleEndian.Uint64(block), binary.LittleEndian.Uint64(block[8:]))
		b = mix2(b, binary.LittleEndian.Uint64(block[16:]), binary.LittleEndian.Uint64(block[24:]))
		c = mix2(c, binary.LittleEndian.Uint64(block[32:]), binary.LittleEndian.Uint64(block[40:]))
		d = mix2(d, binary.LittleEndian.Uint64(block[48:]), binary.LittleEndian.Uint64(block[56:]))
		p = p[64:]
	}
	return HashBytes(mix2(a, b, mix2(h, c, d)), p)
}

// Hash folds the record into the hash h, field by field.
func (r *Record) Hash(h uint64) uint64 {
	// The three products do not wait for each other, nor for h.
	where := Mix(uint64(r.At), uint64(r.Kind)<<32^uint64(r.Node))
	first, second := Mix(r.A, r.B), Mix(r.C, r.D)
	h = Mix(h^where, first^bits.RotateLeft64(second, 32))
	if len(r.Note) > 0 {
		h = HashBytes(h, r.Note)
	}
	return h
}
