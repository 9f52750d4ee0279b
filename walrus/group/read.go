package group

import (
	"errors"

	"github.com/octopii-go/octopii/walrus"
)

// scanBytes is how much payload a scan takes from the log at a time.
const scanBytes = 1 << 20

// oneEntry, in the place of a number of bytes, asks for one entry, even where several have no payload.
const oneEntry = -1

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
// A log that has failed can still be read, as far as it was durable. Reading one entry allocates its
// payload and nothing else; payloads read together share their memory, see walrus.Reader.
func (l *Log) Read(t walrus.Topic, lo, hi uint64, maxBytes int, visit func(Entry) error) (next uint64, err error) {
	l.mu.Lock()
	r, err := l.take(t, lo, hi, maxBytes)
	l.mu.Unlock()
	if err != nil {
		return lo, err
	}
	return l.read(r, true, lo, visit)
}

// Scan visits the entries of a topic from lo on, in order, up to the end of the topic at the time it
// is reached. It returns the index after the last one visited, and has the errors of Read. The payload of
// an entry is valid only until visit returns; so Scan allocates nothing for it, and is the fastest way to
// read many. What is said of Entries and of the others who change the topic is true here as well.
func (l *Log) Scan(t walrus.Topic, lo uint64, visit func(Entry) error) (next uint64, err error) {
	for {
		r, err := l.takeRest(t, lo)
		if r == nil {
			return lo, err
		}
		if lo, err = l.read(r, false, lo, visit); err != nil {
			return lo, err
		}
	}
}

// Entries returns the entries of a topic from lo on, in order, up to the end of the topic
// at the time it is reached, for use in a range loop. It has the errors of Read; one comes last, with
// an empty entry. A loop that runs while others truncate the back of the topic and
// append to it may see entries of before and after.
func (l *Log) Entries(t walrus.Topic, lo uint64) func(yield func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		take := func(e Entry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		}
		for {
			r, err := l.takeRest(t, lo)
			if r != nil {
				lo, err = l.read(r, true, lo, take)
			} else if err == nil {
				return
			}
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

// takeRest returns a reader of the next part of a topic from lo on; nil and nil at its end.
func (l *Log) takeRest(t walrus.Topic, lo uint64) (*reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, next := l.log.Bounds(t)
	if lo >= first && lo >= next {
		return nil, nil
	}
	return l.take(t, lo, max(next, lo+1), scanBytes)
}
