package cluster

import (
	"errors"
	"path/filepath"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/hashi"
	"github.com/octopii-go/octopii/transport/quic"
	"github.com/octopii-go/octopii/walrus"
)

// hashiDir is the folder of that engine, in the member's.
const hashiDir = "hashi"

// hashi returns how package raft/hashi is to work.
func (c *Config) hashi(endpoint *quic.Endpoint, machine func() raft.StateMachine, changed func()) hashi.Config {
	return hashi.Config{
		ID: c.ID, Voters: c.ids(), Dir: filepath.Join(c.Dir, hashiDir), Endpoint: endpoint, Machine: machine,
		ElectionTimeout: c.ElectionTimeout, MaxEntryBytes: c.MaxEntryBytes,
		SegmentBytes: c.SegmentBytes, SnapshotEvery: c.SnapshotEvery, SnapshotKeep: c.SnapshotKeep,
		Logger: c.Logger, Changed: changed,
	}
}

// newHashicorp makes the backend. The engine uses the files of its folder without the host, and the member's endpoint beside it.
func newHashicorp(m *Member, machine func() raft.StateMachine) backend {
	return m.beside(func(changed func()) (engine, error) {
		e, err := hashi.Start(m.cfg.hashi(m.endpoint, machine, changed))
		if err != nil {
			if errors.Is(err, walrus.ErrCorrupt) {
				m.recovered(walrus.Corrupt)
			}
			return nil, err
		}
		m.recovered(e.Recovery())
		return e, nil
	})
}
