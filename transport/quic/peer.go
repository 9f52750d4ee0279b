package quic

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
)

// Why an attempt or a connection of ours is ended by ourselves.
var (
	errRerouted  = errors.New("the peer has another address")
	errRestarted = errors.New("the peer has restarted")
	errExpired   = errors.New("the peer's certificate has expired")
)

// peer is another node: as one to which frames are sent, by connections that we dial, and as one
// from which they are received, by connections that it dials.
type peer struct {
	e      *Endpoint
	id     runtime.NodeID
	queues [runtime.ChannelCount]*queue
	stir   chan struct{} // holds a token when the dialing goroutine has something to look at

	counters                 [runtime.ChannelCount]channelCounters
	dialed, failed, accepted atomic.Uint64

	mu       sync.Mutex
	route    *route   // nil: nowhere
	attempt  *attempt // to connect, or the connection; nil: there is none
	turnedUp bool     // the peer has connected to us since the last attempt began

	live        *quic.Conn    // the connection that we dialed; nil: there is none
	wanted      int           // streams that wait for it
	failures    uint64        // attempts that failed
	lastFailure error         // why the last of them did
	news        chan struct{} // closed when live, failures or route has changed

	origin origin
}

// route is where a peer is dialed, until that changes.
type route struct {
	addr   string
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// attempt is a connection that we dial.
type attempt struct {
	began       time.Time
	cancel      context.CancelCauseFunc
	connected   bool
	incarnation uint64 // of the peer, once connected
}

func newPeer(e *Endpoint, id runtime.NodeID) *peer {
	p := &peer{e: e, id: id, stir: make(chan struct{}, 1), news: make(chan struct{})}
	for ch := range p.queues {
		p.queues[ch] = newQueue()
	}
	return p
}

// wake makes the dialing goroutine look around.
func (p *peer) wake() {
	select {
	case p.stir <- struct{}{}:
	default:
	}
}

// setRoute changes the address.
func (p *peer) setRoute(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.route != nil && p.route.addr == addr {
		return
	}
	p.tell()
	if p.route != nil {
		p.route.cancel(errRerouted)
		p.route = nil
	}
	if addr == "" {
		p.drop()
		return
	}
	r := &route{addr: addr}
	r.ctx, r.cancel = context.WithCancelCause(p.e.ctx)
	p.route = r
	p.wake()
}

// send queues a frame. It reports whether there is a route.
func (p *peer) send(ch runtime.Channel, frame []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.route == nil {
		return false
	}
	c := &p.counters[ch]
	switch p.queues[ch].put(frame) {
	case dropped:
		c.dropped.Add(1)
	case handed:
		c.sent.Add(1)
		c.sentBytes.Add(uint64(len(frame)))
	case queued:
		if p.attempt == nil {
			p.wake()
		}
	}
	return true
}

// drop drops all that is queued.
func (p *peer) drop() {
	for ch, q := range p.queues {
		p.counters[ch].dropped.Add(uint64(q.clear()))
	}
}

// isBack tells that the peer, in that incarnation, has just connected to us: it can be reached,
// and a connection of ours to another incarnation leads nowhere.
func (p *peer) isBack(incarnation uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turnedUp = true
	p.wake()
	switch a := p.attempt; {
	case a == nil:
	case a.connected && a.incarnation != incarnation, !a.connected && time.Since(a.began) > kickAfter:
		a.cancel(errRestarted)
	}
}

// run dials the peer whenever there are frames for it, or streams. It is a goroutine, and ends with the endpoint.
func (p *peer) run() {
	defer p.drop()
	var pause time.Duration
	for r := p.await(); r != nil; r = p.await() {
		switch p.connect(r) {
		case interrupted: // by news of the peer
			pause = 0
			continue
		case lasted:
			pause = 0
		}
		pause = min(max(2*pause, p.e.cfg.BackoffMin), p.e.cfg.BackoffMax)
		p.rest(r, pause/2+rand.N(pause/2+1))
	}
}

// await returns the route when there is one, and something to send over it; nil at the end.
func (p *peer) await() *route {
	for p.e.ctx.Err() == nil {
		p.mu.Lock()
		r, wanted := p.route, p.wanted > 0
		p.mu.Unlock()
		if r != nil && wanted {
			return r
		}
		if r != nil {
			for _, q := range p.queues {
				if !q.empty() {
					return r
				}
			}
		}
		select {
		case <-p.stir:
		case <-p.e.ctx.Done():
		}
	}
	return nil
}

// rest waits before the next attempt, until the time is over, or the peer is known to be elsewhere or back.
func (p *peer) rest(r *route, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		p.mu.Lock()
		news := p.turnedUp
		p.mu.Unlock()
		if news {
			return
		}
		select {
		case <-timer.C:
			return
		case <-r.ctx.Done():
			return
		case <-p.stir:
		}
	}
}
