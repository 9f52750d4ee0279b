// Package cluster is what a service embeds: one Config, and it is a replicated member.
//
//	member, err := cluster.Start(ctx, cluster.Config{
//		Cluster: "orders", ID: 1, Dir: "/var/lib/orders", TLSDir: "/etc/orders/tls",
//		Peers: []cluster.Peer{{ID: 1, Addr: "10.0.0.1:7000"}, {ID: 2, Addr: "10.0.0.2:7000"}, {ID: 3, Addr: "10.0.0.3:7000"}},
//	}, newStateMachine)
//	result, err := member.Propose(ctx, command)
//
// That is all that a first cluster takes: each member is given the same Peers, and the first time it runs it notes in its
// folder whose that is. Started again, with the same Config, it goes on where it was.
//
// # Outcomes
//
// What is asked of a member ends in one of three ways, and the error says which: nil is done; what matches
// [ErrRefused] did not take effect and never will; everything else is unknown, and matches [ErrUnknown]: it may have
// taken effect, or may yet. [OutcomeOf] tells them apart. A refusal may be tried again; an unknown may
// be tried again only if being done twice does no harm. Nothing here does it of itself.
//
// # What is inside
//
// A Member is a member.Node (an engine, calls among members, the shipping lane), run by a host.Host on a folder, and
// connected with its peers by a quic.Endpoint. The node is the one that the simulator runs.
//
// All methods of a Member may be called from any goroutine, until long after it has ended.
package cluster
