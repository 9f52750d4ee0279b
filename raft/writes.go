package raft

import "fmt"

// writes keeps account of what must go to disk and what is there.
//
// All that one Take must write is one Write. Its id is known beforehand, next,
// so that a message can be gated by it.
type writes struct {
	next WriteID

	// What the next write has to say, beside the entries after staged.
	state    bool
	truncate Index // drop from here on; zero: nothing
	replace  bool  // replace the log by snapshot replacement
	compact  bool
	// replacement is the snapshot that replaces the log, if replace.
	replacement SnapshotMeta

	staged  Index   // entries up to here are in a write issued
	stateID WriteID // the write with the newest hard state

	// issued[head:] are the writes under way, in order, the last being next-1.
	issued    []issued
	head      int
	persisted WriteID // this write and all before it are durable
	durable   Index   // entries up to here are durable as they are in memory

	write Write // what Output.Persist points to
}

// issued is a write under way.
type issued struct {
	// last is the last entry that is durable with this write. A later
	// truncation lowers it: what was written and then superseded does not count.
	last Index
	done bool
}

// setState has the hard state written.
func (w *writes) setState() {
	w.state = true
	w.stateID = w.next
}

// truncated takes back what was said about entries after last, the end of the
// log that is left.
func (w *writes) truncated(last Index) {
	if w.staged > last {
		w.staged = last
		if w.truncate == 0 || w.truncate > last+1 {
			w.truncate = last + 1
		}
	}
	w.clamp(last)
}

// clamp limits what is, or will be, durable to the entries up to last.
func (w *writes) clamp(last Index) {
	w.durable = min(w.durable, last)
	for i := w.head; i < len(w.issued); i++ {
		w.issued[i].last = min(w.issued[i].last, last)
	}
}

// reset has the log replaced by a snapshot. Of what was written only the
// entries up to keep, which the snapshot covers, go on to count.
func (w *writes) reset(meta SnapshotMeta, keep Index) {
	w.replace, w.replacement = true, meta
	w.truncate, w.compact = 0, false
	w.staged = meta.Index
	w.clamp(keep)
}

// gate returns the write that must be durable before a message may leave that
// asserts the hard state and the entries up to i; zero if all that is durable.
func (w *writes) gate(i Index) WriteID {
	gate := WriteID(0)
	if w.stateID > w.persisted {
		gate = w.stateID
	}
	if i <= w.durable {
		return gate
	}
	for k := w.head; k < len(w.issued); k++ {
		if w.issued[k].last >= i {
			return max(gate, w.persisted+WriteID(k-w.head)+1)
		}
	}
	return w.next
}

// finish notes that a write is durable, and reports whether more is durable
// without gaps than before.
func (w *writes) finish(id WriteID) bool {
	if id <= w.persisted || id >= w.next {
		panic(fmt.Sprintf("raft: write %d persisted, under way are those from %d to %d", id, w.persisted+1, w.next-1))
	}
	r := &w.issued[w.head+int(id-w.persisted)-1]
	if r.done {
		panic(fmt.Sprintf("raft: write %d persisted twice", id))
	}
	r.done = true
	from := w.persisted
	for w.head < len(w.issued) && w.issued[w.head].done {
		w.durable = max(w.durable, w.issued[w.head].last)
		w.head++
		w.persisted++
	}
	if w.head == len(w.issued) {
		w.issued, w.head = w.issued[:0], 0
	}
	return w.persisted > from
}

// issue puts what must be written into the output, as one write.
func (c *Core) issue() {
	c.dropVoid()
	w := &c.writes
	if !w.state && !w.replace && !w.compact && w.truncate == 0 && w.staged == c.log.last {
		return
	}
	w.write = Write{ID: w.next, TruncateFrom: w.truncate}
	if w.state {
		w.write.State = HardState{Term: c.term, Vote: c.vote, Incarnation: c.incarnation}
		w.write.HasState = true
	}
	if w.replace {
		meta := w.replacement
		w.write.Reset = &meta
	}
	if w.compact {
		meta := c.snapshot
		w.write.Compact, w.write.First = &meta, c.log.first()
	}
	if w.staged < c.log.last {
		w.write.Entries = c.log.view(w.staged+1, c.log.last+1, c.log.bytes)
	}
	w.state, w.replace, w.compact, w.truncate = false, false, false, 0
	w.staged = c.log.last
	w.push(issued{last: c.log.last})
	c.out.Persist = &w.write
}

// push adds a write to those under way.
func (w *writes) push(r issued) {
	if len(w.issued) == cap(w.issued) && w.head > 0 {
		n := copy(w.issued, w.issued[w.head:])
		w.issued, w.head = w.issued[:n], 0
	}
	w.issued = append(w.issued, r)
	w.next++
}

// sendGated queues a message that asserts the hard state, and that the
// entries up to i are durable.
func (c *Core) sendGated(i Index, m Message) {
	m.From = c.cfg.ID
	c.out.Gated = append(c.out.Gated, Gated{Write: c.writes.gate(i), Message: m})
}

// Void reports whether a gated message was overtaken by a later term: what it
// asserts may be undone, and the driver drops it instead of sending it.
func (c *Core) Void(m *Message) bool { return m.Term < c.term }

// dropVoid takes out the gated messages that were overtaken before they were taken.
func (c *Core) dropVoid() {
	kept := c.out.Gated[:0]
	for i := range c.out.Gated {
		if !c.Void(&c.out.Gated[i].Message) {
			kept = append(kept, c.out.Gated[i])
		}
	}
	c.out.Gated = kept
}

// Persisted says that the write is durable. Writes count once all before them
// are durable too; each is reported once, in any order.
func (c *Core) Persisted(id WriteID) {
	if !c.writes.finish(id) {
		return
	}
	if c.writes.durable > c.log.last {
		panic(fmt.Sprintf("raft: durable up to %d beyond last %d", c.writes.durable, c.log.last))
	}
	switch {
	case c.role == Candidate && c.election.write <= c.writes.persisted:
		c.grant(c.cfg.ID)
	case c.role == Leader:
		c.matchSelf()
	}
}
