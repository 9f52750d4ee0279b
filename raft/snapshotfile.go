package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// A snapshot is one file, the same bytes on every replica, numbers little endian:
//
//	header, 64 bytes
//	   0  magic u64 "octosnap"
//	   8  version u32 | longest chunk u32
//	  16  index u64 | term u64 | chain hash u64
//	  40  zero x 20
//	  60  CRC u32 over the 60 bytes before
//	chunks, each
//	   0  length u32 (1 to snapshotChunk; all but the last are full)
//	   4  CRC u32 over the length and the bytes
//	   8  bytes: a part of what Image.WriteTo wrote
//	trailer, 32 bytes
//	   0  mark u32, which is no length
//	   4  chunks u32 | content bytes u64 | content hash u64 | zero u32
//	  28  CRC u32 over the 28 bytes before
//
// CRCs are CRC-32C. That of a chunk is continued from the CRC before it, the first
// from the header's, and the trailer's from the last chunk's: a chunk of another
// snapshot, or in another place, fails. The content hash is that of
// [SnapshotHash], which two replicas compare.
const (
	snapshotMagic   = 0x70616e73_6f74636f
	snapshotVersion = 1
	snapshotChunk   = 64 << 10
	snapshotMark    = 1<<32 - 1

	snapshotHeader  = 64
	chunkHeader     = 8
	snapshotTrailer = 32

	// snapshotBuffer is how many bytes of a file are written, or read, at a time.
	snapshotBuffer = 4 * snapshotChunk
	// snapshotSizeMax bounds a file: more cannot be shipped, and is taken for damage.
	snapshotSizeMax = uint64(transport.ObjectMax)
)

// ErrSnapshot is wrapped by the errors about a snapshot file that is damaged, or
// that is another one than it should be.
var ErrSnapshot = errors.New("bad snapshot file")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SnapshotHash returns the hash of a snapshot's content: of its place, of the
// chain hash there, and of the bytes of the state machine's image.
func SnapshotHash(meta SnapshotMeta, content []byte) uint64 {
	hash := hashPlace(meta)
	for len(content) > 0 {
		n := min(len(content), snapshotChunk)
		hash = runtime.HashBytes(hash, content[:n])
		content = content[n:]
	}
	return hash
}

func hashPlace(meta SnapshotMeta) uint64 {
	hash := runtime.Mix(0, uint64(meta.Index))
	hash = runtime.Mix(hash, uint64(meta.Term))
	return runtime.Mix(hash, meta.Chain)
}

// CheckSnapshot reads a whole snapshot file and returns what it is and its
// content. Errors wrap ErrSnapshot.
func CheckSnapshot(file []byte) (SnapshotMeta, []byte, error) {
	r, err := newSnapshotReader(bytes.NewReader(file), uint64(len(file)), nil)
	if err != nil {
		return SnapshotMeta{}, nil, fmt.Errorf("raft: %w", err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return r.meta, content, fmt.Errorf("raft: %w", err)
	}
	return r.meta, content, nil
}

// snapshotName returns the name of a snapshot's file in its folder.
func snapshotName(meta SnapshotMeta) string {
	return "snap-" + hex16(uint64(meta.Index)) + "-" + hex16(uint64(meta.Term)) + finalSuffix
}

func hex16(v uint64) string {
	digits := strconv.FormatUint(v, 16)
	return strings.Repeat("0", 16-len(digits)) + digits
}

// snapshotWriter encodes a snapshot into a file. It is the io.Writer for
// Image.WriteTo; after an error it stays failed.
type snapshotWriter struct {
	file    runtime.File
	meta    SnapshotMeta // Hash and Size grow to their final values
	content uint64
	chunks  uint32
	crc     uint32 // of the header or chunk before
	buffer  []byte // encoded, not yet in the file; ends with the open chunk, if one is open
	open    int    // where the open chunk's header is in buffer; -1: none is open
	err     error
}

func newSnapshotWriter(file runtime.File, meta SnapshotMeta) *snapshotWriter {
	meta.Hash, meta.Size = hashPlace(meta), 0
	w := &snapshotWriter{file: file, meta: meta, open: -1, buffer: make([]byte, 0, snapshotBuffer/32)}
	order := binary.LittleEndian
	b := order.AppendUint64(w.buffer, snapshotMagic)
	b = order.AppendUint32(b, snapshotVersion)
	b = order.AppendUint32(b, snapshotChunk)
	b = order.AppendUint64(b, uint64(meta.Index))
	b = order.AppendUint64(b, uint64(meta.Term))
	b = order.AppendUint64(b, meta.Chain)
	b = append(b, make([]byte, 20)...)
	w.crc = crc32.Checksum(b, castagnoli)
	w.buffer = order.AppendUint32(b, w.crc)
	return w
}

// Write implements io.Writer.
func (w *snapshotWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && w.err == nil {
		if w.open < 0 {
			w.open = len(w.buffer)
			w.buffer = append(w.buffer, make([]byte, chunkHeader)...)
		}
		n := min(len(p), snapshotChunk-(len(w.buffer)-w.open-chunkHeader))
		w.buffer = append(w.buffer, p[:n]...)
		p, written = p[n:], written+n
		if len(w.buffer)-w.open-chunkHeader == snapshotChunk {
			w.closeChunk()
		}
		if w.open < 0 && len(w.buffer) > snapshotBuffer-snapshotChunk {
			w.flush()
		}
	}
	return written, w.err
}

func (w *snapshotWriter) closeChunk() {
	chunk := w.buffer[w.open:]
	data := chunk[chunkHeader:]
	binary.LittleEndian.PutUint32(chunk, uint32(len(data)))
	w.crc = crc32.Update(w.crc, castagnoli, chunk[:4])
	w.crc = crc32.Update(w.crc, castagnoli, data)
	binary.LittleEndian.PutUint32(chunk[4:], w.crc)
	w.meta.Hash = runtime.HashBytes(w.meta.Hash, data)
	w.content += uint64(len(data))
	w.chunks++
	w.open = -1
}

func (w *snapshotWriter) flush() {
	if w.err != nil {
		return
	}
	n, err := w.file.WriteAt(w.buffer, int64(w.meta.Size))
	w.meta.Size += uint64(n)
	w.buffer, w.err = w.buffer[:0], err
}

// finish writes what is left and the trailer, and returns the complete meta.
// Nothing is durable yet.
func (w *snapshotWriter) finish() (SnapshotMeta, error) {
	if w.open >= 0 {
		w.closeChunk()
	}
	order := binary.LittleEndian
	start := len(w.buffer)
	b := order.AppendUint32(w.buffer, snapshotMark)
	b = order.AppendUint32(b, w.chunks)
	b = order.AppendUint64(b, w.content)
	b = order.AppendUint64(b, w.meta.Hash)
	b = order.AppendUint32(b, 0)
	w.buffer = order.AppendUint32(b, crc32.Update(w.crc, castagnoli, b[start:]))
	w.flush()
	return w.meta, w.err
}
