package quic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// outcome is how an attempt to connect, and the connection if it came to one, has ended.
type outcome int

const (
	failed      outcome = iota // no connection, or one that ended at once
	lasted                     // a connection of some duration
	interrupted                // by another connection, or to begin anew
)

// connect dials the peer and moves frames until the connection ends.
func (p *peer) connect(r *route) outcome {
	p.mu.Lock()
	p.turnedUp = false
	p.mu.Unlock()
	p.dialed.Add(1)
	l, err := p.dial(r.ctx, r.addr)
	if err != nil {
		p.failed.Add(1)
		return p.fail(r, err)
	}
	began := time.Now()
	switch replaced := l.serve(); {
	case replaced, r.ctx.Err() != nil:
		return interrupted
	case time.Since(began) > p.e.cfg.BackoffMax:
		return lasted
	}
	return failed
}

// fail draws the consequences of an attempt that came to nothing.
func (p *peer) fail(r *route, err error) outcome {
	if r.ctx.Err() != nil { // reason enough, and no failure of the peer's
		return interrupted
	}
	p.mu.Lock()
	alone := p.live == nil
	if isReplaced(err) || !alone && refusalCode(err) == 0 {
		p.mu.Unlock()
		return failed // at what there is no need for: the peer has come first
	}
	p.failures, p.lastFailure = p.failures+1, err
	p.tell()
	p.mu.Unlock()
	if alone {
		p.drop()
	}
	p.e.cfg.Notify(Notice{Kind: Failed, Peer: p.id, Addr: r.addr, Err: err})
	return failed
}

// dial makes a connection and shakes hands. The link has entered. Its error is a *HandshakeError.
func (p *peer) dial(ctx context.Context, addr string) (*link, error) {
	e, life := p.e, ctx
	late := fmt.Errorf("no answer within %v", e.cfg.HandshakeTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.cfg.HandshakeTimeout, late)
	defer cancel()
	fail := func(err error) (*link, error) {
		var idle *quic.IdleTimeoutError // at the same time, give or take
		switch {
		case ctx.Err() != nil && refusalCode(err) == 0:
			err = context.Cause(ctx)
		case errors.As(err, &idle):
			err = late
		}
		reason, remote := explain(err)
		return nil, &HandshakeError{Peer: p.id, Addr: addr, Remote: remote, Reason: reason}
	}
	to, err := e.resolve(ctx, addr)
	if err != nil {
		return fail(err)
	}
	conn, err := e.udp.Dial(ctx, to, clientTLS(e.currentCredentials()), e.quic)
	if err != nil {
		return fail(err)
	}
	o, err := p.greet(ctx, conn)
	if err != nil {
		refuse(conn, err)
		return fail(err)
	}
	l := p.newLink(life, conn, o)
	l.addr = addr
	if err := l.admit(); err != nil {
		refuse(conn, err)
		return fail(err)
	}
	return l, nil
}

// greet is the dialer's part of the handshake.
func (p *peer) greet(ctx context.Context, conn *quic.Conn) (epoch, error) {
	own := p.e.cfg.identity()
	certified, err := certifiedIdentity(conn)
	if err != nil {
		return epoch{}, err
	}
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(codeLeft, "") })()
	number, welcome, err := p.exchange(ctx, conn)
	// Only now: QUIC cannot tell the peer why a connection is closed before the peer has
	// confirmed it. And first: if the peer refused us too, this is the better reason.
	if wrong := checkCertified(certified, own, p.id); wrong != nil {
		return epoch{}, wrong
	}
	if err != nil {
		return epoch{}, err
	}
	return epoch{incarnation: welcome.stamp.incarnation, connection: number, dialer: own.ID}, welcome.check(certified, own)
}

// exchange says hello, and returns the number of the connection and the answer. If the peer has connected to us meanwhile, that
// connection will do as well, and hello says so: to just close this one could not be told from a failure.
func (p *peer) exchange(ctx context.Context, conn *quic.Conn) (uint64, hello, error) {
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return 0, hello{}, err
	}
	number := uint64(0)
	p.mu.Lock()
	if p.live == nil {
		p.number++
		number = p.number
	}
	p.mu.Unlock()
	own := p.e.cfg.identity()
	err = hello{
		version: protocolVersion,
		cluster: own.Cluster,
		from:    own.ID,
		to:      p.id,
		stamp:   stamp{incarnation: p.e.cfg.Incarnation, connection: number},
	}.write(stream, kindHello)
	if err != nil {
		return 0, hello{}, err
	}
	_ = stream.Close() // fails if the other side has read the hello already, and wants no more
	welcome, err := readHello(bufio.NewReader(stream), kindWelcome)
	return number, welcome, err
}

// certifiedIdentity returns whom the certificate of the other side names. The handshake of TLS is
// complete: that it was signed by an authority has been checked.
func certifiedIdentity(conn *quic.Conn) (Identity, error) {
	state := conn.ConnectionState().TLS
	if !state.HandshakeComplete || len(state.PeerCertificates) == 0 {
		return Identity{}, fmt.Errorf("%w: none was shown", ErrCertificate)
	}
	i, err := IdentityOf(state.PeerCertificates[0])
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return i, nil
}

// resolve looks up an address, one that the socket can reach.
func (e *Endpoint) resolve(ctx context.Context, addr string) (net.Addr, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	network := "ip"
	if local, _ := e.socket.LocalAddr().(*net.UDPAddr); local != nil && local.IP.To4() != nil {
		network = "ip4"
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &net.UDPAddr{IP: ips[0], Port: port}, nil
}
