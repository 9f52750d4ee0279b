package quic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
)

// outcome is how an attempt to connect, and the connection if it came to one, has ended.
type outcome int

const (
	failed      outcome = iota // no connection, or one that ended at once
	lasted                     // a connection of some duration
	interrupted                // ended by ourselves, to begin anew
)

// connect dials the peer and moves frames until the connection ends.
func (p *peer) connect(r *route) outcome {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	a := &attempt{began: time.Now(), cancel: cancel}
	p.mu.Lock()
	p.attempt, p.turnedUp = a, false
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.attempt, p.live = nil, nil
		p.tell()
	}()

	p.dialed.Add(1)
	conn, welcome, err := p.dial(ctx, r.addr)
	if err != nil {
		p.failed.Add(1)
		if ctx.Err() != nil { // reason enough, and no failure of the peer's
			return interrupted
		}
		p.drop()
		p.mu.Lock()
		p.failures, p.lastFailure = p.failures+1, err
		p.tell()
		p.mu.Unlock()
		p.e.cfg.Notify(Notice{Kind: Failed, Peer: p.id, Addr: r.addr, Err: err})
		return failed
	}
	p.mu.Lock()
	a.connected, a.incarnation, p.live = true, welcome.stamp.incarnation, conn
	p.tell()
	p.mu.Unlock()
	began := time.Now()
	p.e.cfg.Notify(Notice{Kind: Connected, Peer: p.id, Addr: r.addr})
	err = p.pump(ctx, conn)
	p.e.cfg.Notify(Notice{Kind: Disconnected, Peer: p.id, Addr: r.addr, Err: err})
	switch {
	case ctx.Err() != nil:
		return interrupted
	case time.Since(began) > p.e.cfg.BackoffMax:
		return lasted
	}
	return failed
}

// dial makes a connection and shakes hands. Its error is a *HandshakeError.
func (p *peer) dial(ctx context.Context, addr string) (*quic.Conn, hello, error) {
	e := p.e
	late := fmt.Errorf("no answer within %v", e.cfg.HandshakeTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.cfg.HandshakeTimeout, late)
	defer cancel()
	fail := func(err error) (*quic.Conn, hello, error) {
		var idle *quic.IdleTimeoutError // at the same time, give or take
		switch {
		case ctx.Err() != nil && refusalCode(err) == 0:
			err = context.Cause(ctx)
		case errors.As(err, &idle):
			err = late
		}
		reason, remote := explain(err)
		return nil, hello{}, &HandshakeError{Peer: p.id, Addr: addr, Remote: remote, Reason: reason}
	}
	to, err := e.resolve(ctx, addr)
	if err != nil {
		return fail(err)
	}
	conn, err := e.udp.Dial(ctx, to, clientTLS(e.currentCredentials()), e.quic)
	if err != nil {
		return fail(err)
	}
	welcome, err := p.greet(ctx, conn)
	if err != nil {
		refuse(conn, err)
		return fail(err)
	}
	return conn, welcome, nil
}

// greet is the dialer's part of the handshake.
func (p *peer) greet(ctx context.Context, conn *quic.Conn) (hello, error) {
	own := p.e.cfg.identity()
	certified, err := certifiedIdentity(conn)
	if err != nil {
		return hello{}, err
	}
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(codeLeft, "") })()
	welcome, err := p.exchange(ctx, conn, own)
	// Only now: QUIC cannot tell the peer why a connection is closed before the peer has
	// confirmed it. And first: if the peer refused us too, this is the better reason.
	if wrong := checkCertified(certified, own, p.id); wrong != nil {
		return hello{}, wrong
	}
	if err != nil {
		return hello{}, err
	}
	return welcome, welcome.check(certified, own)
}

// exchange says hello and returns the answer.
func (p *peer) exchange(ctx context.Context, conn *quic.Conn, own Identity) (hello, error) {
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return hello{}, err
	}
	err = hello{
		version: protocolVersion,
		cluster: own.Cluster,
		from:    own.ID,
		to:      p.id,
		stamp:   stamp{incarnation: p.e.cfg.Incarnation, connection: p.e.connections.Add(1)},
	}.write(stream, kindHello)
	if err != nil {
		return hello{}, err
	}
	_ = stream.Close() // fails if the other side has read the hello already, and wants no more
	return readHello(bufio.NewReader(stream), kindWelcome)
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

// pump moves frames from the queues to the connection until that ends, and returns why.
func (p *peer) pump(ctx context.Context, conn *quic.Conn) error {
	var writers sync.WaitGroup
	for ch := range runtime.ChannelCount {
		writers.Go(func() {
			if err := p.write(conn, ch); err != nil {
				conn.CloseWithError(codeLeft, "") // if it is not closed already
			}
		})
	}
	err := p.e.watch(ctx, conn)
	writers.Wait()
	return err
}

// watch blocks until the connection has ended, or must: then it ends it. It returns why.
func (e *Endpoint) watch(ctx context.Context, conn *quic.Conn) error {
	expiry := time.NewTimer(time.Until(conn.ConnectionState().TLS.PeerCertificates[0].NotAfter))
	defer expiry.Stop()
	select {
	case <-conn.Context().Done():
		reason, _ := explain(context.Cause(conn.Context()))
		return reason
	case <-expiry.C:
		conn.CloseWithError(codeExpired, errExpired.Error())
		return errExpired
	case <-ctx.Done():
		code := codeLeft
		if e.ctx.Err() != nil {
			code = codeClosed
		}
		conn.CloseWithError(code, "")
		return context.Cause(ctx)
	}
}

// write sends the frames of one channel, on a stream of its own, which begins with the
// channel's number. Small frames that wait leave together.
func (p *peer) write(conn *quic.Conn, ch runtime.Channel) error {
	stream, err := conn.OpenUniStreamSync(conn.Context())
	if err != nil {
		return err
	}
	stream.SetPriority(urgency(ch), true)
	q, c := p.queues[ch], &p.counters[ch]
	defer q.part()
	gathered := append(make([]byte, 0, gatherBytes), byte(ch))
	for {
		var frames, bytes uint64
		for frame, ok := q.take(cap(gathered) - len(gathered)); ok; frame, ok = q.take(cap(gathered) - len(gathered)) {
			gathered = append(gathered, frame...)
			frames, bytes = frames+1, bytes+uint64(len(frame))
		}
		if len(gathered) > 0 {
			_, err = stream.Write(gathered)
			gathered = gathered[:0]
		} else if frame, ok := q.take(queueBytes); ok {
			frames, bytes = 1, uint64(len(frame))
			if _, err = stream.Write(frame); err == nil { // or the stream may hold on to it
				p.e.frames.give(frame)
			}
		} else if q.rest(stream) {
			select {
			case <-q.ready:
			case <-conn.Context().Done():
				return context.Cause(conn.Context())
			}
		}
		if err != nil {
			c.dropped.Add(frames)
			return err
		}
		c.sent.Add(frames)
		c.sentBytes.Add(bytes)
	}
}

// urgency is a channel's rank where channels compete: the lower comes first, always. So control
// is never behind a transfer, nor a request.
func urgency(ch runtime.Channel) int8 {
	switch ch {
	case runtime.ChannelControl:
		return 0
	case runtime.ChannelRPC:
		return 1
	case runtime.ChannelFiles:
		return 3
	}
	return 2
}
