package quic_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// dialed is a connection by which a node dials one that is played by hand, and the stream of its hello.
type dialed struct {
	*quicgo.Conn
	hello *quicgo.Stream
}

// answer is how a node that is played by hand answers a hello.
func (d dialed) answer(t testing.TB, h hello) {
	t.Helper()
	if _, err := d.hello.Write(h.frame(t, 2)); err != nil {
		t.Fatal(err)
	}
}

// rawListen is a node that is played by hand, and hands over the connections by which it is dialed, before it has
// answered them. hold, if not nil, is closed when the handshake of TLS may go on.
func rawListen(t testing.TB, c *quic.Credentials, hold <-chan struct{}) (addr string, in <-chan dialed) {
	t.Helper()
	cfg := rawTLS(c)
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if hold != nil {
			<-hold
		}
		return nil, nil
	}
	tr := rawTransport(t)
	listener, err := tr.Listen(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted, ctx := make(chan dialed, 16), limit(t)
	go func() {
		for {
			conn, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			stream, _ := conn.AcceptStream(ctx) // or it has ended
			accepted <- dialed{conn, stream}
		}
	}()
	return tr.Conn.LocalAddr().String(), accepted
}

// arrives waits until a frame has come over the connection.
func arrives(t testing.TB, conn *quicgo.Conn, frame []byte) {
	t.Helper()
	got := make(chan bool)
	for range runtime.ChannelCount {
		go func() {
			stream, err := conn.AcceptUniStream(limit(t))
			if err != nil {
				return
			}
			buf := make([]byte, 1+len(frame))
			if _, err := io.ReadFull(stream, buf); err == nil && buf[0] == byte(runtime.ChannelControl) {
				got <- string(buf[1:]) == string(frame)
			}
		}()
	}
	if !await(t, got, "a frame") {
		t.Error("another frame")
	}
}

// quiet checks that nobody complained.
func (s *station) quiet(t testing.TB) {
	t.Helper()
	for len(s.notices) > 0 {
		if n := <-s.notices; n.Kind == quic.Failed {
			t.Errorf("complains: %v", n)
		}
	}
	if got := s.Stats().Refused; got != 0 {
		t.Errorf("%d are said to be refused", got)
	}
}

// givenUp waits until an attempt to connect has come to nothing.
func (s *station) givenUp(t testing.TB) {
	t.Helper()
	over, look := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for s.Stats().Peers[0].Failed == 0 {
		select {
		case <-look.C:
		case <-over:
			t.Fatal("it is not given up")
		}
	}
}

// crossing is a node that dials another, and is dialed by it before it has been answered: both of it are connected now.
type crossing struct {
	*station
	credentials *quic.Credentials // of the other
	outgoing    dialed            // has said hello
	incoming    *quicgo.Conn      // has been welcomed
	frame       []byte            // sent by the node
}

func newCrossing(t testing.TB, id, other runtime.NodeID) crossing {
	authority := newAuthority(t, "orders")
	x := crossing{station: join(t, configFor(t, authority, id)), frame: seal(t, 1, []byte("crossing"))}
	x.credentials = credentials(t, authority, other, quic.Validity{})
	addr, in := rawListen(t, x.credentials, nil)
	x.Route(other, addr)
	x.Send(other, runtime.ChannelControl, seal(t, 1, []byte("goes the first way there is")))
	x.outgoing = await(t, in, "a connection")
	var err error
	if x.incoming, _, err = rawHello(t, x.Addr(), x.credentials, hello{2, uint64(other), uint64(id), 77, 1, "orders"}.frame(t, 1)); err != nil {
		t.Fatal(err)
	}
	x.notice(t, quic.Connected, true)
	return x
}

// Of two connections that cross the one counts that the lower id dials, to both nodes.
func TestLowerDialsWhenBothDo(t *testing.T) {
	x := newCrossing(t, 1, 2)
	arrives(t, x.incoming, seal(t, 1, []byte("goes the first way there is")))
	x.outgoing.answer(t, hello{2, 2, 1, 77, 0, "orders"})
	if code, text := closedWith(t, x.incoming); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	x.notice(t, quic.Connected, false)
	x.Send(2, runtime.ChannelControl, x.frame)
	arrives(t, x.outgoing.Conn, x.frame)

	// What was dialed before that is known of is too late, which is no failure.
	conn, _, err := rawHello(t, x.Addr(), x.credentials, hello{2, 2, 1, 77, 1, "orders"}.frame(t, 1))
	if err == nil {
		t.Error("an older one is welcome")
	}
	if code, text := closedWith(t, conn); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	// And what was dialed after it replaces it, whoever did.
	if _, _, err = rawHello(t, x.Addr(), x.credentials, hello{2, 2, 1, 77, 2, "orders"}.frame(t, 1)); err != nil {
		t.Error(err)
	}
	if code, text := closedWith(t, x.outgoing.Conn); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	x.quiet(t)
}

func TestHigherGivesWayWhenBothDial(t *testing.T) {
	x := newCrossing(t, 3, 2)
	x.outgoing.answer(t, hello{2, 2, 3, 77, 0, "orders"})
	if code, text := closedWith(t, x.outgoing.Conn); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	x.Send(2, runtime.ChannelControl, x.frame)
	arrives(t, x.incoming, seal(t, 1, []byte("goes the first way there is")))
	x.quiet(t)
	// The next one that it dials knows of this one.
	x.incoming.CloseWithError(0, "")
	x.notice(t, quic.Disconnected, true)
	authority := x.credentials
	addr, in := rawListen(t, authority, nil)
	x.Route(2, addr)
	x.Send(2, runtime.ChannelControl, x.frame)
	d := await(t, in, "another connection")
	want := hello{2, 3, 2, x.Incarnation(), 2, "orders"}.frame(t, 1)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(d.hello, got); err != nil || string(got) != string(want) {
		t.Errorf("hello %x, %v\nwant  %x", got, err, want)
	}
}

// A peer that is dialed and says that it has a newer connection is not a failure, and what waits is not lost.
func TestGivesWayToThePeersWord(t *testing.T) {
	x := newCrossing(t, 3, 2)
	x.outgoing.CloseWithError(2, "there is a newer connection")
	arrives(t, x.incoming, seal(t, 1, []byte("goes the first way there is")))
	x.givenUp(t)
	if err := x.Close(); err != nil { // what it has to say, it has said then
		t.Error(err)
	}
	x.quiet(t)
	if n := x.Stats().Peers[0].Channels[0].Dropped; n != 0 {
		t.Errorf("%d were dropped", n)
	}
}

// An attempt that fails while there is a connection drops nothing of what waits for that.
func TestNothingIsDroppedWhileConnected(t *testing.T) {
	const many = 8 // beyond the window of the other
	x := newCrossing(t, 3, 2)
	for range many {
		x.Send(2, runtime.ChannelBulk, seal(t, 1, make([]byte, 1<<20)))
	}
	x.outgoing.CloseWithError(18, "another node: it looks for n2, here is n5")
	checkRefusal(t, x.notice(t, quic.Failed, false), 2, quic.ErrNode, true, "n5")
	if n := x.Stats().Peers[0].Channels[runtime.ChannelBulk].Dropped; n != 0 {
		t.Errorf("%d were dropped", n)
	}
}

// Who is connected to before he has said hello wants no other connection.
func TestDialIsGivenUpWhenThePeerIsFaster(t *testing.T) {
	authority := newAuthority(t, "orders")
	s, c := join(t, configFor(t, authority, 1)), credentials(t, authority, 2, quic.Validity{})
	hold := make(chan struct{})
	addr, in := rawListen(t, c, hold)
	s.Route(2, addr)
	frame := seal(t, 1, []byte("waits"))
	s.Send(2, runtime.ChannelControl, frame)
	conn, _, err := rawHello(t, s.Addr(), c, hello{2, 2, 1, 77, 1, "orders"}.frame(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	close(hold)
	arrives(t, conn, frame)
	d := await(t, in, "another connection")
	want := hello{2, 1, 2, s.Incarnation(), 0, "orders"}.frame(t, 1)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(d.hello, got); err != nil || string(got) != string(want) {
		t.Errorf("hello %x, %v\nwant  %x", got, err, want)
	}
	d.CloseWithError(2, "there is a newer connection")
	s.givenUp(t)
	if err := s.Close(); err != nil { // what it has to say, it has said then
		t.Error(err)
	}
	s.quiet(t)
}

// A connection that is not wanted any more is closed without a complaint.
func TestUnwantedConnectionIsClosed(t *testing.T) {
	authority := newAuthority(t, "orders")
	s := join(t, configFor(t, authority, 1))
	conn, _, err := rawHello(t, s.Addr(), credentials(t, authority, 2, quic.Validity{}), hello{2, 2, 1, 77, 0, "orders"}.frame(t, 1))
	if err == nil {
		t.Error("it is welcome")
	}
	if code, text := closedWith(t, conn); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	if err := s.Close(); err != nil { // what it has to say, it has said then
		t.Error(err)
	}
	s.quiet(t)
}
