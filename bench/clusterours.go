package main

import (
	"context"
	"io"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// ourReplica is a member of this project, as a service embeds it: TLS and all. It does not forward, as the peer does not.
type ourReplica struct{ member *cluster.Member }

func openOurs(cfg memberConfig) (replica, error) {
	c := cluster.Config{
		Cluster: "bench", ID: runtime.NodeID(cfg.ID), Dir: cfg.Dir, TLSDir: cfg.TLS,
		ElectionTimeout: electionTimeout, HeartbeatInterval: electionTimeout / 10, SnapshotEvery: 1 << 40,
		NoForward: true, Patience: -1,
	}
	for i, addr := range cfg.Addrs {
		c.Peers = append(c.Peers, cluster.Peer{ID: runtime.NodeID(i + 1), Addr: addr})
	}
	m, err := cluster.Start(context.Background(), c, func() raft.StateMachine { return table{} })
	if err != nil {
		return nil, err
	}
	return ourReplica{m}, nil
}

func (r ourReplica) propose(ctx context.Context, command []byte) error {
	_, err := r.member.Propose(ctx, command)
	return err
}

func (r ourReplica) leads() bool { return r.member.Status().Raft.Role == raft.Leader }

func (r ourReplica) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return r.member.Drain(ctx)
}

// table is what is replicated: the newest command for each key.
type table map[[keyBytes]byte][]byte

func (t table) execute(command []byte) {
	t[[keyBytes]byte(command[:keyBytes])] = command[keyBytes:]
}

// Apply implements raft.StateMachine.
func (t table) Apply(entries []raft.Entry, results [][]byte) [][]byte {
	for i := range entries {
		t.execute(entries[i].Data)
		results = append(results, nil)
	}
	return results
}

// Query implements raft.StateMachine. Nobody asks.
func (t table) Query([]byte) []byte { return nil }

// Snapshot implements raft.StateMachine. There are none in a run.
func (t table) Snapshot() (raft.Image, error) { return nil, io.ErrUnexpectedEOF }

// Restore implements raft.StateMachine. There are none in a run.
func (t table) Restore(io.Reader) error { return io.ErrUnexpectedEOF }
