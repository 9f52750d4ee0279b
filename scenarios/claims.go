package scenarios

import (
	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// What members hold copies of, as the ledger's groups name it.
const (
	groupEntry    = iota + 1 // ID: index, Version: term
	groupState               // ID: whose, Version: term
	groupSnapshot            // ID: index, Version: term
	groupRecord              // of a log alone; ID: node and topic, Version: index or key
)

// declare tells the ledger what a member says of its disk, and what it needs no more.
func declare(l *faults.Ledger, r *runtime.Record) {
	switch r.Kind {
	case raft.EntryPlaced:
		l.Declare(claim(r, groupEntry, r.A, r.B, true))
	case raft.StatePlaced:
		l.Declare(claim(r, groupState, uint64(r.Node), r.A, true))
	case raft.SnapshotPlaced:
		c := claim(r, groupSnapshot, r.A, r.B, false)
		c.Off = 0
		l.Declare(c)
	case oracle.WalPlaced:
		l.Declare(claim(r, groupRecord, recordID(r), r.B, true))
	case oracle.WalBounds:
		l.Forget(r.Node, func(g faults.Group) bool {
			return g.Kind == groupRecord && g.ID == recordID(r) && (g.Version < r.B || g.Version >= r.C)
		})
	case raft.Truncated:
		l.Forget(r.Node, func(g faults.Group) bool { return g.Kind == groupEntry && g.ID >= r.A })
	case raft.Compacted:
		l.Forget(r.Node, func(g faults.Group) bool {
			return g.Kind == groupEntry && g.ID < r.A || g.Kind == groupSnapshot && g.ID < r.B
		})
	}
}

// recordID tells the topics of logs apart.
func recordID(r *runtime.Record) uint64 { return uint64(r.Node)*oracle.WalTopics + r.A }

func claim(r *runtime.Record, kind, id, version uint64, log bool) faults.Claim {
	return faults.Claim{
		Node: r.Node, Group: faults.Group{Kind: kind, ID: id, Version: version},
		File: string(r.Note), Off: int64(r.C), Len: int64(r.D), Log: log, Step: r.Step,
	}
}
