package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// concerns reports whether a record of a frequent kind is about the subject of a
// violation at the node: a fault that struck the node, its elections, or the entry or
// the call in question.
func concerns(r *runtime.Record, what about, node runtime.NodeID) bool {
	switch r.Kind {
	case runtime.WorldFault:
		return r.Node == node || r.A == uint64(node)
	case raft.VoteAsked, raft.PreVoteGranted:
		return what == about{}
	case runtime.CallStart, runtime.CallReply:
		return what.call != 0 && r.A == uint64(what.call)
	case raft.Proposed:
		return what.call != 0 && r.A == uint64(what.call) || what.index != 0 && r.B == what.index
	case raft.Appended, raft.Recovered, raft.EntryPlaced, raft.Committed, raft.Applied:
		return what.index != 0 && r.A == what.index
	case raft.Matched:
		return what.index != 0 && r.B == what.index
	case raft.Acked:
		return what.index != 0 && r.C == what.index
	}
	return false
}
