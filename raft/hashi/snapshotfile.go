package hashi

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/runtime"
)

// A snapshot file is the content, then a description of it in JSON, then, numbers little endian:
//
//	 0       8             12            16
//	+-------+-------------+-------------+
//	| magic | description | description |
//	| u64   | bytes, u32  | CRC32C      |
//	+-------+-------------+-------------+
//
// The description has the content's size and CRC32C. The file ends there.
const (
	snapshotMagic  = 0x3170616e732d736f // "os-snap1"
	footerBytes    = 16
	descriptionMax = 1 << 20
)

const (
	sinkBytes = 256 << 10 // of one write
	syncBytes = 8 << 20   // between two syncs, so that the last is not long, and the log's not in its wake
)

// errSnapshot means that a snapshot file is damaged.
var errSnapshot = errors.New("the file is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// description is what a file says of its content.
type description struct {
	hraft.SnapshotMeta
	Checksum uint32
}

// sink writes a snapshot. It belongs to one goroutine.
type sink struct {
	store  *Snapshots
	file   runtime.File
	meta   hraft.SnapshotMeta
	buffer []byte
	offset int64 // where the buffer goes
	synced int64
	sum    uint32
	err    error // the first one: the file is of no use any more
	ended  bool
	own    bool // of this replica's own state, not sent by a leader
}

// ID implements hraft.SnapshotSink.
func (k *sink) ID() string { return k.meta.ID }

// Write implements hraft.SnapshotSink.
func (k *sink) Write(p []byte) (n int, err error) {
	if k.ended {
		return 0, errors.New("hashi: write to a snapshot that is complete")
	}
	for len(p) > 0 && k.err == nil {
		room := min(len(p), cap(k.buffer)-len(k.buffer))
		k.buffer = append(k.buffer, p[:room]...)
		p, n = p[room:], n+room
		if len(k.buffer) == cap(k.buffer) {
			k.flush()
		}
	}
	if k.err != nil {
		return 0, fmt.Errorf("hashi: write snapshot: %w", k.err)
	}
	return n, nil
}

// flush writes the buffer.
func (k *sink) flush() {
	if k.err != nil || len(k.buffer) == 0 {
		return
	}
	if _, k.err = k.file.WriteAt(k.buffer, k.offset); k.err != nil {
		return
	}
	k.sum = crc32.Update(k.sum, castagnoli, k.buffer)
	k.offset += int64(len(k.buffer))
	k.buffer = k.buffer[:0]
	if k.offset-k.synced >= syncBytes {
		k.err, k.synced = k.file.SyncData(), k.offset
	}
}

// Close implements hraft.SnapshotSink: when it returns nil the snapshot is there for good. A second
// Close does nothing.
func (k *sink) Close() error {
	if k.ended {
		return nil
	}
	k.flush()
	k.ended = true
	if k.err == nil {
		k.err = k.store.allow(k)
	}
	if k.err == nil {
		k.err = k.describe()
	}
	if k.err == nil {
		k.err = k.file.Sync()
	}
	if err := k.file.Close(); k.err == nil {
		k.err = err
	}
	written := path.Join(k.store.dir, k.meta.ID+writingSuffix)
	if k.err != nil {
		return fmt.Errorf("hashi: write snapshot: %w", errors.Join(k.err, k.store.fs.Remove(written)))
	}
	if err := k.store.publish(written, k.meta.ID); err != nil {
		return fmt.Errorf("hashi: publish snapshot: %w", err)
	}
	return nil
}

// describe writes what comes after the content.
func (k *sink) describe() error {
	k.meta.Size = k.offset
	p, err := json.Marshal(description{SnapshotMeta: k.meta, Checksum: k.sum})
	if err != nil {
		return err
	}
	if len(p) > descriptionMax {
		return fmt.Errorf("description of %d bytes", len(p))
	}
	footer := binary.LittleEndian.AppendUint64(nil, snapshotMagic)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(p)))
	footer = binary.LittleEndian.AppendUint32(footer, crc32.Checksum(p, castagnoli))
	_, err = k.file.WriteAt(append(p, footer...), k.offset)
	return err
}

// Cancel implements hraft.SnapshotSink: there will be no snapshot. After Close it does nothing.
func (k *sink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	err := errors.Join(k.file.Close(), k.store.fs.Remove(path.Join(k.store.dir, k.meta.ID+writingSuffix)))
	if err != nil {
		return fmt.Errorf("hashi: cancel snapshot: %w", err)
	}
	return nil
}

// allow asks whether a snapshot is to be.
func (s *Snapshots) allow(k *sink) error {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse == nil || k.own {
		return nil
	}
	return refuse(k.meta.Index)
}

// publish gives a complete file its name, and removes older ones.
func (s *Snapshots) publish(written, id string) error {
	if err := s.fs.Rename(written, path.Join(s.dir, id+snapshotSuffix)); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, _ := parseName(id + snapshotSuffix); s.latest.file() < name.file() {
		s.latest = name
	}
	_ = s.reap() // if it fails, Create tries again, and says so
	return nil
}

// readDescription reads and checks what a file says of its content.
func readDescription(f runtime.File, name snapshotName) (*description, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size < footerBytes {
		return nil, fmt.Errorf("%w: %d bytes", errSnapshot, size)
	}
	var footer [footerBytes]byte
	if err := readFull(f, footer[:], size-footerBytes); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(footer[8:]))
	if binary.LittleEndian.Uint64(footer[:]) != snapshotMagic || length > min(descriptionMax, size-footerBytes) {
		return nil, fmt.Errorf("%w: footer %x", errSnapshot, footer)
	}
	p := make([]byte, length)
	if err := readFull(f, p, size-footerBytes-length); err != nil {
		return nil, err
	}
	if sum := crc32.Checksum(p, castagnoli); sum != binary.LittleEndian.Uint32(footer[12:]) {
		return nil, fmt.Errorf("%w: description has checksum %08x", errSnapshot, sum)
	}
	return parseDescription(p, name, size-footerBytes-length)
}

// parseDescription decodes a description, which must be of the file's name and size.
func parseDescription(p []byte, name snapshotName, size int64) (*description, error) {
	d := &description{}
	if err := json.Unmarshal(p, d); err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if d.ID != name.id() || d.Index != name.index || d.Term != name.term || d.Size != size || d.Version != 1 {
		return nil, fmt.Errorf("%w: version %d of %s with %d bytes is described in %s with %d", errSnapshot,
			d.Version, d.ID, d.Size, name.id(), size)
	}
	return d, nil
}

// readFull reads all of p.
func readFull(f runtime.File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = fmt.Errorf("%w: it ends at %d", errSnapshot, off+int64(n))
	}
	return err
}

// content reads the content of a file from its beginning, and closes the file.
type content struct {
	file runtime.File
	want *description
	at   int64
	sum  uint32
}

func newContent(f runtime.File, d *description) *content { return &content{file: f, want: d} }

// Read implements io.Reader. At the end it has an error if the bytes are not those that were written.
func (c *content) Read(p []byte) (int, error) {
	if left := c.want.Size - c.at; int64(len(p)) > left {
		p = p[:left]
	}
	if c.at == c.want.Size {
		if c.sum != c.want.Checksum {
			return 0, fmt.Errorf("%w: content has checksum %08x", errSnapshot, c.sum)
		}
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.file.ReadAt(p, c.at)
	c.sum = crc32.Update(c.sum, castagnoli, p[:n])
	c.at += int64(n)
	if n > 0 {
		return n, nil // an error comes again
	}
	if err == io.EOF {
		err = fmt.Errorf("%w: it ends at %d", errSnapshot, c.at)
	}
	return 0, err
}

// Close implements io.Closer.
func (c *content) Close() error { return c.file.Close() }
