package quic_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// One connection carries frames and streams both ways, whoever has dialed it.
func TestOneConnectionForAll(t *testing.T) {
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	a.Route(2, b.Addr())
	b.Route(1, a.Addr())
	reaches(t, b, a, 2, 1, "dialed")
	reaches(t, a, b, 1, 2, "accepted")
	for _, way := range []struct {
		from, to *station
		id       runtime.NodeID
	}{{a, b, 2}, {b, a, 1}} {
		l, err := way.to.Streams()
		if err != nil {
			t.Fatal(err)
		}
		near, err := way.from.DialStream(within(t), way.id)
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = near.Write([]byte("across")) }() // an error shows at the other end
		got := make([]byte, 6)
		if _, err := io.ReadFull(far, got); err != nil || string(got) != "across" {
			t.Errorf("%q, %v", got, err)
		}
		_, _ = near.Close(), far.Close() // never fail
	}
	if s := a.Stats().Peers[0]; s.Dialed != 0 || s.Accepted != 1 || !s.Connected {
		t.Errorf("who was dialed: %+v", s)
	}
	if s := b.Stats().Peers[0]; s.Dialed != 1 || s.Accepted != 0 || !s.Connected {
		t.Errorf("who dialed: %+v", s)
	}
}

// A peer that cannot be dialed is reached when it dials us, what waits for it included.
func TestPeerThatCannotBeDialed(t *testing.T) {
	authority := newAuthority(t, "orders")
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg := configFor(t, authority, 1)
	cfg.HandshakeTimeout = patience
	a, b := join(t, cfg), join(t, configFor(t, authority, 2))
	a.Route(2, silent.LocalAddr().String())
	frame := seal(t, 1, []byte("waits"))
	a.Send(2, runtime.ChannelControl, frame)
	b.Route(1, a.Addr())
	b.Send(1, runtime.ChannelControl, seal(t, 1, nil))
	if d := await(t, b.inbox, "what waited"); string(d.frame) != string(frame) {
		t.Errorf("got %+v", d)
	}
	reaches(t, b, a, 2, 1, "there")
	reaches(t, a, b, 1, 2, "and back")
	a.quiet(t)
}

// A peer that has no route is not answered, though it is connected; and heard.
func TestNoRouteIsNoWayBack(t *testing.T) {
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	b.Route(1, a.Addr())
	reaches(t, b, a, 2, 1, "heard")
	a.Send(2, 0, seal(t, 1, nil))
	if _, err := a.DialStream(within(t), 2); !errors.Is(err, quic.ErrNoRoute) {
		t.Errorf("a stream: %v", err)
	}
	if s := a.Stats(); s.NoRoute != 1 || s.Peers[0].Connected {
		t.Errorf("stats %+v", s)
	}
	a.Route(2, b.Addr())
	reaches(t, a, b, 1, 2, "answered")
	if s := a.Stats().Peers[0]; s.Dialed != 0 || !s.Connected {
		t.Errorf("stats %+v", s)
	}
}

// Another address ends the connection, also one that the peer has dialed.
func TestAnotherAddressEndsTheConnection(t *testing.T) {
	authority := newAuthority(t, "orders")
	c := credentials(t, authority, 2, quic.Validity{})
	s := join(t, configFor(t, authority, 1))
	addr, in := rawListen(t, c, nil)
	elsewhere, inElsewhere := rawListen(t, c, nil)
	s.Route(2, addr)
	conn, _, err := rawHello(t, s.Addr(), c, hello{2, 2, 1, 77, 1, "orders"}.frame(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	s.notice(t, quic.Connected, true)
	s.Route(2, addr) // which is no other
	frame := seal(t, 1, []byte("here"))
	s.Send(2, runtime.ChannelControl, frame)
	arrives(t, conn, frame)
	s.Route(2, elsewhere)
	if code, text := closedWith(t, conn); code != 3 {
		t.Errorf("closed with %d, %q", code, text)
	}
	s.notice(t, quic.Disconnected, true)
	s.Send(2, runtime.ChannelControl, frame)
	d := await(t, inElsewhere, "a connection there")
	d.answer(t, hello{2, 2, 1, 77, 0, "orders"})
	arrives(t, d.Conn, frame)
	if len(in) > 0 {
		t.Error("it was dialed in vain")
	}
	if err := context.Cause(d.Context()); err != nil {
		t.Error(err)
	}
}

// A peer that wants to hear no answer to its hello is not connected, and is dialed when there is something for it.
func TestWelcomeThatNobodyHears(t *testing.T) {
	authority := newAuthority(t, "orders")
	c := credentials(t, authority, 2, quic.Validity{})
	s := join(t, configFor(t, authority, 1))
	conn, err := rawDial(t, s.Addr(), c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := conn.OpenStreamSync(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	stream.CancelRead(9)
	if _, err := stream.Write(hello{2, 2, 1, 77, 1, "orders"}.frame(t, 1)); err != nil {
		t.Fatal(err)
	}
	if code, text := closedWith(t, conn); code != 3 {
		t.Errorf("closed with %d, %q", code, text)
	}
	s.notice(t, quic.Failed, true)
	addr, in := rawListen(t, c, nil)
	s.Route(2, addr)
	frame := seal(t, 1, []byte("after all"))
	s.Send(2, runtime.ChannelControl, frame)
	d := await(t, in, "a connection")
	d.answer(t, hello{2, 2, 1, 77, 0, "orders"})
	arrives(t, d.Conn, frame)
}
