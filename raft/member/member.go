package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The lanes of the shipping lane. Those below are the engine's, those above are free.
const (
	laneShipRead  runtime.Lane = 5
	laneShipWrite runtime.Lane = 6
	laneShipSync  runtime.Lane = 7
)

// purposeIncarnation is what a node draws random numbers for, beside its engine.
const purposeIncarnation runtime.Purpose = 0x6d656d62

// The values that zero fields of a Config stand for.
const (
	defaultForwardTimeout = 10 * time.Second
	defaultCallsMax       = 512
)

// drainPatience is how long a node that is stopped waits for the answers to calls it has forwarded.
const drainPatience = time.Second

// Engine decides one order of commands: a *raft.Node, or what stands in for one. It answers the same
// requests, with the same refusals.
type Engine interface {
	runtime.Node
	// Status returns the engine's view of itself, the zero Status before it is ready.
	Status() raft.Status
}

// Peer is another member.
type Peer struct {
	ID   runtime.NodeID
	Addr string // where it is reached
}

// Request is what a peer's service asks.
type Request struct {
	Ticket   transport.Ticket
	OneWay   bool            // it expects no answer
	Deadline runtime.Instant // when it gives up, on this node's clock
	Body     []byte          // the handler's
}

// Config says of what a node is made. A zero field stands for its default, except where said otherwise.
type Config struct {
	// Engine must be given, and be new: the node owns it.
	Engine Engine
	// Peers are the other members.
	Peers []Peer
	// Forward says that calls go to the leader if that is another member. Otherwise they are refused.
	Forward bool
	// ForwardTimeout is how long an answer to a forwarded call is waited for, at most. Default 10 s.
	ForwardTimeout time.Duration
	// Patience is how long a call waits for somebody to lead; zero: not at all.
	Patience time.Duration
	// RPC limits the calls among members. The incarnation is drawn by the node; CallsMax is 512 by default.
	RPC transport.RPCConfig
	// Shipper limits the shipping lane. The lanes are the node's business.
	Shipper transport.ShipperConfig
	// Serve, if not nil, gets what the services of peers ask. Each request but a one-way one is answered, now or later,
	// with Respond or Fail.
	Serve func(Request)
	// Abandoned, if not nil, is told of requests whose answer nobody waits for any longer.
	Abandoned func(transport.Ticket)
}

func (c Config) withDefaults() Config {
	c.ForwardTimeout = cmp.Or(c.ForwardTimeout, defaultForwardTimeout)
	c.RPC.CallsMax = cmp.Or(c.RPC.CallsMax, defaultCallsMax)
	c.RPC.Incarnation = 1 // until it is drawn
	c.Shipper.ReadLane, c.Shipper.WriteLane, c.Shipper.SyncLane = laneShipRead, laneShipWrite, laneShipSync
	return c
}

// Validate reports the first thing wrong with the configuration, after defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	if c.Engine == nil {
		return errors.New("member: no engine")
	}
	if c.ForwardTimeout < 0 || c.Patience < 0 {
		return errors.New("member: negative time")
	}
	for i, p := range c.Peers {
		if p.ID == 0 {
			return errors.New("member: peer with id 0")
		}
		if slices.IndexFunc(c.Peers, func(o Peer) bool { return o.ID == p.ID }) != i {
			return fmt.Errorf("member: peer %v is listed twice", p.ID)
		}
	}
	if err := c.RPC.Validate(); err != nil {
		return err
	}
	return c.Shipper.Validate()
}

// Node is a member of a cluster. It implements [runtime.Node].
type Node struct {
	cfg     Config
	env     runtime.Env
	engine  Engine
	rpc     *transport.RPC // nil before Boot
	shipper *transport.Shipper

	over     bool            // halted
	settling bool            // settle is under way
	armed    runtime.Instant // what the alarm is set to
	engineAt runtime.Instant // when the engine wants to wake
	stopAt   runtime.Instant // when the engine is stopped, come what may; Never: nobody has asked
	stopped  bool            // the engine has been told

	leader runtime.NodeID // as last seen
	term   raft.Term

	calls    calls
	serving  serving
	asked    map[transport.RequestID]func(transport.RPCResult)
	offering map[transport.OfferID]func(transport.Offered)
	fetching map[transport.FetchID]func(transport.Fetched)
}

var _ runtime.Node = (*Node)(nil)

// New returns a node to be booted. It panics if the configuration does not validate.
func New(cfg Config) *Node {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	n := &Node{
		cfg: cfg.withDefaults(), engine: cfg.Engine,
		armed: runtime.Never, engineAt: runtime.Never, stopAt: runtime.Never,
		asked:    map[transport.RequestID]func(transport.RPCResult){},
		offering: map[transport.OfferID]func(transport.Offered){},
		fetching: map[transport.FetchID]func(transport.Fetched){},
	}
	n.calls.init(n)
	n.serving.init(n)
	return n
}

// Boot implements [runtime.Node].
func (n *Node) Boot(env runtime.Env) {
	n.env = env
	n.cfg.RPC.Incarnation = env.Uint64(purposeIncarnation) | 1
	n.rpc = transport.NewRPC(n.cfg.RPC)
	n.shipper = transport.NewShipper(n.cfg.Shipper)
	for _, p := range n.cfg.Peers {
		env.Route(p.ID, p.Addr)
	}
	n.engine.Boot(engineEnv{Env: env, node: n})
	n.settle()
}

// Receive implements [runtime.Node].
func (n *Node) Receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	if slices.IndexFunc(n.cfg.Peers, func(p Peer) bool { return p.ID == from }) < 0 {
		n.env.Trace(runtime.Event{Kind: StrangerIgnored, A: uint64(from), B: uint64(len(frame))})
		return
	}
	// A frame that is damaged or makes no sense is as good as a lost one.
	switch ch {
	case runtime.ChannelRPC:
		_ = n.rpc.Receive(n.env.Now(), from, frame)
	case runtime.ChannelFiles:
		_ = n.shipper.Receive(n.env.Now(), from, frame)
	default:
		n.engine.Receive(from, ch, frame)
	}
	n.settle()
}

// Wake implements [runtime.Node].
func (n *Node) Wake() {
	n.armed = runtime.Never
	now := n.env.Now()
	if n.engineAt <= now {
		n.engineAt = runtime.Never
		n.engine.Wake()
	}
	n.rpc.Tick(now)
	n.shipper.Tick(now)
	n.calls.tick(now)
	n.settle()
}

// Call implements [runtime.Node]: see the package's documentation.
func (n *Node) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	if id >= runtime.OwnCalls {
		panic(fmt.Sprintf("member: call %d, want one below %d", id, runtime.OwnCalls))
	}
	n.calls.begin(id, deadline, req)
	n.settle()
}

// Cancel implements [runtime.Node].
func (n *Node) Cancel(id runtime.CallID) {
	n.calls.cancel(id)
	n.settle()
}

// Stop implements [runtime.Node]: new calls are refused, the answers to forwarded ones are waited for, though not
// for long, and then the engine is stopped.
func (n *Node) Stop() {
	if n.stopAt == runtime.Never {
		n.stopAt = n.env.Now().Add(drainPatience)
		n.calls.stop()
		n.settle()
	}
}

// Refresh says that the engine's Status has changed by itself. A raft.Node's never does.
func (n *Node) Refresh() { n.settle() }

// Status returns the engine's view of itself.
func (n *Node) Status() raft.Status { return n.engine.Status() }

// Load returns what the parts of the node hold at the moment.
func (n *Node) Load() (transport.RPCLoad, transport.ShipperLoad) {
	return n.rpc.Load(), n.shipper.Load()
}

// settle carries out what the parts ask for. It is the last thing that every method of the node and every end of a
// job does. A function of the service that is called from here may call the node: what comes of it
// is carried out by the settle that is under way.
func (n *Node) settle() {
	if n.over || n.settling || n.rpc == nil {
		return
	}
	n.settling = true
	for more := true; more && !n.over; {
		n.watch()
		more = n.carryRPC() || n.carryShipping()
	}
	n.settling = false
	if n.over {
		return
	}
	n.drain()
	n.arm()
}

// watch looks whether somebody else leads.
func (n *Node) watch() {
	s := n.engine.Status()
	if s.Leader == n.leader && s.Term == n.term {
		return
	}
	changed := s.Leader != n.leader
	n.leader, n.term = s.Leader, s.Term
	n.env.Trace(runtime.Event{Kind: LeaderChanged, A: uint64(s.Leader), B: uint64(s.Term)})
	if changed && s.Leader != 0 {
		n.calls.newLeader()
	}
}

// drain stops the engine when it is time. Its Halt is that of the node.
func (n *Node) drain() {
	if n.stopAt == runtime.Never || n.stopped {
		return
	}
	if len(n.calls.forwarded) == 0 || n.env.Now() >= n.stopAt {
		n.stopped = true
		n.engine.Stop()
	}
}

// arm sets the alarm to the earliest deadline. One that is too early stays: it is put right when it goes off.
func (n *Node) arm() {
	due := min(n.engineAt, n.rpc.Deadline(), n.shipper.Deadline(), n.calls.due)
	if !n.stopped {
		due = min(due, n.stopAt)
	}
	if due < n.armed {
		n.armed = due
		n.env.WakeAt(due)
	}
}
