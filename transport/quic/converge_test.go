package quic

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// talker is an endpoint that sends numbered frames all the time, and checks the order of those that it receives.
type talker struct {
	*testing.T
	*Endpoint
	other   *talker
	sent    uint64
	arrived atomic.Uint64 // the number of the last
	crashed atomic.Bool   // and may complain
	quit    chan struct{}
	done    sync.WaitGroup
	hush    func() // ends talk
}

// newTalker makes a talker, which fails the test when the endpoint complains of anything that is not expected. It ends with the test.
func newTalker(t *testing.T, cfg Config, expected func(Notice) bool) *talker {
	k := &talker{T: t, quit: make(chan struct{})}
	cfg.Notify = func(n Notice) {
		if n.Kind == Failed && !k.crashed.Load() && !expected(n) {
			t.Errorf("%v complains: %v", cfg.ID, n)
		}
	}
	k.Endpoint = bind(t, cfg)
	k.hush = sync.OnceFunc(func() { close(k.quit); k.done.Wait() })
	t.Cleanup(func() {
		k.hush()
		k.Close() // complains if the socket has vanished
	})
	if _, err := k.Join(k.receive); err != nil {
		t.Fatal(err)
	}
	return k
}

// converse has two talkers talk to each other.
func converse(a, b *talker) {
	a.other, b.other = b, a
	a.Route(2, b.Addr())
	b.Route(1, a.Addr())
	a.done.Go(a.talk)
	b.done.Go(b.talk)
}

// receive checks that numbers grow: what one connection carries does not come after what a newer one does.
func (k *talker) receive(_ runtime.NodeID, _ runtime.Channel, frame []byte) {
	n := binary.LittleEndian.Uint64(frame[transport.HeaderSize:])
	if before := k.arrived.Swap(n); n <= before {
		k.Errorf("%v: frame %d after %d", k.cfg.ID, n, before)
	}
}

// talk sends until quit, one frame whenever there is a chance that the one before has arrived.
func (k *talker) talk() {
	pace := time.NewTicker(50 * time.Microsecond)
	defer pace.Stop()
	for {
		select {
		case <-k.quit:
			return
		case <-pace.C:
		}
		k.sent++
		frame := binary.LittleEndian.AppendUint64(transport.AppendHeader(nil, 1), k.sent)
		if err := transport.Seal(frame); err != nil {
			k.Error(err)
		}
		k.Send(k.other.cfg.ID, runtime.ChannelControl, frame)
	}
}

// link returns the current link with the other, if there is one.
func (k *talker) link() *link {
	p := k.peer(k.other.cfg.ID)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live
}

// agree waits until frames arrive at both, and both have the same connection.
func agree(t *testing.T, a, b *talker) {
	t.Helper()
	fromA, fromB := b.arrived.Load(), a.arrived.Load()
	until(t, func() bool {
		l, m := a.link(), b.link()
		return b.arrived.Load() > fromA && a.arrived.Load() > fromB && l != nil && m != nil &&
			l.epoch.connection == m.epoch.connection && l.epoch.dialer == m.epoch.dialer
	}, "one connection, and frames both ways")
}

// until waits for something to be so.
func until(t *testing.T, so func() bool, what string) {
	t.Helper()
	over, look := time.After(30*time.Second), time.NewTicker(200*time.Microsecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-over:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// TestBothDialAgainAndAgain breaks the connection of two nodes that talk all the time, so that both dial. They must come to one
// connection each time, nobody complains, and frames do not overtake each other from one connection to the next.
func TestBothDialAgainAndAgain(t *testing.T) {
	cfgA, cfgB := two(t)
	left := func(n Notice) bool { return errors.Is(n.Err, farewells[codeLeft]) } // the end came before the handshake's
	a, b := newTalker(t, cfgA, left), newTalker(t, cfgB, left)
	converse(a, b)
	for round := range 60 {
		agree(t, a, b)
		for i, k := range []*talker{a, b} {
			if l := k.link(); l != nil && round%3 != i { // one of them, or both
				l.conn.CloseWithError(codeLeft, "")
			}
		}
	}
	agree(t, a, b)
	a.hush()
	b.hush()
	if replaced := a.Stats().Peers[0].Dialed + b.Stats().Peers[0].Dialed; replaced < 60 {
		t.Errorf("%d were dialed", replaced)
	}
	t.Logf("a: %+v\nb: %+v", a.Stats().Peers[0], b.Stats().Peers[0])
}

// TestPeerIsBackElsewhere has a peer crash, so that nobody is told, and come back where it is not known to be. It connects, and
// is reached by that: the connection that is dead without looking so is no hindrance.
func TestPeerIsBackElsewhere(t *testing.T) {
	cfgA, cfgB := two(t)
	cfgA.IdleTimeout, cfgB.IdleTimeout = time.Hour, time.Hour
	none := func(Notice) bool { return false }
	a, b := newTalker(t, cfgA, none), newTalker(t, cfgB, none)
	a.other, b.other = b, a
	for boot := range 3 {
		b.Route(1, a.Addr())
		b.done.Go(b.talk)
		if boot == 0 { // a dials nobody: there is a connection already, and then always one that looks alive
			until(t, func() bool { return a.link() != nil }, "a connection")
			a.Route(2, b.Addr())
			a.done.Go(a.talk)
		}
		agree(t, a, b)
		if got, want := a.link().epoch.incarnation, b.Incarnation(); got != want {
			t.Fatalf("boot %d: the link is with %d, not with %d", boot, got, want)
		}
		b.hush()
		b.crashed.Store(true)
		b.socket.Close()
		crashed := b
		b = newTalker(t, cfgB, none)
		b.other, b.sent = a, crashed.sent
		crashed.Close() // complains of the socket; frees the rest
	}
}

// TestWritersTakeTurns checks that a link does not take what is queued before the one that it replaces has stopped to.
func TestWritersTakeTurns(t *testing.T) {
	cfgA, cfgB := two(t)
	a, b := newTalker(t, cfgA, func(Notice) bool { return true }), newTalker(t, cfgB, func(Notice) bool { return true })
	converse(a, b)
	agree(t, a, b)
	a.hush()
	b.hush()
	conn := a.link().conn
	conn.CloseWithError(codeLeft, "") // so that the writers have nothing to do
	before := make(chan struct{})
	next := a.peer(2).newLink(a.ctx, conn, epoch{})
	next.before = before
	go next.writeChannels()
	select {
	case before <- struct{}{}:
	case <-next.written:
		t.Error("it does not wait")
	}
	select {
	case <-next.written:
	case <-time.After(30 * time.Second):
		t.Error("it does not say that it has ended")
	}
}

// TestConnectedNodesDoNotDial has something to send to a peer with which there is a connection, and then no longer.
func TestConnectedNodesDoNotDial(t *testing.T) {
	cfg, _ := two(t)
	e := bind(t, cfg) // not joined: it dials nobody
	defer e.Close()
	e.Route(2, "127.0.0.1:1")
	p := e.peer(2)
	look := newPeer(e, 2) // of which no goroutine of its own takes the tokens
	look.route = p.route
	l := &link{e: e, peer: look, epoch: epoch{incarnation: 7, connection: 1, dialer: 2}, inbound: true, cancel: func(error) {}}
	if _, err := look.enter(l, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	look.send(0, frameOf(t))
	dials := make(chan *route, 1)
	go func() { dials <- look.await() }()
	for range 3 { // there is room for one token: it takes the others, and goes on waiting
		select {
		case look.stir <- struct{}{}:
		case <-dials:
			t.Fatal("it dials")
		}
	}
	look.leave(l, time.Now())
	select {
	case r := <-dials:
		if r != p.route {
			t.Errorf("it dials %v", r)
		}
	case <-time.After(30 * time.Second):
		t.Error("it does not dial")
	}
}
