package raft

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// election is what a member knows about the next election and the present leader.
type election struct {
	timeout time.Duration // the shortest; CoreConfig.ElectionTimeout
	at      runtime.Instant
	since   runtime.Instant // when at was drawn
	heard   runtime.Instant // the leader, if one is known

	jitter, draws uint64

	// round numbers the pre-votes of this boot, from a drawn number on, so that
	// replies to an earlier round, or an earlier boot, do not count.
	round uint64
	// grants are the voters that granted, as bits by position, in this round or term.
	grants uint64
	// write holds the own vote: until it is durable, the own vote does not count.
	write WriteID
}

// reseed takes in a fresh draw, from which the next resets draw in turn.
func (e *election) reseed(jitter uint64) { e.jitter, e.draws = jitter, 0 }

// reset puts the next election off, to an instant drawn from [timeout,
// 2*timeout) after now. It is drawn here once, not at each look at the clock.
func (e *election) reset(now runtime.Instant) {
	e.draws++
	extra, _ := bits.Mul64(runtime.Mix(e.jitter, e.draws), uint64(e.timeout))
	e.at = now.Add(e.timeout + time.Duration(extra))
	e.since = now
}

// leased reports whether a leader is alive as far as this member can know. While
// it is, nobody gets this member's vote in a later term: a member that the
// leader cannot reach must not depose it.
func (c *Core) leased() bool {
	return c.role == Leader || c.leader != 0 && c.now.Sub(c.election.heard) < c.cfg.ElectionTimeout
}

// setState changes term and vote, and has them written.
func (c *Core) setState(term Term, vote runtime.NodeID) {
	if term != c.term {
		c.verified = 0
		c.leader = 0
		c.dropEarly()
	}
	c.term, c.vote = term, vote
	c.writes.setState()
	c.event(StateChanged, uint64(term), uint64(vote), 0, 0)
}

// setRole changes the role.
func (c *Core) setRole(role Role) {
	if role == c.role {
		return
	}
	if c.role == Leader {
		c.election.reset(c.now)
		c.abdicate()
	}
	c.role = role
	last := c.log.lastID()
	c.event(RoleChanged, uint64(role), uint64(c.term), uint64(last.index), uint64(last.term))
}

// follow makes the member a follower in a term that is not below its own. The
// election timer goes on: being told of a term is no sign of a leader.
func (c *Core) follow(term Term) {
	if term > c.term {
		c.setState(term, 0)
	}
	c.setRole(Follower)
}

// preCampaign asks whether a vote could be won, before any term is spent on it.
func (c *Core) preCampaign() {
	c.leader = 0
	c.election.reset(c.now)
	c.setRole(PreCandidate)
	c.election.round++
	c.election.grants = 0
	last := c.log.lastID()
	for i := range c.peers {
		c.send(Message{
			Type: MsgPreVote, To: c.peers[i].id, Term: c.term + 1,
			Index: last.index, LogTerm: last.term, Seq: c.election.round,
		})
	}
	c.grant(c.cfg.ID)
}

// campaign asks for votes in a new term. Vote requests leave when the own vote
// is durable, and only then does it count.
func (c *Core) campaign() {
	c.election.reset(c.now)
	c.setState(c.term+1, c.cfg.ID)
	c.setRole(Candidate)
	c.election.grants = 0
	c.election.write = c.writes.next
	last := c.log.lastID()
	for i := range c.peers {
		c.sendGated(0, Message{
			Type: MsgVote, To: c.peers[i].id, Term: c.term,
			Index: last.index, LogTerm: last.term,
		})
	}
}

// grant counts a voter's grant in the round or term under way.
func (c *Core) grant(from runtime.NodeID) {
	c.election.grants |= 1 << c.position(from)
	if bits.OnesCount64(c.election.grants) < c.quorum {
		return
	}
	if c.role == PreCandidate {
		c.campaign()
	} else {
		c.takeOffice()
	}
}

// takeOffice makes the candidate the leader of its term.
func (c *Core) takeOffice() {
	c.role = Leader
	c.leader = c.cfg.ID
	last := c.log.lastID()
	c.event(RoleChanged, uint64(Leader), uint64(c.term), uint64(last.index), uint64(last.term))
	note := c.note[:0]
	for i, id := range c.cfg.Voters {
		if c.election.grants&(1<<i) != 0 {
			note = binary.LittleEndian.AppendUint64(note, uint64(id))
		}
	}
	c.out.Events[len(c.out.Events)-1].Note = note
	c.beginOffice()
}

// stepPreVote answers whether a vote in m.Term would be granted. It binds
// nobody, and changes nothing here but when the own election comes.
func (c *Core) stepPreVote(m *Message) {
	if m.Term > c.term && c.leased() {
		return
	}
	grant := c.wouldVote(m) && c.upToDate(m)
	reply := Message{
		Type: MsgPreVoteReply, To: m.From, Term: m.Term, Reject: !grant,
		Index: m.Index, LogTerm: m.LogTerm, Seq: m.Seq,
	}
	if !grant {
		reply.Term = c.term
	}
	c.send(reply)
	if !grant && c.wouldVote(m) {
		c.hasten()
	}
}

// hastenPart is which part of the wait for the own election is left after hasten.
const hastenPart = 8

// hasten brings the own election forward, because one stands who cannot win it, for what its log lacks. Else everybody would go on
// waiting in vain. Whoever drew the shortest wait may well lack something: a spared peer does as a rule.
//
// It does nothing before the shortest wait there is has passed. So what is left is a wait that could have been drawn, and nobody stands
// more often than he could anyhow, least of all two in turn. Of several that hasten each keeps a part of its wait, by which
// they differ: all at once they would split the votes.
func (c *Core) hasten() {
	e := &c.election
	if c.role != Leader && c.now < e.at && c.now.Sub(e.since) >= e.timeout {
		e.at = c.now.Add(e.at.Sub(c.now) / hastenPart)
	}
}

// stepPreVoteReply counts a grant. A refusal from a later term ends the
// attempt: without that, a member with a longer log in an earlier term and
// one with a shorter log in a later term would refuse each other for ever.
func (c *Core) stepPreVoteReply(m *Message) {
	switch {
	case m.Reject:
		if m.Term > c.term {
			c.follow(m.Term)
		}
	case c.role == PreCandidate && m.Term == c.term+1 && m.Seq == c.election.round:
		c.grant(m.From)
	}
}

// stepVote answers a candidate.
func (c *Core) stepVote(m *Message) {
	if m.Term > c.term {
		if c.leased() {
			return
		}
		c.follow(m.Term)
	}
	grant := c.wouldVote(m) && c.upToDate(m)
	if grant && c.vote == 0 {
		c.setRole(Follower)
		c.setState(c.term, m.From)
		c.election.reset(c.now)
	}
	c.sendGated(0, Message{
		Type: MsgVoteReply, To: m.From, Term: c.term, Reject: !grant,
		Index: m.Index, LogTerm: m.LogTerm,
	})
}

// stepVoteReply counts a vote.
func (c *Core) stepVoteReply(m *Message) {
	if c.role == Candidate && !m.Reject {
		c.grant(m.From)
	}
}

// wouldVote reports whether the vote in m.Term is, or can become, the sender's.
func (c *Core) wouldVote(m *Message) bool {
	if m.Term == c.term {
		return c.vote == m.From || c.vote == 0 && c.leader == 0
	}
	return m.Term > c.term
}

// upToDate reports whether the sender's log is at least as new as the own one:
// by the last term first, and only then by length.
func (c *Core) upToDate(m *Message) bool {
	last := c.log.lastID()
	if m.LogTerm != last.term {
		return m.LogTerm > last.term
	}
	return m.Index >= last.index
}

// answerStale tells a sender of an earlier term that there is a later one: a
// former leader must learn that it is one, or it would go on for ever to keep
// quiet those that it still reaches. The answer has no Seq: should its receiver
// lead the later term by then, it refers to nothing sent in that term.
func (c *Core) answerStale(m *Message) {
	reply := Message{To: m.From, Term: c.term, Reject: true}
	switch m.Type {
	case MsgAppend:
		reply.Type = MsgAppendReply
	case MsgHeartbeat:
		reply.Type = MsgHeartbeatReply
	case MsgSnapshot:
		reply.Type = MsgSnapshotReply
		reply.Index, reply.Commit = m.Snapshot.Index, c.commit
	default:
		return
	}
	c.sendGated(0, reply)
}
