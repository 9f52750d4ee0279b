package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// hashiReplica is a server of hashicorp/raft as its users run it: raft-wal below the cache that Consul puts before it, TCP
// without TLS, pipelining, batches of what is proposed at the same time, the default timeouts.
type hashiReplica struct {
	raft      *raft.Raft
	transport *raft.NetworkTransport
	wal       *wal.WAL
}

func openHashi(cfg memberConfig) (replica, error) {
	silent := hclog.NewNullLogger()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	log, err := wal.Open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cache, err := raft.NewLogCache(512, log)
	if err != nil {
		return nil, err
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, 2, silent)
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransportWithLogger(cfg.Addrs[cfg.ID-1], nil, 3, 10*time.Second, silent)
	if err != nil {
		return nil, err
	}
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(fmt.Sprint(cfg.ID))
	c.HeartbeatTimeout, c.ElectionTimeout = electionTimeout, electionTimeout
	c.BatchApplyCh, c.NoLegacyTelemetry = true, true
	c.SnapshotThreshold, c.TrailingLogs = math.MaxInt64, math.MaxInt64
	c.Logger = silent
	var members raft.Configuration
	for i, addr := range cfg.Addrs {
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(fmt.Sprint(i + 1)), Address: raft.ServerAddress(addr)})
	}
	if err := raft.BootstrapCluster(c, log, log, snapshots, transport, members); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return nil, err
	}
	r, err := raft.NewRaft(c, hashiMachine{table{}}, cache, log, snapshots, transport)
	if err != nil {
		return nil, err
	}
	return &hashiReplica{raft: r, transport: transport, wal: log}, nil
}

func (r *hashiReplica) propose(_ context.Context, command []byte) error {
	return r.raft.Apply(command, 0).Error()
}

func (r *hashiReplica) leads() bool { return r.raft.State() == raft.Leader }

func (r *hashiReplica) close() error {
	return errors.Join(r.raft.Shutdown().Error(), r.transport.Close(), r.wal.Close())
}

// hashiMachine is a table as a raft.BatchingFSM.
type hashiMachine struct{ table table }

// Apply implements raft.FSM.
func (m hashiMachine) Apply(log *raft.Log) any {
	m.table.execute(log.Data)
	return nil
}

// ApplyBatch implements raft.BatchingFSM.
func (m hashiMachine) ApplyBatch(logs []*raft.Log) []any {
	for _, log := range logs {
		if log.Type == raft.LogCommand {
			m.table.execute(log.Data)
		}
	}
	return make([]any, len(logs))
}

// Snapshot implements raft.FSM. There are none in a run.
func (m hashiMachine) Snapshot() (raft.FSMSnapshot, error) {
	return nil, errors.New("no snapshot is taken")
}

// Restore implements raft.FSM. There are none in a run.
func (m hashiMachine) Restore(io.ReadCloser) error { return errors.New("no snapshot was taken") }
