package walrus

import (
	"fmt"
	"io"

	"github.com/octopii-go/octopii/runtime"
)

// Log is an open log. It belongs to its node's loop: its methods do no file
// work and never block, except Open, which makes it, and Close.
//
// The life of a change is Stage, Cut, Flush on the log lane, Publish. At most
// one group is in flight; staging goes on meanwhile. After a flush that failed
// the log is unusable: Fail, then halt.
type Log struct {
	state
	o    Options
	id   logID
	lock io.Closer

	segs   []*segment // in use, contiguous, oldest first; groups go to the last
	spares []spare    // the next segments: their names are durable, nothing is in them
	dead   []string   // files of no use, to be removed
	// sealings are finished segments that have no seal yet; journals is memory for more.
	sealings []*sealing
	journals []journal
	chore    chore
	noSpace  bool // there was none for the next spare
	scrub    scrub
	copySkip uint64 // while that segment is the last, no topic is copied forward
	retained Batch
	stats    Stats

	heading segmentHeader // of the last segment, since a rotation: it goes out with the first group
	end     int64         // where the next group goes in the last segment
	durable uint64        // LSN below which everything is durable
	prevSum uint32        // group CRC of the last group published
	// settled is the newest segment that holds a durable group: the stable keys
	// are there, so those before it are needed for entries only.
	settled uint64

	// stagedTxs are the transactions in doubt with everything accepted by Stage. The other two
	// belong to try.
	stagedTxs, trialTxs []prepared
	planned             []change

	open   *Group // collects
	flight *Group // cut and not yet published
	free   *Group
	last   *Group // the group published last, until its memory is used again
	placed []Placed
	failed error
}

// segment is a file of the log that is in use.
type segment struct {
	seq     uint64
	name    string
	salt    uint64
	base    uint64       // LSN of offset bodyStart
	file    runtime.File // the log lane's handle; nil unless it is the last segment
	end     int64        // offset where the segment ends; zero for the last one
	spoiled bool         // a sync of the file failed: it is not written to again
	pins    int          // extents handed out and not yet released
	size    int64        // how much of the file has its blocks; groups may go beyond
}

// spare is a file prepared to be the next segment. One that has not got all its
// blocks only holds the name; another file replaces it before it is used.
type spare struct {
	seq  uint64
	name string
	file runtime.File
	size int64 // how much of the file has its blocks
}

// Placed says where the payload of a durable record lies.
type Placed struct {
	Topic  Topic  // of an entry
	Key    uint16 // of a stable value
	IsSet  bool   // Key and not Topic, Index and Term
	Index  uint64
	Term   uint64
	File   string // path under the FS root
	Offset int64  // of the payload's first byte
	Length int    // of the payload in bytes
	copied bool   // the entry was there before
}

// Stats counts what the log has done since Open, and what it holds.
type Stats struct {
	Segments      int    // in use
	SegmentBytes  int64  // of their files, as far as they are known to be used or prepared
	Removed       uint64 // segments removed
	Reclaimed     int64  // bytes of the segments removed or taken for spares
	Copied        uint64 // entries copied forward, so that no old segment is kept for them
	Reopened      uint64 // failed flushes after which the log went on
	Recycled      uint64 // segments whose file was taken for a spare
	ScrubbedBytes uint64 // verified by Scrub
	ScrubErrors   uint64 // segments in which Scrub met damage
	Records       uint64 // entries and stable values published, those repeated in a new segment too
	PayloadBytes  uint64 // of them
}

// Stats returns the numbers as they are now.
func (l *Log) Stats() Stats {
	s := l.stats
	s.Segments = len(l.segs)
	for _, seg := range l.segs[:len(l.segs)-1] {
		s.SegmentBytes += max(seg.end, seg.size)
	}
	s.SegmentBytes += max(l.end, l.active().size)
	return s
}

// active returns the segment that groups go to.
func (l *Log) active() *segment { return l.segs[len(l.segs)-1] }

// segment returns the segment of a slot.
func (l *Log) segment(low uint32) *segment { return l.segs[low-uint32(l.segs[0].seq)] }

// StagedBytes returns how large the open group would be on disk; zero if
// nothing is staged but what chores did.
func (l *Log) StagedBytes() int {
	if l.open.idle() {
		return 0
	}
	return l.open.size()
}

// Bounds returns the first index of a topic and the one after its last, as
// published. An empty topic has first == next; one never used has 1 and 1.
func (l *Log) Bounds(t Topic) (first, next uint64) {
	if topic := l.find(t); topic != nil {
		return topic.live.first, topic.live.next
	}
	return fresh.first, fresh.next
}

// Get returns the published value of a stable key. It is valid until the
// next Publish and must not be changed.
func (l *Log) Get(key uint16) ([]byte, bool) {
	at, found := l.lookup(key)
	if !found {
		return nil, false
	}
	return l.keys[at].value, true
}

// Each visits the published entries of a topic in order. Those of a recovery
// topic are the entries it repeats.
func (l *Log) Each(t Topic, visit func(index, term uint64, flags uint8)) {
	topic := l.find(t)
	if topic == nil {
		return
	}
	from := topic.live
	if topic.main != nil {
		topic = topic.main
	}
	for index := from.first; index < from.next; index++ {
		s := topic.slot(index)
		visit(index, s.term, s.flags)
	}
}

// Fail makes a failed flush final: from now on Stage returns an error that
// matches ErrFailed, and Cut returns nil. What is published can still be read.
func (l *Log) Fail(err error) {
	if err == nil {
		panic("walrus: Fail without an error")
	}
	if l.failed == nil {
		l.failed = failed("log stopped", err)
	}
}

// Close gives the lock and the files back. It makes nothing durable: what was
// not published has an unknown outcome. It runs on the log lane, when nothing else does.
//
// If everything was published, it marks where the log ends, so that the next Open is fast.
func (l *Log) Close(fs runtime.FS) error {
	if l.failed == nil && l.flight == nil && l.open.idle() && l.end > bodyStart {
		_ = l.markEnd(disk{fs}) // without the mark the next Open reads more, and finds the same
		for _, s := range l.spares {
			_ = s.file.Truncate(0) // the next Open replaces it, which takes long if it is large
		}
	}
	l.failed = failed("log closed", io.ErrClosedPipe)
	if f := l.active().file; f != nil {
		_ = f.Close() // Close makes nothing durable, so its error says nothing
	}
	for _, s := range l.spares {
		_ = s.file.Close()
	}
	if m := l.chore.making; m != nil {
		m.giveUp()
	}
	if err := l.lock.Close(); err != nil {
		return fmt.Errorf("walrus: unlock %s: %w", l.o.Dir, err)
	}
	return nil
}
