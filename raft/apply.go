package raft

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// apply is the state of handing committed entries to the state machine. One
// round is under way at a time.
type apply struct {
	handed  Index // given out, or under a snapshot that the driver restores
	applied Index // reported done
	due     Index // what is committed up to here does not wait for more

	load    uint64  // the read under way for the next round; zero: none
	loaded  []Entry // what it brought
	retryAt runtime.Instant
}

// handOut gives the next round of committed entries to the driver, or asks
// for them if they are only on disk.
func (c *Core) handOut() {
	a := &c.apply
	if c.now >= a.retryAt {
		a.retryAt = runtime.Never
	}
	if a.applied < a.handed || a.handed == c.commit {
		return
	}
	lo, hi := a.handed+1, c.commit+1
	if every := Index(c.cfg.RoundEvery); every > 0 {
		hi = min(hi, (a.handed/every+1)*every+1)
	}
	switch {
	case lo >= c.log.cached():
		if round := c.log.view(lo, hi, c.cfg.MaxApplyBytes); !c.gathers(len(round)) {
			c.out.Apply = round
		}
	case len(a.loaded) > 0:
		c.out.Apply = a.loaded[:min(len(a.loaded), int(hi-lo))]
	case a.load == 0 && a.retryAt == runtime.Never:
		a.load = c.askLoad(lo, min(hi, c.log.cached()), c.cfg.MaxApplyBytes)
	}
	a.handed += Index(len(c.out.Apply))
	if len(c.out.Apply) > 0 {
		a.loaded = nil
	}
}

// gathers reports whether a round of so many entries waits for more. Nobody waits for what is applied by a member that does not
// lead, and each round costs its driver a job.
func (c *Core) gathers(size int) bool {
	a := &c.apply
	return c.role != Leader && size < c.cfg.ApplyTogether && a.handed >= a.due && a.handed+Index(size) == c.commit
}

// Hurry says that somebody waits for what is committed by now to be applied: see CoreConfig.ApplyTogether.
func (c *Core) Hurry() { c.apply.due = c.commit }

// Applied says that the state machine has applied everything given in
// Output.Apply up to i, or that a snapshot at i accepted by Install is restored.
func (c *Core) Applied(i Index) {
	if i > c.apply.handed {
		panic(fmt.Sprintf("raft: applied %d of %d handed out", i, c.apply.handed))
	}
	c.apply.applied = max(c.apply.applied, i)
}

// askLoad asks the driver for entries that are only on disk.
func (c *Core) askLoad(lo, hi Index, bytes int) uint64 {
	c.loads++
	c.out.Loads = append(c.out.Loads, Load{ID: c.loads, Lo: lo, Hi: hi, MaxBytes: bytes})
	return c.loads
}

// oldEntries returns the peer's next entries as read from disk, or asks for
// them and returns none.
func (c *Core) oldEntries(p *progress) []Entry {
	l := &p.load
	if entries := c.current(l.entries, p.next); len(entries) > 0 {
		return entries[:cut(entries, c.cfg.MaxAppendBytes)]
	}
	l.entries = nil
	if l.id == 0 && !l.paused {
		l.id = c.askLoad(p.next, c.log.cached(), c.cfg.MaxAppendBytes)
	}
	return nil
}

// Loaded answers a Load with a non-empty run of entries from Load.Lo on. The
// core owns them from here on. An answer nobody waits for any longer is dropped.
func (c *Core) Loaded(id uint64, entries []Entry) {
	if id == 0 {
		return
	}
	if id == c.apply.load {
		c.apply.load = 0
		c.apply.loaded = c.current(entries, c.apply.handed+1)
		if len(c.apply.loaded) == 0 {
			c.apply.retryAt = c.now.Add(c.cfg.HeartbeatInterval)
		}
		return
	}
	for i := range c.peers {
		if l := &c.peers[i].load; l.id == id {
			l.id, l.entries = 0, entries
			l.paused = len(c.current(entries, c.peers[i].next)) == 0
		}
	}
}

// Unreadable says that a Load failed for now. If the entries are still needed
// they are asked for again, by another Load, about a heartbeat interval later.
func (c *Core) Unreadable(id uint64) { c.Loaded(id, nil) }

// current returns those of the entries read from disk that are what the log has
// now, from lo on without a gap.
func (c *Core) current(entries []Entry, lo Index) []Entry {
	for len(entries) > 0 && entries[0].Index < lo {
		entries = entries[1:]
	}
	for i := range entries {
		e := &entries[i]
		if e.Index != lo+Index(i) || e.Index <= c.log.base.index || !c.log.has(entryID{e.Index, e.Term}) {
			return entries[:i]
		}
	}
	return entries
}
