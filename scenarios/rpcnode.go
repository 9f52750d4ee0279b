package scenarios

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// What an rpcNode draws random numbers for.
const purposeIncarnation runtime.Purpose = 1

// Times of an rpcNode.
const (
	rpcTimeout   = 4 * time.Second // of its calls, at most
	rpcLoadEvery = 100 * time.Millisecond
)

// rpcNode does for clients what their commands say, by calling its peers, and
// answers those. It has no disk.
type rpcNode struct {
	env    runtime.Env
	limits transport.RPCConfig
	rpc    *transport.RPC
	count  uint64 // requests handled
	asked  map[transport.RequestID]*rpcErrand
	later  []rpcLater // in no order
	loadAt runtime.Instant
}

// rpcErrand is what a node does for one call of a client.
type rpcErrand struct {
	call runtime.CallID
	left int             // calls to a peer that have not ended
	all  runtime.Outcome // the worst of those that have; of a burst, the best
	some bool            // it is a burst
}

// ended takes the outcome of one call.
func (e *rpcErrand) ended(o runtime.Outcome) {
	if e.all == 0 || e.some == (o < e.all) {
		e.all = o
	}
}

// rpcLater is something to be done at a time: an answer, or a change of mind.
type rpcLater struct {
	at     runtime.Instant
	ticket transport.Ticket
	body   []byte // of the request
	cancel transport.RequestID
}

func newRPCNode(limits transport.RPCConfig) *rpcNode {
	return &rpcNode{limits: limits, asked: map[transport.RequestID]*rpcErrand{}}
}

// Boot implements runtime.Node.
func (n *rpcNode) Boot(env runtime.Env) {
	n.env = env
	cfg := n.limits
	cfg.Incarnation = env.Uint64(purposeIncarnation) | 1
	n.rpc = transport.NewRPC(cfg)
	n.settle()
}

// Receive implements runtime.Node.
func (n *rpcNode) Receive(from runtime.NodeID, _ runtime.Channel, frame []byte) {
	_ = n.rpc.Receive(n.env.Now(), from, frame) // a damaged frame is as good as a lost one
	n.settle()
}

// Wake implements runtime.Node.
func (n *rpcNode) Wake() {
	now := n.env.Now()
	n.rpc.Tick(now)
	for i := 0; i < len(n.later); {
		x := n.later[i]
		if x.at > now {
			i++
			continue
		}
		n.later = slices.Delete(n.later, i, i+1)
		if x.cancel == 0 {
			n.answer(x.ticket, x.body)
		} else if o, open := n.rpc.Cancel(x.cancel); open {
			n.ended(&transport.RPCResult{ID: x.cancel, Outcome: o})
		}
	}
	if now >= n.loadAt {
		n.loadAt = now.Add(rpcLoadEvery)
		l := n.rpc.Load()
		n.env.Trace(runtime.Event{
			Kind: transport.LoadSeen, A: uint64(l.Calls), B: uint64(l.CallBytes), C: uint64(l.Serving), D: uint64(l.ReplyBytes),
		})
	}
	n.settle()
}

// Call implements runtime.Node. A request to a peer is the call's id, a number, the client's
// command, and padding: no two are alike.
func (n *rpcNode) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	cmd, err := decodeRPCCommand(req)
	if err != nil {
		n.env.Reply(id, runtime.Refused, nil)
		return
	}
	errand := &rpcErrand{call: id, some: cmd.kind == rpcBurst}
	deadline = min(deadline, n.env.Now().Add(rpcTimeout))
	calls := 1
	if cmd.kind == rpcBurst {
		calls = rpcBurstSize
	}
	for i := range calls {
		n.ask(errand, &cmd, deadline, i, req)
	}
	if errand.left == 0 {
		n.reply(errand, nil)
	}
	n.settle()
}

// ask makes one call to a peer.
func (n *rpcNode) ask(errand *rpcErrand, cmd *rpcCommand, deadline runtime.Instant, i int, req []byte) {
	body := binary.LittleEndian.AppendUint64(nil, uint64(errand.call))
	body = append(binary.LittleEndian.AppendUint64(body, uint64(i)), req...)
	body = append(body, make([]byte, cmd.size)...)
	hash, now := runtime.HashBytes(0, body), n.env.Now()
	asked := runtime.Event{Kind: transport.CallAsked, B: uint64(cmd.target), C: hash}
	if cmd.kind == rpcNotify {
		n.env.Trace(asked)
		if err := n.rpc.Notify(now, cmd.target, deadline, body); err != nil {
			errand.ended(runtime.Refused)
			return
		}
		errand.ended(runtime.Done)
		return
	}
	id, err := n.rpc.Call(now, cmd.target, deadline, body)
	if err != nil {
		errand.ended(runtime.Refused)
		return
	}
	if asked.A = uint64(id); cmd.kind != rpcBurst {
		asked.D = uint64(errand.call)
	}
	n.env.Trace(asked)
	n.asked[id] = errand
	errand.left++
	if cmd.kind == rpcCancel {
		n.later = append(n.later, rpcLater{at: now.Add(cmd.delay), cancel: id})
	}
}

// Cancel implements runtime.Node. The deadline ends what was begun.
func (n *rpcNode) Cancel(runtime.CallID) {}

// Stop implements runtime.Node.
func (n *rpcNode) Stop() { n.env.Halt(nil) }

// settle carries out what the RPC asks for, and sets the alarm.
func (n *rpcNode) settle() {
	for {
		out := n.rpc.Take()
		for _, ev := range out.Events {
			n.env.Trace(ev)
		}
		for _, f := range out.Send {
			n.env.Send(f.To, runtime.ChannelRPC, f.Frame)
		}
		for i := range out.Serve {
			n.serve(&out.Serve[i])
		}
		for i := range out.Results {
			n.ended(&out.Results[i])
		}
		if len(out.Serve) == 0 {
			break
		}
	}
	at := min(n.rpc.Deadline(), n.loadAt)
	for i := range n.later {
		at = min(at, n.later[i].at)
	}
	n.env.WakeAt(at)
}

// serve handles a request of a peer: now, later or never, as the command says.
func (n *rpcNode) serve(req *transport.Request) {
	served := runtime.Event{Kind: transport.RequestServed, A: uint64(req.Ticket.From), C: runtime.HashBytes(0, req.Body)}
	if req.OneWay {
		served.B = 1
	}
	n.env.Trace(served)
	n.count++
	if req.OneWay {
		return
	}
	cmd, err := decodeRPCCommand(req.Body[min(16, len(req.Body)):])
	switch {
	case err != nil || cmd.delay < 0:
	case cmd.delay == 0 || cmd.kind == rpcCancel:
		n.answer(req.Ticket, req.Body)
	default:
		n.later = append(n.later, rpcLater{at: n.env.Now().Add(cmd.delay), ticket: req.Ticket, body: req.Body})
	}
}

// answer says how many requests were handled before, and which one this is.
func (n *rpcNode) answer(t transport.Ticket, body []byte) {
	hash := runtime.HashBytes(0, body)
	resp := binary.LittleEndian.AppendUint64(nil, n.count)
	resp = binary.LittleEndian.AppendUint64(resp, uint64(n.env.Self()))
	resp = append(binary.LittleEndian.AppendUint64(resp, hash), make([]byte, len(body))...)
	n.env.Trace(runtime.Event{Kind: transport.RequestAnswered, A: uint64(t.From), C: hash, D: runtime.HashBytes(0, resp)})
	if err := n.rpc.Respond(t, resp); err != nil {
		panic(err.Error()) // the commands are smaller than that
	}
}

// ended takes the result of a call to a peer.
func (n *rpcNode) ended(res *transport.RPCResult) {
	ev := runtime.Event{Kind: transport.CallEnded, A: uint64(res.ID), B: uint64(res.Peer), C: uint64(res.Outcome)}
	if res.Outcome == runtime.Done {
		ev.D = runtime.HashBytes(0, res.Body)
	}
	n.env.Trace(ev)
	errand := n.asked[res.ID]
	if errand == nil {
		return
	}
	delete(n.asked, res.ID)
	errand.left--
	errand.ended(res.Outcome)
	if errand.left == 0 {
		n.reply(errand, res.Body)
	}
}

// reply answers the client.
func (n *rpcNode) reply(errand *rpcErrand, resp []byte) {
	n.env.Reply(errand.call, errand.all, resp)
}
