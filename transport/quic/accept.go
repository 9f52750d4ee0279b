package quic

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/quic-go/quic-go"
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

// serve shakes hands and moves frames until the connection ends.
func (e *Endpoint) serve(conn *quic.Conn) {
	certified, l, err := e.shake(conn)
	if err == nil {
		l.serve()
		return
	}
	refuse(conn, err)
	reason, remote := explain(err)
	if e.ctx.Err() != nil || isReplaced(reason) {
		return
	}
	e.refused.Add(1)
	failure := &HandshakeError{Peer: certified.ID, Addr: conn.RemoteAddr().String(), Remote: remote, Reason: reason}
	e.cfg.Notify(Notice{Kind: Failed, Peer: failure.Peer, Addr: failure.Addr, Inbound: true, Err: failure})
}

// shake is the part in the handshake of the one who is dialed. It returns who dialed, as far as that
// is proven, and without an error the link, which has entered.
func (e *Endpoint) shake(conn *quic.Conn) (certified Identity, l *link, err error) {
	ctx, cancel := context.WithTimeoutCause(e.ctx, e.cfg.HandshakeTimeout, fmt.Errorf("no handshake within %v", e.cfg.HandshakeTimeout))
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(codeLeft, "") })()
	certified, err = e.certify(conn)
	if err == nil {
		l, err = e.welcome(ctx, conn, certified)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return certified, l, err
}

// certify returns who dialed, by a certificate, if it may.
func (e *Endpoint) certify(conn *quic.Conn) (Identity, error) {
	select { // until here the dialer has proven nothing
	case <-conn.HandshakeComplete():
	case <-conn.Context().Done():
	}
	if conn.Context().Err() != nil {
		return Identity{}, context.Cause(conn.Context())
	}
	if len(conn.ConnectionState().TLS.VerifiedChains) == 0 {
		return Identity{}, fmt.Errorf("%w: it was not verified", ErrCertificate)
	}
	certified, err := certifiedIdentity(conn)
	if err != nil {
		return Identity{}, err
	}
	if err := checkCertified(certified, e.cfg.identity(), 0); err != nil {
		return certified, err
	}
	if !e.cfg.Allow(certified.ID) {
		return certified, fmt.Errorf("%w: %v is not expected here", ErrNode, certified.ID)
	}
	return certified, nil
}

// welcome answers the hello of the one who is certified to have dialed. The link enters before the answer leaves: what a
// dialer takes for its connection is ours too.
func (e *Endpoint) welcome(ctx context.Context, conn *quic.Conn, certified Identity) (*link, error) {
	own := e.cfg.identity()
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	h, err := readHello(bufio.NewReader(stream), kindHello)
	if err == nil {
		err = h.check(certified, own)
	}
	switch n := h.stamp.connection; {
	case err != nil:
	case n == 0:
		err = errCrossed
	case n > connectionMax:
		err = fmt.Errorf("%w: connection %d, of %d", ErrProtocol, n, uint64(connectionMax))
	}
	if err != nil {
		return nil, err
	}
	stream.CancelRead(streamClosed) // or it would count as one of those that are open
	p := e.peer(h.from)
	if p == nil {
		return nil, ErrBusy
	}
	l := p.newLink(e.ctx, conn, epoch{incarnation: h.stamp.incarnation, connection: h.stamp.connection, dialer: h.from})
	if err := l.admit(); err != nil {
		return nil, err
	}
	p.accepted.Add(1)
	answer := hello{version: protocolVersion, cluster: own.Cluster, from: own.ID, to: h.from, stamp: stamp{incarnation: e.cfg.Incarnation}}
	if err := errors.Join(answer.write(stream, kindWelcome), stream.Close()); err != nil {
		l.abandon()
		return nil, err
	}
	return l, nil
}
