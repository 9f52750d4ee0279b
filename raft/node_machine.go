package raft

import (
	"fmt"
	"path"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// open gives a state machine that keeps files its folder, and then runs done.
// The folder counts for nothing: if a power loss takes it, the state machine begins
// with an empty one and is given its state like any other.
func (a *applier) open(done func()) {
	n := a.node
	storer, ok := a.replica.machine.(Storer)
	if !ok {
		done()
		return
	}
	dir := path.Join(n.cfg.Dir, "machine")
	open := func(files runtime.FS) error {
		if err := walrus.Retry(func() error { return files.MkdirAll(dir) }); err != nil {
			return err
		}
		return storer.Open(files, dir)
	}
	n.env.Submit(laneApply, open, func(err error) {
		switch {
		case n.phase == ended:
		case err != nil:
			n.halt(fmt.Errorf("raft: open state machine in %s: %w", dir, err))
		default:
			done()
		}
	})
}

// compact tells a state machine that wants to know of a snapshot that the log
// names, unless it has yet to be restored from it.
func (a *applier) compact(index Index) {
	n := a.node
	compactor, ok := a.replica.machine.(Compactor)
	if !ok {
		return
	}
	replica := a.replica
	compact := func(runtime.FS) error {
		if replica.index < index {
			return nil
		}
		return compactor.Compact(index)
	}
	n.env.Submit(laneApply, compact, func(err error) {
		if err != nil && n.phase != ended {
			n.refuse(laneApply, fmt.Errorf("raft: compact to %d: %w", index, err))
		}
	})
}
