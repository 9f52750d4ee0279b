package raft

import (
	"errors"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// loader reads old entries from the log, for peers that need them again and for
// the state machine after a restart.
type loader struct {
	node   *Node
	idle   []*loadJob
	failed []uint64 // loads that could not even begin
}

// loadJob reads the entries of one Load. It is used again for the next.
type loadJob struct {
	id      uint64
	extents []walrus.Extent
	entries []Entry
	visit   func(index, term uint64, flags uint8, payload []byte) error
	run     func(runtime.FS) error
	done    func(error)
}

func (l *loader) newJob() *loadJob {
	j := &loadJob{}
	j.visit = func(index, term uint64, flags uint8, payload []byte) error {
		j.entries = append(j.entries, Entry{Index: Index(index), Term: Term(term), Type: EntryType(flags), Data: payload})
		return nil
	}
	j.run = func(fs runtime.FS) error { return walrus.ReadExtents(fs, j.extents, j.visit) }
	j.done = func(err error) { l.end(j, err) }
	return j
}

// load begins a Load. One that cannot begin is answered by refuse.
func (l *loader) load(load Load) {
	extents, err := l.node.writer.log.Locate(topicMain, uint64(load.Lo), uint64(load.Hi), load.MaxBytes)
	if err != nil {
		l.node.refuse(laneRead, err)
		l.failed = append(l.failed, load.ID)
		return
	}
	var j *loadJob
	if last := len(l.idle) - 1; last >= 0 {
		j, l.idle = l.idle[last], l.idle[:last]
	} else {
		j = l.newJob()
	}
	j.id, j.extents, j.entries = load.ID, extents, nil
	l.node.env.Submit(laneRead, j.run, j.done)
}

// refuse tells the core of the loads that could not begin.
func (l *loader) refuse() {
	for _, id := range l.failed {
		l.node.core.Unreadable(id)
	}
	l.failed = l.failed[:0]
}

// end hands the entries to the core. A read that failed is asked for again
// later; a record that is damaged will be damaged then too, so the node ends rather
// than go on with a log it cannot read.
func (l *loader) end(j *loadJob, err error) {
	n := l.node
	if n.phase == ended {
		return
	}
	n.writer.log.Release(j.extents)
	switch {
	case errors.Is(err, walrus.ErrCorrupt):
		n.halt(err)
		return
	case err != nil:
		n.refuse(laneRead, err)
		n.core.Unreadable(j.id)
	default:
		n.core.Loaded(j.id, j.entries)
	}
	j.extents, j.entries = nil, nil
	l.idle = append(l.idle, j)
	n.settle()
}
