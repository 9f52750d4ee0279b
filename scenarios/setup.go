package scenarios

import (
	"fmt"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/sim"
)

// Bounds of a Setup.
const (
	OpsMax     = 100_000_000
	ClientsMax = 1024
	KeysMax    = 1_000_000
)

// OpDeadline is how long a client pursues one operation, in virtual time.
const OpDeadline = 10 * time.Second

// Setup is what a run depends on.
type Setup struct {
	Scenario string // its name in List, or "custom"
	Service  Service
	Seed     uint64
	Nodes    int // 1 to sim.NodesMax
	Ops      int // operations of all clients together, 1 to OpsMax
	Clients  int // 1 to ClientsMax
	Keys     int // that the operations are spread over, 1 to KeysMax
	// Pace is the least virtual time over which the operations are spread
	// evenly; zero: each client goes on as soon as it has its answer.
	Pace      time.Duration
	Faults    faults.Spec
	Overrides []faults.Override
	// SnapshotEvery is how many applied entries lie between two snapshots.
	SnapshotEvery uint64
	// PanicIsFailStop lets the run go on after a node's panic, as after a halt. The verdict is
	// Panic all the same, unless an oracle has more to say: runs with planted bugs ask for that.
	PanicIsFailStop bool
}

// Default returns the setup that simrun starts from.
func Default() Setup {
	return Setup{Scenario: "custom", Nodes: 3, Ops: 1000, Clients: 5, Keys: 20, Pace: 30 * time.Second, SnapshotEvery: 200}
}

// Validate reports the first value that is out of its range.
func (s Setup) Validate() error {
	for _, c := range []struct {
		name     string
		got, max int
	}{
		{"nodes", s.Nodes, sim.NodesMax},
		{"ops", s.Ops, OpsMax},
		{"clients", s.Clients, ClientsMax},
		{"keys", s.Keys, KeysMax},
	} {
		if c.got < 1 || c.got > c.max {
			return fmt.Errorf("%s is %d, want 1 to %d", c.name, c.got, c.max)
		}
	}
	if s.Service >= serviceCount {
		return fmt.Errorf("service is %d, want less than %d", s.Service, serviceCount)
	}
	if s.Pace < 0 || s.Pace > 24*time.Hour {
		return fmt.Errorf("pace is %v, want 0s to 24h", s.Pace)
	}
	if err := s.Faults.Conflict(); err != nil {
		return err
	}
	if s.SnapshotEvery < 1 {
		return fmt.Errorf("snapshots every %d entries, want at least 1", s.SnapshotEvery)
	}
	return nil
}
