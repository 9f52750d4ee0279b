package transport

import (
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// rpcWindow is how many of a client's latest calls a server tells apart: an older one
// is dropped, whatever it is. A client keeps all calls under way within half of it.
const rpcWindow = 1024

// answerer is this node's side of the calls that one peer makes.
//
// A session is offered when the peer says hello, and takes the place of the one before
// when the first message comes in it, which shows that the peer has heard of it: the
// late hello of an earlier boot offers a session that nobody ever uses. A number is
// never given twice, so that no late message fits into a session of today.
type answerer struct {
	current *service // nil: none
	offered *service // nil: none
}

// service is a session as its server knows it.
type service struct {
	client uint64 // the incarnation of the peer
	number uint64
	top    uint64 // the highest number of a call heard of
	floor  uint64 // every call below has ended at the client
	kept   int    // bytes of answers
	oldest uint64 // no call below has an answer kept
	slots  []slot // by number modulo rpcWindow
}

// slotState is what has become of a call.
type slotState uint8

const (
	slotEmpty     slotState = iota // never heard of
	slotWorking                    // the handler has it
	slotAnswered                   // answered, and the answer is kept
	slotForgotten                  // answered, cancelled or one-way: never to be handled again
)

// slot is what is known of one call of the window.
type slot struct {
	state  slotState
	status uint8
	bytes  int    // of the request, while it is being worked on
	body   []byte // of the answer
}

// Respond answers a request. If nobody waits any more, nothing happens. The RPC owns body
// from here on. An answer beyond RequestMax is an error that matches ErrTooLarge; the
// request is still to be answered.
func (r *RPC) Respond(t Ticket, body []byte) error {
	if len(body) > RequestMax {
		return fmt.Errorf("%w: answer of %d bytes, limit %d", ErrTooLarge, len(body), RequestMax)
	}
	r.conclude(t, statusOK, body)
	return nil
}

// Fail answers a request with an error, of which at most RequestMax bytes are sent.
// The caller gets it as a *RemoteError.
func (r *RPC) Fail(t Ticket, message []byte) {
	r.conclude(t, statusFailed, message[:min(len(message), RequestMax)])
}

// conclude notes the answer of the handler and sends it.
func (r *RPC) conclude(t Ticket, status uint8, body []byte) {
	p := r.peer(t.From)
	if p == nil || p.current == nil || p.current.number != t.session || !p.current.within(t.seq) {
		return
	}
	s := p.current
	x := s.slot(t.seq)
	if x.state != slotWorking {
		return
	}
	r.release(x)
	*x = slot{state: slotAnswered, status: status, body: body}
	s.kept += len(body)
	s.oldest = min(s.oldest, t.seq)
	r.respond(p.id, s, t.seq)
	for ; s.kept > r.cfg.ReplyBytesMax; s.oldest++ {
		s.oldest = max(s.oldest, s.bottom())
		s.forget(s.slot(s.oldest))
	}
}

// respond sends the answer of a call.
func (r *RPC) respond(to runtime.NodeID, s *service, seq uint64) {
	x := s.slot(seq)
	m := rpcMessage{kind: kindResponse, client: s.client, server: r.cfg.Incarnation, session: s.number, seq: seq}
	if m.status = statusForgotten; x.state == slotAnswered {
		m.status, m.body = x.status, x.body
	}
	r.send(to, &m)
}

// slot returns the slot of a call within the window.
func (s *service) slot(seq uint64) *slot { return &s.slots[seq%rpcWindow] }

// bottom returns the lowest number within the window.
func (s *service) bottom() uint64 { return max(s.top, rpcWindow) - rpcWindow + 1 }

func (s *service) within(seq uint64) bool { return seq <= s.top && seq >= s.bottom() }

// forget lets the answer of a call go, so that it will never be handled again nor answered.
func (s *service) forget(x *slot) {
	if x.state == slotAnswered {
		s.kept -= len(x.body)
		*x = slot{state: slotForgotten}
	}
}

// release takes a request off what is being served.
func (r *RPC) release(x *slot) {
	r.serving--
	r.served -= x.bytes
}

// abandon tells the handler that nobody waits for the call, if it has it.
func (r *RPC) abandon(p *rpcPeer, s *service, seq uint64) {
	x := s.slot(seq)
	if x.state == slotWorking {
		r.release(x)
		*x = slot{state: slotForgotten}
		r.out.Abandoned = append(r.out.Abandoned, Ticket{From: p.id, session: s.number, seq: seq})
	}
	s.forget(x)
}

// greeted offers a session to a peer, or repeats the offer.
func (r *RPC) greeted(from runtime.NodeID, m *rpcMessage) {
	p := r.meet(from)
	if p == nil {
		return
	}
	s := p.current
	if s == nil || s.client != m.client {
		if s = p.offered; s == nil || s.client != m.client {
			r.sessions++
			s = &service{client: m.client, number: r.sessions}
			p.offered = s
		}
	}
	r.send(from, &rpcMessage{kind: kindWelcome, client: m.client, server: r.cfg.Incarnation, session: s.number, seq: m.seq})
}

// find returns the session of a message, which becomes the current one, or nil if there is none.
func (r *RPC) find(p *rpcPeer, m *rpcMessage) *service {
	if p == nil || m.server != r.cfg.Incarnation {
		return nil
	}
	if s := p.current; s != nil && s.client == m.client && s.number == m.session {
		return s
	}
	s := p.offered
	if s == nil || s.client != m.client || s.number != m.session {
		return nil
	}
	if old := p.current; old != nil {
		for seq := old.bottom(); seq <= old.top; seq++ {
			r.abandon(p, old, seq)
		}
	}
	p.current, p.offered = s, nil
	s.slots = make([]slot, rpcWindow)
	return s
}

// asked takes what a client says of one of its calls.
func (r *RPC) asked(now runtime.Instant, from runtime.NodeID, m *rpcMessage) {
	p := r.peer(from)
	s := r.find(p, m)
	if s == nil {
		r.send(from, &rpcMessage{kind: kindReset, client: m.client, server: m.server, session: m.session, seq: m.seq})
		return
	}
	r.slide(p, s, m)
	if !s.within(m.seq) {
		return
	}
	x := s.slot(m.seq)
	switch {
	case m.kind == kindCancel:
		r.abandon(p, s, m.seq)
		x.state = slotForgotten
	case x.state == slotEmpty && m.kind == kindNotify:
		x.state = slotForgotten
		r.out.Serve = append(r.out.Serve, r.request(now, p, s, m))
	case x.state == slotEmpty && m.kind == kindRequest:
		r.admit(now, p, s, m)
	case x.state == slotEmpty || m.kind == kindNotify:
	default:
		r.repeated(p, s, m)
	}
}

// slide moves the window up to a call, and lets go of what the client no longer waits for.
func (r *RPC) slide(p *rpcPeer, s *service, m *rpcMessage) {
	// What leaves the window makes room for what enters it.
	for seq := m.seq; seq > s.top && m.seq-seq < rpcWindow; seq-- {
		r.abandon(p, s, s.top-(s.top-seq)%rpcWindow)
		*s.slot(seq) = slot{}
	}
	s.top = max(s.top, m.seq)
	s.floor = max(s.floor, s.bottom())
	for ; s.floor < m.floor; s.floor++ {
		r.abandon(p, s, s.floor)
	}
}

// request returns what the handler gets.
func (r *RPC) request(now runtime.Instant, p *rpcPeer, s *service, m *rpcMessage) Request {
	return Request{
		Ticket: Ticket{From: p.id, session: s.number, seq: m.seq}, OneWay: m.kind == kindNotify,
		Deadline: now.Add(m.budget), Body: slices.Clone(m.body),
	}
}

// admit gives a new request to the handler, or refuses it for good.
func (r *RPC) admit(now runtime.Instant, p *rpcPeer, s *service, m *rpcMessage) {
	x := s.slot(m.seq)
	if r.serving >= r.cfg.ServeMax || r.served+len(m.body) > r.cfg.ServeBytesMax {
		// The refusal is an answer like any other: a copy of the request that comes
		// later, when there is room, must not be handled.
		*x = slot{state: slotAnswered, status: statusBusy}
		r.event(RequestRefused, uint64(p.id), uint64(r.serving), m.seq, 0)
		r.respond(p.id, s, m.seq)
		return
	}
	*x = slot{state: slotWorking, bytes: len(m.body)}
	r.serving++
	r.served += len(m.body)
	r.out.Serve = append(r.out.Serve, r.request(now, p, s, m))
}

// repeated answers a request that came before.
func (r *RPC) repeated(p *rpcPeer, s *service, m *rpcMessage) {
	x := s.slot(m.seq)
	r.event(RequestRepeated, uint64(p.id), 0, m.seq, uint64(x.state))
	if x.state == slotWorking {
		r.send(p.id, &rpcMessage{kind: kindAccepted, client: s.client, server: r.cfg.Incarnation, session: s.number, seq: m.seq})
		return
	}
	r.respond(p.id, s, m.seq)
}
