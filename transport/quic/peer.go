package quic

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// Why an attempt or a connection of ours is ended by ourselves.
var (
	errRerouted = errors.New("the peer has another address")
	errExpired  = errors.New("the peer's certificate has expired")
)

// peer is another node: one to which frames are sent, and from which they are received, by one connection at a
// time, whoever of the two dials it.
type peer struct {
	e      *Endpoint
	id     runtime.NodeID
	queues [runtime.ChannelCount]*queue
	stir   chan struct{} // holds a token when the dialing goroutine has something to look at

	counters                 [runtime.ChannelCount]channelCounters
	dialed, failed, accepted atomic.Uint64

	entering sync.Mutex // held while a link becomes current; taken before mu and a link's

	mu       sync.Mutex
	route    *route // nil: nowhere
	turnedUp bool   // the peer has connected to us since the last attempt began

	live   *link     // the current one; nil: there is none
	newest epoch     // of the latest that was current
	left   time.Time // when that ended
	number uint64    // the greatest of a connection with the peer, dialed by us or known to have been by it

	wanted      int           // streams that wait for a link
	failures    uint64        // attempts that failed
	lastFailure error         // why the last of them did
	news        chan struct{} // closed when live, failures or route has changed
}

// route is where a peer is dialed, until that changes.
type route struct {
	addr   string
	ctx    context.Context
	cancel context.CancelCauseFunc
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
		if p.live != nil {
			p.live.cancel(errRerouted)
		}
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
		if p.live == nil {
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

// run dials the peer whenever there are frames for it, or streams, and no connection. It is a goroutine, and
// ends with the endpoint. What the peer sends has a receiver only when the endpoint has been joined: it waits for that.
func (p *peer) run() {
	defer p.drop()
	select {
	case <-p.e.joined:
	case <-p.e.ctx.Done():
	}
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
		if p.rest(r, pause/2+rand.N(pause/2+1)) {
			pause = 0
		}
	}
}

// await returns the route when there is one, something to send over it, and no connection; nil at the end.
func (p *peer) await() *route {
	for p.e.ctx.Err() == nil {
		p.mu.Lock()
		r, wanted := p.route, p.wanted > 0
		if p.live != nil {
			r = nil
		}
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

// rest waits before the next attempt, until the time is over, or the peer is known to be elsewhere or back. It reports
// whether it is back.
func (p *peer) rest(r *route, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		p.mu.Lock()
		news := p.turnedUp
		p.mu.Unlock()
		if news {
			return true
		}
		select {
		case <-timer.C:
			return false
		case <-r.ctx.Done():
			return false
		case <-p.stir:
		}
	}
}
