package raft

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// InitialState is what a member finds on its disk at boot. The zero value,
// with an incarnation drawn, is that of a new disk.
type InitialState struct {
	State HardState
	// Snapshot is the newest durable snapshot, whose state the driver has
	// restored; zero: none. The log may lag behind it, or contradict it, if the
	// member died before it could write that the snapshot replaces the log.
	Snapshot SnapshotMeta
	// FirstIndex and LastIndex bound the entries in the log. If there are
	// none, LastIndex is FirstIndex-1. Entries up to the snapshot may be among them.
	FirstIndex, LastIndex Index
	// Term returns the term of an entry from FirstIndex to LastIndex. It is
	// called during Validate and NewCore only. Payloads stay on disk and come by
	// Output.Loads.
	Term func(Index) Term
}

// Validate reports what in the state no member could have written.
func (st InitialState) Validate() error {
	if st.FirstIndex == 0 && st.LastIndex == 0 {
		st.FirstIndex = 1
	}
	switch {
	case st.FirstIndex == 0 || st.LastIndex < st.FirstIndex-1:
		return fmt.Errorf("raft: log from %d to %d", st.FirstIndex, st.LastIndex)
	case st.FirstIndex > st.Snapshot.Index+1:
		return fmt.Errorf("raft: log begins at %d, the snapshot ends at %d", st.FirstIndex, st.Snapshot.Index)
	case (st.Snapshot.Index == 0) != (st.Snapshot.Term == 0):
		return fmt.Errorf("raft: snapshot at %d of term %d", st.Snapshot.Index, st.Snapshot.Term)
	case st.Snapshot.Term > st.State.Term:
		return fmt.Errorf("raft: snapshot of term %d in term %d", st.Snapshot.Term, st.State.Term)
	case st.State.Term == 0 && st.State.Vote != 0:
		return errors.New("raft: vote without a term")
	}
	last := Term(1)
	for i := st.FirstIndex; i <= st.LastIndex; i++ {
		term := st.Term(i)
		if term < last {
			return fmt.Errorf("raft: entry %d of term %d after term %d", i, term, last)
		}
		last = term
	}
	if st.LastIndex >= st.FirstIndex && last > st.State.Term {
		return fmt.Errorf("raft: entry %d of term %d in term %d", st.LastIndex, last, st.State.Term)
	}
	return nil
}

// NewCore starts a member from what its disk holds, as a follower. It panics
// if cfg or st do not validate.
func NewCore(cfg CoreConfig, st InitialState, now runtime.Instant, jitter uint64) *Core {
	if err := errors.Join(cfg.Validate(), st.Validate()); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	c := &Core{
		cfg:         cfg,
		quorum:      len(cfg.Voters)/2 + 1,
		now:         now,
		term:        st.State.Term,
		vote:        st.State.Vote,
		incarnation: st.State.Incarnation,
		election:    election{timeout: cfg.ElectionTimeout, round: jitter},
		writes:      writes{next: 1},
		apply:       apply{retryAt: runtime.Never},
	}
	for _, id := range cfg.Voters {
		if id != cfg.ID {
			ring := make([]inflight, cfg.MaxInflightMessages)
			c.peers = append(c.peers, progress{id: id, window: window{ring: ring}})
		}
	}
	c.recover(st)
	c.election.reseed(jitter)
	c.election.reset(now)
	c.event(Started, uint64(c.term), uint64(c.vote), uint64(c.snapshot.Index), uint64(c.log.last))
	return c
}

// recover takes over the log and the snapshot found on disk.
func (c *Core) recover(st InitialState) {
	first := st.FirstIndex
	switch {
	case st.LastIndex == 0 || first == st.Snapshot.Index+1:
		c.log.reset(entryID{st.Snapshot.Index, st.Snapshot.Term})
		first = st.Snapshot.Index + 1
	case st.LastIndex >= first:
		// The term before the first entry is forgotten. So that it need not be
		// known, the first entry is given up: it serves as the base.
		c.log.reset(entryID{first, st.Term(first)})
		first++
	}
	for i := first; i <= st.LastIndex; i++ {
		c.log.note(st.Term(i))
	}
	c.writes.staged, c.writes.durable = c.log.last, c.log.last
	c.snapshot = st.Snapshot
	c.commit = st.Snapshot.Index
	c.apply.handed, c.apply.applied = c.commit, c.commit
	if id := (entryID{st.Snapshot.Index, st.Snapshot.Term}); !c.log.has(id) {
		c.log.reset(id)
		c.writes.reset(st.Snapshot, 0)
	}
}
