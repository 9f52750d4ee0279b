package scenarios

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
)

// segmentBytes keeps the log's files small, so that a run sees many of them
// come and go.
const segmentBytes = 32 << 10

// cacheBytes makes old entries come from the disk, where faults are.
const cacheBytes = 32 << 10

// newNode returns a member of the cluster under test: the node that production
// runs, with small limits.
func newNode(s Setup, voters []runtime.NodeID) runtime.Node {
	return raft.NewNode(raft.NodeConfig{
		Core:          raft.CoreConfig{Voters: voters, CacheBytes: cacheBytes},
		SegmentBytes:  segmentBytes,
		SnapshotEvery: s.SnapshotEvery,
		SnapshotKeep:  s.SnapshotEvery / 4,
		Machine:       func() raft.StateMachine { return kv.NewMachine() },
	})
}
