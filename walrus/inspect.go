package walrus

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Visitor is told what Inspect meets, in the order of the log. Functions left nil are
// not called; an error of one ends the inspection and is returned.
type Visitor struct {
	Segment func(SegmentInfo) error
	Record  func(RecordInfo) error
	Seal    func(SealInfo) error // after the records of its segment
	Lost    func(LostInfo) error
}

// SegmentInfo is the header of a segment.
type SegmentInfo struct {
	File string // path under the FS root
	Seq  uint64 // sequence number
	Base uint64 // LSN of its first group
	Size int64  // of the file in bytes
	// PrevSeq is the segment before, zero if there was none; it ends at the LSN PrevEnd.
	PrevSeq, PrevEnd uint64
	// Recovered: written and synced by a recovery, or by the making of the log,
	// before it got its name.
	Recovered bool
	Topics    []TopicInfo // ascending
}

// TopicInfo is a topic as it was before a segment's first group.
type TopicInfo struct {
	Topic    Topic
	MirrorOf Topic // zero: not a recovery topic
	// Its entries: First <= index < Next.
	First, Next uint64
	LastTerm    uint64 // of the last entry; zero if there is none
}

// SealInfo is the seal of a segment. All its checksums hold. One that is missing or damaged
// is no loss, and is not told.
type SealInfo struct {
	File            string // path under the FS root
	Offset          int64  // of its group's header
	Bytes           int64  // of the group
	Groups, Records int    // in the segment
	Closed          bool   // it ends a log that was closed
}

// RecordKind says what a record does.
type RecordKind uint8

// The kinds of records. Index and Term of a RecordInfo mean what Batch says; of
// a RecordSet Index is the key, and of those of a transaction its number.
const (
	RecordEntry         = RecordKind(kindEntry)
	RecordLink          = RecordKind(kindLink)
	RecordSet           = RecordKind(kindSet)
	RecordTruncateBack  = RecordKind(kindTruncateBack)
	RecordTruncateFront = RecordKind(kindTruncateFront)
	RecordRebase        = RecordKind(kindRebase)
	RecordPrepare       = RecordKind(kindPrepare)
	RecordCommit        = RecordKind(kindCommit)
	RecordAbort         = RecordKind(kindAbort)
	RecordCopy          = RecordKind(kindCopy)
)

// String returns the kind's name.
func (k RecordKind) String() string {
	switch k {
	case RecordEntry:
		return "entry"
	case RecordLink:
		return "link"
	case RecordSet:
		return "set"
	case RecordTruncateBack:
		return "truncate-back"
	case RecordTruncateFront:
		return "truncate-front"
	case RecordRebase:
		return "rebase"
	case RecordPrepare:
		return "prepare"
	case RecordCommit:
		return "commit"
	case RecordAbort:
		return "abort"
	case RecordCopy:
		return "copy"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// RecordInfo is one record. Its checksums hold unless it is Broken.
type RecordInfo struct {
	File    string // path under the FS root
	Offset  int64  // of the record's header
	LSN     uint64 // of the same byte
	Group   int64  // offset of its group's header
	Kind    RecordKind
	Topic   Topic
	Index   uint64
	Term    uint64
	Flags   uint8
	Length  int    // of the payload in bytes
	Payload []byte // valid during the call, not to be changed
	// Repeated: a recovery wrote it, again or to repeat a key.
	Repeated bool
	// Corrected: it holds because one flipped bit of its group was turned back, here
	// and not on the disk.
	Corrected bool
	// Broken: the header holds and the payload does not. It is known what is lost.
	Broken bool
}

// Changes decodes what a RecordPrepare says.
func (r *RecordInfo) Changes() (out []Change, err error) {
	err = eachChange(r.Payload, func(c *change) error {
		out = append(out, c.export())
		return nil
	})
	return out, err
}

// LostInfo is a place where records were that cannot be read. Which they were is
// unknown. What follows in the log may build on them.
type LostInfo struct {
	File   string // path under the FS root; empty: a whole file that is missing
	Offset int64
	Bytes  int64 // zero: unknown
	What   string
}

// Inspect reads everything that the log in a folder holds, verifies every checksum,
// and changes nothing. It needs no options but the folder's name. It holds
// the log's lock meanwhile, and reads one segment at a time into memory.
//
// The report says what Open would find; damage is not an error but a finding, and Inspect goes on behind
// it: there are findings for all damage, not only for the first that Open meets. The
// visitor sees the log as it was written, truncated entries included, and where
// something is missing.
//
// The error matches fs.ErrNotExist if there is no log in the folder, ErrVersion,
// runtime.ErrLocked, or is the file system's or the visitor's. The report is never nil.
func Inspect(fsys runtime.FS, dir string, visit Visitor) (*Report, error) {
	r := &recovery{d: disk{fsys}, o: Options{Dir: dir}.withDefaults(), report: &Report{}}
	if err := r.o.Validate(); err != nil {
		return r.report, err
	}
	lock, err := r.d.lock(r.o.lockName())
	if err != nil {
		return r.report, fmt.Errorf("walrus: lock %s: %w", dir, err)
	}
	defer func() { _ = lock.Close() }() // nothing was written under it
	if err := r.list(); err != nil {
		return r.report, err
	}
	if len(r.files) == 0 {
		return r.report, fmt.Errorf("walrus: no log in %s: %w", dir, fs.ErrNotExist)
	}
	w := &walker{recovery: r, visit: visit}
	err = r.examine()
	switch {
	case errors.Is(err, ErrCorrupt):
		w.damaged = true
	case err != nil:
		return r.report, err
	case r.report.Fresh:
		return r.report, nil
	}
	return r.report, w.walk()
}

// examine judges the log as Open does when it reads all of it, without
// rebuilding anything.
func (r *recovery) examine() error {
	r.o.VerifyOnOpen = true
	if err := r.readHeaders(); err != nil {
		return err
	}
	if r.virgin() {
		r.report.Fresh = true
		return nil
	}
	r.adoptMirrors()
	err := r.replay()
	if err == nil && r.held != nil {
		err = r.applyHeld()
	}
	if err == nil {
		err = r.checkComplete()
	}
	if errors.Is(err, ErrMirror) || errors.Is(err, ErrTooLarge) {
		return r.corrupt(CorruptError{What: err.Error()}) // not the options' fault: they were adopted
	}
	return err
}

// adoptMirrors takes the mirrors from the newest header.
func (r *recovery) adoptMirrors() {
	for _, f := range slices.Backward(r.files) {
		if !f.valid {
			continue
		}
		for _, row := range f.header.topics {
			if row.mirrorOf != 0 {
				r.o.Mirror = append(r.o.Mirror, Mirror{Main: row.mirrorOf, Recovery: row.topic})
			}
		}
		return
	}
}

// applyHeld applies the group that Open would write again.
func (r *recovery) applyHeld() error {
	g := &Group{}
	g.reset()
	g.buf, g.ops = append(g.buf, r.heldBytes...), r.heldOps
	g.seg, g.off = r.chain[len(r.chain)-1], r.held.off
	return r.publish(g, g.seg.name)
}
