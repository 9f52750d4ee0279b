package quic

import (
	"errors"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// TestOneLinkAtATime checks which link with a peer is current, and that no other delivers.
func TestOneLinkAtATime(t *testing.T) {
	const grace = 5 * time.Second
	now := time.Unix(1000, 0)
	got := 0
	e := &Endpoint{cfg: Config{ID: 1}, receive: func(runtime.NodeID, runtime.Channel, []byte) { got++ }}
	p := newPeer(e, 2)
	at := func(incarnation, connection uint64, dialer runtime.NodeID) *link {
		return &link{e: e, peer: p, epoch: epoch{incarnation, connection, dialer}, cancel: func(error) {}, written: make(chan struct{})}
	}
	enter := func(l *link, replaces *link, want error) {
		t.Helper()
		if old, err := p.enter(l, now, grace); old != replaces || !errors.Is(err, want) {
			t.Errorf("%v: replaces %v, %v", l.epoch, old, err)
		}
		if replaces != nil && (replaces.deliver(0, nil) || l.before != replaces.written) {
			t.Errorf("%v goes on beside %v", replaces.epoch, l.epoch)
		}
	}
	first, second, third := at(7, 1, 2), at(7, 2, 2), at(8, 1, 2)
	enter(first, nil, nil)
	enter(second, first, nil)
	if !second.deliver(0, nil) || got != 1 {
		t.Errorf("%d delivered", got)
	}
	p.leave(first, now) // which changes nothing
	enter(first, nil, ErrStale)
	enter(third, second, nil)
	enter(at(7, 3, 2), nil, ErrStale)
	enter(at(7, 3, 1), nil, ErrStale) // dialed by us, and a node of an earlier boot has answered
	if p.number != 2 {
		t.Errorf("the next connection has number %d", p.number+1)
	}

	// Both dial at a time: to both, what the lower dials is the newer.
	ours, theirs := at(8, 3, 1), at(8, 3, 2)
	enter(theirs, third, nil)
	enter(ours, theirs, nil)
	enter(at(8, 3, 2), nil, errCrossed)
	enter(at(8, 2, 2), nil, errCrossed)
	fourth := at(8, 4, 2)
	enter(fourth, ours, nil)
	enter(at(8, 3, 1), nil, errCrossed)

	p.leave(fourth, now)
	if fourth.deliver(0, nil) {
		t.Error("a link that has ended delivers")
	}
	now = now.Add(grace - 1)
	enter(at(7, 9, 2), nil, ErrStale)
	now = now.Add(1)
	back := at(7, 5, 2) // a clock was set back
	enter(back, nil, nil)
	enter(at(7, 4, 2), nil, ErrStale)
	if !back.deliver(0, nil) || p.number != 5 {
		t.Errorf("the current link does not deliver, or %d is not its number", p.number)
	}

	unheard := at(9, 1, 2) // whose welcome could not be said
	enter(unheard, back, nil)
	close(back.written)
	unheard.abandon()
	select {
	case <-unheard.written: // or a link that has replaced it meanwhile would wait for ever
	default:
		t.Error("a link that does not serve does not say that it writes no more")
	}
	enter(at(9, 2, 2), nil, nil)
}
