package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// ErrClosed is the error of what is asked of an endpoint after Close.
var ErrClosed = errors.New("quic: the endpoint is closed")

// Endpoint is a node's place in the network: one UDP socket, over which it dials its peers and
// is dialed by them. It is the node's [transport.Link]. Its methods may be called from any goroutine.
type Endpoint struct {
	cfg    Config
	socket *net.UDPConn
	udp    *quic.Transport
	quic   *quic.Config

	ctx     context.Context // done when the endpoint closes
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	close   func() error // once

	inbound  atomic.Int64 // connections by which we are dialed
	listener atomic.Pointer[streams]
	refused  atomic.Uint64
	noRoute  atomic.Uint64
	noFrames atomic.Uint64
	frames   frames

	credentials struct {
		sync.Mutex
		seen, used *Credentials // as last loaded; as last found to be ours
	}

	joined  chan struct{}      // closed by Join
	receive transport.Receiver // does not change after that

	mu     sync.RWMutex
	peers  map[runtime.NodeID]*peer
	closed bool
}

// Listen makes an endpoint and binds its address. It fails when the address cannot be had, when the
// credentials cannot be read, and when they do not prove that we are who the config says: then
// with ErrCertificate, ErrCluster or ErrNode. It neither accepts connections nor dials before Join.
func Listen(cfg Config) (*Endpoint, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Endpoint{cfg: cfg.withDefaults(), joined: make(chan struct{}), peers: map[runtime.NodeID]*peer{}}
	creds, err := cfg.Credentials()
	if err != nil {
		return nil, err
	}
	if err := e.checkOwn(creds); err != nil {
		return nil, fmt.Errorf("quic: %w", err)
	}
	e.credentials.seen, e.credentials.used = creds, creds
	addr, err := net.ResolveUDPAddr("udp", cfg.Listen)
	if err == nil {
		e.socket, err = net.ListenUDP("udp", addr)
	}
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // which does not say the address again
		}
		return nil, fmt.Errorf("quic: listen on %s: %w", cfg.Listen, err)
	}
	e.quic = e.cfg.connection()
	e.udp = &quic.Transport{
		Conn:                e.socket,
		StatelessResetKey:   creds.resetKey(),
		VerifySourceAddress: func(net.Addr) bool { return e.inbound.Load() >= provenAbove },
		ConnContext:         e.admit,
	}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	e.close = sync.OnceValue(e.shut)
	return e, nil
}

// Addr returns the address the endpoint has got.
func (e *Endpoint) Addr() string { return e.socket.LocalAddr().String() }

// Incarnation returns the incarnation by which the peers know this boot.
func (e *Endpoint) Incarnation() uint64 { return e.cfg.Incarnation }

// Join begins to accept connections and to dial, and hands what arrives to receive. It is a
// [transport.Joiner], and works once. The link is the endpoint itself.
func (e *Endpoint) Join(receive transport.Receiver) (transport.Link, error) {
	if receive == nil {
		return nil, errors.New("quic: join without a receiver")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, ErrClosed
	case e.receive != nil:
		return nil, errors.New("quic: the endpoint has been joined already")
	}
	// Early: to hear of connections that fail too. None is trusted before its handshake is complete.
	listener, err := e.udp.ListenEarly(serverTLS(e.currentCredentials), e.quic)
	if err != nil {
		return nil, fmt.Errorf("quic: listen: %w", err)
	}
	e.receive = receive
	close(e.joined)
	e.running.Go(func() { e.accept(listener) })
	return e, nil
}

// Route implements transport.Link. The address is a host and a port; a name is looked up at
// each attempt to connect. Another address than before, or none, ends the connection there is, whoever dialed it;
// without one, the peer can still connect to us, and be heard.
func (e *Endpoint) Route(id runtime.NodeID, addr string) {
	if id == e.cfg.ID || id == 0 {
		return
	}
	if p := e.peer(id); p != nil {
		p.setRoute(addr)
	}
}

// Send implements transport.Link. A frame waits in a bounded queue until the peer is connected, which
// the first one brings about; when an attempt to connect fails, all that wait are dropped.
func (e *Endpoint) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	if ch >= runtime.ChannelCount {
		panic(fmt.Sprintf("quic: channel %d, of %d", ch, runtime.ChannelCount))
	}
	if size, err := transport.Size(frame); err != nil || size != len(frame) {
		if e.noFrames.Add(1) == 1 {
			err := fmt.Errorf("quic: a frame of %d bytes for %v is not sealed", len(frame), to)
			e.cfg.Notify(Notice{Kind: Discarded, Peer: to, Err: err})
		}
		return
	}
	e.mu.RLock()
	p := e.peers[to]
	e.mu.RUnlock()
	if p == nil || !p.send(ch, frame) {
		e.noRoute.Add(1)
	}
}

// Frame returns memory for a frame of that size, in which may be anything: such as was given to Recycle, and that of frames that
// have left.
func (e *Endpoint) Frame(size int) []byte { return e.frames.take(size) }

// Recycle implements transport.Recycler.
func (e *Endpoint) Recycle(frame []byte) { e.frames.give(frame) }

// Close implements transport.Link. It closes all connections and the socket, drops what has not
// left, and returns when no goroutine of the endpoint runs any more. It may be called again.
func (e *Endpoint) Close() error { return e.close() }

func (e *Endpoint) shut() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel(ErrClosed)
	e.running.Wait() // each closes the connection it is about
	if err := errors.Join(e.udp.Close(), e.socket.Close()); err != nil {
		return fmt.Errorf("quic: close: %w", err)
	}
	return nil
}

// peer returns what is known of the node, making it known. It returns nil if the
// endpoint is closed, or knows too many.
func (e *Endpoint) peer(id runtime.NodeID) *peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peers[id]
	if p == nil && !e.closed && len(e.peers) < peersMax {
		p = newPeer(e, id)
		e.peers[id] = p
		e.running.Go(p.run)
	}
	return p
}

// checkOwn reports whether the credentials prove that we are who the config says.
func (e *Endpoint) checkOwn(c *Credentials) error {
	i, err := c.identity(time.Now())
	own := e.cfg.identity()
	switch {
	case err != nil:
		return err
	case i.Cluster != own.Cluster:
		return fmt.Errorf("%w: our certificate is for %q, the config says %q", ErrCluster, i.Cluster, own.Cluster)
	case i.ID != own.ID:
		return fmt.Errorf("%w: our certificate is for %v, the config says %v", ErrNode, i.ID, own.ID)
	}
	return nil
}

// currentCredentials asks for the credentials. If they will not do it returns those of before.
func (e *Endpoint) currentCredentials() *Credentials {
	loaded, err := e.cfg.Credentials()
	c := &e.credentials
	c.Lock()
	if err == nil && loaded != c.seen {
		c.seen = loaded
		if err = e.checkOwn(loaded); err == nil {
			c.used = loaded
		}
	}
	used := c.used
	c.Unlock()
	if err != nil {
		e.cfg.Notify(Notice{Kind: Kept, Err: fmt.Errorf("quic: new credentials are not used: %w", err)})
	}
	return used
}
