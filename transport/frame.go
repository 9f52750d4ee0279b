package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The limits and constants of the format.
const (
	Magic   = 0xf7 // the first byte of every frame
	Version = 1    // the second

	HeaderSize = 12                      // bytes in front of the payload
	MaxPayload = 1 << 20                 // bytes of the largest payload
	MaxFrame   = HeaderSize + MaxPayload // bytes of the largest frame
)

// Where the fields of the header lie.
const (
	magicAt    = 0
	versionAt  = 1
	kindAt     = 2
	zeroAt     = 3
	lengthAt   = 4
	checksumAt = 8
)

// Why a frame is refused. All are matched with errors.Is.
var (
	// ErrVersion means that the bytes are no frame, or one of another version.
	ErrVersion = errors.New("transport: not a frame of this version")
	// ErrTruncated means that the bytes are fewer, or more, than the header announces.
	ErrTruncated = errors.New("transport: frame length mismatch")
	// ErrTooLarge means that the payload is beyond MaxPayload.
	ErrTooLarge = errors.New("transport: payload too large")
	// ErrChecksum means that the frame was damaged on its way.
	ErrChecksum = errors.New("transport: frame checksum mismatch")
)

// castagnoli is the table of CRC-32C, which processors compute in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendHeader appends room for the header of a frame of that kind to dst.
// The caller appends the payload to the result, and then seals the frame, which
// starts where dst ended:
//
//	frame := transport.AppendHeader(buf[:0], kind)
//	frame = append(frame, payload...)
//	err := transport.Seal(frame)
//
// So a message is encoded straight into the buffer that is sent.
func AppendHeader(dst []byte, kind uint8) []byte {
	return append(dst, Magic, Version, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// Seal completes the header of a frame begun by AppendHeader: its length and
// its checksum. The frame must not be changed afterwards, except to be sealed
// again. A payload beyond MaxPayload is refused with ErrTooLarge, and the
// frame must not be sent.
func Seal(frame []byte) error {
	if len(frame) < HeaderSize {
		panic(fmt.Sprintf("transport: sealing %d bytes, fewer than a header of %d", len(frame), HeaderSize))
	}
	if frame[magicAt] != Magic {
		panic(fmt.Sprintf("transport: sealing a frame that starts with %#02x, want %#02x", frame[magicAt], Magic))
	}
	length := len(frame) - HeaderSize
	if length > MaxPayload {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, length, MaxPayload)
	}
	binary.LittleEndian.PutUint32(frame[lengthAt:], uint32(length))
	binary.LittleEndian.PutUint32(frame[checksumAt:], checksum(frame))
	return nil
}

// Decode checks one whole frame and returns its kind and its payload, which
// is a part of frame and valid as long as that is. Whatever the bytes are, it
// does not panic. It fails with ErrVersion, ErrTruncated, ErrTooLarge or ErrChecksum;
// which of them a damaged frame gets depends on where the damage lies.
func Decode(frame []byte) (kind uint8, payload []byte, err error) {
	size, err := Size(frame)
	if err != nil {
		return 0, nil, err
	}
	if size != len(frame) {
		return 0, nil, ErrTruncated
	}
	if binary.LittleEndian.Uint32(frame[checksumAt:]) != checksum(frame) {
		return 0, nil, ErrChecksum
	}
	return frame[kindAt], frame[HeaderSize:], nil
}

// Size returns how many bytes the frame has that begins with header, header
// included, as one must know who reads frames from a stream: the first HeaderSize bytes
// suffice, and what follows them is not looked at. The size is within MaxFrame, so that it
// may be allocated. It fails as Decode does, but says nothing of the checksum.
func Size(header []byte) (int, error) {
	if len(header) < HeaderSize {
		return 0, ErrTruncated
	}
	if header[magicAt] != Magic || header[versionAt] != Version || header[zeroAt] != 0 {
		return 0, ErrVersion
	}
	length := binary.LittleEndian.Uint32(header[lengthAt:])
	if length > MaxPayload {
		return 0, ErrTooLarge
	}
	return HeaderSize + int(length), nil
}

// checksum covers everything but itself.
func checksum(frame []byte) uint32 {
	crc := crc32.Update(0, castagnoli, frame[:checksumAt])
	return crc32.Update(crc, castagnoli, frame[HeaderSize:])
}
