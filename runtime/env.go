package runtime

// Env is all that a node may touch of the world. It is handed over by
// [Node.Boot], belongs to that boot, and may be called only from the node's
// loop: from within the node's own methods and the done functions of its jobs.
// No method blocks.
//
// When the node has been killed or halted, every method does nothing (reads
// return zero), so that deferred code cannot act after death.
type Env interface {
	// Self returns the node's own id.
	Self() NodeID

	// Now reads the node's monotonic clock. It starts at an arbitrary value at
	// each boot, never steps back within one, and runs at nearly the rate of
	// real time: timeouts and leases are reckoned in it. It stands still
	// while the node is in a call.
	Now() Instant

	// Wall reads the wall clock, in nanoseconds since the Unix epoch. It may
	// step in either direction: it is for people, never for safety.
	Wall() Instant

	// WakeAt sets the node's one alarm: Wake is called once, at t or as soon
	// after as the world can. It replaces the alarm set before; Never cancels it.
	// An instant in the past wakes at once, but not within this call.
	WakeAt(t Instant)

	// Uint64 draws a uniformly distributed value from the node's own stream
	// for that purpose.
	Uint64(purpose Purpose) uint64

	// Route says at which address a peer is reached from now on.
	Route(id NodeID, addr string)

	// Send hands a frame to the network, best effort: it may arrive late, twice,
	// out of order, or never. Env owns the frame from here on.
	Send(to NodeID, ch Channel, frame []byte)

	// Submit runs job on the lane, after all jobs submitted to that lane
	// before, and then done with job's result on the node's loop. The job may
	// start at once, and beside the loop; done never runs before the node's
	// method has returned. The job owns the files it opens and may use nothing
	// of the node but the values it captured. Every job of a boot is given the same
	// FS: files that one job has opened may be used by later ones on its lane. If the node dies, the job ends at
	// its next file call, and done is never called.
	Submit(lane Lane, job func(FS) error, done func(error))

	// Reply answers a call. A second reply to the same call, or one after its
	// caller has gone, is dropped. Env owns resp from here on.
	Reply(id CallID, outcome Outcome, resp []byte)

	// Trace records an event. Env copies what it keeps: ev.Note may be reused.
	Trace(ev Event)

	// Halt ends the node at once: nothing it does from here on has an effect, not
	// even in the rest of this call. A reason is why it cannot go on, such as a
	// failed sync; the world starts it again, as its own next boot. A nil reason
	// is the end of a drain asked for by Node.Stop.
	Halt(reason error)
}

// Node is a replica, a client, or any other participant. Its methods are
// called one at a time, each runs to completion, and none may block, start a
// goroutine or keep the world's time.
type Node interface {
	// Boot starts the node with empty memory and whatever survived on disk. It
	// is the first call, and comes once per value: a world makes a new Node for
	// each boot.
	Boot(env Env)

	// Receive hands over a frame from a peer. The bytes are valid only during
	// the call, and may be anything: a peer's frame, a damaged one, an old one.
	Receive(from NodeID, ch Channel, frame []byte)

	// Wake says that the alarm set by WakeAt is due. It may come late.
	Wake()

	// Call asks the node for something on behalf of a client. The answer is a
	// later Reply, or never. After deadline, on the node's own clock, nobody
	// waits for it. The node owns req from here on.
	Call(id CallID, deadline Instant, req []byte)

	// Cancel says that nobody waits for the call any longer. The request may
	// have taken effect all the same.
	Cancel(id CallID)

	// Stop asks the node to finish what it has begun and then call Halt(nil).
	Stop()
}
