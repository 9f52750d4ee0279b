package raft

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// The lanes of a node, by what is done on them.
const (
	laneLog      runtime.Lane = iota // recovery, group flushes, chores of the log
	laneRead                         // old entries for peers
	laneApply                        // the state machine
	laneSnapshot                     // snapshot files are written, checked and removed
	laneShip                         // the shipping lane: snapshot files to and from peers
)

// What a node draws random numbers for.
const (
	purposeJitter      runtime.Purpose = iota + 1 // of election timeouts
	purposeLogSeed                                // salts of the log, anew at each boot
	purposeIncarnation                            // of a new disk
)

// The values that zero fields of a NodeConfig stand for.
const (
	defaultDir           = "raft"
	defaultSnapshotEvery = 10_000
	defaultSnapshotKeep  = 1_000
	defaultSnapshotChunk = 64 << 10
)

// NodeConfig says how a node works. A zero field stands for its default,
// except where said otherwise.
type NodeConfig struct {
	// Core configures the core. Voters must be given; ID is the node's own,
	// which its Env knows.
	Core CoreConfig
	// Dir is the node's folder within its FS. Default "raft".
	Dir string
	// SegmentBytes is the size of the log's files; zero leaves it to the log.
	SegmentBytes int64
	// SnapshotEvery is how many entries lie between two snapshots: one is due at each
	// multiple, and Core.RoundEvery is that. Members of one cluster should have the same, so
	// that they can help each other out with snapshots. Default 10,000.
	SnapshotEvery uint64
	// SnapshotKeep is how many entries before a snapshot stay in the log, for
	// peers that are a little behind. Default 1,000.
	SnapshotKeep uint64
	// SnapshotChunk is how many bytes of a snapshot one frame carries at least: from transport.ChunkMin to
	// transport.ChunkMax, the same on all members. Default 64 KiB.
	SnapshotChunk int
	// SnapshotRate is how many bytes of snapshots a second are sent to all peers together; zero: any number.
	SnapshotRate int64
	// StallTimeout is how long a write of the log may be under way before the disk counts as one that stands still: then the
	// node does not lead. Default three times Core.ElectionTimeout.
	StallTimeout time.Duration
	// Machine makes the state machine, empty. It must be given.
	Machine func() StateMachine
}

func (c NodeConfig) withDefaults() NodeConfig {
	c.Dir = cmp.Or(c.Dir, defaultDir)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, defaultSnapshotEvery)
	c.SnapshotKeep = cmp.Or(c.SnapshotKeep, defaultSnapshotKeep)
	c.Core.RoundEvery = c.SnapshotEvery
	c.SnapshotChunk = cmp.Or(c.SnapshotChunk, defaultSnapshotChunk)
	c.StallTimeout = cmp.Or(c.StallTimeout, 3*cmp.Or(c.Core.ElectionTimeout, defaultElectionTimeout))
	return c
}

// Validate reports the first thing wrong with the configuration, after
// defaults. A zero Core.ID passes: the node fills it in.
func (c NodeConfig) Validate() error {
	c = c.withDefaults()
	if c.Machine == nil {
		return errors.New("raft: no state machine")
	}
	if c.StallTimeout < 0 {
		return fmt.Errorf("raft: stall timeout %v", c.StallTimeout)
	}
	if !fs.ValidPath(c.Dir) || c.Dir == "." {
		return fmt.Errorf("raft: folder %q is not the path of a folder below the root", c.Dir)
	}
	if c.Core.ID == 0 && len(c.Core.Voters) > 0 {
		c.Core.ID = c.Core.Voters[0]
	}
	if err := c.lane().Validate(); err != nil {
		return fmt.Errorf("raft: snapshots: %w", err)
	}
	return c.Core.Validate()
}

// phase is where a node is in its life.
type phase uint8

const (
	booting  phase = iota // recovering: calls are refused, frames dropped
	running               // all is well
	draining              // finishing what was begun; calls are refused, frames dropped
	ended                 // halted: nothing has an effect any more
)

// Node drives a [Core] in a world: it implements [runtime.Node]. Every method
// ends in settle, which carries out what the core asks for.
type Node struct {
	cfg   NodeConfig
	env   runtime.Env
	phase phase
	core  *Core // nil while booting
	armed runtime.Instant

	calls    calls   // clients' requests under way
	outbox   outbox  // the one place where messages leave
	writer   writer  // the log: one group in flight, the next one staged
	loader   loader  // old entries for peers
	applier  applier // committed entries to the state machine
	keeper   keeper  // own snapshots, and which files there are
	shipper  shipper // snapshots to peers
	fetcher  fetcher // a snapshot from peers
	received Message // memory for the message at hand
}

var _ runtime.Node = (*Node)(nil)

// NewNode returns a node to be booted. It panics if the configuration does not
// validate.
func NewNode(cfg NodeConfig) *Node {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	n := &Node{cfg: cfg.withDefaults(), armed: runtime.Never}
	n.calls = calls{node: n, expiry: runtime.Never}
	n.outbox.node = n
	n.writer.init(n)
	n.loader.node = n
	n.applier.init(n)
	n.keeper.init(n)
	n.shipper.init(n)
	n.fetcher.init(n)
	return n
}

// Status returns the core's view of itself, the zero Status before recovery is done.
func (n *Node) Status() Status {
	if n.core == nil {
		return Status{}
	}
	return n.core.Status()
}

// Receive implements [runtime.Node]. On ChannelBulk snapshots travel, in frames of kinds that
// no other message has. What is not from that peer to this node is traced and dropped.
func (n *Node) Receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	if n.phase != running {
		return
	}
	if ch == runtime.ChannelBulk && n.shipper.lane.Handles(frame) {
		n.shipper.receive(from, frame)
		n.settle()
		return
	}
	m := &n.received
	if err := decodeMessage(frame, m); err != nil || m.From != from || m.To != n.env.Self() {
		n.refuseFrame(from, frame)
		return
	}
	if n.writer.full(len(frame), len(m.Entries)) {
		return // the disk does not keep up: the leader sends it again
	}
	n.core.Step(n.env.Now(), m)
	if m.Type == MsgSnapshotReply {
		n.shipper.answered(m)
	}
	n.settle()
}

// Wake implements [runtime.Node].
func (n *Node) Wake() {
	n.armed = runtime.Never
	if n.phase != running {
		return
	}
	now := n.env.Now()
	if n.core.Deadline() <= now {
		n.core.Stalled(n.writer.stalled(now))
		n.core.Tick(now, n.env.Uint64(purposeJitter))
	}
	n.calls.expire(now)
	n.shipper.tick(now)
	n.settle()
}

// Call implements [runtime.Node]: the request is what [AppendRequest] makes, a
// command or a query for the state machine. The response of a done call is the
// state machine's; that of a refused one is a [Refusal].
func (n *Node) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	n.calls.begin(id, deadline, req)
	n.settle()
}

// Cancel implements [runtime.Node].
func (n *Node) Cancel(id runtime.CallID) { n.calls.forget(id) }

// Stop implements [runtime.Node]: what has been taken in is written and
// applied, nothing more is taken in, then the log is closed and the node ends.
func (n *Node) Stop() {
	if n.phase == running {
		n.phase = draining
		n.settle()
	} else if n.phase == booting {
		n.phase = draining // the end of recovery sees it
	}
}

// halt ends the node. Nothing it does afterwards has an effect.
func (n *Node) halt(reason error) {
	if n.phase != ended {
		n.phase = ended
		n.env.Halt(reason)
	}
}

// refuseFrame traces a frame that is dropped.
func (n *Node) refuseFrame(from runtime.NodeID, frame []byte) {
	n.env.Trace(runtime.Event{Kind: FrameRefused, A: uint64(from), B: uint64(len(frame))})
}

// refuse traces a failed job that the node survives.
func (n *Node) refuse(lane runtime.Lane, err error) {
	note := []byte(err.Error())
	n.env.Trace(runtime.Event{Kind: DiskRefused, A: uint64(lane), Note: note[:min(len(note), noteMax)]})
}

// noteMax bounds the note of an event, in bytes.
const noteMax = 200
