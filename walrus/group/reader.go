package group

import "github.com/octopii-go/octopii/walrus"

const (
	// readersKept is how many readers are kept for the next reads, with up to 16 open files
	// and 256 KiB each.
	readersKept = 8
	// readerPlacesMax is of how many entries a reader may have had the places, 24 bytes each, to be
	// kept.
	readerPlacesMax = 16 << 10
)

// reader is what one read needs: pinned entries, and open files, which it keeps for the next.
// It belongs to one goroutine at a time.
type reader struct {
	files   *walrus.Reader
	extents []walrus.Extent
	epoch   uint64 // when it was taken

	visit func(Entry) error // of the read under way
	next  uint64            // the index after the last entry visited
	take  walrus.Visit      // hands an entry to visit; made once
}

// readers are those of a log. Its lock guards them.
//
// A file that a reader keeps open keeps its space when the segment is removed. So each removal begins
// another epoch, and no reader lives on in it: who is idle is closed by the chore that removed, and
// who is at work closes by itself when it is done.
type readers struct {
	busy  int // at work
	idle  []*reader
	epoch uint64 // segments removed or used again
}

// take returns a reader with those entries pinned. The caller holds mu.
func (l *Log) take(t walrus.Topic, lo, hi uint64, maxBytes int) (*reader, error) {
	if l.closing {
		return nil, ErrClosed
	}
	r := l.readers.pop()
	if r == nil {
		r = newReader(l)
	}
	extents, err := l.log.LocateInto(r.extents, t, lo, hi, maxBytes)
	if err != nil {
		l.readers.push(r)
		return nil, err
	}
	r.extents, r.epoch = extents, l.readers.epoch
	l.readers.busy++
	return r, nil
}

func newReader(l *Log) *reader {
	r := &reader{files: walrus.NewReader(l.fs)}
	r.take = func(index, term uint64, flags uint8, payload []byte) error {
		if err := r.visit(Entry{Index: index, Term: term, Flags: flags, Payload: payload}); err != nil {
			return err
		}
		r.next = index + 1
		return nil
	}
	return r
}

func (p *readers) pop() *reader {
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	r := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return r
}

// push keeps a reader for the next read, if there are not enough.
func (p *readers) push(r *reader) bool {
	if len(p.idle) >= readersKept {
		return false
	}
	p.idle = append(p.idle, r)
	return true
}

// read visits the entries that r has pinned, from lo on, and gives r back. With owned, payloads are
// visit's to keep.
func (l *Log) read(r *reader, owned bool, lo uint64, visit func(Entry) error) (next uint64, err error) {
	defer l.release(r)
	r.next, r.visit = lo, visit
	if owned {
		err = r.files.ReadOwned(r.extents, r.take)
	} else {
		err = r.files.Read(r.extents, r.take)
	}
	return r.next, err
}

// release takes the pins off and keeps the reader, if it may be. Segments that could not be removed
// because of the pins are removed by the chores after the next flush.
func (l *Log) release(r *reader) {
	places := r.extents[len(r.extents)-1].Hi - r.extents[0].Lo
	r.visit = nil
	l.mu.Lock()
	l.log.Release(r.extents)
	if l.closing || r.epoch != l.readers.epoch || places > readerPlacesMax || !l.readers.push(r) {
		l.mu.Unlock()
		r.files.Close()
		l.mu.Lock()
	}
	l.readers.busy--
	l.nowIdle()
	l.mu.Unlock()
}

// expire begins a new epoch if segments have been removed, and returns the readers that are to be
// closed for it, without mu. The caller holds mu.
func (l *Log) expire() (idle []*reader) {
	s := l.log.Stats()
	if gone := s.Removed + s.Recycled; gone != l.readers.epoch {
		l.readers.epoch = gone
		idle, l.readers.idle = l.readers.idle, nil
	}
	return idle
}

func closeReaders(all []*reader) {
	for _, r := range all {
		r.files.Close()
	}
}
