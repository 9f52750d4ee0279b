package transport

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// hashJob computes a part of the manifest of a file.
type hashJob struct {
	path     string
	least    int
	sizeMax  int64
	manifest *manifest // the size and chunk size are set by the first job
}

func (j *hashJob) execute(files runtime.FS) error {
	f, err := openFile(files, j.path)
	if err != nil {
		return fmt.Errorf("transport: offer %s: %w", j.path, err)
	}
	defer f.Close()
	m := j.manifest
	if m.chunk == 0 {
		if err := attempt(func() error { m.size, err = f.Size(); return err }); err != nil {
			return fmt.Errorf("transport: offer %s: %w", j.path, err)
		}
		if m.size > j.sizeMax {
			return fmt.Errorf("transport: offer %s: %w: %d bytes, limit %d", j.path, ErrTooLarge, m.size, j.sizeMax)
		}
		m.chunk = chunkSize(m.size, j.least)
	}
	buf := make([]byte, min(int64(m.chunk), m.size))
	for range scanBatch {
		i := len(m.hashes)
		if int64(i) == chunksOf(m.size, m.chunk) {
			return nil
		}
		p := buf[:m.length(i)]
		if err := readAt(f, p, m.offset(i)); err != nil {
			return fmt.Errorf("transport: offer %s: chunk %d: %w", j.path, i, err)
		}
		m.hashes = append(m.hashes, hashChunk(i, p))
	}
	return nil
}

// rereadsMax is how often a chunk is read before its file is taken for damaged: some reads lie once.
const rereadsMax = 3

// readJob reads chunks of one object for peers, each into the frame that carries it.
type readJob struct {
	offer  *offer
	kinds  uint8
	room   func(size int) []byte
	chunks []chunkRead
}

// chunkRead is one of them.
type chunkRead struct {
	index int
	frame []byte // out: sealed, if it is right
	right bool   // out: the bytes are what they were when the file was offered
}

func (j *readJob) execute(files runtime.FS) error {
	f, err := openFile(files, j.offer.path)
	if err != nil {
		return fmt.Errorf("transport: read %s: %w", j.offer.path, err)
	}
	defer f.Close()
	for i := range j.chunks {
		if err := j.read(f, &j.chunks[i]); err != nil {
			return fmt.Errorf("transport: read %s: chunk %d: %w", j.offer.path, j.chunks[i].index, err)
		}
	}
	return nil
}

func (j *readJob) read(f runtime.File, c *chunkRead) error {
	m := &j.offer.manifest
	head := shipMessage{kind: kindChunk, digest: j.offer.digest, index: uint32(c.index)}
	n := m.length(c.index)
	c.frame = head.header(j.room(HeaderSize + shipHeader + n)[:0], j.kinds)
	c.frame = c.frame[:len(c.frame)+n]
	p := c.frame[len(c.frame)-n:]
	for range rereadsMax {
		if err := readAt(f, p, m.offset(c.index)); err != nil {
			return err
		}
		if c.right = m.holds(c.index, p); c.right {
			if err := Seal(c.frame); err != nil { // here, where the bytes are in the processor's cache
				panic(fmt.Sprintf("transport: chunk of %d bytes: %v", n, err))
			}
			break
		}
	}
	return nil
}
