package walrus

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Repair writes an entry again that is in the log and cannot be read: its payload, from a peer, takes
// the place of what is damaged. Term, flags and length must be what the log knows of the entry.
func (b *Batch) Repair(t Topic, index, term uint64, flags uint8, payload []byte) {
	b.copyEntry(t, index, term, flags, payload)
}

func (b *Batch) copyEntry(t Topic, index, term uint64, flags uint8, payload []byte) {
	b.ops = append(b.ops, change{
		record:  record{kind: kindCopy, topic: t, index: index, term: term, flags: flags, length: uint32(len(payload))},
		payload: payload,
	})
}

// noIndex is above every index that a truncation which is staged can have.
const noIndex = ^uint64(0)

// checkCopy sees to it that a copy is one of a published entry that nothing staged has replaced.
func (t *topic) checkCopy(c *change) error {
	if c.index < t.live.first || c.index >= min(t.live.next, t.cutFrom, t.stagedFrom) {
		return fmt.Errorf("walrus: topic %d: copy of entry %d, which is not published or is being replaced: %w", t.id, c.index, ErrGap)
	}
	s := t.slot(c.index)
	if s.term != c.term || s.flags != c.flags || int(s.length) != len(c.payload) {
		return fmt.Errorf("walrus: topic %d: copy of entry %d: term %d, flags %d, %d bytes, want %d, %d, %d: %w",
			t.id, c.index, c.term, c.flags, len(c.payload), s.term, s.flags, s.length, ErrDiffers)
	}
	return nil
}

// replaces notes which entries the staged changes replace, so that no copy of an older one
// comes behind.
func (t *topic) replaces(r *record) {
	switch r.kind {
	case kindTruncateBack:
		t.stagedFrom = min(t.stagedFrom, r.index)
	case kindRebase:
		t.stagedFrom = 0
	}
}

// copied is an entry of a topic whose older place is in a segment that is gone, while
// recovery reads the log.
type copied struct {
	index uint64
	place slot
}

// move gives an entry another place.
func (t *topic) move(index uint64, place slot) {
	t.shuffled, t.lowest = true, nil
	if index >= t.located {
		t.slots.set(int(index-t.located), place)
		return
	}
	at, found := slices.BinarySearchFunc(t.copies, index, func(c copied, index uint64) int { return cmp.Compare(c.index, index) })
	if !found {
		t.copies = slices.Insert(t.copies, at, copied{index: index})
	}
	t.copies[at].place = place
}

// dropCopies keeps those from first to below next.
func (t *topic) dropCopies(first, next uint64) {
	t.copies = slices.DeleteFunc(t.copies, func(c copied) bool { return c.index < first || c.index >= next })
}

// settleCopies puts the copies in front of the entries that were found, if they are all that was missing.
func (t *topic) settleCopies() {
	if len(t.copies) == 0 || t.copies[0].index != t.live.first || t.live.first+uint64(len(t.copies)) != t.located {
		return
	}
	var all slots
	for _, c := range t.copies {
		all.push(c.place)
	}
	for i := range t.slots.count {
		all.push(t.slots.at(i))
	}
	t.slots, t.located, t.copies = all, t.live.first, nil
}

// oldest returns how far behind segment base the oldest one lies that has an entry of the topic. The
// topic is not empty.
func (t *topic) oldest(base uint32) uint32 {
	if !t.shuffled {
		return t.slots.at(0).seg - base
	}
	if t.lowest == nil {
		low, ordered := t.slots.at(0).seg, true
		for i := 1; i < t.slots.count; i++ {
			seg, before := t.slots.at(i).seg, t.slots.at(i-1).seg
			ordered = ordered && seg-base >= before-base
			if seg-base < low-base {
				low = seg
			}
		}
		t.lowest, t.shuffled = &low, !ordered
	}
	return *t.lowest - base
}

// A topic with no more than this, headers included, and than half a segment, is small: its entries
// are copied forward, so as not to keep old segments.
const (
	copyBytesMax   = 256 << 10
	copyEntriesMax = 1 << 10
)

// pinnedDefault is how many segments there are before small topics are copied forward.
const pinnedDefault = 8

// pinning returns a small topic whose entries keep the oldest segment, if nothing but such topics does.
func (l *Log) pinning() *topic {
	if len(l.segs) <= l.o.PinnedSegments || l.copySkip == l.active().seq || l.segs[0].pins > 0 {
		return nil
	}
	base := uint32(l.segs[0].seq)
	var found *topic
	for _, t := range l.topics {
		if t.slots.count == 0 || t.oldest(base) != 0 {
			continue
		}
		if !t.small(int(min(copyBytesMax, (l.o.SegmentBytes-bodyStart)/2))) {
			l.copySkip = l.active().seq // look again when another segment is in use
			return nil
		}
		found = t
	}
	return found
}

func (t *topic) small(bytesMax int) bool {
	if t.slots.count > copyEntriesMax {
		return false
	}
	bytes := 0
	for i := range t.slots.count {
		bytes += recordHeaderBytes + roundUp(int(t.slots.at(i).length), alignBytes)
	}
	return bytes <= bytesMax
}

// copying is a topic being copied forward. It belongs to the job until that is done.
type copying struct {
	topic   Topic
	extents []Extent
	batch   Batch
}

// copyForward reads the entries of a small topic and stages them again. The copies are durable
// with the next group, and ride along in it; then the older segments are free.
func (l *Log) copyForward(t *topic) (job func(runtime.FS) error, done func(error)) {
	hi := t.live.next
	for hi > t.live.first && t.slot(hi-1).seg == uint32(l.active().seq) {
		hi--
	}
	extents, err := l.Locate(t.id, t.live.first, hi, copyBytesMax)
	if err != nil {
		l.copySkip = l.active().seq
		return nil, nil
	}
	c := &copying{topic: t.id, extents: extents}
	l.chore.busy = true
	job = func(fs runtime.FS) error {
		return ReadExtents(fs, c.extents, func(index, term uint64, flags uint8, payload []byte) error {
			c.batch.copyEntry(c.topic, index, term, flags, payload)
			return nil
		})
	}
	done = func(err error) {
		l.chore.busy = false
		if err == nil {
			err = l.stageCopies(c)
		}
		if err != nil {
			l.copySkip = l.active().seq
		}
		l.Release(c.extents)
	}
	return job, done
}

// stageCopies stages what has been read and is still the same.
func (l *Log) stageCopies(c *copying) error {
	t := l.find(c.topic)
	ops := c.batch.ops[:0]
	bytes, i := 0, 0
	for _, e := range c.extents {
		for _, s := range e.slots {
			op := c.batch.ops[i]
			i++
			if op.index >= max(t.live.first, t.staged.first) && op.index < min(t.live.next, t.cutFrom, t.stagedFrom) && t.slot(op.index) == s {
				ops = append(ops, op)
				bytes += op.size()
			}
		}
	}
	c.batch.ops = ops
	if l.NoSpace(bytes) {
		return ErrNoSpace
	}
	if err := l.stageChore(&c.batch); err != nil {
		return err
	}
	l.stats.Copied += uint64(len(ops))
	l.copySkip = l.active().seq
	return nil
}

// stageChore stages changes that nobody asked for, and that need no flush of their own.
func (l *Log) stageChore(b *Batch) error {
	before := len(l.open.ops)
	err := l.Stage(b)
	l.open.unasked += len(l.open.ops) - before
	return err
}
