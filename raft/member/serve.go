package member

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The first byte of a request among members says for whom it is.
const (
	serviceForward = 1 // the engine: a client's call; its id there, u64 little endian, and its request
	serviceOwn     = 2 // the service around the member
)

// forwardHeader is the length of a forwarded call before the client's request.
const forwardHeader = 9

// appendForward appends a forwarded call to dst.
func appendForward(dst []byte, id runtime.CallID, req []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, serviceForward), uint64(id))
	return append(dst, req...)
}

// BodyMax is how many bytes a request of the service may have.
const BodyMax = transport.RequestMax - 1

// errForwarded is wrapped by the errors of decodeForwarded.
var errForwarded = errors.New("member: malformed answer")

// decodeForwarded reads the answer to a forwarded call: the outcome in one byte, then the response.
func decodeForwarded(p []byte) (runtime.Outcome, []byte, error) {
	if len(p) == 0 {
		return 0, nil, fmt.Errorf("%w: no bytes", errForwarded)
	}
	outcome := runtime.Outcome(p[0])
	if outcome < runtime.Done || outcome > runtime.Unknown {
		return 0, nil, fmt.Errorf("%w: outcome %d", errForwarded, p[0])
	}
	return outcome, p[1:], nil
}

// forwarded is a call that a peer has forwarded.
type forwarded struct {
	ticket transport.Ticket
	origin runtime.CallID // its id at the peer
}

// serving are the calls that peers have forwarded to this node.
type serving struct {
	node    *Node
	last    runtime.CallID
	tickets map[runtime.CallID]forwarded // by the engine's id
	ids     map[transport.Ticket]runtime.CallID
}

func (s *serving) init(n *Node) {
	*s = serving{
		node: n, last: runtime.OwnCalls,
		tickets: map[runtime.CallID]forwarded{}, ids: map[transport.Ticket]runtime.CallID{},
	}
}

// begin hands a forwarded call to the engine. Whatever the engine says is the answer.
func (s *serving) begin(req *transport.Request) {
	s.last++
	origin := runtime.CallID(binary.LittleEndian.Uint64(req.Body[1:]))
	s.tickets[s.last], s.ids[req.Ticket] = forwarded{ticket: req.Ticket, origin: origin}, s.last
	s.node.env.Trace(runtime.Event{Kind: ForwardServed, A: uint64(origin), B: uint64(req.Ticket.From)})
	s.node.engine.Call(s.last, req.Deadline, req.Body[forwardHeader:])
}

// name puts the name under which the client's node knows a call in place of the engine's.
func (s *serving) name(ev *runtime.Event) {
	if f, found := s.tickets[runtime.CallID(ev.A)]; found {
		ev.A = uint64(f.origin)
	}
}

// answered sends the peer what the engine says.
func (s *serving) answered(id runtime.CallID, outcome runtime.Outcome, resp []byte) {
	f, found := s.tickets[id]
	if !found {
		return
	}
	delete(s.tickets, id)
	delete(s.ids, f.ticket)
	body := append(append(make([]byte, 0, 1+len(resp)), byte(outcome)), resp...)
	if err := s.node.rpc.Respond(f.ticket, body); err != nil {
		s.node.rpc.Fail(f.ticket, []byte(err.Error()))
	}
}

// abandon tells the engine that nobody waits for a forwarded call. It returns false if it is none.
func (s *serving) abandon(ticket transport.Ticket) bool {
	id, found := s.ids[ticket]
	if found {
		delete(s.tickets, id)
		delete(s.ids, ticket)
		s.node.engine.Cancel(id)
	}
	return found
}

// carryRPC does what the RPC asks for. It returns whether there was anything.
func (n *Node) carryRPC() bool {
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
	for _, t := range out.Abandoned {
		if !n.serving.abandon(t) && n.cfg.Abandoned != nil {
			n.cfg.Abandoned(t)
		}
	}
	for i := range out.Results {
		res := out.Results[i]
		if done := n.asked[res.ID]; done != nil {
			delete(n.asked, res.ID)
			done(res)
		}
	}
	return len(out.Send)+len(out.Serve)+len(out.Abandoned)+len(out.Results) > 0
}

// serve hands a request to whom it is for.
func (n *Node) serve(req *transport.Request) {
	var service byte
	if len(req.Body) > 0 {
		service = req.Body[0]
	}
	switch {
	case service == serviceForward && !req.OneWay && len(req.Body) >= forwardHeader:
		n.serving.begin(req)
	case service == serviceOwn && n.cfg.Serve != nil:
		n.cfg.Serve(Request{Ticket: req.Ticket, OneWay: req.OneWay, Deadline: req.Deadline, Body: req.Body[1:]})
	case !req.OneWay:
		n.rpc.Fail(req.Ticket, []byte("member: nobody here serves that"))
	}
}

// Ask asks the service of a peer for something. done gets the result, exactly once unless CancelAsk comes before. Errors
// are those of transport.RPC.Call: then there is no call. A body beyond BodyMax is too large.
func (n *Node) Ask(to runtime.NodeID, deadline runtime.Instant, body []byte, done func(transport.RPCResult)) (transport.RequestID, error) {
	id, err := n.rpc.Call(n.env.Now(), to, deadline, own(body))
	if err == nil {
		n.asked[id] = done
	}
	n.settle()
	return id, err
}

// Notify tells the service of a peer something, as transport.RPC.Notify does.
func (n *Node) Notify(to runtime.NodeID, deadline runtime.Instant, body []byte) error {
	err := n.rpc.Notify(n.env.Now(), to, deadline, own(body))
	n.settle()
	return err
}

// CancelAsk ends a call: its result will not come. The outcome is what may be concluded, as of transport.RPC.Cancel.
func (n *Node) CancelAsk(id transport.RequestID) (runtime.Outcome, bool) {
	delete(n.asked, id)
	outcome, open := n.rpc.Cancel(id)
	n.settle()
	return outcome, open
}

// Respond answers a request. An answer beyond transport.RequestMax is an error: the request is still to be answered.
func (n *Node) Respond(t transport.Ticket, body []byte) error {
	err := n.rpc.Respond(t, body)
	n.settle()
	return err
}

// Fail answers a request with an error, of which the peer gets the message.
func (n *Node) Fail(t transport.Ticket, message []byte) {
	n.rpc.Fail(t, message)
	n.settle()
}

// own makes a request of the service.
func own(body []byte) []byte {
	return append(append(make([]byte, 0, 1+len(body)), serviceOwn), body...)
}
