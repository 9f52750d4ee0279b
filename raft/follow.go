package raft

// earlyMax is how many appends a follower keeps that came before the one
// they follow. Frames overtake each other by a few; more means that one was lost.
const earlyMax = 4

// hearLeader takes note of a message that only the leader of the term sends,
// and reports whether the sender can be that.
func (c *Core) hearLeader(m *Message) bool {
	if c.role == Leader || c.leader != 0 && c.leader != m.From {
		return false
	}
	c.setRole(Follower)
	c.leader = m.From
	c.election.heard = c.now
	c.election.reset(c.now)
	return true
}

// stepHeartbeat handles a sign of life.
func (c *Core) stepHeartbeat(m *Message) {
	if !c.hearLeader(m) {
		return
	}
	c.learnCommit(m.Commit)
	c.Hurry()
	// What is committed here is in the log of every later leader, too.
	known := max(c.verified, c.commit)
	c.sendGated(0, Message{Type: MsgHeartbeatReply, To: m.From, Term: c.term, Index: known, Seq: m.Seq})
}

// stepAppend handles entries from the leader, or a probe.
func (c *Core) stepAppend(m *Message) {
	if !wellFormed(m) || !c.hearLeader(m) {
		return
	}
	if m.Index > c.log.last && len(m.Entries) > 0 && c.verified > 0 && len(c.early) < earlyMax {
		c.keepEarly(m)
		return
	}
	c.stepEntries(m)
	for i := 0; i < len(c.early); i++ {
		if c.early[i].Index <= c.log.last {
			next := c.early[i]
			c.early = append(c.early[:i], c.early[i+1:]...)
			c.stepEntries(&next)
			i = -1 // the log has grown: look again from the start
		}
	}
}

// keepEarly keeps an append until the one before it arrives.
func (c *Core) keepEarly(m *Message) {
	for i := range c.early {
		if c.early[i].Index == m.Index {
			return
		}
	}
	kept := *m
	kept.Entries = append([]Entry(nil), m.Entries...)
	c.early = append(c.early, kept)
}

// dropEarly forgets the appends of a term that is over.
func (c *Core) dropEarly() {
	clear(c.early)
	c.early = c.early[:0]
}

// wellFormed reports whether the append could have been sent by a leader.
func wellFormed(m *Message) bool {
	if m.LogTerm > m.Term || (m.Index == 0) != (m.LogTerm == 0) {
		return false
	}
	index, term := m.Index, m.LogTerm
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Index != index+1 || e.Index == 0 || e.Term < term || e.Term == 0 || e.Term > m.Term {
			return false
		}
		index, term = e.Index, e.Term
	}
	return true
}

// stepEntries compares the append with the log and takes over what is new.
func (c *Core) stepEntries(m *Message) {
	entries, end := m.Entries, m.Index+Index(len(m.Entries))
	prev := entryID{m.Index, m.LogTerm}
	base := c.log.base
	if prev.index < base.index {
		if end < base.index {
			// All of it is under the snapshot, so it is committed, and so is more: the
			// leader has it, as every later leader does.
			c.acknowledge(m, c.commit)
			return
		}
		// The comparison begins at the base, whose term is known.
		skip := base.index - prev.index
		prev = entryID{base.index, entries[skip-1].Term}
		entries = entries[skip:]
	}
	switch {
	case c.log.has(prev):
		if c.merge(entries) {
			c.verified = max(c.verified, end)
			c.acknowledge(m, end)
			c.learnCommit(m.Commit)
		}
	case prev.index > c.commit:
		c.refuse(m)
	}
	// No leader differs in what is committed: a message that does is forged.
}

// merge makes the log hold the entries, which follow one that it has. It
// reports false, and does nothing, if that would undo what is settled.
func (c *Core) merge(entries []Entry) bool {
	for len(entries) > 0 && c.log.has(entryID{entries[0].Index, entries[0].Term}) {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return true
	}
	if from := entries[0].Index; from <= c.log.last {
		if from <= max(c.commit, c.verified) {
			return false
		}
		c.truncate(from)
	}
	for i := range entries {
		c.appendLog(&entries[i])
	}
	return true
}

// truncate drops the entries from an index on.
func (c *Core) truncate(from Index) {
	c.event(Truncated, uint64(from), uint64(c.term), 0, 0)
	c.log.truncate(from)
	c.writes.truncated(from - 1)
}

// acknowledge tells the leader that everything up to match is in the log, once
// it is durable. Of several replies in one output the last says all.
func (c *Core) acknowledge(m *Message, match Index) {
	if n := len(c.out.Gated); n > 0 {
		last := &c.out.Gated[n-1].Message
		if last.Type == MsgAppendReply && last.To == m.From && last.Term == c.term && !last.Reject {
			last.Index, last.Seq = max(last.Index, match), max(last.Seq, m.Seq)
			c.out.Gated[n-1].Write = c.writes.gate(last.Index)
			return
		}
	}
	c.sendGated(match, Message{Type: MsgAppendReply, To: m.From, Term: c.term, Index: match, Seq: m.Seq})
}

// refuse tells the leader where the logs may agree: at the last entry that is
// no later than the one it named, in index and in term. That is never below the
// commit index, as the leader has all that is committed.
func (c *Core) refuse(m *Message) {
	hint := c.log.floor(m.Index, m.LogTerm)
	c.sendGated(0, Message{
		Type: MsgAppendReply, To: m.From, Term: c.term, Reject: true,
		Index: hint.index, LogTerm: hint.term, Seq: m.Seq,
	})
}

// learnCommit takes over the leader's commit index, as far as this log is known to
// equal the leader's.
func (c *Core) learnCommit(leaderCommit Index) {
	if i := min(leaderCommit, c.verified); i > c.commit {
		c.setCommit(i, c.verified)
	}
}
