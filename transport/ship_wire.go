package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The kinds of messages on the shipping lane. That of the frame is ShipperConfig.Kinds more.
const (
	kindAsk      = iota // what is the manifest of that object?
	kindManifest        // extra is the chunk size, the body the hashes, 8 bytes each
	kindGet             // send me that chunk, and as many of those after it as extra says
	kindChunk           // the body is the chunk
	kindNone            // you will not get that; extra says why
	kindShipEnd
)

// Why something is not sent, in a message of kindNone.
const (
	noneUnknown = iota + 1 // the object is not offered here
	noneBusy               // too much has been asked for
	noneDamaged            // the source's own copy is not what it was
	noneEnd
)

// rangeMax is how many chunks one message may ask for.
const rangeMax = 16

// indexManifest stands for the manifest, where the index of a chunk may stand.
const indexManifest = 1<<32 - 1

// Every message has the same layout, numbers little endian:
//
//	 0  hash u64 | size u64   the digest of the object
//	16  index u32             of the chunk; that of a manifest is 2^32-1
//	20  extra u32             see the kinds; else zero
//	24  body
const shipHeader = 24

// errShip is wrapped by the errors of shipMessage.decode.
var errShip = errors.New("transport: malformed shipping message")

// shipMessage is one message.
type shipMessage struct {
	kind   uint8
	digest Digest
	index  uint32
	extra  uint32
	body   []byte // borrowed
}

// header appends the message without its body to dst, which is to be sealed. kinds is the first
// kind of frames.
func (m *shipMessage) header(dst []byte, kinds uint8) []byte {
	dst = AppendHeader(dst, kinds+m.kind)
	dst = binary.LittleEndian.AppendUint64(dst, m.digest.Hash)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.digest.Size))
	dst = binary.LittleEndian.AppendUint32(dst, m.index)
	return binary.LittleEndian.AppendUint32(dst, m.extra)
}

// encode returns the message as a frame.
func (m *shipMessage) encode(kinds uint8) []byte {
	frame := m.header(make([]byte, 0, HeaderSize+shipHeader+len(m.body)), kinds)
	frame = append(frame, m.body...)
	if err := Seal(frame); err != nil {
		panic(fmt.Sprintf("transport: shipping message with a body of %d bytes: %v", len(m.body), err))
	}
	return frame
}

// decode reads a frame. The body is a part of it. Errors wrap errShip, or are Decode's.
func (m *shipMessage) decode(frame []byte, kinds uint8) error {
	kind, p, err := Decode(frame)
	if err != nil {
		return err
	}
	if kind -= kinds; kind >= kindShipEnd || len(p) < shipHeader {
		return fmt.Errorf("%w: kind %d with %d bytes", errShip, kind, len(p))
	}
	order := binary.LittleEndian
	*m = shipMessage{
		kind: kind, digest: Digest{Hash: order.Uint64(p), Size: int64(order.Uint64(p[8:]))},
		index: order.Uint32(p[16:]), extra: order.Uint32(p[20:]), body: p[shipHeader:],
	}
	return m.check()
}

// check refuses what no peer that keeps to the protocol sends.
func (m *shipMessage) check() error {
	chunked := m.index < chunksMax
	bodied := m.kind == kindChunk || m.kind == kindManifest
	ok := false
	switch m.kind {
	case kindAsk:
		ok = m.index == indexManifest && m.extra == 0
	case kindManifest:
		ok = m.index == indexManifest && m.extra >= ChunkMin && m.extra <= ChunkMax
	case kindGet:
		ok = chunked && m.extra < rangeMax && m.index+m.extra < chunksMax
	case kindChunk:
		ok = chunked && m.extra == 0 && len(m.body) > 0 && len(m.body) <= ChunkMax
	case kindNone:
		ok = (chunked || m.index == indexManifest) && m.extra > 0 && m.extra < noneEnd
	}
	if !ok || m.digest.Size < 0 || m.digest.Size > ObjectMax || !bodied && len(m.body) > 0 {
		return fmt.Errorf("%w: kind %d of %v, index %d, extra %d, %d bytes", errShip, m.kind, m.digest, m.index, m.extra, len(m.body))
	}
	return nil
}

// manifest reads the body of a message of kindManifest.
func (m *shipMessage) manifest() (manifest, error) {
	out := manifest{size: m.digest.Size, chunk: int(m.extra)}
	n := chunksOf(out.size, out.chunk)
	if n > chunksMax || int64(len(m.body)) != 8*n {
		return manifest{}, fmt.Errorf("%w: manifest of %d bytes for %d chunks", errShip, len(m.body), n)
	}
	out.hashes = make([]uint64, n)
	for i := range out.hashes {
		out.hashes[i] = binary.LittleEndian.Uint64(m.body[8*i:])
	}
	if got := out.digest(); got != m.digest {
		return manifest{}, fmt.Errorf("%w: manifest of %v, said to be of %v", errShip, got, m.digest)
	}
	return out, nil
}

// manifestMessage returns the message that carries a manifest.
func manifestMessage(d Digest, m *manifest) shipMessage {
	body := make([]byte, 0, 8*len(m.hashes))
	for _, h := range m.hashes {
		body = binary.LittleEndian.AppendUint64(body, h)
	}
	return shipMessage{kind: kindManifest, digest: d, index: indexManifest, extra: uint32(m.chunk), body: body}
}
