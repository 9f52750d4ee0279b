package transport

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// attemptsMax is how often a file call is made in all before its error counts.
const attemptsMax = 8

// attempt is the one place where file calls are made again. It serves calls that promise
// nothing about durability; a sync has one attempt.
func attempt(call func() error) error {
	var err error
	for range attemptsMax {
		if err = call(); err == nil || definite(err) {
			return err
		}
	}
	return err
}

// definite reports whether an error is an answer rather than a failure.
func definite(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrInvalid) ||
		errors.Is(err, runtime.ErrNoSpace) || errors.Is(err, io.EOF)
}

func openFile(files runtime.FS, name string) (f runtime.File, err error) {
	err = attempt(func() error { f, err = files.Open(name); return err })
	return f, err
}

// readAt fills p from a file.
func readAt(f runtime.File, p []byte, off int64) error {
	return attempt(func() error {
		n, err := f.ReadAt(p, off)
		if n == len(p) {
			return nil
		}
		return err
	})
}

// readChunk reads a chunk of a file into p, and reports whether it is that.
func readChunk(f runtime.File, m *manifest, index int, p []byte) bool {
	return readAt(f, p, m.offset(index)) == nil && m.holds(index, p)
}

// partSuffix ends the names of files that are not complete.
const partSuffix = ".part"

// IsPart reports whether a name is that of an incomplete file, left by a fetch that
// has not come to its end. It is for whoever clears up: the fetch, made again,
// goes on from there.
func IsPart(name string) bool { return strings.HasSuffix(name, partSuffix) }

// partName returns where the chunks of an object are kept until it is complete.
func partName(final string, d Digest) string { return final + "." + d.String() + partSuffix }

// partFile is the part of one fetch, open from its scan until it has its final name, or is given up. It belongs to
// the jobs of the write lane.
type partFile struct {
	name string
	file runtime.File // nil: not open
}

// open returns the file, which stays open.
func (p *partFile) open(files runtime.FS) (runtime.File, error) {
	if p.file == nil {
		f, err := openFile(files, p.name)
		if err != nil {
			return nil, err
		}
		p.file = f
	}
	return p.file, nil
}

// close is a job that closes the file, if it is open.
func (p *partFile) close(runtime.FS) error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}

// scanBatch is how many chunks a job reads, so that the lane is not held up for long.
const scanBatch = 64

// scanJob prepares the part file, and finds out which chunks are on disk: in the part, from
// before a cut or a restart, or in a file that already has the final name.
//
// What it finds is written anew, into the part. The bytes are known to be right, but not
// that they are durable: a sync of an earlier life may have failed and marked them clean, so that
// the next one would not write them.
type scanJob struct {
	manifest *manifest
	final    string
	part     *partFile
	from     int   // first chunk of this job
	next     int   // out: first chunk of the next job; the number of chunks: there is none
	found    []int // out: chunks that are in the part now
}

func (j *scanJob) execute(files runtime.FS) error {
	j.next, j.found = len(j.manifest.hashes), nil
	if j.from == 0 {
		_ = j.part.close(files) // if it is open, a sync has failed, and it may yet be told so: of what is written anew below
	}
	part, created, err := j.open(files)
	if err != nil {
		return fmt.Errorf("transport: prepare %s: %w", j.part.name, err)
	}
	if j.from == 0 {
		if err := attempt(func() error { return part.Allocate(0, j.manifest.size, false) }); err != nil {
			if created {
				_ = j.part.close(files)       // nothing is in it,
				_ = files.Remove(j.part.name) // and it is made again when it is wanted again
			}
			return fmt.Errorf("transport: prepare %s for %d bytes: %w", j.part.name, j.manifest.size, err)
		}
	}
	final, err := openFile(files, j.final)
	if err == nil {
		defer final.Close()
	} else if created && errors.Is(err, fs.ErrNotExist) {
		return nil // there is nothing to find
	} else {
		final = nil // a folder, or cannot be read
	}
	return j.scan(part, final)
}

// open opens the part, or makes it.
func (j *scanJob) open(files runtime.FS) (part runtime.File, created bool, err error) {
	part, err = j.part.open(files)
	if errors.Is(err, fs.ErrNotExist) {
		err = attempt(func() error { part, err = files.Create(j.part.name); return err })
		if err == nil {
			j.part.file = part
		}
		return part, err == nil, err
	}
	return part, false, err
}

func (j *scanJob) scan(part, final runtime.File) error {
	m := j.manifest
	j.next = min(j.from+scanBatch, len(m.hashes))
	buf := make([]byte, min(int64(m.chunk), m.size))
	for i := j.from; i < j.next; i++ {
		p := buf[:m.length(i)]
		if !readChunk(part, m, i, p) && (final == nil || !readChunk(final, m, i, p)) {
			continue
		}
		if err := attempt(func() error { _, err := part.WriteAt(p, m.offset(i)); return err }); err != nil {
			return fmt.Errorf("transport: chunk %d of %s: %w", i, j.part.name, err)
		}
		j.found = append(j.found, i)
	}
	return nil
}

// piece is a verified chunk on its way to the disk.
type piece struct {
	index int
	data  []byte
}

// writeJob writes chunks to the part.
type writeJob struct {
	manifest *manifest
	part     *partFile
	pieces   []piece
}

func (j *writeJob) execute(files runtime.FS) error {
	f, err := j.part.open(files)
	if err != nil {
		return fmt.Errorf("transport: write %s: %w", j.part.name, err)
	}
	for _, p := range j.pieces {
		if err := attempt(func() error { _, err := f.WriteAt(p.data, j.manifest.offset(p.index)); return err }); err != nil {
			return fmt.Errorf("transport: chunk %d of %s: %w", p.index, j.part.name, err)
		}
	}
	return nil
}

// syncJob makes what is written of a part durable, while more of it is being written.
type syncJob struct{ part string }

func (j *syncJob) execute(files runtime.FS) error {
	f, err := openFile(files, j.part)
	if err != nil {
		return fmt.Errorf("transport: sync %s: %w", j.part, err)
	}
	defer f.Close()
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("transport: sync %s: %w", j.part, err)
	}
	return nil
}

// publishJob makes a complete part durable and gives it the final name. The order is
// what a loss of power cannot get around: bytes, name, folder. After an error it
// is unknown whether the file has the final name, or will have it after a
// loss of power; if it has, its bytes are right.
type publishJob struct {
	final string
	part  *partFile
}

func (j *publishJob) execute(files runtime.FS) error {
	f, err := j.part.open(files)
	if err != nil {
		return fmt.Errorf("transport: publish %s: %w", j.final, err)
	}
	err = f.Sync()
	if closeErr := j.part.close(files); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("transport: sync %s: %w", j.part.name, err)
	}
	if err := j.rename(files); err != nil {
		return fmt.Errorf("transport: publish %s: %w", j.final, err)
	}
	if err := files.SyncDir(path.Dir(j.final)); err != nil {
		return fmt.Errorf("transport: sync folder of %s: %w", j.final, err)
	}
	return nil
}

// rename gives the part its final name. An attempt that failed may have taken
// effect all the same: then the part is gone at the next.
func (j *publishJob) rename(files runtime.FS) error {
	again := false
	return attempt(func() error {
		err := files.Rename(j.part.name, j.final)
		if again && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		again = true
		return err
	})
}
