package walrus

import (
	"github.com/octopii-go/octopii/runtime"
)

const (
	// spareName is a file on its way to be a spare segment.
	spareName = "spare.tmp"
	// allocateStep is how much one chore zeroes: flushes wait behind chores.
	allocateStep = 2 << 20
	// sparesMin is how many segments lie ready: rotation takes one and leaves one. There
	// are never more: a file that far behind a segment shows that the
	// segment holds a durable group.
	sparesMin = 2
)

// chore is the background work of a log.
type chore struct {
	busy   bool
	making *making // a spare not finished yet
}

// Chore returns the next piece of background file work, or nil and nil if
// there is none or the last one is not done. Job runs on the log lane; done
// goes with its result, on the node's loop. A failure is no reason to halt: the
// work is due again at a later Chore.
//
// It prepares spare segments, removes segments that nothing needs, seals those that are
// finished, and copies small topics forward that keep old ones: these copies are staged, and need no
// Cut of their own. An error that matches runtime.ErrNoSpace means that there is no room for
// the next segment: the log goes on as long as it can, see ErrNoSpace.
func (l *Log) Chore() (job func(runtime.FS) error, done func(error)) {
	switch {
	case l.chore.busy || l.failed != nil:
		return nil, nil
	case l.segs[0].spoiled && l.removable(0):
		return l.removeOldest()
	case len(l.dead) > 0 && l.noSpace:
		return l.removeDead()
	case l.noSpace && l.chore.making != nil && l.chore.making.old > 0 && l.removable(0):
		return l.removeOldest() // one has been taken, and was too small
	case l.settled == l.active().seq && l.wanting() < sparesMin:
		return l.prepare()
	case len(l.dead) > 0:
		return l.removeDead()
	case l.removable(1): // one is kept, to be the next spare
		return l.removeOldest()
	case len(l.sealings) > 0 && l.sealings[0].seq < l.settled:
		return l.sealChore()
	}
	if t := l.pinning(); t != nil {
		return l.copyForward(t)
	}
	return nil, nil
}

// wanting returns which spare is to be made next, counted from the active segment: one
// that is missing, or has only a name.
func (l *Log) wanting() int {
	for i := range l.spares {
		if l.spares[i].size < l.o.SegmentBytes {
			return i
		}
	}
	return len(l.spares)
}

// prepare works on the next spare.
func (l *Log) prepare() (job func(runtime.FS) error, done func(error)) {
	m := l.chore.making
	if m == nil {
		m = l.newMaking()
		l.chore.making = m
	}
	if m.recycled == "" && m.old == 0 && (m.file == nil || l.noSpace && !m.named) && l.removable(0) {
		m.recycled = l.dropOldest()
		l.stats.Recycled++
	}
	l.chore.busy = true
	return m.run, m.done
}

// newMaking plans the next spare. It makes the two functions of all its steps, of which
// there are many.
func (l *Log) newMaking() *making {
	i := l.wanting()
	seq := l.active().seq + uint64(i) + 1
	m := &making{dir: l.o.Dir, want: l.o.SegmentBytes, spare: spare{seq: seq, name: segmentName(l.o.Dir, seq)}}
	if i < len(l.spares) {
		m.replaces = l.spares[i].file
	}
	m.run = func(fs runtime.FS) error { return m.step(disk{fs}) }
	m.done = func(err error) { l.stepped(m, err) }
	return m
}

// stepped takes over what a step has done.
func (l *Log) stepped(m *making, err error) {
	l.chore.busy = false
	switch {
	case outOfSpace(err):
		l.noSpace = true
	case err != nil:
		l.chore.making = nil
		if m.recycled != "" {
			l.dead = append(l.dead, m.recycled)
		}
	case m.finished:
		l.chore.making = nil
		l.noSpace = false
		l.supply(m.spare)
	}
}

// supply takes a spare that is ready, in the place of one that only held the name.
func (l *Log) supply(s spare) {
	i := int(s.seq - l.active().seq - 1)
	if i == len(l.spares) {
		l.spares = append(l.spares, s)
		return
	}
	l.spares[i] = s
}

// removable reports whether nothing needs the oldest segment and the n after it: a
// later one holds a durable group, and with it the stable keys; no topic has an
// entry in them; no reader has the oldest pinned. That the truncations are
// durable follows from their being published.
func (l *Log) removable(n int) bool {
	last := l.segs[0].seq + uint64(n)
	if last >= l.settled || l.segs[0].pins > 0 {
		return false
	}
	for _, t := range l.topics {
		if t.slots.count > 0 && t.oldest(uint32(l.segs[0].seq)) <= uint32(n) {
			return false
		}
	}
	return true
}

// removeOldest removes the oldest segment. The folder is not synced: nothing
// relies on the name being gone. If a power loss brings the file back, with or
// without its neighbours, recovery either reads it as the part of the
// chain it is, and finds the truncations in later segments, or finds a gap behind it
// and leaves it out.
func (l *Log) removeOldest() (job func(runtime.FS) error, done func(error)) {
	l.dead = append(l.dead, l.dropOldest())
	return l.removeDead()
}

// dropOldest takes the oldest segment out of the log, and returns the name of its file.
func (l *Log) dropOldest() string {
	if len(l.sealings) > 0 && l.sealings[0].seq == l.segs[0].seq {
		l.dropSealing(0)
	}
	name := l.segs[0].name
	l.stats.Reclaimed += max(l.segs[0].end, l.segs[0].size)
	l.segs = append(l.segs[:0], l.segs[1:]...)
	return name
}

// removeDead removes a file that is not part of the log any more.
func (l *Log) removeDead() (job func(runtime.FS) error, done func(error)) {
	name := l.dead[0]
	l.chore.busy = true
	job = func(fs runtime.FS) error { return disk{fs}.remove(name) }
	done = func(err error) {
		l.chore.busy = false
		if err == nil {
			l.stats.Removed++
			l.dead = append(l.dead[:0], l.dead[1:]...)
		}
	}
	return job, done
}
