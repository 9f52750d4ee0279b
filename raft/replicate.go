package raft

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// beginOffice prepares a new leader: nothing is known about the peers, and
// the first entry of the term is a no-op, because entries of earlier terms
// commit only together with one of its own.
func (c *Core) beginOffice() {
	for i := range c.peers {
		c.peers[i].reset(c.log.last+1, c.now)
	}
	c.heartbeatAt = c.now.Add(c.cfg.HeartbeatInterval)
	if len(c.peers) == 0 {
		c.heartbeatAt = runtime.Never
	}
	c.thrift.clear()
	c.matched = 0
	c.matchSelf()
	c.quota.begin(c.log.last + 1)
	c.appendOwn(EntryNoop, nil)
}

// abdicate ends the leader's book-keeping.
func (c *Core) abdicate() {
	for i := range c.peers {
		c.peers[i].reset(0, c.now)
	}
	c.quota.clear()
	c.leader = 0
}

// appendOwn appends an entry of the leader's term and returns its index.
func (c *Core) appendOwn(kind EntryType, data []byte) Index {
	e := Entry{Index: c.log.last + 1, Term: c.term, Type: kind, Data: data}
	c.appendLog(&e)
	c.quota.add(entrySize(&e))
	return e.Index
}

// appendLog appends an entry to the log.
func (c *Core) appendLog(e *Entry) {
	c.event(Appended, uint64(e.Index), uint64(e.Term), e.Hash(), uint64(c.log.lastTerm()))
	c.log.push(*e)
}

// beat sends a round of heartbeats, or ends the leadership if no quorum has
// answered anything for an election timeout: followers must not be kept
// quiet by a leader that can get nothing done.
func (c *Core) beat() {
	heard := 1
	for i := range c.peers {
		if c.now.Sub(c.peers[i].heard) < c.cfg.ElectionTimeout {
			heard++
		}
	}
	if heard < c.quorum {
		c.follow(c.term)
		return
	}
	c.heartbeatAt = c.now.Add(c.cfg.HeartbeatInterval)
	c.round++
	for i := range c.peers {
		p := &c.peers[i]
		p.load.paused = false
		c.send(Message{
			Type: MsgHeartbeat, To: p.id, Term: c.term,
			Commit: min(c.commit, p.match), Seq: c.round,
		})
	}
	c.choose()
}

// feed sends every peer what it can take now.
func (c *Core) feed() {
	c.hedge()
	for i := range c.peers {
		p := &c.peers[i]
		switch p.state {
		case probing:
			if !p.waiting {
				c.sendProbe(p)
			}
		case replicating:
			for p.next <= c.log.last && !c.withholds(p) && c.sendEntries(p) {
			}
			if p.nudge && p.state == replicating {
				p.nudge = false
				c.sendAppend(p, nil)
			}
		}
	}
}

// sendProbe asks whether the logs agree before the peer's next entry.
func (c *Core) sendProbe(p *progress) {
	if p.next < c.log.first() {
		c.sendSnapshot(p)
		return
	}
	p.waiting = true
	c.sendAppend(p, nil)
}

// sendEntries sends one append with entries, and reports whether another may follow.
func (c *Core) sendEntries(p *progress) bool {
	if p.next < c.log.first() {
		c.sendSnapshot(p)
		return false
	}
	if p.window.full(c.cfg.MaxInflightBytes) {
		return false
	}
	var entries []Entry
	if p.next >= c.log.cached() {
		p.load.entries = nil
		entries = c.log.view(p.next, c.log.last+1, c.cfg.MaxAppendBytes)
	} else if entries = c.oldEntries(p); len(entries) == 0 {
		return false
	}
	size := 0
	for i := range entries {
		size += entrySize(&entries[i])
	}
	if p.window.count > 0 && p.window.bytes+size > c.cfg.MaxInflightBytes {
		return false
	}
	if partial := p.next+Index(len(entries)) > c.log.last; partial && p.window.count >= c.cfg.MaxInflightPartial {
		return false
	}
	c.sendAppend(p, entries)
	p.next += Index(len(entries))
	p.window.push(inflight{last: p.next - 1, bytes: size, round: c.round})
	return true
}

// sendAppend sends entries to follow next-1, or an empty append. A new commit
// index has no message of its own: it goes with the next append or heartbeat, as
// nobody waits for a follower to learn of it.
func (c *Core) sendAppend(p *progress, entries []Entry) {
	p.seq++
	if len(entries) == 0 {
		p.round = c.round
	}
	prev := p.next - 1
	c.send(Message{
		Type: MsgAppend, To: p.id, Term: c.term, Index: prev, LogTerm: c.log.term(prev),
		Commit: c.commit, Seq: p.seq, Entries: entries,
	})
}

// sendSnapshot has the driver send a snapshot, in place of entries that are gone.
func (c *Core) sendSnapshot(p *progress) {
	if c.snapshot.Index < c.log.base.index {
		panic(fmt.Sprintf("raft: log begins after %d, snapshot at %d", c.log.base.index, c.snapshot.Index))
	}
	p.enter(snapshotting, p.next)
	c.out.SendSnapshot = append(c.out.SendSnapshot, p.id)
}

// probe begins to look for where the logs agree, at next-1 first.
func (c *Core) probe(p *progress, next Index) { c.turn(p, probing, next) }

// replicate begins to stream from next on, before which the logs agree.
func (c *Core) replicate(p *progress, next Index) { c.turn(p, replicating, next) }

// turn changes how a peer is fed. That it is fed again with what it was sent before is
// traced.
func (c *Core) turn(p *progress, state progressState, next Index) {
	before := p.next
	p.enter(state, next)
	if p.next < before {
		c.event(Rewound, uint64(p.id), uint64(p.next), uint64(c.term), 0)
	}
}

// stepPeer handles a reply of the own term.
func (c *Core) stepPeer(m *Message) {
	if c.role != Leader {
		return
	}
	for i := range c.peers {
		p := &c.peers[i]
		if p.id != m.From {
			continue
		}
		p.heard = c.now
		switch {
		case m.Index > c.log.last: // of nothing this leader sent
		case m.Type == MsgHeartbeatReply:
			c.stepHeartbeatReply(p, m)
		case m.Type == MsgAppendReply && m.Reject:
			c.stepReject(p, m)
		case m.Type == MsgAppendReply:
			c.stepAck(p, m)
		}
	}
}

// stepAck handles a successful append reply: the peer holds everything up to
// m.Index durably. Replies come late, twice and out of order: match only grows.
func (c *Core) stepAck(p *progress, m *Message) {
	grown := m.Index > p.match
	if grown {
		p.match = m.Index
		p.next = max(p.next, p.match+1)
		c.event(Matched, uint64(p.id), uint64(p.match), uint64(c.term), 0)
	}
	switch p.state {
	case probing:
		if grown || m.Seq > p.stale && m.Seq <= p.seq {
			c.replicate(p, m.Index+1)
		}
	case replicating:
		p.window.free(p.match)
	case snapshotting:
		if p.match >= c.log.base.index {
			c.replicate(p, p.match+1)
		}
	}
	if grown {
		c.advance()
	}
}

// stepReject handles the refusal of an append whose predecessor the peer does
// not have. It says at most up to which entry the logs may agree.
func (c *Core) stepReject(p *progress, m *Message) {
	if m.Seq <= p.stale || m.Seq > p.seq || p.state == snapshotting {
		return
	}
	hint := entryID{m.Index, m.LogTerm}
	if hint.index < p.match {
		// The peer acknowledged more, durably, so this was said before.
		return
	}
	if c.log.has(hint) {
		c.replicate(p, hint.index+1)
		return
	}
	agreed := c.log.floor(hint.index, hint.term)
	switch {
	case agreed.index > hint.index || agreed.term > hint.term:
		// Even the base is too new.
		c.sendSnapshot(p)
	case p.state == replicating || agreed.index < p.next-1:
		c.probe(p, agreed.index+1)
	}
}

// stepHeartbeatReply looks for what was lost on the way. The heartbeat left
// after the appends of earlier rounds, and m.Index is what the peer had of
// them when it answered, whether durable or not.
func (c *Core) stepHeartbeatReply(p *progress, m *Message) {
	if m.Seq > c.round {
		return
	}
	switch p.state {
	case probing:
		if m.Seq > p.round {
			p.waiting = false
		}
	case replicating:
		if p.window.count == 0 {
			// A peer that restarted knows less than it has.
			p.nudge = m.Index < p.match && m.Seq > p.round
			return
		}
		oldest := p.window.oldest()
		switch {
		case m.Seq > oldest.round && m.Index < oldest.last:
			c.replicate(p, max(m.Index, p.match)+1)
		case m.Seq > max(oldest.round, p.round)+1:
			// It has the entries: its disk is slow, or the reply was lost.
			p.nudge = true
		}
	case snapshotting:
		if m.Index >= c.log.base.index {
			c.probe(p, m.Index+1)
		}
	}
}
