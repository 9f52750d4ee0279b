package walrus

import (
	"fmt"
	"math"
)

// Stage encodes a batch into the open group, all of it or, with an error,
// nothing. The bytes are copied. Errors match
//   - ErrGap or ErrCompacted: an index does not fit the topic, including what is staged;
//   - ErrTooLarge: a limit forbids the batch for good;
//   - ErrFull: stage it again after the next Cut or chore;
//   - ErrTransaction: what is to be decided is not prepared, or the other way round;
//   - ErrNoSpace: the device is full. Refused are entries and
//     transactions, unless Batch.Insist says otherwise;
//   - ErrFailed: the log has stopped.
//
// An empty batch stages nothing. Staged changes are visible to nobody
// until they are published.
func (l *Log) Stage(b *Batch) error {
	if l.failed != nil {
		return l.failed
	}
	if len(b.ops) == 0 && !b.prepares {
		return nil
	}
	plain, size := l.plain(b)
	ops, err := b.ops, error(nil)
	if plain == nil {
		if ops, size, err = l.try(b); err != nil {
			return err
		}
	}
	if err := l.fits(size); err != nil {
		return err
	}
	if l.noSpace && !b.insist && appends(ops) && l.NoSpace(size) {
		return fmt.Errorf("walrus: batch of %d bytes: %w", size, ErrNoSpace)
	}
	if len(l.open.ops) == 0 && l.free != nil {
		// The memory of the group published last is in the processor's caches.
		l.open, l.free, l.last = l.free, l.open, nil
		l.open.reset()
	}
	if plain != nil {
		l.encodePlain(plain, ops)
		return nil
	}
	for _, t := range l.topics {
		t.staged.first, t.staged.next = t.trial.first, t.trial.next // as in record.copyTo
	}
	for i := range ops {
		l.encode(&ops[i], l.find(ops[i].topic))
	}
	if b.prepares || b.decides {
		l.stagedTxs, l.trialTxs = l.trialTxs, l.stagedTxs
		clear(l.planned) // the payloads are their owners' again
	}
	return nil
}

// plain returns the topic and the size in bytes of a batch that is nothing but entries of one topic, each
// in its place: what try makes of it, in short. Most are. Of any other batch it returns no topic.
func (l *Log) plain(b *Batch) (t *topic, size int) {
	if b.prepares || b.decides || b.ops[0].kind != kindEntry || b.ops[0].topic == 0 {
		return nil, 0
	}
	t = l.find(b.ops[0].topic)
	if t == nil || t.main != nil || t.staged.next > math.MaxUint64-uint64(len(b.ops)) {
		return nil, 0
	}
	each, most := recordHeaderBytes, l.o.GroupBytes
	if t.recovery != nil {
		each += recordHeaderBytes
	}
	next := t.staged.next
	for i := range b.ops {
		op := &b.ops[i]
		if op.kind != kindEntry || op.topic != t.id || op.index != next || len(op.payload) > most {
			return nil, 0
		}
		next++
		size += each + roundUp(len(op.payload), alignBytes)
	}
	return t, size
}

// encodePlain puts entries of one topic into the open group.
func (l *Log) encodePlain(t *topic, ops []change) {
	for i := range ops {
		l.encode(&ops[i], t)
	}
	t.staged.next += uint64(len(ops))
	if t.recovery != nil {
		t.recovery.staged = t.staged
	}
}

// unstage forgets what has been staged since the last publish.
func (l *Log) unstage() {
	for _, t := range l.topics {
		t.staged, t.cutFrom, t.stagedFrom = t.live, noIndex, noIndex
	}
	l.stagedTxs = append(l.stagedTxs[:0], l.txs...)
	l.open.reset()
}

// appends reports whether there are entries, or a transaction that may have some.
func appends(ops []change) bool {
	for i := range ops {
		if k := ops[i].kind; k == kindEntry || k == kindPrepare {
			return true
		}
	}
	return false
}

// try applies the batch to the trial bounds. It returns the changes that it comes to, and their
// size in bytes.
func (l *Log) try(b *Batch) (ops []change, size int, err error) {
	for _, t := range l.topics {
		t.trial = t.staged
	}
	if b.prepares || b.decides {
		size, err = l.tryTransaction(b)
		return l.planned, size, err
	}
	for i := range b.ops {
		n, err := l.check(&b.ops[i])
		if err != nil {
			return nil, 0, err
		}
		size += n
	}
	return b.ops, size, nil
}

// check applies a change to the trial bounds and returns its size in bytes.
func (l *Log) check(op *change) (size int, err error) {
	if len(op.payload) > l.o.GroupBytes {
		return 0, fmt.Errorf("walrus: payload of %d bytes: %w", len(op.payload), ErrTooLarge)
	}
	if op.kind == kindSet && (len(op.payload) > MaxValue || op.index >= MaxKeys) {
		return 0, fmt.Errorf("walrus: key %d, %d bytes: %w", op.index, len(op.payload), ErrTooLarge)
	}
	if op.kind.topicless() {
		return op.size(), nil
	}
	if op.topic == 0 {
		return 0, fmt.Errorf("walrus: topic 0: %w", ErrTooLarge)
	}
	t := l.topic(op.topic)
	if t == nil {
		return 0, fmt.Errorf("walrus: topic %d: %w", op.topic, ErrTooLarge)
	}
	if t.main != nil {
		return 0, fmt.Errorf("walrus: topic %d is a mirror: %w", op.topic, ErrMirror)
	}
	if t.trial, err = t.trial.after(&op.record); err != nil {
		return 0, err
	}
	if op.kind == kindCopy {
		return op.size(), t.checkCopy(op)
	}
	if t.recovery != nil {
		t.recovery.trial = t.trial
		return op.size() + recordHeaderBytes, nil
	}
	return op.size(), nil
}

// fits checks the room for size more bytes.
//
// What chores have staged does not count, as long as it is alone: it is not cut for its own sake, so that a batch that had no
// room beside it would find none for ever; and if it had to make way, a log of such batches would never be rid of
// anything. It is one small topic and the truncations of one Publish, at most, and MaxGroup has room for it.
func (l *Log) fits(size int) error {
	limit := l.o.GroupBytes
	if l.open.idle() {
		limit += l.open.size() - groupHeaderBytes - trailerBytes
	}
	group := groupHeaderBytes + size + trailerBytes
	if group > l.o.GroupBytes {
		return fmt.Errorf("walrus: batch of %d bytes, groups take %d: %w", size, l.o.GroupBytes, ErrTooLarge)
	}
	if l.open.size()+size > limit {
		return fmt.Errorf("walrus: batch of %d bytes on %d: %w", size, l.open.size(), ErrFull)
	}
	if l.end+int64(l.open.size()+size) > segmentGrowMax && !l.canRotate() {
		return fmt.Errorf("walrus: %s has no successor: %w", l.active().name, ErrFull)
	}
	return nil
}

// NoSpace reports whether the device is full and entries of that many bytes, headers
// included, are refused. It is found when the next segment is prepared, so the log has room
// left for what may not be refused, such as truncations. Space that returns is found by the chores.
func (l *Log) NoSpace(bytes int) bool {
	if !l.noSpace || l.canRotate() {
		return false
	}
	return l.end+int64(l.open.size()+bytes)+l.o.reserve() > l.active().size
}

// encode puts one change, of topic t if it is of any, and the link that mirrors it, into the open group.
func (l *Log) encode(c *change, t *topic) {
	off := l.open.add(&c.record, c.payload)
	if c.kind.topicless() {
		return
	}
	t.replaces(&c.record)
	if t.recovery == nil || c.kind == kindCopy {
		return
	}
	link := c.record
	link.topic = t.recovery.id
	if c.kind == kindEntry {
		link.kind, link.length = kindLink, off
	}
	l.open.addLink(&link)
}

// canRotate reports whether the next segment may be put to use: the one after
// it must exist durably first, and it must have its blocks. So a crash leaves a segment in use without a
// successor only if the successor was lost, and recovery can tell.
func (l *Log) canRotate() bool { return len(l.spares) >= 2 && l.spares[0].size >= l.o.SegmentBytes }

// Cut closes the open group and returns it for Flush. It returns nil if nothing is
// staged but what chores did, if a group is in flight, or if the log has failed. Staging goes on in
// a new group.
func (l *Log) Cut() *Group {
	if l.failed != nil || l.flight != nil || l.open.idle() {
		return nil
	}
	g := l.open
	g.joinLinks()
	if l.end+int64(g.size()) > l.active().size && l.canRotate() {
		l.rotate(g)
	}
	seg := l.active()
	if l.end == bodyStart { // the first group of its segment, in which one may have been taken back
		l.heading.put(g.buf[:bodyStart])
		g.addMissing(&l.state)
	}
	lsn := seg.base + uint64(l.end-bodyStart)
	g.close(groupHeader{lsn: lsn, durable: l.durable, prevSum: l.prevSum}, seg.salt)

	g.seg, g.file, g.off, g.prepared = seg, seg.file, l.end, seg.size
	g.write, g.at = g.bytes(), g.off
	if g.off == bodyStart { // the segment's headers travel with its first group
		g.write, g.at = g.buf, 0
	}
	l.end += int64(len(g.bytes()))
	for _, t := range l.topics {
		t.cutFrom, t.stagedFrom = t.stagedFrom, noIndex
	}
	l.flight, l.open, l.free, l.last = g, l.free, nil, nil
	l.open.reset()
	return g
}

// rotate puts the next segment to use, in which the group will be the first. Nothing is
// in flight, so the published state is the state before the group. Another rotation takes more
// spares, which are not made before the segment holds a durable group.
func (l *Log) rotate(g *Group) {
	old, next := l.active(), l.spares[0]
	seg := &segment{seq: next.seq, name: next.name, file: next.file, salt: saltOf(l.o.Seed, next.seq), size: next.size}
	seg.base = old.base + uint64(l.end-bodyStart)
	l.heading = segmentHeader{id: l.id, seq: seg.seq, salt: seg.salt, base: seg.base,
		size: uint64(next.size), topics: l.rows()}
	l.heading.prev = segmentEnd{seq: old.seq, end: seg.base, sum: l.prevSum}

	old.end = l.end
	l.finish(old, l.end, l.prevSum)
	g.stale, old.file = old.file, nil
	l.segs = append(l.segs, seg)
	l.spares = append(l.spares[:0], l.spares[1:]...)
	l.end = bodyStart
}
