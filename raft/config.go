package raft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// Limits that no configuration may pass.
const (
	// MaxVoters is how many members a cluster may have.
	MaxVoters = 15
	// MaxEntryBytesCeiling is the highest CoreConfig.MaxEntryBytes, in bytes of
	// payload: an append with one such entry must still fit in a frame.
	MaxEntryBytesCeiling = 768 << 10
	// entryOverhead is what an entry counts for in every limit in bytes, beside
	// its payload: so that a limit in bytes bounds the number of entries too.
	entryOverhead = 64
)

// The values that zero fields of a CoreConfig stand for.
const (
	defaultElectionTimeout     = time.Second
	defaultHeartbeatInterval   = 100 * time.Millisecond
	defaultMaxEntryBytes       = 256 << 10
	defaultMaxAppendBytes      = 64 << 10
	defaultMaxInflightMessages = 128
	defaultMaxInflightBytes    = 4 << 20
	defaultMaxUncommittedBytes = 16 << 20
	defaultCacheBytes          = 4 << 20
	defaultMaxApplyBytes       = 256 << 10
)

// CoreConfig says who a core is and within which limits it works. Except for
// ID and Voters, a zero field stands for its default. An entry counts in
// every limit in bytes with its payload and a small constant.
type CoreConfig struct {
	// ID is the member itself. It is among Voters.
	ID runtime.NodeID
	// Voters are all members, in any order. The core keeps a sorted copy.
	Voters []runtime.NodeID

	// ElectionTimeout is the shortest time without a leader after which a
	// member stands for election; each wait is drawn from [ElectionTimeout,
	// 2*ElectionTimeout). It is also how long a leader goes on without
	// hearing from a quorum. Default 1 s.
	ElectionTimeout time.Duration
	// HeartbeatInterval is the time between a leader's heartbeats, at most a
	// third of ElectionTimeout. Default 100 ms.
	HeartbeatInterval time.Duration

	// MaxEntryBytes is the largest payload that Propose takes. Default 256 KiB.
	MaxEntryBytes int
	// MaxAppendBytes is where an append is cut; it carries one entry at
	// least. Default 64 KiB.
	MaxAppendBytes int
	// MaxInflightMessages is how many appends with entries may be
	// unacknowledged by one peer. Default 128.
	MaxInflightMessages int
	// MaxInflightPartial is how many of them may be under way when one more would carry less than it may. With one being written by
	// the peer and the next one there when that is done, more gain little: they are written together, but cost a frame each. What
	// is proposed meanwhile leaves together when one is acknowledged. Default MaxInflightMessages: nothing waits.
	MaxInflightPartial int
	// MaxInflightBytes is how much may be unacknowledged by one peer, or one
	// append if that is more. Default 4 MiB.
	MaxInflightBytes int
	// Thrifty is how many entries may gather for a peer that is not needed to commit them, if they are less than an append. Fewer
	// wait for the next heartbeat, or until something is not committed within a tenth of the time between two. Default 0: all
	// are sent everything at once.
	Thrifty int
	// MaxUncommittedBytes is how much a leader takes in that is not yet both
	// committed and durable in its own log, or one entry if that is more.
	// Default 16 MiB.
	MaxUncommittedBytes int
	// CacheBytes is how much of the log's end is kept in memory. Entries that
	// are not durable yet are kept whatever it says. Default 4 MiB.
	CacheBytes int
	// MaxApplyBytes is where a round of Output.Apply is cut; it has one entry
	// at least. Default 256 KiB.
	MaxApplyBytes int
	// ApplyTogether is how many committed entries a member that does not lead lets gather before it gives them out in Output.Apply,
	// if they are less than a round. Fewer wait for the next heartbeat, without which it would not know either that the last of
	// them is committed; for its own wish to stand for election; or for Hurry. Default 1: nothing waits.
	ApplyTogether int
	// RoundEvery, if not zero, ends a round of Output.Apply at each multiple, so that all drivers
	// can take snapshots at the same indices.
	RoundEvery uint64
}

// withDefaults returns the configuration with defaults in place of zeros and
// Voters as a sorted copy.
func (c CoreConfig) withDefaults() CoreConfig {
	c.Voters = slices.Sorted(slices.Values(c.Voters))
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, defaultElectionTimeout)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, defaultHeartbeatInterval)
	c.MaxEntryBytes = cmp.Or(c.MaxEntryBytes, defaultMaxEntryBytes)
	c.MaxAppendBytes = cmp.Or(c.MaxAppendBytes, defaultMaxAppendBytes)
	c.MaxInflightMessages = cmp.Or(c.MaxInflightMessages, defaultMaxInflightMessages)
	c.MaxInflightPartial = cmp.Or(c.MaxInflightPartial, c.MaxInflightMessages)
	c.MaxInflightBytes = cmp.Or(c.MaxInflightBytes, defaultMaxInflightBytes)
	c.MaxUncommittedBytes = cmp.Or(c.MaxUncommittedBytes, defaultMaxUncommittedBytes)
	c.CacheBytes = cmp.Or(c.CacheBytes, defaultCacheBytes)
	c.MaxApplyBytes = cmp.Or(c.MaxApplyBytes, defaultMaxApplyBytes)
	c.ApplyTogether = cmp.Or(c.ApplyTogether, 1)
	return c
}

// Validate reports the first thing wrong with the configuration, after
// defaults.
func (c CoreConfig) Validate() error {
	c = c.withDefaults()
	switch {
	case len(c.Voters) == 0:
		return errors.New("raft: no voters")
	case len(c.Voters) > MaxVoters:
		return fmt.Errorf("raft: %d voters, at most %d are possible", len(c.Voters), MaxVoters)
	case c.Voters[0] == 0:
		return errors.New("raft: voter with id 0")
	case len(slices.Compact(slices.Clone(c.Voters))) != len(c.Voters):
		return fmt.Errorf("raft: voter listed twice in %v", c.Voters)
	case !slices.Contains(c.Voters, c.ID):
		return fmt.Errorf("raft: %v is not among the voters %v", c.ID, c.Voters)
	case c.HeartbeatInterval < 0 || c.ElectionTimeout < 0:
		return errors.New("raft: negative timeout")
	case c.HeartbeatInterval > c.ElectionTimeout/3:
		return fmt.Errorf("raft: heartbeat interval %v is more than a third of the election timeout %v",
			c.HeartbeatInterval, c.ElectionTimeout)
	case c.MaxEntryBytes > MaxEntryBytesCeiling || c.MaxAppendBytes > MaxEntryBytesCeiling:
		return fmt.Errorf("raft: entries of %d and appends of %d bytes, at most %d are possible",
			c.MaxEntryBytes, c.MaxAppendBytes, MaxEntryBytesCeiling)
	case min(c.MaxEntryBytes, c.MaxAppendBytes, c.MaxInflightMessages, c.MaxInflightPartial, c.MaxInflightBytes,
		c.MaxUncommittedBytes, c.CacheBytes, c.MaxApplyBytes, c.ApplyTogether, c.Thrifty) < 0:
		return errors.New("raft: negative limit")
	}
	return nil
}
