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

// HashBytes folds the bytes and their number into the hash h.
func HashBytes(h uint64, p []byte) uint64 {
	h = Mix(h, uint64(len(p)))
	for len(p) >= 8 {
		h = Mix(h, binary.LittleEndian.Uint64(p))
		p = p[8:]
	}
	if len(p) > 0 {
		var tail [8]byte
		copy(tail[:], p)
		h = Mix(h, binary.LittleEndian.Uint64(tail[:]))
	}
	return h
}

// Hash folds the record into the hash h, field by field.
func (r *Record) Hash(h uint64) uint64 {
	h = Mix(h, uint64(r.At))
	h = Mix(h, uint64(r.Kind)<<32^uint64(r.Node))
	h = Mix(h, r.A)
	h = Mix(h, r.B)
	h = Mix(h, r.C)
	h = Mix(h, r.D)
	if len(r.Note) > 0 {
		h = HashBytes(h, r.Note)
	}
	return h
}
