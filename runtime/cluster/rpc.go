package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// nameMax is how long the name of a handler may be, in bytes.
const nameMax = 255

// A request of the service is the length of the handler's name in one byte, the name, and the body. The answer begins with
// one of these.
const (
	answerOK        = iota // the body is the handler's answer
	answerFailed           // the body is the text of the handler's error
	answerNoHandler        // nobody has handled it
)

// RPCMax is how many bytes the body of a call among members may have, and the answer.
const RPCMax = member.BodyMax - 1 - nameMax

// Handler answers calls of peers. It runs on a goroutine of its own; ctx is done when nobody waits for the answer any more, or
// the member ends. The body is the handler's, the answer the member's. The text of an error reaches the caller, as
// *transport.RemoteError.
type Handler func(ctx context.Context, from runtime.NodeID, body []byte) ([]byte, error)

// services are the handlers of calls among members, and the calls they handle.
type services struct {
	member *Member
	ctx    context.Context // done when the member has ended
	end    context.CancelFunc

	mu       sync.Mutex
	handlers map[string]Handler
	working  map[transport.Ticket]context.CancelFunc
}

func (s *services) init(m *Member) {
	s.member = m
	s.handlers, s.working = map[string]Handler{}, map[transport.Ticket]context.CancelFunc{}
	s.ctx, s.end = context.WithCancel(context.Background())
}

// Handle has calls of that name handled from now on, in place of the handler that did before; nil: by nobody. It panics if
// the name has more than 255 bytes.
func (m *Member) Handle(name string, h Handler) {
	if len(name) > nameMax {
		panic(fmt.Sprintf("cluster: handler with a name of %d bytes, at most %d", len(name), nameMax))
	}
	m.services.mu.Lock()
	defer m.services.mu.Unlock()
	m.services.handlers[name] = h
}

// find returns the handler that a request is for, and its body.
func (s *services) find(req []byte) (Handler, []byte) {
	if len(req) == 0 || len(req) < 1+int(req[0]) {
		return nil, nil
	}
	end := 1 + int(req[0])
	name, body := string(req[1:end]), req[end:]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers[name], body
}

// serve begins to handle what a peer asks. It runs on the loop.
func (s *services) serve(req member.Request) {
	m := s.member
	h, body := s.find(req.Body)
	if h == nil {
		if !req.OneWay {
			_ = m.node.Respond(req.Ticket, []byte{answerNoHandler}) // small enough
		}
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, req.Deadline.Sub(m.host.Now()))
	if !req.OneWay {
		s.mu.Lock()
		s.working[req.Ticket] = cancel
		s.mu.Unlock()
	}
	go func() {
		defer cancel()
		answer, err := h(ctx, req.Ticket.From, body)
		if !req.OneWay {
			s.answer(req.Ticket, encodeAnswer(answer, err))
		}
	}()
}

// answer sends what a handler has returned. If the loop takes nothing more in the peer gets no answer.
func (s *services) answer(t transport.Ticket, body []byte) {
	s.mu.Lock()
	delete(s.working, t)
	s.mu.Unlock()
	m := s.member
	m.host.Post(func() {
		if err := m.node.Respond(t, body); err != nil {
			_ = m.node.Respond(t, encodeAnswer(nil, err)) // small enough
		}
	})
}

func encodeAnswer(answer []byte, err error) []byte {
	if err != nil {
		text := err.Error()
		return append([]byte{answerFailed}, text[:min(len(text), RPCMax)]...)
	}
	return append(append(make([]byte, 0, 1+len(answer)), answerOK), answer...)
}

// abandon tells a handler that nobody waits. It runs on the loop.
func (s *services) abandon(t transport.Ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.working[t]; cancel != nil {
		delete(s.working, t)
		cancel()
	}
}

// Call asks a peer, and returns what its handler of that name answers. It blocks until the answer is there, ctx is done, or
// the member ends. The handler runs once, or not at all: not if the error matches ErrRefused; it may have if it matches ErrUnknown; and
// if the handler failed, the error is an *transport.RemoteError, which matches neither.
func (m *Member) Call(ctx context.Context, to runtime.NodeID, name string, body []byte) ([]byte, error) {
	req, err := m.request(to, name, body)
	if err != nil {
		return nil, err
	}
	if to == m.cfg.ID {
		return m.callSelf(ctx, name, body)
	}
	if ctx.Err() != nil {
		return nil, refused(ctx.Err())
	}
	deadline := m.deadline(ctx)
	result := make(chan transport.RPCResult, 1)
	var id transport.RequestID // the loop's
	if !m.host.Post(func() {
		var err error
		if id, err = m.node.Ask(to, deadline, req, func(r transport.RPCResult) { result <- r }); err != nil {
			result <- transport.RPCResult{Outcome: runtime.Refused, Err: err}
		}
	}) {
		return nil, refused(m.stopped())
	}
	select {
	case r := <-result:
		return m.result(&r)
	case <-m.host.Done():
		return nil, unknown(m.stopped())
	case <-ctx.Done():
	}
	m.host.Post(func() {
		if outcome, open := m.node.CancelAsk(id); open {
			result <- transport.RPCResult{Outcome: outcome, Err: ctx.Err()}
		}
	})
	select {
	case r := <-result: // it may have come at the last moment
		return m.result(&r)
	case <-m.host.Done():
		return nil, unknown(m.stopped())
	}
}

// request encodes a request of the service, or says why it cannot be made.
func (m *Member) request(to runtime.NodeID, name string, body []byte) ([]byte, error) {
	if _, found := m.cfg.peer(to); !found {
		return nil, refused(fmt.Errorf("%w: %v", ErrNoPeer, to))
	}
	if len(name) > nameMax || len(body) > RPCMax {
		return nil, refused(fmt.Errorf("%w: a call of %d bytes, at most %d", ErrTooLarge, len(body), RPCMax))
	}
	req := append(make([]byte, 0, 1+len(name)+len(body)), byte(len(name)))
	return append(append(req, name...), body...), nil
}

// callSelf is Call without a network.
func (m *Member) callSelf(ctx context.Context, name string, body []byte) ([]byte, error) {
	m.services.mu.Lock()
	h := m.services.handlers[name]
	m.services.mu.Unlock()
	if h == nil {
		return nil, refused(fmt.Errorf("%w: %q", ErrNoHandler, name))
	}
	answer, err := h(ctx, m.cfg.ID, body)
	if err != nil {
		return nil, &transport.RemoteError{Message: []byte(err.Error())}
	}
	return answer, nil
}

// result translates how a call has ended.
func (m *Member) result(r *transport.RPCResult) ([]byte, error) {
	reason := r.Err
	switch {
	case errors.Is(reason, transport.ErrBusy), errors.Is(reason, transport.ErrOverloaded):
		reason = ErrBusy
	case errors.Is(reason, transport.ErrTooLarge):
		reason = ErrTooLarge
	case errors.Is(reason, transport.ErrTimeout), errors.Is(reason, transport.ErrUnreachable):
		reason = fmt.Errorf("%w: %w", ErrLost, context.DeadlineExceeded)
	case errors.Is(reason, transport.ErrLost):
		reason = ErrLost
	}
	switch r.Outcome {
	case runtime.Done:
		return decodeAnswer(r)
	case runtime.Refused:
		return nil, refused(reason)
	}
	return nil, unknown(reason)
}

// decodeAnswer reads what the peer says.
func decodeAnswer(r *transport.RPCResult) ([]byte, error) {
	switch {
	case r.Err != nil:
		return nil, unknown(r.Err) // not by a handler
	case len(r.Body) > 0 && r.Body[0] == answerOK:
		return r.Body[1:], nil
	case len(r.Body) > 0 && r.Body[0] == answerFailed:
		return nil, &transport.RemoteError{Message: r.Body[1:]}
	case len(r.Body) == 1 && r.Body[0] == answerNoHandler:
		return nil, refused(ErrNoHandler)
	}
	return nil, unknown(fmt.Errorf("%w: a malformed answer of %d bytes", ErrLost, len(r.Body)))
}

// notifyPatience is for how long a one-way call waits until its peer can be reached.
const notifyPatience = 10 * time.Second

// Notify tells a peer something, whose handler of that name gets it once or not at all. Nobody says which: an error
// says only that it was not even tried, and matches ErrRefused.
func (m *Member) Notify(to runtime.NodeID, name string, body []byte) error {
	req, err := m.request(to, name, body)
	if err != nil {
		return err
	}
	if to == m.cfg.ID {
		return refused(fmt.Errorf("%w: a notice to oneself", ErrInvalid))
	}
	if !m.onLoop(func() { err = m.node.Notify(to, m.host.Now().Add(notifyPatience), req) }) {
		return refused(m.stopped())
	}
	if err != nil {
		_, err = m.result(&transport.RPCResult{Outcome: runtime.Refused, Err: err})
	}
	return err
}
