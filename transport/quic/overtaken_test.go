package quic

import (
	"errors"
	"testing"
	"time"
)

// TestOvertakenAttempt has attempts to connect fail, with a connection of the peer's there meanwhile and without. Then it is no
// failure that there was no answer, but it is to be refused.
func TestOvertakenAttempt(t *testing.T) {
	cfg, _ := two(t)
	notices := make(chan Notice, 9)
	cfg.Notify = func(n Notice) { notices <- n }
	e := bind(t, cfg) // not joined: it dials nobody
	defer e.Close()
	e.Route(2, "127.0.0.1:1")
	p := newPeer(e, 2)
	p.route = e.peer(2).route
	late := &HandshakeError{Peer: 2, Reason: errors.New("no answer")}
	refused := &HandshakeError{Peer: 2, Reason: ErrNode, Remote: true}
	fails := func(err error, failures uint64, when string) {
		t.Helper()
		if got := p.fail(p.route, err); got != failed || p.failures != failures || len(notices) != int(failures) {
			t.Errorf("%s: outcome %v, %d failures, %d notices; want %d", when, got, p.failures, len(notices), failures)
		}
	}
	fails(late, 1, "alone")
	l := &link{e: e, peer: p, epoch: epoch{incarnation: 7, connection: 1, dialer: 2}, inbound: true, cancel: func(error) {}}
	if _, err := p.enter(l, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	fails(late, 1, "connected")
	fails(refused, 2, "connected, and refused")
	p.leave(l, time.Now())
	fails(late, 3, "alone again")
}
