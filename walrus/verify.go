package walrus

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/octopii-go/octopii/runtime"
)

// Verify reads a whole log that nobody has open, verifies every checksum and every
// rule that Open relies on, and changes nothing. The report says what an Open
// would find. Errors are those of Open; fs.ErrNotExist means that there is no log.
func Verify(files runtime.FS, dir string) (*Report, error) {
	report := &Report{}
	o := Options{Dir: dir, VerifyOnOpen: true}
	if err := o.Validate(); err != nil {
		return report, err
	}
	d := disk{files}
	lock, err := d.lock(o.lockName())
	if err != nil {
		return report, fmt.Errorf("walrus: lock %s: %w", dir, err)
	}
	defer func() { _ = lock.Close() }() // nothing was written
	r := &recovery{d: d, o: o.withDefaults(), report: report, anyMirror: true}
	if err := r.look(); err != nil {
		return report, err
	}
	if r.virgin() {
		return report, fmt.Errorf("walrus: no log in %s: %w", dir, fs.ErrNotExist)
	}
	if err := r.replay(); err != nil {
		return report, err
	}
	if r.held != nil {
		group := Group{buf: r.heldGroup, ops: r.heldOps, seg: r.chain[len(r.chain)-1], off: r.held.off}
		if err := r.publish(&group, group.seg.name); err != nil {
			return report, err
		}
	}
	return report, r.checkComplete()
}

// scrub is how far the background verification has come.
type scrub struct {
	seq  uint64 // segment being verified
	off  int64  // in its file; zero: from the headers on
	sum  uint32 // group CRC of the group before off
	busy bool
}

// Scrub returns the next piece of a verification in the background: a job for a
// read lane that reads about maxBytes of a finished segment, or one group if that is
// larger, from the device, and verifies every checksum. Its error matches
// ErrCorrupt if one does not hold; the segment is not looked at again in this round then.
// Done goes with the result, on the node's loop. Rounds follow each other; how
// often the caller asks, and for how much, is the rate. Both are nil if no segment is
// finished, or the last piece is not done.
func (l *Log) Scrub(maxBytes int) (job func(runtime.FS) error, done func(error)) {
	s := &l.scrub
	if s.busy || len(l.segs) < 2 {
		return nil, nil
	}
	if s.seq < l.segs[0].seq || s.seq >= l.active().seq {
		*s = scrub{seq: l.segs[0].seq}
	}
	seg := l.segs[s.seq-l.segs[0].seq]
	s.busy = true
	seg.pins++
	p := &scrubbing{scrub: *s, name: seg.name, salt: seg.salt, base: seg.base, end: seg.end, max: int64(maxBytes)}
	job = func(fs runtime.FS) error { return p.run(disk{fs}) }
	done = func(err error) {
		seg.pins--
		s.busy = false
		l.stats.ScrubbedBytes += uint64(p.off - s.off)
		switch {
		case errors.Is(err, ErrCorrupt):
			l.stats.ScrubErrors++
			*s = scrub{seq: s.seq + 1}
		case err != nil: // asked for again
		case p.off >= p.end:
			*s = scrub{seq: s.seq + 1}
		default:
			s.off, s.sum = p.off, p.sum
		}
	}
	return job, done
}

// scrubbing is one piece of a scrub. It belongs to the job.
type scrubbing struct {
	scrub
	name string
	salt uint64
	base uint64
	end  int64 // of the segment, in the file
	max  int64
	data []byte
}

func (p *scrubbing) run(d disk) error {
	f, err := d.open(p.name)
	if err != nil {
		return fmt.Errorf("walrus: scrub %s: %w", p.name, err)
	}
	defer func() { _ = f.Close() }() // only read
	if err := dropCache(f); err != nil {
		return fmt.Errorf("walrus: scrub %s: %w", p.name, err)
	}
	if p.off == 0 {
		if err := p.readHeader(f); err != nil {
			return err
		}
	}
	for stop := p.off + p.max; p.off < min(stop, p.end); {
		if err := p.readGroup(f); err != nil {
			return err
		}
	}
	return nil
}

func (p *scrubbing) corrupt(off int64, what string) error {
	return &CorruptError{File: p.name, Offset: off, What: what}
}

func (p *scrubbing) readHeader(f runtime.File) error {
	var blocks [bodyStart]byte
	if _, err := readUpTo(f, blocks[:], 0); err != nil {
		return fmt.Errorf("walrus: scrub %s: %w", p.name, err)
	}
	b, err := getHeader(blocks[:], p.seq)
	if err != nil || !b.valid || b.badA || b.badB || b.header.salt != p.salt {
		return p.corrupt(0, "header checksum")
	}
	p.off, p.sum = bodyStart, b.header.prev.sum
	return nil
}

// readGroup verifies one group. It is parsed as if it stood at the beginning of a file.
func (p *scrubbing) readGroup(f runtime.File) error {
	v := &view{name: p.name}
	v.header.salt, v.header.base = p.salt, p.base+uint64(p.off)
	var err error
	size := int(min(max(p.max, groupHeaderBytes), readSpanMax, p.end-p.off))
	v.data, err = readSpan(f, p.data[:0], p.off, size)
	if err == nil && len(v.data) >= groupHeaderBytes {
		if h, bad := v.parseHeader(0); bad == nil && p.off+int64(h.size()) <= p.end && h.size() > len(v.data) {
			v.data, err = readSpan(f, v.data, p.off, h.size())
		}
	}
	if err != nil {
		return fmt.Errorf("walrus: scrub %s at %d: %w", p.name, p.off, err)
	}
	p.data = v.data
	for at := int64(0); ; {
		g, bad := v.parse(at, p.sum)
		if bad != nil && at == 0 {
			e := bad.corruption(p.name)
			e.Offset += p.off
			return &e
		}
		if bad != nil { // it may only not have been read as a whole: it is the first of the next call
			p.off += at
			return nil
		}
		at, p.sum = g.end(), g.sum
		if p.off+at >= p.end {
			p.off += at
			return nil
		}
	}
}
