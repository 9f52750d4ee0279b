package quic

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// streamBacklog is how many streams of all peers wait to be accepted; those beyond it are refused.
const streamBacklog = 64

// streams accepts the streams that peers open. It is a [net.Listener].
type streams struct {
	e       *Endpoint
	backlog chan *Stream
	done    chan struct{}
	once    sync.Once
}

var _ net.Listener = (*streams)(nil)

// Streams makes the endpoint accept streams, from all its peers. Accept of the listener returns
// a *Stream; it fails when the listener is closed, with net.ErrClosed, or the endpoint, with ErrClosed.
// Close refuses the streams that wait, and those that come, but does nothing to those that were
// accepted. Only one listener can be open at a time. Without one, streams of peers are refused.
func (e *Endpoint) Streams() (net.Listener, error) {
	l := &streams{e: e, backlog: make(chan *Stream, streamBacklog), done: make(chan struct{})}
	if !e.listener.CompareAndSwap(nil, l) {
		return nil, errors.New("quic: there is a listener for streams already")
	}
	return l, nil
}

// Accept implements net.Listener.
func (l *streams) Accept() (net.Conn, error) {
	select { // first, so that nothing is accepted after Close
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case s := <-l.backlog:
		return s, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-l.e.ctx.Done():
		return nil, ErrClosed
	}
}

// Close implements net.Listener. It may be called again.
func (l *streams) Close() error {
	l.once.Do(func() {
		l.e.listener.CompareAndSwap(l, nil)
		close(l.done)
		for {
			select {
			case s := <-l.backlog:
				refuseStream(s.quic)
				continue
			default:
			}
			return
		}
	})
	return nil
}

// Addr implements net.Listener. It is our node.
func (l *streams) Addr() net.Addr { return Addr(l.e.cfg.ID) }

// offer hands a stream to who accepts it.
func (l *streams) offer(s *Stream) bool {
	select {
	case l.backlog <- s:
	default:
		return false
	}
	select {
	case <-l.done: // it may have been emptied before the stream was in it
		return false
	default:
		return true
	}
}

// acceptStreams receives the streams of a connection until that ends.
func (l *link) acceptStreams() {
	acceptEach(l.conn.Context(), l.conn.AcceptStream, func(q *quic.Stream) {
		if !l.offer(q) {
			refuseStream(q)
		}
	})
}

// offer reads how a stream begins, and hands it on.
func (l *link) offer(q *quic.Stream) bool {
	if err := q.SetReadDeadline(time.Now().Add(l.e.cfg.HandshakeTimeout)); err != nil {
		return false
	}
	var first [1]byte
	if _, err := io.ReadFull(q, first[:]); err != nil || first[0] != streamFirst {
		return false
	}
	if err := q.SetReadDeadline(time.Time{}); err != nil {
		return false
	}
	accepting := l.e.listener.Load()
	return accepting != nil && accepting.offer(l.e.newStream(q, l.peer.id))
}

// refuseStream ends both directions.
func refuseStream(q *quic.Stream) {
	q.CancelRead(streamRefused)
	q.CancelWrite(streamRefused)
}
