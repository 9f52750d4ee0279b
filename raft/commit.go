package raft

import "fmt"

// setCommit raises the commit index. verified is up to where the log is known
// to be the leader's.
func (c *Core) setCommit(i, verified Index) {
	if i <= c.commit {
		panic(fmt.Sprintf("raft: commit falls from %d to %d", c.commit, i))
	}
	if i > c.log.last {
		panic(fmt.Sprintf("raft: commit %d beyond last %d", i, c.log.last))
	}
	c.commit = i
	c.event(Committed, uint64(i), uint64(c.term), uint64(c.role), uint64(verified))
}

// matchSelf counts what is durable in the leader's own log.
func (c *Core) matchSelf() {
	if c.writes.durable <= c.matched {
		return
	}
	c.matched = c.writes.durable
	c.event(Matched, uint64(c.cfg.ID), uint64(c.matched), uint64(c.term), 0)
	c.advance()
}

// advance commits what a quorum holds durably, if it is of the leader's own
// term. An entry of an earlier term may be on a quorum and still be
// overwritten; it commits together with a later one.
func (c *Core) advance() {
	var held [MaxVoters]Index
	held[0] = c.matched
	n := 1
	for i := range c.peers {
		// Sorted as it fills, highest first.
		match, k := c.peers[i].match, n
		for ; k > 0 && held[k-1] < match; k-- {
			held[k] = held[k-1]
		}
		held[k] = match
		n++
	}
	if i := held[c.quorum-1]; i > c.commit && c.log.term(i) == c.term {
		c.setCommit(i, c.log.last)
	}
	c.quota.release(min(c.commit, c.matched))
}

// quota counts what a leader took in that is not yet both committed and durable
// in its own log: the sizes of entries from first on, in a ring.
type quota struct {
	first Index
	sizes []int
	head  int
	count int
	bytes int
}

// begin starts to count with the entry at first.
func (q *quota) begin(first Index) {
	q.clear()
	q.first = first
}

// admits reports whether size bytes more may be taken in.
func (q *quota) admits(size, limit int) bool {
	return q.count == 0 || q.bytes+size <= limit
}

// add counts the next entry.
func (q *quota) add(size int) {
	if q.count == len(q.sizes) {
		grown := make([]int, max(2*len(q.sizes), 64))
		n := copy(grown, q.sizes[q.head:])
		copy(grown[n:], q.sizes[:q.head])
		q.sizes, q.head = grown, 0
	}
	q.sizes[(q.head+q.count)%len(q.sizes)] = size
	q.count++
	q.bytes += size
}

// release takes out the entries up to last.
func (q *quota) release(last Index) {
	for q.count > 0 && q.first <= last {
		q.bytes -= q.sizes[q.head]
		q.head = (q.head + 1) % len(q.sizes)
		q.count--
		q.first++
	}
	if q.count == 0 && q.bytes != 0 {
		panic(fmt.Sprintf("raft: %d bytes uncommitted in no entry", q.bytes))
	}
}

func (q *quota) clear() { q.first, q.head, q.count, q.bytes = 0, 0, 0, 0 }
