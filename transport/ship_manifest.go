package transport

import (
	"fmt"
	"io/fs"

	"github.com/octopii-go/octopii/runtime"
)

// Limits of what is shipped.
const (
	ChunkMin  = 1 << 10   // bytes of the smallest chunk size
	ChunkMax  = 512 << 10 // bytes of the largest chunk size
	chunksMax = 64 << 10  // chunks of one object

	// ObjectMax is how many bytes the largest object may have.
	ObjectMax = int64(ChunkMax) * chunksMax
)

// Digest names an object by what it is: its size, how it is cut into chunks, and every
// byte. Two nodes that offer the same bytes, with the same ShipperConfig.ChunkBytes, offer
// the same Digest, and are sources of one object. It guards against accidents, as
// the checksum of frames does; who may offer what is the connection's business.
type Digest struct {
	Hash uint64
	Size int64
}

// String returns the digest in hex, followed by the size.
func (d Digest) String() string { return fmt.Sprintf("%016x-%d", d.Hash, d.Size) }

// manifest is how an object is cut, and the hash of every chunk.
type manifest struct {
	size   int64
	chunk  int // bytes of every chunk but the last
	hashes []uint64
}

// chunkSize returns how large the chunks of an object are, at least least.
func chunkSize(size int64, least int) int {
	chunk := least
	for chunk < ChunkMax && chunksOf(size, chunk) > chunksMax/2 {
		chunk *= 2
	}
	return min(chunk, ChunkMax)
}

// chunksOf returns into how many chunks an object is cut.
func chunksOf(size int64, chunk int) int64 { return (size + int64(chunk) - 1) / int64(chunk) }

// hashChunk returns the hash of a chunk, which depends on its place.
func hashChunk(index int, p []byte) uint64 {
	return runtime.HashBulk(runtime.Mix(0x6368756e6b, uint64(index)), p)
}

// digest returns the name of the object.
func (m *manifest) digest() Digest {
	hash := runtime.Mix(runtime.Mix(0x6f626a656374, uint64(m.size)), uint64(m.chunk))
	for _, h := range m.hashes {
		hash = runtime.Mix(hash, h)
	}
	return Digest{Hash: hash, Size: m.size}
}

// length returns how many bytes a chunk has.
func (m *manifest) length(index int) int {
	return int(min(int64(m.chunk), m.size-m.offset(index)))
}

// offset returns where a chunk begins.
func (m *manifest) offset(index int) int64 { return int64(index) * int64(m.chunk) }

// holds reports whether the bytes are those of the chunk.
func (m *manifest) holds(index int, p []byte) bool {
	return len(p) == m.length(index) && hashChunk(index, p) == m.hashes[index]
}

// manifestOf returns the manifest of bytes in memory.
func manifestOf(data []byte, least int) manifest {
	m := manifest{size: int64(len(data)), chunk: chunkSize(int64(len(data)), least)}
	for i := range int(chunksOf(m.size, m.chunk)) {
		from := m.offset(i)
		m.hashes = append(m.hashes, hashChunk(i, data[from:from+int64(m.length(i))]))
	}
	return m
}

// Hasher computes the digest of an object from its bytes, in order. It is an io.Writer, for a node that
// knows better than the lane what must be in a file: see Shipper.OfferHashed.
type Hasher struct {
	manifest manifest
	open     []byte // of a chunk that is not complete
}

// Write takes the next bytes. More than the object has are refused with fs.ErrInvalid.
func (h *Hasher) Write(p []byte) (int, error) {
	taken := 0
	for len(p) > 0 {
		m := &h.manifest
		index := len(m.hashes)
		if int64(index) >= chunksOf(m.size, m.chunk) {
			return taken, fmt.Errorf("transport: more than %d bytes to be hashed: %w", m.size, fs.ErrInvalid)
		}
		n := min(len(p), m.length(index)-len(h.open))
		chunk := p[:n]
		if n < m.length(index) {
			h.open = append(h.open, chunk...)
			chunk = h.open
		}
		if len(chunk) == m.length(index) {
			m.hashes = append(m.hashes, hashChunk(index, chunk))
			h.open = h.open[:0]
		}
		p, taken = p[n:], taken+n
	}
	return taken, nil
}
