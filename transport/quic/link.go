package quic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
)

// Both mean that a connection met another one between the same two nodes that stays. It is no failure: they are connected.
var (
	errCrossed  = errors.New("there is a newer connection")     // we say so
	errReplaced = errors.New("the peer has a newer connection") // the peer says so
)

// isReplaced reports whether the reason why there is no connection is that there is another.
func isReplaced(reason error) bool {
	return errors.Is(reason, errCrossed) || errors.Is(reason, errReplaced)
}

// epoch orders the connections of a pair of nodes, as one of them sees them. Both order those between
// the same two boots alike, whoever dialed them.
type epoch struct {
	incarnation uint64         // of the other node
	connection  uint64         // greater than all that the one who dialed knew of
	dialer      runtime.NodeID // the lower counts as the newer, when both dial at a time
}

func (o epoch) before(p epoch) bool {
	switch {
	case o.incarnation != p.incarnation:
		return o.incarnation < p.incarnation
	case o.connection != p.connection:
		return o.connection < p.connection
	}
	return o.dialer > p.dialer
}

// crosses reports whether the connections are between the same boots, and dialed by different nodes.
func (o epoch) crosses(p epoch) bool {
	return o.incarnation == p.incarnation && o.dialer != p.dialer
}

// link is a connection with a peer after its handshake. It carries what goes there and what comes from there, no
// matter who dialed.
type link struct {
	e       *Endpoint
	peer    *peer
	conn    *quic.Conn
	epoch   epoch
	inbound bool   // the peer dialed
	addr    string // the peer's
	ctx     context.Context
	cancel  context.CancelCauseFunc // ends the link

	before  <-chan struct{} // closed when the link that this one replaces writes no more; nil: it replaces none
	written chan struct{}   // closed when this one writes no more

	mu   sync.Mutex // held while a frame is delivered
	over bool       // no frame of this link may be delivered any longer
}

// newLink returns a link that has not entered yet. It ends with ctx.
func (p *peer) newLink(ctx context.Context, conn *quic.Conn, o epoch) *link {
	l := &link{
		e: p.e, peer: p, conn: conn, epoch: o, inbound: o.dialer == p.id,
		addr: conn.RemoteAddr().String(), written: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// enter makes the link the current one. The one that it replaces, if any, delivers nothing from here on, and the caller
// is to close its connection. A link that is older than another was is refused, with
// errCrossed or ErrStale, until grace has gone by without any: by then none is left that could be told apart, and
// a node whose clock was set back is not locked out forever.
func (p *peer) enter(l *link, now time.Time, grace time.Duration) (old *link, err error) {
	p.entering.Lock() // until the old one is over, no other can become current and deliver
	defer p.entering.Unlock()
	p.mu.Lock()
	known := p.newest
	if l.epoch.before(known) && (p.live != nil || now.Sub(p.left) < grace) {
		p.mu.Unlock()
		if l.epoch.crosses(known) {
			return nil, errCrossed
		}
		return nil, fmt.Errorf("%w: %d/%d, known is %d/%d", ErrStale,
			l.epoch.incarnation, l.epoch.connection, known.incarnation, known.connection)
	}
	old, p.live, p.newest = p.live, l, l.epoch
	p.number = max(p.number, l.epoch.connection)
	p.turnedUp = p.turnedUp || l.inbound
	p.tell()
	p.mu.Unlock()
	p.wake()
	if old != nil {
		l.before = old.written
		old.retire()
	}
	return old, nil
}

// admit has the link enter, and closes the connection that it replaces.
func (l *link) admit() error {
	cfg := &l.e.cfg
	old, err := l.peer.enter(l, time.Now(), cfg.IdleTimeout+cfg.HandshakeTimeout)
	if err != nil {
		l.cancel(nil)
		return err
	}
	if old != nil {
		old.conn.CloseWithError(codeReplaced, errCrossed.Error())
	}
	return nil
}

// leave says that the link, which has entered, has ended and writes no more.
func (p *peer) leave(l *link, now time.Time) {
	l.retire()
	l.cancel(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == l {
		p.live, p.left = nil, now
		p.tell()
		p.wake()
	}
}

// abandon is for a link that has entered, and will not serve.
func (l *link) abandon() {
	if l.before != nil {
		<-l.before
	}
	close(l.written)
	l.peer.leave(l, time.Now())
}

// retire returns when no frame of the link is being delivered, and none will be.
func (l *link) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// deliver hands the frame to the receiver, unless the link is over.
func (l *link) deliver(ch runtime.Channel, frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.e.receive(l.peer.id, ch, frame)
	return true
}

// serve moves frames and accepts streams until the connection ends. It reports whether there is a newer link.
func (l *link) serve() (replaced bool) {
	notice := Notice{Kind: Connected, Peer: l.peer.id, Addr: l.addr, Inbound: l.inbound}
	l.e.cfg.Notify(notice)
	var running sync.WaitGroup
	running.Go(l.acceptStreams)
	running.Go(l.acceptChannels)
	running.Go(l.writeChannels)
	err := l.watch()
	running.Wait()
	l.mu.Lock()
	replaced = l.over
	l.mu.Unlock()
	l.peer.leave(l, time.Now())
	notice.Kind, notice.Err = Disconnected, err
	l.e.cfg.Notify(notice)
	return replaced
}

// watch blocks until the connection has ended, or must: then it ends it. It returns why.
func (l *link) watch() error {
	expiry := time.NewTimer(time.Until(l.conn.ConnectionState().TLS.PeerCertificates[0].NotAfter))
	defer expiry.Stop()
	select {
	case <-l.conn.Context().Done():
		reason, _ := explain(context.Cause(l.conn.Context()))
		return reason
	case <-expiry.C:
		l.conn.CloseWithError(codeExpired, errExpired.Error())
		return errExpired
	case <-l.ctx.Done():
		code := codeLeft
		if l.e.ctx.Err() != nil {
			code = codeClosed
		}
		l.conn.CloseWithError(code, "")
		return context.Cause(l.ctx)
	}
}
