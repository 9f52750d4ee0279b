package walrus

import (
	"path"

	"github.com/octopii-go/octopii/runtime"
)

const (
	// spareName is a file on its way to be a spare segment.
	spareName = "spare.tmp"
	// allocateStep is how much one chore zeroes: flushes wait behind chores.
	allocateStep = 4 << 20
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
// It prepares spare segments and removes segments that nothing needs.
func (l *Log) Chore() (job func(runtime.FS) error, done func(error)) {
	switch {
	case l.chore.busy || l.failed != nil:
		return nil, nil
	case len(l.spares) < sparesMin && l.settled == l.active().seq:
		return l.prepare()
	case len(l.dead) > 0:
		return l.removeDead()
	case l.removable():
		return l.removeOldest()
	}
	return nil, nil
}

// prepare works on the next spare.
func (l *Log) prepare() (job func(runtime.FS) error, done func(error)) {
	m := l.chore.making
	if m == nil {
		seq := l.active().seq + uint64(len(l.spares)) + 1
		m = &making{dir: l.o.Dir, size: l.o.SegmentBytes, spare: spare{seq: seq, name: segmentName(l.o.Dir, seq)}}
		l.chore.making = m
	}
	l.chore.busy = true
	job = func(fs runtime.FS) error { return m.step(disk{fs}) }
	done = func(err error) {
		l.chore.busy = false
		switch {
		case err != nil:
			l.chore.making = nil
		case m.finished:
			l.chore.making = nil
			l.spares = append(l.spares, m.spare)
		}
	}
	return job, done
}

// making is a spare segment being made. Its fields belong to the job while one
// runs, and to the loop otherwise.
type making struct {
	spare
	dir       string
	size      int64
	allocated int64
	named     bool // has its final name, not yet durably
	finished  bool
}

// step does one more part. The zeros need no sync of their own: nobody relies on
// them, and the sync of the first group carries them along.
//
// The name does need one, because whatever is acknowledged in this segment
// hangs on it. If that sync fails, the name may be missing after a power loss for
// ever, and no later sync of the folder would prove otherwise. So the file is
// given up, and the next attempt renames another one over it, which is a change of
// the folder of its own, made durable by a sync of its own. Until then the segment
// before it is not put to use, so that nothing hangs on the doubtful name.
func (m *making) step(d disk) error {
	err := m.grow(d)
	if err == nil && m.named {
		err = d.syncDir(m.dir)
		m.finished = err == nil
	}
	if err != nil {
		m.giveUp()
	}
	return err
}

// grow zeroes the next part of the file, and gives it its name after the last.
func (m *making) grow(d disk) (err error) {
	tmp := path.Join(m.dir, spareName)
	if m.file == nil {
		if m.file, err = d.create(tmp); err != nil {
			return err
		}
	}
	n := min(allocateStep, m.size-m.allocated)
	if err := allocate(m.file, m.allocated, n); err != nil {
		return err
	}
	if m.allocated += n; m.allocated < m.size {
		return nil
	}
	m.named = true
	return d.rename(tmp, m.name)
}

// giveUp closes the file: nothing was promised about it.
func (m *making) giveUp() {
	if m.file != nil {
		_ = m.file.Close()
	}
}

// removable reports whether nothing needs the oldest segment: a later one holds
// a durable group, and with it the stable keys; no topic has an entry in
// it; no reader has it pinned. That the truncations are durable follows from
// their being published.
func (l *Log) removable() bool {
	oldest := l.segs[0]
	if oldest.seq >= l.settled || oldest.pins > 0 {
		return false
	}
	for _, t := range l.topics {
		if t.slots.count > 0 && t.slots.at(0).seg == uint32(oldest.seq) {
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
	l.dead = append(l.dead, l.segs[0].name)
	l.segs = append(l.segs[:0], l.segs[1:]...)
	return l.removeDead()
}

// removeDead removes a file that is not part of the log any more.
func (l *Log) removeDead() (job func(runtime.FS) error, done func(error)) {
	name := l.dead[0]
	l.chore.busy = true
	job = func(fs runtime.FS) error { return disk{fs}.remove(name) }
	done = func(err error) {
		l.chore.busy = false
		if err == nil {
			l.dead = append(l.dead[:0], l.dead[1:]...)
		}
	}
	return job, done
}
