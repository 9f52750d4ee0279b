package walrus

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/octopii-go/octopii/runtime"
)

// unitName is the next segment on its way, with its first group in it.
const unitName = "next.tmp"

// unit is a new segment with its first group: what recovery writes.
type unit struct {
	header segmentHeader
	seg    *segment
	group  *Group
	file   runtime.File
}

func (u *unit) close() {
	if u.file != nil {
		_ = u.file.Close() // nothing was promised about it
	}
}

// startFresh makes the folder and plans the first segment of a new log.
//
// A folder that is already there may be left from an attempt whose sync of the parent
// folder failed. Then no later sync proves that its name is durable, so it
// is removed and made again.
func (r *recovery) startFresh(u *unit) error {
	r.report.Fresh = true
	if !r.foreign {
		if err := r.clearFolder(); err != nil {
			return err
		}
	}
	if err := r.d.mkdirAll(r.o.Dir); err != nil {
		return fmt.Errorf("walrus: make %s: %w", r.o.Dir, err)
	}
	if err := r.d.syncParents(r.o.Dir); err != nil {
		return err
	}
	for _, m := range r.o.Mirror {
		if err := r.state.pair(m.Main, m.Recovery); err != nil {
			return err
		}
	}
	u.header.seq = 1
	for i := range u.header.id {
		u.header.id[i] = byte(runtime.Mix(runtime.Mix(r.o.Seed, seedLogID), uint64(i)))
	}
	r.plan(u)
	return r.fill(u)
}

// clearFolder removes the folder with what an unfinished start left in it, and
// those above it that hold nothing else.
func (r *recovery) clearFolder() error {
	names := []string{path.Join(r.o.Dir, unitName), path.Join(r.o.Dir, spareName), r.o.Dir}
	for _, f := range r.files {
		names = append([]string{f.name}, names...)
	}
	for _, name := range names {
		if err := r.d.remove(name); err != nil {
			return fmt.Errorf("walrus: remove %s: %w", name, err)
		}
	}
	for dir := path.Dir(r.o.Dir); dir != "."; dir = path.Dir(dir) {
		names, err := r.d.list(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && len(names) > 0 {
			break // in use: others answer for its name
		}
		if err == nil {
			err = r.d.remove(dir)
		}
		if err != nil {
			return fmt.Errorf("walrus: remove %s: %w", dir, err)
		}
	}
	return nil
}

// startFrom reads the log and plans the segment that goes on from it. Nothing
// is cut in place: what is not part of the log stays in its file, behind the end that
// the new header pins.
//
// The last group is written again unless a later claim says that it was
// durable: it may be there only in the page cache. If it is the first of its
// segment, then nothing in that segment is certain to be durable, header included: the new
// segment takes its place and its name. Either way the new segment has its name only when
// its first group has been synced, and repeats all that the place it takes
// held; so a crash at any point leaves one or the other, and they say the same.
func (r *recovery) startFrom(u *unit) error {
	if err := r.replay(); err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	for _, t := range r.state.topics {
		t.settleCopies()
	}
	last := &r.headers[len(r.headers)-1]
	u.header.id = last.id
	switch {
	case r.held != nil && r.held.off == bodyStart:
		u.header.seq, u.header.prev, u.header.seal = last.seq, last.prev, last.seal
		u.header.flags = last.flags & headerSpoiled
		r.chain = r.chain[:len(r.chain)-1]
	case r.held != nil:
		u.header.seq = last.seq + 1
		u.header.prev = segmentEnd{seq: last.seq, end: r.held.header.lsn, sum: r.held.header.prevSum}
		r.sealLast(u)
	default:
		u.header.seq = last.seq + 1
		u.header.prev = segmentEnd{seq: last.seq, end: last.lsn(r.end), sum: r.sum}
		r.sealLast(u)
	}
	u.header.base = last.lsn(r.end) + lsnGap
	r.plan(u)
	if r.held != nil {
		u.group.buf = append(u.group.buf, r.heldBytes...)
		u.group.ops = append(u.group.ops, r.heldOps...)
		r.report.Reappended = len(r.heldOps)
	}
	if err := r.fill(u); err != nil {
		return err
	}
	return r.checkComplete()
}

// sealLast plans the seal of the segment that was the last. It comes behind whatever
// lies after the segment's end: that is not written to.
func (r *recovery) sealLast(u *unit) {
	if r.closed {
		return
	}
	end := u.header.prev
	off := r.headers[len(r.headers)-1].offset(end.end)
	if r.left > off {
		off = roundUp(r.left, alignBytes)
		u.header.seal = off
	}
	r.seal(end, off)
}

// unitBytes is how much of a unit is allocated: a recovery is not to be slowed by
// the making of a whole segment. The segments after it are as large as they should be.
const unitBytes = 1 << 20

// plan fills in what all new segments have, before the held group is applied.
func (r *recovery) plan(u *unit) {
	u.header.flags |= headerWhole
	u.header.size = uint64(min(r.o.SegmentBytes, unitBytes))
	u.header.salt = saltOf(r.o.Seed, u.header.seq)
	u.header.topics = r.state.rows()
	r.state.journal.reset()
	u.seg = &segment{
		seq: u.header.seq, name: segmentName(r.o.Dir, u.header.seq),
		salt: u.header.salt, base: u.header.base, size: int64(u.header.size),
	}
	u.group = &Group{}
	u.group.reset()
}

// fill completes the first group, and applies it.
func (r *recovery) fill(u *unit) error {
	g := u.group
	u.header.put(g.buf[:bodyStart])
	g.addMissing(&r.state)
	h := groupHeader{lsn: u.header.base, durable: u.header.prev.end, prevSum: u.header.prev.sum, flags: groupRecovered}
	g.close(h, u.header.salt)
	g.sign()
	r.sum = g.sum
	g.seg, g.off = u.seg, bodyStart
	if err := r.publish(g, u.seg.name); err != nil {
		return err
	}
	r.report.Placed = r.state.placed(r.report.Placed, g)
	return nil
}

// commit writes the unit. Only when the folder has been synced is the recovery done:
// before, neither the new segment's name nor its successor's can be relied on.
// The order of the two renames does not matter: a unit without a
// successor is recognised by its one recovered group.
func (r *recovery) commit(u *unit) (s spare, err error) {
	if err := r.writeUnit(u); err != nil {
		return s, err
	}
	// Its blocks come later, with another file.
	m := &making{dir: r.o.Dir}
	m.seq, m.name = u.seg.seq+1, segmentName(r.o.Dir, u.seg.seq+1)
	for !m.named {
		if err := m.grow(r.d); err != nil {
			m.giveUp()
			return s, fmt.Errorf("walrus: make %s: %w", m.name, err)
		}
	}
	if err := r.removeMark(); err != nil {
		m.giveUp()
		return s, err
	}
	if err := r.d.syncDir(r.o.Dir); err != nil {
		m.giveUp()
		return s, err
	}
	return m.spare, nil
}

func (r *recovery) writeUnit(u *unit) (err error) {
	tmp := path.Join(r.o.Dir, unitName)
	if u.file, err = r.d.create(tmp); err != nil {
		return fmt.Errorf("walrus: create %s: %w", tmp, err)
	}
	if err := allocate(u.file, 0, int64(u.header.size)); err != nil {
		return fmt.Errorf("walrus: allocate %s: %w", tmp, err)
	}
	if err := writeAll(u.file, u.group.buf, 0); err != nil {
		return fmt.Errorf("walrus: write %s: %w", tmp, err)
	}
	if err := u.file.Sync(); err != nil {
		return failed("sync "+tmp, err)
	}
	if err := r.d.rename(tmp, u.seg.name); err != nil {
		return fmt.Errorf("walrus: rename %s: %w", tmp, err)
	}
	return nil
}

// What seeds are drawn for.
const (
	seedLogID uint64 = iota + 100
	seedSalt
)

// saltOf returns the salt of a segment made in the life with that seed.
func saltOf(seed, seq uint64) uint64 { return runtime.Mix(runtime.Mix(seed, seedSalt), seq) }
