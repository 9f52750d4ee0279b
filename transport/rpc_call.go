package transport

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// caller is this node's side of its calls to one peer.
//
// A call is sent again and again, under one number, until it is answered or its
// deadline comes. So that the peer handles it once all the same, numbers belong to
// a session, which the peer gave out and remembers; a peer that has restarted says
// that it does not know the session, and what was sent in it is lost: whether
// it took effect is unknown, and it is never sent in another.
type caller struct {
	calls []*call // by id; those sent come first
	sent  int     // how many those are
	bytes int     // of all their bodies
	next  uint64  // number of the next call sent, less one: the last one used

	session  session
	hello    uint64 // hellos begun in this boot
	asking   bool   // the last one is not answered
	helloAt  runtime.Instant
	helloGap time.Duration
}

// session is one as its client knows it. The zero session is none.
type session struct {
	server uint64 // the incarnation of the peer
	number uint64
}

// call is one call under way.
type call struct {
	id       RequestID
	seq      uint64 // zero: not sent yet
	oneWay   bool
	accepted bool // the handler has it: asking again needs no body
	deadline runtime.Instant
	retryAt  runtime.Instant
	gap      time.Duration // to the next retry
	body     []byte
}

// Call asks a peer for something, and returns the id under which the result will
// come, exactly once unless Cancel comes before. The RPC owns body from here on. Errors
// are ErrBusy and ErrTooLarge: then there is no call.
func (r *RPC) Call(now runtime.Instant, to runtime.NodeID, deadline runtime.Instant, body []byte) (RequestID, error) {
	return r.begin(now, to, call{deadline: deadline, body: body})
}

// Notify tells a peer something, at most once, and never says what became of it. It is
// dropped if the peer cannot be reached before the deadline. Errors are those of Call.
func (r *RPC) Notify(now runtime.Instant, to runtime.NodeID, deadline runtime.Instant, body []byte) error {
	_, err := r.begin(now, to, call{deadline: deadline, body: body, oneWay: true})
	return err
}

func (r *RPC) begin(now runtime.Instant, to runtime.NodeID, c call) (RequestID, error) {
	if len(c.body) > RequestMax {
		return 0, fmt.Errorf("%w: request of %d bytes, limit %d", ErrTooLarge, len(c.body), RequestMax)
	}
	p := r.meet(to)
	if p == nil || len(p.calls) >= r.cfg.CallsMax || p.bytes+len(c.body) > r.cfg.CallBytesMax {
		return 0, ErrBusy
	}
	r.lastID++
	c.id = r.lastID
	p.calls = append(p.calls, &c)
	p.bytes += len(c.body)
	r.due(c.deadline)
	r.pump(now, p)
	return c.id, nil
}

// Cancel ends a call: its result will not come. It returns Refused if the request has not
// been sent and never will be, Unknown if it was, and false if there is no such call.
func (r *RPC) Cancel(id RequestID) (runtime.Outcome, bool) {
	for _, p := range r.peers {
		i, found := slices.BinarySearchFunc(p.calls, id, func(c *call, id RequestID) int { return cmp.Compare(c.id, id) })
		if !found {
			continue
		}
		c := p.calls[i]
		if c.seq == 0 {
			p.drop(i)
			return runtime.Refused, true
		}
		r.send(p.id, r.message(p, kindCancel, c.seq))
		p.drop(i)
		return runtime.Unknown, true
	}
	return 0, false
}

// Sent reports whether a call is under way and has been sent: whether Cancel would return Unknown.
func (r *RPC) Sent(id RequestID) bool {
	for _, p := range r.peers {
		i, found := slices.BinarySearchFunc(p.calls, id, func(c *call, id RequestID) int { return cmp.Compare(c.id, id) })
		if found {
			return p.calls[i].seq != 0
		}
	}
	return false
}

// drop forgets the i-th call.
func (p *caller) drop(i int) {
	p.bytes -= len(p.calls[i].body)
	if i < p.sent {
		p.sent--
	}
	p.calls = slices.Delete(p.calls, i, i+1)
}

// floor returns the lowest number of a call that has not ended.
func (p *caller) floor() uint64 {
	if p.sent > 0 {
		return p.calls[0].seq
	}
	return p.next + 1
}

// message returns one about the call with that number, in the session.
func (r *RPC) message(p *rpcPeer, kind uint8, seq uint64) *rpcMessage {
	return &rpcMessage{
		kind: kind, client: r.cfg.Incarnation, server: p.session.server, session: p.session.number,
		seq: seq, floor: min(p.floor(), seq),
	}
}

// pump sends the calls that wait, as far as the session allows.
func (r *RPC) pump(now runtime.Instant, p *rpcPeer) {
	if p.session == (session{}) {
		if !p.asking && len(p.calls) > 0 {
			p.asking = true
			p.hello++
			p.helloGap = r.cfg.RetryMin
			r.sayHello(now, p)
		}
		return
	}
	for p.sent < len(p.calls) && p.next+1 < p.floor()+rpcWindow/2 {
		c := p.calls[p.sent]
		p.next++
		c.seq = p.next
		p.sent++
		if c.oneWay {
			m := r.message(p, kindNotify, c.seq)
			m.body = c.body
			r.send(p.id, m)
			p.drop(p.sent - 1)
			continue
		}
		c.gap = r.cfg.RetryMin
		r.sendCall(now, p, c)
	}
}

// sayHello asks the peer for a session.
func (r *RPC) sayHello(now runtime.Instant, p *rpcPeer) {
	r.send(p.id, &rpcMessage{kind: kindHello, client: r.cfg.Incarnation, seq: p.hello})
	p.helloAt = now.Add(p.helloGap)
	p.helloGap = min(2*p.helloGap, r.cfg.RetryMax)
	r.due(p.helloAt)
}

// sendCall sends a call, once more or for the first time.
func (r *RPC) sendCall(now runtime.Instant, p *rpcPeer, c *call) {
	kind := uint8(kindRequest)
	if c.accepted {
		kind = kindPoll
	}
	m := r.message(p, kind, c.seq)
	if m.budget = budgetMax; c.deadline < now.Add(budgetMax) {
		m.budget = max(c.deadline.Sub(now)/time.Microsecond*time.Microsecond, time.Microsecond)
	}
	if !c.accepted {
		m.body = c.body
	}
	r.send(p.id, m)
	c.retryAt = now.Add(c.gap)
	c.gap = min(2*c.gap, r.cfg.RetryMax)
	r.due(min(c.retryAt, c.deadline))
}

// tickCaller lets calls expire and sends again what is due.
func (r *RPC) tickCaller(now runtime.Instant, p *rpcPeer) {
	for i := 0; i < len(p.calls); {
		c := p.calls[i]
		if c.deadline > now {
			i++
			continue
		}
		p.drop(i)
		switch {
		case c.oneWay:
		case c.seq == 0:
			r.end(p, c, runtime.Refused, ErrUnreachable, nil)
		default:
			r.end(p, c, runtime.Unknown, ErrTimeout, nil)
		}
	}
	for i, c := range p.calls {
		if i < p.sent && c.retryAt <= now {
			r.sendCall(now, p, c)
		}
		r.due(c.deadline)
		if i < p.sent {
			r.due(c.retryAt)
		}
	}
	if p.asking && len(p.calls) == 0 {
		p.asking = false // nobody wants it any more
	}
	if p.asking {
		if p.helloAt <= now {
			r.sayHello(now, p)
		}
		r.due(p.helloAt)
	}
	r.pump(now, p)
}

// end gives the result of a call that has been dropped.
func (r *RPC) end(p *rpcPeer, c *call, o runtime.Outcome, err error, body []byte) {
	r.out.Results = append(r.out.Results, RPCResult{ID: c.id, Peer: p.id, Outcome: o, Err: err, Body: body})
}

// welcomed takes a session that the peer grants, if it is the answer to the last hello.
func (r *RPC) welcomed(now runtime.Instant, from runtime.NodeID, m *rpcMessage) {
	p := r.peer(from)
	if p == nil || !p.asking || m.client != r.cfg.Incarnation || m.seq != p.hello {
		return
	}
	p.asking = false
	p.session = session{server: m.server, number: m.session}
	r.event(SessionOpened, uint64(from), m.session, 0, 0)
	r.pump(now, p)
}

// reset ends the session, if it is that which the peer does not know.
func (r *RPC) reset(now runtime.Instant, from runtime.NodeID, m *rpcMessage) {
	p := r.peer(from)
	if p == nil || m.client != r.cfg.Incarnation || p.session != (session{server: m.server, number: m.session}) {
		return
	}
	lost := slices.Clone(p.calls[:p.sent])
	r.event(SessionLost, uint64(from), m.session, uint64(len(lost)), 0)
	for _, c := range lost {
		p.drop(0)
		r.end(p, c, runtime.Unknown, ErrLost, nil)
	}
	p.session = session{}
	r.pump(now, p)
}

// answered takes what the peer says of a call. Only an answer in the session of now,
// to a call that is under way, counts.
func (r *RPC) answered(now runtime.Instant, from runtime.NodeID, m *rpcMessage) {
	p := r.peer(from)
	if p == nil || m.client != r.cfg.Incarnation || p.session != (session{server: m.server, number: m.session}) {
		r.event(AnswerIgnored, uint64(from), 0, m.seq, 0)
		return
	}
	i, found := slices.BinarySearchFunc(p.calls[:p.sent], m.seq, func(c *call, seq uint64) int { return cmp.Compare(c.seq, seq) })
	if !found {
		r.event(AnswerIgnored, uint64(from), 0, m.seq, 0)
		return
	}
	c := p.calls[i]
	if m.kind == kindAccepted {
		c.accepted = true
		return
	}
	p.drop(i)
	switch m.status {
	case statusOK:
		r.end(p, c, runtime.Done, nil, slices.Clone(m.body))
	case statusFailed:
		r.end(p, c, runtime.Done, &RemoteError{Message: slices.Clone(m.body)}, nil)
	case statusBusy:
		r.end(p, c, runtime.Refused, ErrOverloaded, nil)
	default:
		r.end(p, c, runtime.Unknown, ErrLost, nil)
	}
	r.pump(now, p)
}
