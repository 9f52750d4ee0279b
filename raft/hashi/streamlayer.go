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

	mu       sync.Mutex
	accepted map[*accepted]bool // not closed yet
	ended    bool
	open     sync.WaitGroup // one for each of accepted
}

var _ hraft.StreamLayer = (*streamLayer)(nil)

func newStreamLayer(e *quic.Endpoint) (*streamLayer, error) {
	l, err := e.Streams()
	if err != nil {
		return nil, fmt.Errorf("hashi: %w", err)
	}
	return &streamLayer{endpoint: e, listener: l, accepted: map[*accepted]bool{}}, nil
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
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return l.endpoint.DialStream(ctx, id)
}

// Accept implements net.Listener.
func (l *streamLayer) Accept() (net.Conn, error) {
	conn, err := l.listener.Accept()
	if err != nil {
		return nil, err
	}
	a := &accepted{Conn: conn, layer: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	l.accepted[a] = true
	l.open.Add(1)
	return a, nil
}

// Close implements net.Listener: no more is accepted.
func (l *streamLayer) Close() error { return l.listener.Close() }

// Addr implements net.Listener.
func (l *streamLayer) Addr() net.Addr { return l.listener.Addr() }

// shut closes what was accepted, and returns when those who used it have closed it too. The
// transport itself does neither.
func (l *streamLayer) shut() {
	_ = l.listener.Close() // never fails
	l.mu.Lock()
	l.ended = true
	for a := range l.accepted {
		_ = a.Conn.Close() // never fails
	}
	l.mu.Unlock()
	l.open.Wait()
}

// accepted is a stream that its layer knows of until it is closed.
type accepted struct {
	net.Conn
	layer *streamLayer
}

// Close implements net.Conn.
func (a *accepted) Close() error {
	l := a.layer
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted[a] {
		delete(l.accepted, a)
		l.open.Done()
	}
	return a.Conn.Close()
}

// parseNode is the inverse of runtime.NodeID's String.
func parseNode(name string) (runtime.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(name, "n"), 10, 64)
	if err != nil || runtime.NodeID(id).String() != name {
		return 0, fmt.Errorf("hashi: %q is no node", name)
	}
	return runtime.NodeID(id), nil
}
