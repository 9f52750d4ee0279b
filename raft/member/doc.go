// Package member makes one node of what a replica does beside replicating.
//
// A [Node] is a member of a cluster: an [Engine] that decides one order of commands, which is a
// raft.Node as a rule; calls among the members; and the shipping lane. All of it lives on one
// runtime.Env. Frames are told apart by their channel:
//
//	channel             to
//	control, snapshots  the engine
//	rpc                 a transport.RPC: forwarded calls, and the service's own
//	files               a transport.Shipper
//
// There is one alarm, armed for whichever part wants it first, and each part has lanes of its own.
// Frames of nodes that are not among the peers are dropped.
//
// # Calls of clients
//
// Requests are those of a raft.Node. What the engine answers is the answer, but for two refusals, after
// which the request has definitely not taken effect:
//   - this member does not lead, and knows who does. If [Config].Forward says so, the request is sent to
//     that member, once. A member that is sent one answers it, whatever the answer is: it never
//     forwards it further. If the answer does not come, the outcome is unknown, and nobody asks again. As long as
//     the leader does not answer, further requests are refused, so that clients ask it themselves: it may lead, and
//     yet not be reached from here.
//   - nobody is known to lead, or the engine is not ready yet. The call waits, for as long as
//     [Config].Patience says, until a leader is known, and begins anew.
//
// # On the loop
//
// The methods beside those of runtime.Node are for the program around the node. They may be called
// on the node's loop only, and so are the functions handed to them.
//
// The package is pure: the simulator runs the very node that serves users.
package member
