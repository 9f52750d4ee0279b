package raft

import (
	"errors"
	"slices"
)

// ErrNotRunning is the error of what a node is asked before its recovery is done, or while it drains.
var ErrNotRunning = errors.New("raft: the node is not running")

// demand is a snapshot that somebody waits for.
type demand struct {
	index Index // it must be here or later
	done  func(error)
}

// Snapshot takes a snapshot of what is applied now, however little that is since the last one. done is
// called on the loop, perhaps before Snapshot returns: with nil when a snapshot that late is durable,
// else with why it was not taken, and it will not be tried again for this caller. If
// the node ends first done is never called. It may be called only on the loop.
func (n *Node) Snapshot(done func(error)) {
	k := &n.keeper
	switch {
	case n.phase != running:
		done(ErrNotRunning)
	case n.applier.applied <= k.newest.Index:
		done(nil)
	default:
		k.demands = append(k.demands, demand{index: n.applier.applied, done: done})
		k.consider()
		n.settle()
	}
}

// demanded reports whether somebody waits for a snapshot that there is not.
func (k *keeper) demanded() bool { return len(k.demands) > 0 }

// satisfy tells those whose snapshot there is now.
func (k *keeper) satisfy() {
	k.answer(nil, func(d demand) bool { return d.index <= k.newest.Index })
}

// disappoint tells everybody who waits that there is none.
func (k *keeper) disappoint(err error) {
	k.answer(err, func(demand) bool { return true })
}

func (k *keeper) answer(err error, which func(demand) bool) {
	var answered []demand
	k.demands = slices.DeleteFunc(k.demands, func(d demand) bool {
		if which(d) {
			answered = append(answered, d)
			return true
		}
		return false
	})
	for _, d := range answered {
		d.done(err)
	}
}
