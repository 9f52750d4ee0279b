package walrus

import "github.com/octopii-go/octopii/runtime"

// Reopen is the way on after a Flush that failed, instead of Fail, if Options.Reopen
// is set. The group is written again, into a new segment, and synced there. The file whose
// sync failed is not written to any more, and its cache is dropped, so that reads
// show what the device holds. Job runs on the log lane. When done has been called without
// an error the group is durable: publish it. An error, be it for
// lack of space, is final and matches ErrFailed: report it to Fail.
//
// It returns nil and nil if a chore is under way: ask again when that is done.
//
// The new segment pins the end of the log before the group, so that what the failed flush
// left behind is not part of the log. It is written as a recovery writes one, and a
// crash at any point leaves what a recovery can leave.
func (l *Log) Reopen(g *Group) (job func(runtime.FS) error, done func(error)) {
	if !l.o.Reopen || g == nil || g != l.flight || l.failed != nil {
		panic("walrus: Reopen without the option, or of a group that is not in flight")
	}
	if l.chore.busy {
		return nil, nil
	}
	r := l.planReopen(g)
	l.chore.busy = true
	job = func(fs runtime.FS) error { return r.run(disk{fs}) }
	done = func(err error) {
		l.chore.busy = false
		if err == nil {
			l.adopt(g, r)
		}
	}
	return job, done
}

// reopening is a reopen under way. It belongs to the job until that is done.
type reopening struct {
	o      Options
	u      *unit
	failed runtime.File   // not written to any more
	idle   []runtime.File // to be closed
	next   spare          // holds the name of the segment after the unit
}

// planReopen makes the segment that takes the group. It follows the one whose file failed;
// or, if the group was the first there, so that not even that one's header is
// certain to be durable, it takes its place.
func (l *Log) planReopen(g *Group) *reopening {
	old := l.active()
	own := &g.header
	u := &unit{}
	u.header = segmentHeader{flags: headerWhole, id: l.id, size: uint64(min(l.o.SegmentBytes, unitBytes)), topics: l.rows()}
	u.header.prev = segmentEnd{seq: old.seq, end: own.lsn, sum: own.prevSum}
	if g.off == bodyStart {
		u.header.prev.seq--
	} else {
		u.header.flags |= headerSpoiled
	}
	u.header.seq = u.header.prev.seq + 1
	u.header.base = g.end + lsnGap
	u.header.salt = saltOf(runtime.Mix(l.o.Seed, u.header.base), u.header.seq)
	u.seg = &segment{
		seq: u.header.seq, name: segmentName(l.o.Dir, u.header.seq),
		salt: u.header.salt, base: u.header.base, size: int64(u.header.size),
	}
	n := &Group{}
	n.reset()
	group := g.bytes()
	n.buf = append(n.buf, group[groupHeaderBytes:len(group)-trailerBytes]...)
	n.ops = append(n.ops, g.ops...)
	u.header.put(n.buf[:bodyStart])
	n.addMissing(&l.state)
	h := groupHeader{lsn: u.header.base, durable: own.lsn, prevSum: own.prevSum, flags: groupRecovered}
	n.close(h, u.header.salt)
	n.sign()
	r := &reopening{o: l.o, u: u, failed: g.file}
	n.seg, n.off = u.seg, bodyStart
	u.group = n
	for _, s := range l.spares {
		r.idle = append(r.idle, s.file)
	}
	if m := l.chore.making; m != nil && m.file != nil {
		r.idle = append(r.idle, m.file)
	}
	return r
}

func (r *reopening) run(d disk) (err error) {
	_ = dropCache(r.failed) // whoever reads it verifies what it gets
	_ = r.failed.Close()    // its last sync has failed; there is nothing more to learn
	for _, f := range r.idle {
		_ = f.Close() // nothing is in it
	}
	w := &recovery{d: d, o: r.o, report: &Report{}}
	if r.next, err = w.commit(r.u); err != nil {
		r.u.close()
		return failed("reopen", err)
	}
	return nil
}

// adopt goes on with the new segment.
func (l *Log) adopt(g *Group, r *reopening) {
	old := l.active()
	if g.off == bodyStart {
		l.segs = l.segs[:len(l.segs)-1]
	} else {
		old.file, old.end, old.spoiled = nil, g.off, true
		l.journal.reset() // the old file gets no seal
	}
	r.u.seg.file = r.u.file
	l.segs = append(l.segs, r.u.seg)
	l.spares = append(l.spares[:0], r.next)
	if m := l.chore.making; m != nil && m.recycled != "" {
		l.dead = append(l.dead, m.recycled)
	}
	l.chore.making = nil
	*g = *r.u.group
	l.end = bodyStart + int64(len(g.bytes()))
	l.stats.Reopened++
}
