package raft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// snapshotReader reads the content of a snapshot file, verified: it hands out
// no byte of a chunk before the chunk's CRC was found right, and ends with io.EOF
// only after the trailer was. It is the io.Reader for StateMachine.Restore.
type snapshotReader struct {
	file    io.ReaderAt
	raw     io.Writer    // if not nil, it gets all bytes of the file
	meta    SnapshotMeta // Hash is known at the end
	size    uint64       // of the file
	offset  uint64       // of the file: where buffer ends
	buffer  []byte       // read, not yet consumed
	chunk   []byte       // rest of the current chunk; a part of buffer's memory
	content uint64
	chunks  uint32
	last    bool // the chunk read last was not full
	crc     uint32
	err     error // io.EOF: everything was read and right
	memory  []byte
}

// newSnapshotReader reads the header. Errors wrap ErrSnapshot, or are the
// file's. raw may be nil.
func newSnapshotReader(file io.ReaderAt, size uint64, raw io.Writer) (*snapshotReader, error) {
	r := &snapshotReader{file: file, size: size, raw: raw}
	if size > snapshotSizeMax {
		return nil, fmt.Errorf("%w: %d bytes", ErrSnapshot, size)
	}
	r.memory = make([]byte, min(size, snapshotBuffer))
	h, err := r.next(snapshotHeader)
	if err != nil {
		return nil, err
	}
	order := binary.LittleEndian
	r.crc = crc32.Checksum(h[:60], castagnoli)
	switch {
	case order.Uint64(h) != snapshotMagic:
		return nil, fmt.Errorf("%w: magic %#x", ErrSnapshot, order.Uint64(h))
	case order.Uint32(h[60:]) != r.crc:
		return nil, fmt.Errorf("%w: header checksum", ErrSnapshot)
	case order.Uint32(h[8:]) != snapshotVersion || order.Uint32(h[12:]) != snapshotChunk:
		return nil, fmt.Errorf("%w: version %d with chunks of %d", ErrSnapshot, order.Uint32(h[8:]), order.Uint32(h[12:]))
	}
	r.meta = SnapshotMeta{
		Index: Index(order.Uint64(h[16:])),
		Term:  Term(order.Uint64(h[24:])),
		Chain: order.Uint64(h[32:]),
		Size:  size,
	}
	r.meta.Hash = hashPlace(r.meta)
	return r, nil
}

// Read implements io.Reader.
func (r *snapshotReader) Read(p []byte) (int, error) {
	if len(r.chunk) == 0 && r.err == nil {
		r.err = r.nextChunk()
	}
	if len(r.chunk) == 0 {
		return 0, r.err
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// nextChunk reads and checks a chunk, or the trailer; then it returns io.EOF.
func (r *snapshotReader) nextChunk() error {
	head, err := r.next(chunkHeader)
	if err != nil {
		return err
	}
	length := binary.LittleEndian.Uint32(head)
	if length == snapshotMark {
		return r.trailer([chunkHeader]byte(head))
	}
	if length == 0 || length > snapshotChunk || r.last {
		return fmt.Errorf("%w: chunk %d has length %d", ErrSnapshot, r.chunks, length)
	}
	crc := crc32.Update(r.crc, castagnoli, head[:4])
	want := binary.LittleEndian.Uint32(head[4:])
	data, err := r.next(int(length))
	if err != nil {
		return err
	}
	if r.crc = crc32.Update(crc, castagnoli, data); r.crc != want {
		return fmt.Errorf("%w: checksum of chunk %d", ErrSnapshot, r.chunks)
	}
	r.meta.Hash = runtime.HashBytes(r.meta.Hash, data)
	r.content += uint64(length)
	r.chunks++
	r.last = length < snapshotChunk
	r.chunk = data
	return nil
}

// trailer checks the trailer, whose first bytes were read already.
func (r *snapshotReader) trailer(head [chunkHeader]byte) error {
	rest, err := r.next(snapshotTrailer - chunkHeader)
	if err != nil {
		return err
	}
	order := binary.LittleEndian
	crc := crc32.Update(r.crc, castagnoli, head[:])
	crc = crc32.Update(crc, castagnoli, rest[:20])
	switch {
	case order.Uint32(rest[20:]) != crc:
		return fmt.Errorf("%w: trailer checksum", ErrSnapshot)
	case order.Uint32(head[4:]) != r.chunks || order.Uint64(rest) != r.content:
		return fmt.Errorf("%w: %d chunks of %d bytes, want %d of %d", ErrSnapshot,
			r.chunks, r.content, order.Uint32(head[4:]), order.Uint64(rest))
	case order.Uint64(rest[8:]) != r.meta.Hash || order.Uint32(rest[16:]) != 0:
		return fmt.Errorf("%w: content hash", ErrSnapshot)
	case r.offset != r.size || len(r.buffer) != 0:
		return fmt.Errorf("%w: bytes after the trailer", ErrSnapshot)
	}
	return io.EOF
}

// drain reads to the end, so that everything is verified.
func (r *snapshotReader) drain() error {
	for r.err == nil {
		r.chunk = nil
		r.err = r.nextChunk()
	}
	if r.err == io.EOF {
		return nil
	}
	return r.err
}

// next returns the next n bytes of the file, at most a chunk's, valid until the
// call after.
func (r *snapshotReader) next(n int) ([]byte, error) {
	if len(r.buffer) < n {
		kept := copy(r.memory, r.buffer)
		more := int(min(uint64(len(r.memory)-kept), r.size-r.offset))
		if kept+more < n {
			return nil, fmt.Errorf("%w: it ends within %d bytes", ErrSnapshot, n)
		}
		p, at := r.memory[kept:kept+more], int64(r.offset)
		if got, err := attempt(func() (int, error) { return r.file.ReadAt(p, at) }); got < more {
			return nil, fmt.Errorf("read at %d: %w", r.offset, err)
		}
		if r.raw != nil {
			if _, err := r.raw.Write(p); err != nil {
				return nil, err
			}
		}
		r.offset += uint64(more)
		r.buffer = r.memory[:kept+more]
	}
	p := r.buffer[:n]
	r.buffer = r.buffer[n:]
	return p, nil
}

// readSnapshotFile verifies a file, and that it is the snapshot named, bytes and
// all. On the way restore, if not nil, reads its content, and raw, if not nil, gets the bytes
// of the file. They come from the device: what only the page cache shows does not count.
func readSnapshotFile(fs runtime.FS, name string, want SnapshotMeta, restore func(io.Reader) error, raw io.Writer) error {
	file, err := attempt(func() (runtime.File, error) { return fs.Open(name) })
	if err != nil {
		return err
	}
	defer file.Close()
	if err := walrus.Retry(file.DropCache); err != nil {
		return err
	}
	size, err := attempt(file.Size)
	if err != nil {
		return err
	}
	r, err := newSnapshotReader(file, uint64(size), raw)
	if err != nil {
		return err
	}
	if restore != nil {
		if err := restore(r); err != nil {
			return err
		}
	}
	if err := r.drain(); err != nil {
		return err
	}
	if r.meta != want {
		return fmt.Errorf("%w: it is %+v, not %+v", ErrSnapshot, r.meta, want)
	}
	return nil
}
