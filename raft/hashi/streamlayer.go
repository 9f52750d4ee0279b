package hashi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// streamLayer is the network as hashicorp/raft wants it. The address of a node is its name, such as n3; where
// that is, the endpoint knows, and it proves who is there.
type streamLayer struct {
	endpoint *quic.Endpoint
	listener net.Listener
	ctx      context.Context // done when the layer has hung up
	cancel   context.CancelFunc

	mu      sync.Mutex
	streams map[*stream]bool // not closed yet
	ended   bool
	open    sync.WaitGroup // one for each of streams that was accepted
}

var _ hraft.StreamLayer = (*streamLayer)(nil)

func newStreamLayer(e *quic.Endpoint) (*streamLayer, error) {
	listener, err := e.Streams()
	if err != nil {
		return nil, fmt.Errorf("hashi: %w", err)
	}
	l := &streamLayer{endpoint: e, listener: listener, streams: map[*stream]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Dial implements hraft.StreamLayer. Without a timeout it has that of an exchange.
func (l *streamLayer) Dial(address hraft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, err := parseNode(string(address))
	if err != nil {
		return nil, err
	}
	if timeout <= 0 {
		timeout = exchangeTimeout
	}
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	defer cancel()
	conn, err := l.endpoint.DialStream(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.hold(&stream{Conn: conn, layer: l})
}

// Accept implements net.Listener.
func (l *streamLayer) Accept() (net.Conn, error) {
	conn, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.hold(&stream{Conn: conn, layer: l, accepted: true})
}

// hold keeps the stream in mind until it is closed. If the layer has hung up it closes it.
func (l *streamLayer) hold(s *stream) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, errors.Join(net.ErrClosed, s.Conn.Close())
	}
	l.streams[s] = true
	if s.accepted {
		l.open.Add(1)
	}
	return s, nil
}

// Close implements net.Listener: no more is accepted.
func (l *streamLayer) Close() error { return l.listener.Close() }

// Addr implements net.Listener.
func (l *streamLayer) Addr() net.Addr { return l.listener.Addr() }

// hangUp closes all streams, and those that come. Who reads or writes there, or dials, has an error at once, instead of
// when its time is over, or the peer pleases.
func (l *streamLayer) hangUp() {
	_ = l.listener.Close() // never fails
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for s := range l.streams {
		_ = s.Conn.Close() // never fails
	}
}

// shut returns when those who used what was accepted have closed it too, after hangUp. The transport itself
// does neither.
func (l *streamLayer) shut() {
	l.hangUp()
	l.open.Wait()
}

// stream is one that its layer knows of until it is closed.
type stream struct {
	net.Conn
	layer    *streamLayer
	accepted bool
}

// Close implements net.Conn.
func (s *stream) Close() error {
	l := s.layer
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[s] {
		delete(l.streams, s)
		if s.accepted {
			l.open.Done()
		}
	}
	return s.Conn.Close()
}

// parseNode is the inverse of runtime.NodeID's String.
func parseNode(name string) (runtime.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(name, "n"), 10, 64)
	if err != nil || runtime.NodeID(id).String() != name {
		return 0, fmt.Errorf("hashi: %q is no node", name)
	}
	return runtime.NodeID(id), nil
}
