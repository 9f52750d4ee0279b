package raft

import "github.com/octopii-go/octopii/runtime"

// Thrift is to send an entry only to as many peers as are needed to commit it, as EPaxos does (Moraru, Andersen and
// Kaminsky, SOSP 2013: "thrifty"). With each heartbeat the leader chooses a quorum less itself, of those who are farthest and
// have been heard of. To the others, who are spared, entries go when CoreConfig.Thrifty of them have gathered, or as many as
// fill an append, or with the next heartbeat. A spared peer that gets a hundred entries at once has one frame to read, one
// write to sync and one answer to send for all of them. What that saves is the processor's, on both sides.
//
// What a quorum is, is not touched: who holds what is counted as ever. What it costs is patience. With all peers at work the
// first of them to answer is enough, and now there is nobody to overtake one that is slow or gone, or the leader's own disk.
// So an entry that is not committed soon ends thrift until the next heartbeat, which chooses anew, by what has been answered
// since: a peer that does not answer costs one such wait, and not one with each entry. Nor is a peer spared of whom the
// leader does not know where it is: one that is probed, sent again what was lost, or brought a snapshot.
//
// A spared peer learns a heartbeat later, at most, what is committed, too. No client waits for that: calls are the
// leader's to answer, also those that another member has forwarded; and a former leader, who still has calls to answer, is
// looked for by the new one, and not spared before that one's next heartbeat. Nor does an election wait because a spared peer
// is the first to stand, and cannot win: see Core.hasten.

// hedgePart is which part of a heartbeat interval an entry may be uncommitted before everybody is sent it. A tenth, 10 ms by
// default, is many times what a commit takes among machines that stand near each other. Where it takes longer, thrift ends soon
// after each heartbeat, and gains little.
const hedgePart = 10

// thrift is whom a leader spares, apart from progress.spared.
type thrift struct {
	on bool // somebody is spared
	// mark is an entry that is watched until it is committed, and then the last one that there is. So no entry needs a time of
	// its own, and none waits longer than two times that part of an interval.
	mark Index
	due  runtime.Instant // when all are fed if mark is not committed; Never: nothing is watched
}

// choose decides who is spared until the next heartbeat, and that all are sent now what they have not been sent.
func (c *Core) choose() {
	if c.cfg.Thrifty == 0 {
		return
	}
	needed := c.quorum - 1
	var spared [MaxVoters]bool
	on := false
	for i := range c.peers {
		good, ahead := 0, 0
		for k := range c.peers {
			if c.favourable(&c.peers[k]) {
				good++
				if k != i && c.peers[k].precedes(&c.peers[i], k < i) {
					ahead++
				}
			}
		}
		p := &c.peers[i]
		spared[i] = p.state == replicating && good >= needed && (ahead >= needed || !c.favourable(p))
		on = on || spared[i]
	}
	for i := range c.peers {
		p := &c.peers[i]
		p.due = c.log.last
		if spared[i] && !p.spared {
			c.event(Spared, uint64(p.id), uint64(p.match), uint64(c.term), 0)
		}
		p.spared = spared[i]
	}
	if !on {
		c.thrift.clear()
	}
	c.thrift.on = on
}

// favourable reports whether entries sent to the peer can be expected to be acknowledged soon.
func (c *Core) favourable(p *progress) bool {
	return p.state == replicating && c.now.Sub(p.heard) < 2*c.cfg.HeartbeatInterval
}

// precedes reports whether p is favoured before q: it is farther, or as far and not the one who is spared already; if both
// are alike, the first.
func (p *progress) precedes(q *progress, first bool) bool {
	if p.match != q.match {
		return p.match > q.match
	}
	if p.spared != q.spared {
		return q.spared
	}
	return first
}

// withholds reports whether the peer's next entries wait for more.
func (c *Core) withholds(p *progress) bool {
	if !p.spared || p.next <= p.due || p.next > c.log.last || p.next < c.log.cached() {
		return false
	}
	gathered := int(c.log.last + 1 - p.next)
	if gathered >= c.cfg.Thrifty || len(c.log.view(p.next, c.log.last+1, c.cfg.MaxAppendBytes)) < gathered {
		p.due = c.log.last
		return false
	}
	return true
}

// keepWithheld returns after which entry, base or an earlier one, the log may begin, so that nobody who is
// spared needs a snapshot for it.
func (c *Core) keepWithheld(base Index) Index {
	for i := range c.peers {
		if p := &c.peers[i]; p.spared {
			base = min(base, max(p.next-1, c.log.base.index))
		}
	}
	return base
}

// hedge has all peers fed until the next heartbeat, if what is watched has not been committed in time. It
// sees to it that something is watched.
func (c *Core) hedge() {
	t := &c.thrift
	switch {
	case !t.on:
	case t.due != runtime.Never && t.mark > c.commit:
		if c.now >= t.due {
			c.event(Hedged, uint64(c.commit+1), uint64(t.mark), uint64(c.term), 0)
			t.clear()
			for i := range c.peers {
				c.peers[i].spared = false
			}
		}
	case c.log.last > c.commit:
		t.mark, t.due = c.log.last, c.now.Add(c.cfg.HeartbeatInterval/hedgePart)
	default:
		t.due = runtime.Never
	}
}

// clear ends thrift.
func (t *thrift) clear() { *t = thrift{due: runtime.Never} }
