package group

import (
	"errors"

	"github.com/octopii-go/octopii/walrus"
)

// scanBytes is how much payload a scan takes from the log at a time.
const scanBytes = 1 << 20

// errStop ends a scan whose loop has ended.
var errStop = errors.New("stop")

// Entry is an entry of a topic.
type Entry struct {
	Index, Term uint64
	Flags       uint8
	Payload     []byte // belongs to the receiver
}

// Read visits the entries [lo, hi) of a topic in order: as many from lo on as have
// maxBytes of payload together, but at least one. It returns the index after the last
// one visited. It blocks for the disk, and delays no writer: the segments are pinned, not
// locked. Every checksum is verified. Errors match
//   - walrus.ErrCompacted: lo is before the topic's first;
//   - walrus.ErrGap: lo is not before hi, or hi is beyond the end, or the topic is
//     a recovery topic;
//   - walrus.ErrCorrupt: the bytes on the disk are damaged;
//   - ErrClosed, the file system's, and what visit returns, which ends the reading.
//
// A log that has failed can still be read, as far as it was durable.
func (l *Log) Read(t walrus.Topic, lo, hi uint64, maxBytes int, visit func(Entry) error) (next uint64, err error) {
	extents, err := l.locate(t, lo, hi, maxBytes)
	if err != nil {
		return lo, err
	}
	return l.visit(extents, lo, visit)
}

// visit reads pinned entries, from lo on, and takes the pins off.
func (l *Log) visit(extents []walrus.Extent, lo uint64, visit func(Entry) error) (next uint64, err error) {
	defer l.release(extents)
	next = lo
	err = walrus.ReadExtents(l.fs, extents, func(index, term uint64, flags uint8, payload []byte) error {
		if err := visit(Entry{Index: index, Term: term, Flags: flags, Payload: payload}); err != nil {
			return err
		}
		next = index + 1
		return nil
	})
	return next, err
}

// Entries returns the entries of a topic from lo on, in order, up to the end of the topic
// at the time it is reached, for use in a range loop. It has the errors of Read; one comes last, with
// an empty entry. A loop that runs while others truncate the back of the topic and
// append to it may see entries of before and after.
func (l *Log) Entries(t walrus.Topic, lo uint64) func(yield func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for {
			first, next := l.Bounds(t)
			if lo >= first && lo >= next {
				return
			}
			var err error
			lo, err = l.Read(t, lo, max(next, lo+1), scanBytes, func(e Entry) error {
				if !yield(e, nil) {
					return errStop
				}
				return nil
			})
			if err == errStop {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
		}
	}
}

// locate pins the entries and counts the reader.
func (l *Log) locate(t walrus.Topic, lo, hi uint64, maxBytes int) ([]walrus.Extent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pin(t, lo, hi, maxBytes)
}

// pin is locate for who holds mu.
func (l *Log) pin(t walrus.Topic, lo, hi uint64, maxBytes int) ([]walrus.Extent, error) {
	if l.closing {
		return nil, ErrClosed
	}
	extents, err := l.log.Locate(t, lo, hi, maxBytes)
	if err == nil {
		l.readers++
	}
	return extents, err
}

// release takes the pins off. Segments that could not be removed because of them are
// removed by the chores after the next flush.
func (l *Log) release(extents []walrus.Extent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Release(extents)
	l.readers--
	l.nowIdle()
}
