package hashi

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// The values that zero fields of a Config stand for: those of package raft.
const (
	defaultElectionTimeout = time.Second
	defaultMaxEntryBytes   = 256 << 10
	defaultSnapshotEvery   = 10_000
	defaultSnapshotKeep    = 1_000
)

// Limits, and what is fixed.
const (
	snapshotsKept    = 2
	appendEntries    = 128                    // of one message, and of one batch of the leader's
	pooled           = 3                      // streams to a peer that are kept for requests
	exchangeTimeout  = 10 * time.Second       // of a request to a peer; more for a snapshot, by its size
	snapshotInterval = 250 * time.Millisecond // of looking whether one is due
	underWayMax      = 4096                   // calls under way
	drainMax         = 10 * time.Second       // that Stop gives calls under way, and
	graceMax         = 5 * time.Millisecond   // that a call whose time is over waits for a refusal that is on its way
	settleMax        = 2 * time.Second        // that raft gets to tell them what became of them
)

// Config says what a replica is part of.
type Config struct {
	// ID is the node, which is among Voters or joins them later.
	ID runtime.NodeID
	// Voters are the first members. They count only for a replica whose Dir is new, and must be the
	// same at each: then none has to be chosen to begin.
	Voters []runtime.NodeID
	// Dir is a folder of the operating system for the engine's own use. It is made if it is missing.
	Dir string
	// Endpoint is the node in the network. It must have been joined, and know the routes to the other
	// nodes. The engine takes its streams, one at a time may; it does not close it.
	Endpoint *quic.Endpoint
	// Machine makes the state machine, empty. It is called once.
	Machine func() raft.StateMachine

	// ElectionTimeout is the shortest time without a leader after which a member stands for election, and how
	// long a leader goes on without hearing from a quorum. Heartbeats come every tenth to fifth of it. Zero: 1 s.
	ElectionTimeout time.Duration
	// MaxEntryBytes is the largest command. Zero: 256 KiB; at most raft.MaxEntryBytesCeiling.
	MaxEntryBytes int
	// SegmentBytes is the size of the log's files; zero leaves it to the log.
	SegmentBytes int64
	// SnapshotEvery is after how many entries the next snapshot is taken. Zero: 10,000.
	SnapshotEvery uint64
	// SnapshotKeep is how many entries before a snapshot stay in the log. Zero: 1,000.
	SnapshotKeep uint64

	// Logger is told what happens. Nil: nobody is.
	Logger *slog.Logger
	// Changed, if not nil, is called after the role, the term, the leader or the snapshot may have changed,
	// from any goroutine. It must not block; what it wants to know it asks Status.
	Changed func()
}

func (c Config) withDefaults() Config {
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, defaultElectionTimeout)
	c.MaxEntryBytes = cmp.Or(c.MaxEntryBytes, defaultMaxEntryBytes)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, defaultSnapshotEvery)
	c.SnapshotKeep = cmp.Or(c.SnapshotKeep, defaultSnapshotKeep)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	return c
}

// Validate reports the first thing wrong with the configuration, after defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	voters := slices.Sorted(slices.Values(c.Voters))
	switch {
	case c.ID == 0:
		return errors.New("hashi: config without ID")
	case c.Dir == "":
		return errors.New("hashi: config without Dir")
	case c.Endpoint == nil:
		return errors.New("hashi: config without Endpoint")
	case c.Machine == nil:
		return errors.New("hashi: config without Machine")
	case len(voters) > raft.MaxVoters:
		return fmt.Errorf("hashi: %d voters, at most %d are possible", len(voters), raft.MaxVoters)
	case len(voters) > 0 && voters[0] == 0:
		return errors.New("hashi: voter with id 0")
	case len(slices.Compact(voters)) != len(c.Voters):
		return fmt.Errorf("hashi: voter listed twice in %v", c.Voters)
	case c.ElectionTimeout < 50*time.Millisecond:
		return fmt.Errorf("hashi: election timeout of %v, less than 50ms", c.ElectionTimeout)
	case c.MaxEntryBytes < 0 || c.MaxEntryBytes > raft.MaxEntryBytesCeiling:
		return fmt.Errorf("hashi: entries of %d bytes, at most %d are possible", c.MaxEntryBytes, raft.MaxEntryBytesCeiling)
	}
	return nil
}

// library returns the configuration of hashicorp/raft.
func (c Config) library() *hraft.Config {
	l := hraft.DefaultConfig()
	l.LocalID = hraft.ServerID(c.ID.String())
	l.HeartbeatTimeout = c.ElectionTimeout
	l.ElectionTimeout = c.ElectionTimeout
	l.LeaderLeaseTimeout = c.ElectionTimeout
	l.MaxAppendEntries = appendEntries
	l.ShutdownOnRemove = false
	l.TrailingLogs = c.SnapshotKeep
	l.SnapshotInterval = snapshotInterval
	l.SnapshotThreshold = c.SnapshotEvery
	l.NoLegacyTelemetry = true
	l.Logger = newLogger(c.Logger)
	return l
}

// members returns the first configuration.
func (c Config) members() hraft.Configuration {
	var m hraft.Configuration
	for _, id := range slices.Sorted(slices.Values(c.Voters)) {
		m.Servers = append(m.Servers, hraft.Server{
			Suffrage: hraft.Voter, ID: hraft.ServerID(id.String()), Address: hraft.ServerAddress(id.String()),
		})
	}
	return m
}
