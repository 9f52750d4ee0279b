package quic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// admit counts a connection by which we are dialed, before its handshake, and refuses those that are too many.
func (e *Endpoint) admit(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	if e.inbound.Add(1) > inboundMax {
		e.inbound.Add(-1)
		return nil, ErrBusy
	}
	context.AfterFunc(ctx, func() { e.inbound.Add(-1) })
	return ctx, nil
}

// accept serves the connections by which we are dialed. It is a goroutine, and ends with the endpoint.
func (e *Endpoint) accept(listener *quic.EarlyListener) {
	for {
		conn, err := listener.Accept(e.ctx)
		if err != nil {
			return
		}
		e.running.Go(func() { e.serve(conn) })
	}
}

// serve shakes hands and receives frames until the connection ends.
func (e *Endpoint) serve(conn *quic.Conn) {
	addr := conn.RemoteAddr().String()
	in, err := e.shake(conn)
	if err != nil {
		refuse(conn, err)
		if e.ctx.Err() != nil {
			return
		}
		e.refused.Add(1)
		reason, remote := explain(err)
		failure := &HandshakeError{Peer: in.certified.ID, Addr: addr, Remote: remote, Reason: reason}
		e.cfg.Notify(Notice{Kind: Failed, Peer: failure.Peer, Addr: addr, Inbound: true, Err: failure})
		return
	}
	e.cfg.Notify(Notice{Kind: Connected, Peer: in.peer.id, Addr: addr, Inbound: true})
	err = in.receive()
	in.peer.origin.leave(in, time.Now())
	e.cfg.Notify(Notice{Kind: Disconnected, Peer: in.peer.id, Addr: addr, Inbound: true, Err: err})
}

// inbound is a connection by which a peer sends us frames.
type inbound struct {
	e         *Endpoint
	conn      *quic.Conn
	certified Identity
	peer      *peer
	stamp     stamp
}

// shake is the part in the handshake of the one who is dialed. On an error the result
// says who dialed, as far as that is proven.
func (e *Endpoint) shake(conn *quic.Conn) (*inbound, error) {
	in := &inbound{e: e, conn: conn}
	ctx, cancel := context.WithTimeoutCause(e.ctx, e.cfg.HandshakeTimeout, fmt.Errorf("no handshake within %v", e.cfg.HandshakeTimeout))
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(codeLeft, "") })()
	err := in.shake(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return in, err
}

func (in *inbound) shake(ctx context.Context) error {
	conn, own := in.conn, in.e.cfg.identity()
	select { // until here the dialer has proven nothing
	case <-conn.HandshakeComplete():
	case <-conn.Context().Done():
	}
	if conn.Context().Err() != nil {
		return context.Cause(conn.Context())
	}
	if len(conn.ConnectionState().TLS.VerifiedChains) == 0 {
		return fmt.Errorf("%w: it was not verified", ErrCertificate)
	}
	var err error
	if in.certified, err = certifiedIdentity(conn); err != nil {
		return err
	}
	if err := checkCertified(in.certified, own, 0); err != nil {
		return err
	}
	if !in.e.cfg.Allow(in.certified.ID) {
		return fmt.Errorf("%w: %v is not expected here", ErrNode, in.certified.ID)
	}
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	h, err := readHello(bufio.NewReader(stream), kindHello)
	if err == nil {
		err = h.check(in.certified, own)
	}
	if err != nil {
		return err
	}
	stream.CancelRead(streamClosed) // or it would count as one of those that are open
	if in.peer = in.e.peer(h.from); in.peer == nil {
		return ErrBusy
	}
	in.stamp = h.stamp
	old, err := in.peer.origin.enter(in, time.Now(), in.e.cfg.IdleTimeout+in.e.cfg.HandshakeTimeout)
	if err != nil {
		return err
	}
	if old != nil {
		old.conn.CloseWithError(codeReplaced, "there is a newer connection")
	}
	in.peer.accepted.Add(1)
	in.peer.isBack(h.stamp.incarnation)
	answer := hello{version: protocolVersion, cluster: own.Cluster, from: own.ID, to: h.from, stamp: stamp{incarnation: in.e.cfg.Incarnation}}
	if err := errors.Join(answer.write(stream, kindWelcome), stream.Close()); err != nil {
		in.peer.origin.leave(in, time.Now())
		return err
	}
	return nil
}

// receive reads all channels until the connection ends, and returns why.
func (in *inbound) receive() error {
	var readers sync.WaitGroup
	readers.Go(in.acceptStreams)
	readers.Go(func() {
		for { // QUIC limits how many there are at a time
			stream, err := in.conn.AcceptUniStream(in.conn.Context())
			if err != nil {
				return
			}
			readers.Go(func() {
				if err := in.read(bufio.NewReaderSize(stream, readBytes)); errors.Is(err, ErrProtocol) {
					refuse(in.conn, err)
				}
			})
		}
	})
	err := in.e.watch(in.e.ctx, in.conn)
	readers.Wait()
	return err
}

// read receives the frames of one channel until its stream ends, and returns why.
func (in *inbound) read(r *bufio.Reader) error {
	number, err := r.ReadByte()
	if err != nil {
		return err
	}
	ch := runtime.Channel(number)
	if ch >= runtime.ChannelCount {
		return fmt.Errorf("%w: channel %d, of %d", ErrProtocol, ch, runtime.ChannelCount)
	}
	c := &in.peer.counters[ch]
	for {
		frame, err := readFrame(r, transport.MaxFrame, in.e.frames.take)
		if err != nil {
			return err
		}
		size := uint64(len(frame))
		if !in.peer.origin.deliver(in, ch, frame) {
			c.stale.Add(1)
			in.e.frames.give(frame)
			continue
		}
		c.received.Add(1)
		c.receivedBytes.Add(size)
	}
}

// origin is a peer as one from which frames come: by one connection at a time, and by none that
// is older than one that was there before.
type origin struct {
	mu      sync.Mutex
	current *inbound
	newest  stamp
	left    time.Time // when there was a connection last, if there is none
}

// enter makes the connection the current one, and returns the one that it replaces, if any. An earlier one
// than there was is refused, until grace has gone by without any: by then none is left that
// could be told apart, and a node whose clock was set back is not locked out forever.
func (o *origin) enter(in *inbound, now time.Time, grace time.Duration) (old *inbound, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if in.stamp.before(o.newest) && (o.current != nil || now.Sub(o.left) < grace) {
		return nil, fmt.Errorf("%w: %d/%d, known is %d/%d", ErrStale,
			in.stamp.incarnation, in.stamp.connection, o.newest.incarnation, o.newest.connection)
	}
	old, o.current, o.newest = o.current, in, in.stamp
	return old, nil
}

// leave says that the connection has ended.
func (o *origin) leave(in *inbound, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == in {
		o.current, o.left = nil, now
	}
}

// deliver hands the frame to the receiver, unless the connection is no longer the current one.
func (o *origin) deliver(in *inbound, ch runtime.Channel, frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current != in {
		return false
	}
	in.e.receive(in.peer.id, ch, frame)
	return true
}
