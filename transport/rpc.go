package transport

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// The values that zero fields of an RPCConfig stand for.
const (
	defaultCallsMax      = 256
	defaultCallBytesMax  = 8 << 20
	defaultServeMax      = 1024
	defaultServeBytesMax = 32 << 20
	defaultReplyBytesMax = 4 << 20
	defaultPeersMax      = 64
	defaultRetryMin      = 100 * time.Millisecond
	defaultRetryMax      = time.Second
)

// RPCConfig says how much an RPC takes on, and how patient it is. A zero field stands
// for its default, except where said otherwise.
type RPCConfig struct {
	// Incarnation tells this boot of the node from every other one: a fresh uniform
	// draw. It must not be zero.
	Incarnation uint64
	// CallsMax is how many calls to one peer may be under way. Default 256, at most 512.
	CallsMax int
	// CallBytesMax is how many bytes their requests may have together. Default 8 MiB.
	CallBytesMax int
	// ServeMax is how many requests, of all peers, the handler may have at a time. Default 1024.
	ServeMax int
	// ServeBytesMax is how many bytes those may have together. Default 32 MiB.
	ServeBytesMax int
	// ReplyBytesMax is how many bytes of answers are kept for one peer, until it has
	// them for certain. Default 4 MiB.
	ReplyBytesMax int
	// PeersMax is how many peers may be known. Default 64.
	PeersMax int
	// RetryMin is after how long without an answer a request is sent again. The
	// time doubles each time, up to RetryMax. Default 100 ms and 1 s.
	RetryMin, RetryMax time.Duration
}

func (c RPCConfig) withDefaults() RPCConfig {
	c.CallsMax = cmp.Or(c.CallsMax, defaultCallsMax)
	c.CallBytesMax = cmp.Or(c.CallBytesMax, defaultCallBytesMax)
	c.ServeMax = cmp.Or(c.ServeMax, defaultServeMax)
	c.ServeBytesMax = cmp.Or(c.ServeBytesMax, defaultServeBytesMax)
	c.ReplyBytesMax = cmp.Or(c.ReplyBytesMax, defaultReplyBytesMax)
	c.PeersMax = cmp.Or(c.PeersMax, defaultPeersMax)
	c.RetryMin = cmp.Or(c.RetryMin, defaultRetryMin)
	c.RetryMax = cmp.Or(c.RetryMax, max(defaultRetryMax, c.RetryMin))
	return c
}

// Validate reports the first thing wrong with the configuration, after defaults.
func (c RPCConfig) Validate() error {
	c = c.withDefaults()
	if c.Incarnation == 0 {
		return errors.New("transport: RPC without an incarnation")
	}
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"CallsMax", c.CallsMax}, {"CallBytesMax", c.CallBytesMax}, {"ServeMax", c.ServeMax},
		{"ServeBytesMax", c.ServeBytesMax}, {"ReplyBytesMax", c.ReplyBytesMax}, {"PeersMax", c.PeersMax},
	} {
		if limit.value < 1 {
			return fmt.Errorf("transport: RPC with %s %d", limit.name, limit.value)
		}
	}
	if c.CallsMax > rpcWindow/2 {
		return fmt.Errorf("transport: RPC with %d calls to a peer, at most %d", c.CallsMax, rpcWindow/2)
	}
	if c.RetryMin <= 0 || c.RetryMax < c.RetryMin {
		return fmt.Errorf("transport: RPC retries after %v to %v", c.RetryMin, c.RetryMax)
	}
	return nil
}

// RequestID names a call that this node makes. It is never used twice in a boot. Zero is no call.
type RequestID uint64

// Ticket names a request that this node serves. It is never used twice in a boot.
type Ticket struct {
	From    runtime.NodeID
	session uint64
	seq     uint64
}

// Outgoing is a frame to be sent. Its bytes belong to whoever takes it.
type Outgoing struct {
	To    runtime.NodeID
	Frame []byte
}

// Request is what a peer asks of this node. The body is the handler's.
type Request struct {
	Ticket Ticket
	// OneWay says that the peer expects no answer: the ticket is not to be answered.
	OneWay bool
	// Deadline is when the peer gives up, as far as this node's clock can tell.
	Deadline runtime.Instant
	Body     []byte
}

// RPCResult is how a call ended.
type RPCResult struct {
	ID   RequestID
	Peer runtime.NodeID
	// Outcome is Done with an answer (Err is nil, or a *RemoteError), Refused if the
	// handler never saw the request and never will, Unknown otherwise.
	Outcome runtime.Outcome
	Err     error
	Body    []byte // the answer, if Err is nil
}

// RPCOutput is what an RPC obliges its driver to do. The slices belong to the RPC
// and are valid until the next Take; what they point to is the driver's.
type RPCOutput struct {
	Events []runtime.Event
	Send   []Outgoing
	// Serve are new requests for the handler. Each but a one-way one is answered,
	// now or later, with Respond or Fail.
	Serve []Request
	// Abandoned are requests served whose answers nobody waits for any more.
	Abandoned []Ticket
	Results   []RPCResult
}

// RPCLoad is what an RPC holds at the moment.
type RPCLoad struct {
	Calls, CallBytes     int // under way, to all peers
	Serving, ServedBytes int // requests that the handler has
	ReplyBytes           int // answers kept for peers
	Peers                int
}

// RPC is one node's end of all its calls: those it makes and those it answers. It
// has no clock, network or randomness of its own:
//
//	Call, Respond, Receive, Tick, ... -> Take -> trace, send, serve, tell results
//
// Methods must not be called concurrently, and now never falls.
type RPC struct {
	cfg      RPCConfig
	peers    []*rpcPeer // ascending by id
	lastID   RequestID
	sessions uint64 // numbers given out
	serving  int
	served   int             // bytes of the requests being served
	wake     runtime.Instant // nothing is due before
	out      RPCOutput
	spare    RPCOutput // handed out by the last Take
}

// rpcPeer is a peer in both roles.
type rpcPeer struct {
	id runtime.NodeID
	caller
	answerer
}

// NewRPC returns an RPC that knows nobody. It panics if the configuration does not validate.
func NewRPC(cfg RPCConfig) *RPC {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	return &RPC{cfg: cfg.withDefaults(), wake: runtime.Never}
}

// Receive takes a frame from a peer, whatever its bytes are. They stay the
// caller's. An error says that it is no frame of an RPC, or was damaged, or
// makes no sense: it has been ignored.
func (r *RPC) Receive(now runtime.Instant, from runtime.NodeID, frame []byte) error {
	var m rpcMessage
	if err := m.decode(frame); err != nil {
		return err
	}
	switch m.kind {
	case kindWelcome:
		r.welcomed(now, from, &m)
	case kindReset:
		r.reset(now, from, &m)
	case kindResponse, kindAccepted:
		r.answered(now, from, &m)
	case kindHello:
		r.greeted(from, &m)
	default:
		r.asked(now, from, &m)
	}
	return nil
}

// Tick says that time has passed: requests are sent again, calls expire. Before
// Deadline it does nothing.
func (r *RPC) Tick(now runtime.Instant) {
	if now < r.wake {
		return
	}
	r.wake = runtime.Never
	for _, p := range r.peers {
		r.tickCaller(now, p)
	}
}

// Deadline returns when Tick is due, Never if no time needs to pass. An alarm that goes off
// early does no harm.
func (r *RPC) Deadline() runtime.Instant { return r.wake }

// Take returns what the driver must do now: all that came up since the last Take.
func (r *RPC) Take() RPCOutput {
	out, next := r.out, &r.spare
	clear(next.Send)
	clear(next.Serve)
	clear(next.Results)
	r.out = RPCOutput{
		Events: next.Events[:0], Send: next.Send[:0], Serve: next.Serve[:0], Abandoned: next.Abandoned[:0], Results: next.Results[:0],
	}
	r.spare = out
	return out
}

// Load returns what the RPC holds at the moment.
func (r *RPC) Load() RPCLoad {
	load := RPCLoad{Serving: r.serving, ServedBytes: r.served, Peers: len(r.peers)}
	for _, p := range r.peers {
		load.Calls += len(p.calls)
		load.CallBytes += p.bytes
		if p.current != nil {
			load.ReplyBytes += p.current.kept
		}
	}
	return load
}

// due notes that Tick has something to do at t.
func (r *RPC) due(t runtime.Instant) { r.wake = min(r.wake, t) }

// peer returns a peer, nil if it is unknown.
func (r *RPC) peer(id runtime.NodeID) *rpcPeer {
	if i, known := r.search(id); known {
		return r.peers[i]
	}
	return nil
}

// meet returns a peer, made if it is unknown; nil if there are too many.
func (r *RPC) meet(id runtime.NodeID) *rpcPeer {
	i, known := r.search(id)
	if known {
		return r.peers[i]
	}
	if len(r.peers) == r.cfg.PeersMax {
		return nil
	}
	p := &rpcPeer{id: id}
	r.peers = slices.Insert(r.peers, i, p)
	return p
}

func (r *RPC) search(id runtime.NodeID) (int, bool) {
	return slices.BinarySearchFunc(r.peers, id, func(p *rpcPeer, id runtime.NodeID) int { return cmp.Compare(p.id, id) })
}

func (r *RPC) send(to runtime.NodeID, m *rpcMessage) {
	r.out.Send = append(r.out.Send, Outgoing{To: to, Frame: m.encode()})
}

func (r *RPC) event(kind runtime.EventKind, a, b, c, d uint64) {
	r.out.Events = append(r.out.Events, runtime.Event{Kind: kind, A: a, B: b, C: c, D: d})
}
