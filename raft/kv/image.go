package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// An image is written as:
//
//	 0  magic u64 "kvimage1"
//	 8  how many pairs u64
//	16  for each pair, in the order of the keys:
//	    key length u32 | value length u32 | key | value
//
// Nothing follows the last pair. Who stores the image checks its bytes.
const (
	imageMagic  = 0x31656761_6d69766b
	imageHeader = 16
	pairHeader  = 8
)

// imageBuffer is how many bytes of an image are handed on at a time.
const imageBuffer = 16 << 10

// image is a captured store. It implements raft.Image.
type image struct {
	pages []*page
	count int
}

// WriteTo writes the image. Equal stores write equal bytes, however they came
// about.
func (g *image) WriteTo(w io.Writer) (int64, error) {
	var written int64
	buffer := make([]byte, 0, imageBuffer)
	buffer = binary.LittleEndian.AppendUint64(buffer, imageMagic)
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(g.count))
	for _, p := range g.pages {
		for _, it := range p.items {
			if len(buffer) > 0 && len(buffer)+pairHeader+len(it.key)+len(it.value) > imageBuffer {
				n, err := w.Write(buffer)
				written += int64(n)
				if err != nil {
					return written, err
				}
				buffer = buffer[:0]
			}
			buffer = appendPair(buffer, it.key, it.value)
		}
	}
	n, err := w.Write(buffer)
	return written + int64(n), err
}

// Release ends the image's life; the garbage collector does the rest.
func (g *image) Release() { g.pages = nil }

func appendPair(dst, key, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(key)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	dst = append(dst, key...)
	return append(dst, value...)
}

// readImage reads back what image.WriteTo wrote, to the end of r.
func readImage(r io.Reader) (store, error) {
	var header [imageHeader]byte
	if err := readFull(r, header[:]); err != nil {
		return store{}, err
	}
	if magic := binary.LittleEndian.Uint64(header[:]); magic != imageMagic {
		return store{}, fmt.Errorf("%w image: magic %#x", ErrMalformed, magic)
	}
	var s store
	var previous []byte
	for range binary.LittleEndian.Uint64(header[8:]) {
		key, value, err := readPair(r)
		if err != nil {
			return store{}, err
		}
		if previous != nil && bytes.Compare(previous, key) >= 0 {
			return store{}, fmt.Errorf("%w image: key %q after %q", ErrMalformed, key, previous)
		}
		s.appendLast(key, value)
		previous = key
	}
	var beyond [1]byte
	switch n, err := io.ReadFull(r, beyond[:]); {
	case n > 0:
		return store{}, fmt.Errorf("%w image: bytes after the last pair", ErrMalformed)
	case err != io.EOF:
		return store{}, fmt.Errorf("kv: image: %w", err)
	}
	return s, nil
}

func readPair(r io.Reader) (key, value []byte, err error) {
	var header [pairHeader]byte
	if err := readFull(r, header[:]); err != nil {
		return nil, nil, err
	}
	keyLen := binary.LittleEndian.Uint32(header[:])
	valueLen := binary.LittleEndian.Uint32(header[4:])
	if keyLen == 0 || keyLen > KeyMax || valueLen > ValueMax {
		return nil, nil, fmt.Errorf("%w image: pair of %d and %d bytes", ErrMalformed, keyLen, valueLen)
	}
	pair := make([]byte, keyLen+valueLen)
	if err := readFull(r, pair); err != nil {
		return nil, nil, err
	}
	return pair[:keyLen:keyLen], pair[keyLen:], nil
}

// readFull fills p. An early end is ErrMalformed.
func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w image: it ends early", ErrMalformed)
	}
	if err != nil {
		return fmt.Errorf("kv: image: %w", err)
	}
	return nil
}
