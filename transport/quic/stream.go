package quic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
)

// ErrNoRoute means that an endpoint does not know where a node is.
var ErrNoRoute = errors.New("quic: no route to the node")

// streamFirst is the first byte of every stream: without one, the other side does not learn of
// the stream. Another value is another use, which there is not yet.
const streamFirst = 1

// The codes with which one direction of a stream is ended before its end.
const (
	streamClosed  quic.StreamErrorCode = 1 // its user has closed it
	streamRefused quic.StreamErrorCode = 2 // nobody accepts streams, or too many wait, or it is malformed
)

// Stream is a stream of bytes between two nodes, in both directions. It is a [net.Conn].
//
// Its connection is one of those that carry frames: the other side is the node that its
// certificate names. It ends with the connection. Reading and writing may go on at the same
// time; a window bounds what is on its way or not yet read, and Write blocks when it is full.
type Stream struct {
	quic  *quic.Stream
	peer  runtime.NodeID
	local runtime.NodeID

	writing sync.Mutex // held during a Write
	closed  atomic.Bool
}

var _ net.Conn = (*Stream)(nil)

// Peer returns the node at the other end, as its certificate names it.
func (s *Stream) Peer() runtime.NodeID { return s.peer }

// Read implements net.Conn. It returns io.EOF when the other side has closed and all it wrote has been
// read, net.ErrClosed after Close.
func (s *Stream) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := s.quic.Read(p)
	return n, s.explain("read", err)
}

// Write implements net.Conn. That it returns nil does not say that anything has arrived. After Close it
// returns net.ErrClosed.
func (s *Stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := s.quic.Write(p)
	return n, s.explain("write", err)
}

// explain says who ended the stream. Times that have run out, and the end of the stream, stay what they are.
func (s *Stream) explain(op string, err error) error {
	var timeout net.Error
	switch {
	case err == nil, err == io.EOF:
		return err
	case s.closed.Load():
		return net.ErrClosed
	case errors.As(err, &timeout) && timeout.Timeout() && !isIdle(err):
		return err
	}
	var ended *quic.StreamError
	if errors.As(err, &ended) && ended.Remote {
		why := "it has closed the stream"
		if ended.ErrorCode == streamRefused {
			why = "it has refused the stream"
		}
		return fmt.Errorf("quic: %s %v: %s", op, s.peer, why)
	}
	reason, _ := explain(err)
	return fmt.Errorf("quic: %s %v: %w", op, s.peer, reason)
}

// isIdle reports whether the error is the end of a connection by its timeout, which is
// no deadline of a caller's.
func isIdle(err error) bool {
	var idle *quic.IdleTimeoutError
	return errors.As(err, &idle)
}

// Close implements net.Conn. What was written still arrives, if the connection lasts and no Write is
// under way: one that is ends with an error, and what it wrote may arrive or not. What has not been read is
// dropped; the other side can write no more. A second Close does nothing.
func (s *Stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.quic.CancelRead(streamClosed)
	if !s.writing.TryLock() {
		s.quic.CancelWrite(streamClosed)
		return nil
	}
	defer s.writing.Unlock()
	_ = s.quic.Close() // fails if the other side has ended this direction already
	return nil
}

// LocalAddr implements net.Conn. It is our node.
func (s *Stream) LocalAddr() net.Addr { return Addr(s.local) }

// RemoteAddr implements net.Conn. It is the node at the other end.
func (s *Stream) RemoteAddr() net.Addr { return Addr(s.peer) }

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error { return s.quic.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.quic.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.quic.SetWriteDeadline(t) }

// Addr is a node as a [net.Addr].
type Addr runtime.NodeID

// Network implements net.Addr.
func (Addr) Network() string { return scheme }

// String implements net.Addr. It is the node's name, such as n3.
func (a Addr) String() string { return runtime.NodeID(a).String() }

// DialStream opens a stream to a node, over the connection by which frames go there; it makes one
// if there is none. It blocks until that is done, or ctx is. The other side may refuse the stream
// later: then reading and writing fail. Errors are
//   - ErrNoRoute: Route has not said where the node is;
//   - a *HandshakeError: the attempt to connect that was under way, or the next one, failed;
//   - ErrClosed, and the context's.
func (e *Endpoint) DialStream(ctx context.Context, to runtime.NodeID) (*Stream, error) {
	e.mu.RLock()
	p, closed := e.peers[to], e.closed
	e.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrClosed
	case p == nil:
		return nil, ErrNoRoute
	}
	for {
		conn, err := p.connected(ctx)
		if err != nil {
			return nil, err
		}
		s, err := e.open(ctx, p, conn)
		if err == nil || conn.Context().Err() == nil || ctx.Err() != nil {
			return s, err
		}
	}
}

// open opens a stream on a connection.
func (e *Endpoint) open(ctx context.Context, p *peer, conn *quic.Conn) (*Stream, error) {
	q, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	s := e.newStream(q, p.id)
	if _, err := q.Write([]byte{streamFirst}); err != nil {
		_ = s.Close() // the error is the connection's
		return nil, err
	}
	return s, nil
}

// newStream wraps a stream. All are as urgent as requests, and take turns.
func (e *Endpoint) newStream(q *quic.Stream, peer runtime.NodeID) *Stream {
	q.SetPriority(urgency(runtime.ChannelRPC), true)
	return &Stream{quic: q, peer: peer, local: e.cfg.ID}
}

// connected returns the connection with the peer. It waits for one if there is none.
func (p *peer) connected(ctx context.Context) (*quic.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted++
	defer func() { p.wanted-- }()
	for failures := p.failures; ; {
		switch {
		case p.route == nil:
			return nil, ErrNoRoute
		case p.live != nil && p.live.conn.Context().Err() == nil:
			return p.live.conn, nil
		case p.failures != failures:
			return nil, p.lastFailure
		}
		p.wake()
		news := p.news
		p.mu.Unlock()
		var err error
		select {
		case <-news:
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.e.ctx.Done():
			err = ErrClosed
		}
		p.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
}

// tell makes those look again who wait for a connection. The caller holds mu.
func (p *peer) tell() {
	close(p.news)
	p.news = make(chan struct{})
}
