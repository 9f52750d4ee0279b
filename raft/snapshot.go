package raft

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// stepOffer hands the leader's offer of a snapshot to the driver.
func (c *Core) stepOffer(m *Message) {
	if c.hearLeader(m) {
		c.out.Offers = append(c.out.Offers, *m)
	}
}

// SnapshotSaved says that a snapshot of the own state is durable as a file.
// The log drops what it covers but for the last keep entries, and for those that
// a leader withholds from spared peers (Persist.Compact). One that is not newer than the newest known is ignored.
func (c *Core) SnapshotSaved(meta SnapshotMeta, keep uint64) {
	if meta.Index <= c.snapshot.Index {
		return
	}
	if meta.Index > c.apply.applied {
		panic(fmt.Sprintf("raft: snapshot at %d beyond applied %d", meta.Index, c.apply.applied))
	}
	if term := c.log.term(meta.Index); term != meta.Term {
		panic(fmt.Sprintf("raft: snapshot at %d of term %d, entry of term %d", meta.Index, meta.Term, term))
	}
	base := c.log.base.index
	if uint64(meta.Index) > keep {
		base = max(base, meta.Index-Index(keep))
	}
	c.compact(meta, c.keepWithheld(base))
	c.writes.compact = true
}

// compact notes the newest snapshot and lets the log begin after base.
func (c *Core) compact(meta SnapshotMeta, base Index) {
	c.snapshot = meta
	c.log.compact(base)
	c.event(Compacted, uint64(c.log.first()), uint64(meta.Index), 0, 0)
}

// Install says that a snapshot received from a leader is durable as a file. If
// the result is true, the log now stands on it (Persist.Reset, or
// Persist.Compact if the log held its last entry and keeps what follows):
// the driver restores the state machine from it before it applies anything
// that later Takes return, and reports Applied. If false, the snapshot is not
// newer than what is committed here, or this member leads: nothing changed.
func (c *Core) Install(meta SnapshotMeta) bool {
	if meta.Index <= c.commit || c.role == Leader || meta.Term > c.term {
		return false
	}
	id := entryID{meta.Index, meta.Term}
	switch {
	case !c.log.has(id):
		if c.log.last > meta.Index {
			// These follow an entry that the snapshot contradicts.
			c.event(Truncated, uint64(meta.Index+1), uint64(c.term), 0, 0)
		}
		c.snapshot = meta
		c.log.reset(id)
		c.writes.reset(meta, c.commit)
		c.event(Compacted, uint64(c.log.first()), uint64(meta.Index), 0, 0)
	case meta.Index > c.writes.staged:
		// Some of the entries that it covers were never written, and never will be.
		c.compact(meta, meta.Index)
		c.writes.reset(meta, meta.Index)
	default:
		c.compact(meta, meta.Index)
		c.writes.compact = true
	}
	// The state of a snapshot is committed, so every leader from now on has it.
	c.verified = max(c.verified, meta.Index)
	c.setCommit(meta.Index, c.verified)
	c.apply.handed = meta.Index
	c.apply.load, c.apply.loaded = 0, nil
	return true
}

// SnapshotSent ends the transfer that Output.SendSnapshot asked for. ok: the
// peer holds the snapshot durably, or answered that it is past it. Otherwise
// the transfer is asked for again if it is still needed, once the peer gives a
// sign of life.
func (c *Core) SnapshotSent(to runtime.NodeID, meta SnapshotMeta, ok bool) {
	if c.role != Leader {
		return
	}
	for i := range c.peers {
		p := &c.peers[i]
		if p.id != to || p.state != snapshotting {
			continue
		}
		if ok {
			c.probe(p, min(meta.Index, c.log.last)+1)
			continue
		}
		c.probe(p, p.next)
		p.waiting = true
		p.round = c.round
	}
}
