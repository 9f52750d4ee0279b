package scenarios

import (
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
)

// Service says what the nodes of a run are, what clients ask of them, and who judges it.
type Service uint8

// The services.
const (
	KV     Service = iota // a key-value store, replicated by raft; judged by oracle.Suite
	RPC                   // nodes that call each other; judged by oracle.RPCSuite
	Ship                  // nodes that fetch files from each other; judged by oracle.ShipSuite
	Wal                   // nodes that serve a log each, on their own; judged by oracle.WalSuite
	Member                // KV by members that forward calls to the leader; judged by oracle.Suite
	serviceCount
)

var serviceNames = [serviceCount]string{KV: "kv", RPC: "rpc", Ship: "ship", Wal: "wal", Member: "member"}

// String returns the service's name in flags and seed files.
func (s Service) String() string { return serviceNames[s] }

// service is the part of a run that depends on its Service.
type service interface {
	// node returns a member to be booted.
	node(id runtime.NodeID) runtime.Node
	// judge returns what looks at every record of the run.
	judge(image oracle.Image) judge
	// command draws a client's next request. The nodes are those to ask at the moment.
	command(c *client, nodes []runtime.NodeID) []byte
	// learn takes the response of the client's request, which is done.
	learn(c *client, resp []byte)
	// hint returns whom to ask after a refusal that says so, else zero.
	hint(resp []byte) runtime.NodeID
}

// judge is a suite of oracles.
type judge interface {
	Observe(r *runtime.Record)
	Violation() *oracle.Violation
	// Leader returns whom the nemesis should take for the leader, zero for nobody.
	Leader() runtime.NodeID
	// Converged reports whether everything that was begun in the core has come to its end.
	Converged(core []runtime.NodeID) bool
	Stuck(text string)
	Finish() *oracle.Violation
}

// doer is a judge who counts what is rarely done.
type doer interface{ Deeds() []oracle.Deed }

func newService(s Setup) service {
	switch s.Service {
	case RPC:
		return &rpcService{setup: s}
	case Ship:
		return &shipService{setup: s}
	case Wal:
		return &walService{setup: s, peers: map[runtime.NodeID]*walPeer{}}
	}
	return newKV(s)
}
