package walrus

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

const (
	// readerFiles is how many files a Reader keeps open: with segments of the usual size, those of a
	// log of 1 GiB. A removed segment keeps its space while a Reader has it open, see Close.
	readerFiles = 16
	// readerSpanMax is what a Reader fetches with one call, or one record. It stays in a
	// core's cache between being copied from the kernel and being summed.
	readerSpanMax = 256 << 10
)

// Reader reads extents as ReadExtents does, with memory and open files that it keeps from
// one call to the next. It belongs to one lane, or one goroutine, at a time.
type Reader struct {
	d     disk
	buf   []byte
	files [readerFiles]keptFile // the one used last in front
}

// keptFile is a segment's file. The salt is the segment's: a file that took the
// name later has another.
type keptFile struct {
	name string
	salt uint64
	file runtime.File // nil: none
}

// NewReader returns a Reader of logs on fs. It opens nothing yet.
func NewReader(fs runtime.FS) *Reader { return &Reader{d: disk{fs}} }

// Read is ReadExtents but for one thing: the payload that visit is given is valid
// only until visit returns.
func (r *Reader) Read(extents []Extent, visit Visit) error { return r.readAll(extents, r.room, visit) }

// ReadOwned is Read with payloads that are visit's to keep. Those that lie together share their
// memory, up to 256 KiB of it: one that is kept for long keeps that of its neighbours. It allocates once
// for each, and nothing else.
func (r *Reader) ReadOwned(extents []Extent, visit Visit) error {
	return r.readAll(extents, newRoom, visit)
}

// Close closes the files. The Reader may be used again and opens them anew. Whoever keeps a Reader
// while the log removes segments closes it now and then, to give their space back.
func (r *Reader) Close() {
	for i := range r.files {
		r.files[i].drop()
	}
}

func (r *Reader) readAll(extents []Extent, room func(n int) []byte, visit Visit) error {
	for i := range extents {
		if err := r.read(&extents[i], room, visit); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) read(e *Extent, room func(n int) []byte, visit Visit) error {
	f, err := r.open(e)
	if err != nil {
		return fmt.Errorf("walrus: read %s: %w", e.File, err)
	}
	for done := 0; done < len(e.slots); {
		n := e.span(done, readerSpanMax)
		if err := e.readSpan(f, done, n, room(e.spanBytes(done, n)), visit); err != nil {
			r.files[0].drop() // whatever is wrong with it, the next attempt starts anew
			return err
		}
		done += n
	}
	return nil
}

// newRoom returns memory that nobody has used.
func newRoom(n int) []byte { return make([]byte, n) }

// room returns memory for n bytes. What one large record needed is not kept.
func (r *Reader) room(n int) []byte {
	if cap(r.buf) < n || cap(r.buf) > readSpanMax && n <= readerSpanMax {
		r.buf = make([]byte, max(n, readerSpanMax))
	}
	return r.buf[:n]
}

// open returns the extent's file and moves it to the front.
func (r *Reader) open(e *Extent) (runtime.File, error) {
	at := 0
	for at < readerFiles-1 && !r.files[at].is(e) {
		at++
	}
	kept := r.files[at]
	if !kept.is(e) {
		f, err := r.d.open(e.File)
		if err != nil {
			return nil, err
		}
		kept.drop()
		kept = keptFile{name: e.File, salt: e.salt, file: f}
	}
	copy(r.files[1:at+1], r.files[:at])
	r.files[0] = kept
	return kept.file, nil
}

func (k *keptFile) is(e *Extent) bool { return k.salt == e.salt && k.file != nil && k.name == e.File }

func (k *keptFile) drop() {
	if k.file != nil {
		_ = k.file.Close() // only read
	}
	*k = keptFile{}
}
