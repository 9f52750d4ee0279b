// Package runtime is the contract between a node and the world it runs in.
//
// A [Node] is code that decides: it is called, it returns without blocking,
// and everything it wants done it asks of its [Env]. A world is what carries
// that out. There are two: package sim runs nodes in virtual time from one
// seed, with a disk and a network that fail; package runtime/host runs the
// same nodes on real clocks, disks and connections. A node cannot tell them
// apart, and must not try to.
//
// The flow of one piece of work is always the same: a world calls the node
// ([Node.Call], [Node.Receive], [Node.Wake]); the node changes its memory and
// tells its Env what follows ([Env.Send], [Env.Submit], [Env.Reply],
// [Env.WakeAt]); the world does that later, and calls back. Disk work is
// straight-line Go that runs on a [Lane], off the loop, against an [FS].
//
// Guarantees of every world:
//   - The methods of one node are never called concurrently, and neither are
//     the done functions of its jobs: they share one loop.
//   - Jobs of one lane run one after another, in the order submitted.
//   - After a kill or [Env.Halt] nothing of the node has any effect: its Env
//     is inert and its file calls never return.
//
// The package is pure: it imports nothing of this module, and none of the
// standard library that knows a clock, a file, a socket or a thread.
package runtime
