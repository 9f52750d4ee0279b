package quic_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
)

// patience is how long a test waits for what must happen. It is never waited out in full by
// a test that passes.
const patience = time.Minute

// configFor is the config of a node that the authority knows. A handshake may take as long as it likes, also on a machine that
// has much else to do.
func configFor(t testing.TB, a *quic.Authority, id runtime.NodeID) quic.Config {
	t.Helper()
	c, err := a.Credentials(id, quic.Validity{})
	if err != nil {
		t.Fatal(err)
	}
	return quic.Config{Cluster: a.Cluster(), ID: id, Listen: "127.0.0.1:0", Credentials: c.Load, HandshakeTimeout: patience}
}

// listen makes an endpoint that is closed with the test.
func listen(t testing.TB, cfg quic.Config) *quic.Endpoint {
	t.Helper()
	e, err := quic.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// station is an endpoint and what it tells.
type station struct {
	*quic.Endpoint
	inbox   chan delivery
	notices chan quic.Notice
}

type delivery struct {
	from  runtime.NodeID
	ch    runtime.Channel
	frame []byte
}

// join starts an endpoint that collects what it receives.
func join(t testing.TB, cfg quic.Config) *station {
	t.Helper()
	s := &station{inbox: make(chan delivery, 1<<16), notices: make(chan quic.Notice, 1<<10)}
	cfg.Notify = func(n quic.Notice) {
		select {
		case s.notices <- n:
		default:
		}
	}
	s.Endpoint = listen(t, cfg)
	if _, err := s.Join(func(from runtime.NodeID, ch runtime.Channel, frame []byte) {
		s.inbox <- delivery{from, ch, frame}
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// notice returns the next notice of that kind and direction.
func (s *station) notice(t testing.TB, kind quic.NoticeKind, inbound bool) quic.Notice {
	t.Helper()
	for {
		if n := await(t, s.notices, kind.String()); n.Kind == kind && n.Inbound == inbound {
			return n
		}
	}
}

// await receives from the channel, or fails the test.
func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for: %s", what)
		panic("unreachable")
	}
}

// seal returns a frame.
func seal(t testing.TB, kind uint8, payload []byte) []byte {
	t.Helper()
	frame := append(transport.AppendHeader(nil, kind), payload...)
	if err := transport.Seal(frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

// reaches sends text until it has arrived.
func reaches(t testing.TB, from, to *station, fromID, toID runtime.NodeID, text string) {
	t.Helper()
	want := seal(t, 1, []byte(text))
	over := time.After(patience)
	for {
		from.Send(toID, runtime.ChannelControl, bytes.Clone(want))
		again := time.After(100 * time.Millisecond)
	wait:
		for {
			select {
			case d := <-to.inbox:
				if d.from == fromID && bytes.Equal(d.frame, want) {
					return
				}
			case <-again:
				break wait
			case <-over:
				t.Fatalf("%q did not reach %v", text, toID)
			}
		}
	}
}

func TestTwoNodes(t *testing.T) {
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	a.Route(2, b.Addr())
	b.Route(1, a.Addr())
	reaches(t, a, b, 1, 2, "there")
	reaches(t, b, a, 2, 1, "back")
	if n := a.notice(t, quic.Connected, false); n.Peer != 2 || n.String() != fmt.Sprintf("quic: connected to n2 at %s", b.Addr()) {
		t.Errorf("got %v", n)
	}
	s := a.Stats()
	if len(s.Peers) != 1 || s.Peers[0].ID != 2 || !s.Peers[0].Connected || s.Peers[0].Channels[0].Sent == 0 || s.Peers[0].Channels[0].Received == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestConfigIsValidated(t *testing.T) {
	good := configFor(t, newAuthority(t, "orders"), 1)
	for name, change := range map[string]func(*quic.Config){
		"no id":          func(c *quic.Config) { c.ID = 0 },
		"no cluster":     func(c *quic.Config) { c.Cluster = "" },
		"no credentials": func(c *quic.Config) { c.Credentials = nil },
		"no address":     func(c *quic.Config) { c.Listen = "" },
		"bad address":    func(c *quic.Config) { c.Listen = "127.0.0.1" },
		"negative":       func(c *quic.Config) { c.IdleTimeout = -1 },
		"backoff":        func(c *quic.Config) { c.BackoffMin, c.BackoffMax = 2, 1 },
	} {
		cfg := good
		change(&cfg)
		if e, err := quic.Listen(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			_ = e.Close() // fails or not, the test has failed
		}
	}
}

func TestJoinTwiceAndAfterClose(t *testing.T) {
	nothing := func(runtime.NodeID, runtime.Channel, []byte) {}
	authority := newAuthority(t, "orders")
	e := join(t, configFor(t, authority, 1))
	if _, err := e.Join(nothing); err == nil {
		t.Error("joined twice")
	}
	other := listen(t, configFor(t, authority, 2))
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if _, err := other.Join(nothing); !errors.Is(err, quic.ErrClosed) {
		t.Errorf("got %v", err)
	}
	other.Route(1, e.Addr())
	other.Send(1, 0, seal(t, 1, nil))
	if s := other.Stats(); s.NoRoute != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestWhatIsNoFrameIsDropped sends bytes that are not sealed, and what has no route.
func TestWhatIsNoFrameIsDropped(t *testing.T) {
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	a.Route(2, b.Addr())
	whole := seal(t, 1, []byte("whole"))
	for _, bytes := range [][]byte{nil, []byte("hello"), whole[:len(whole)-1], append(bytes.Clone(whole), 0)} {
		a.Send(2, 0, bytes)
	}
	a.Send(9, 0, bytes.Clone(whole))
	reaches(t, a, b, 1, 2, "whole")
	if s := a.Stats(); s.NoFrames != 4 || s.NoRoute != 1 {
		t.Errorf("counted %+v", s)
	}
	if n := a.notice(t, quic.Discarded, false); n.Peer != 2 {
		t.Errorf("got %v", n)
	}
}

// silence is an address where nobody answers.
func silence(t *testing.T) string {
	t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket.LocalAddr().String()
}

// TestQueueIsBounded sends more than may wait, to an address where nobody answers.
func TestQueueIsBounded(t *testing.T) {
	a := join(t, configFor(t, newAuthority(t, "orders"), 1))
	a.Route(2, silence(t))
	const many = 5000
	small, large := seal(t, 1, nil), seal(t, 1, make([]byte, transport.MaxPayload))
	for range many { // the same frame each time, which nobody will read
		a.Send(2, runtime.ChannelRPC, small)
	}
	for range 40 {
		a.Send(2, runtime.ChannelBulk, large)
	}
	ch := a.Stats().Peers[0].Channels
	if got := ch[runtime.ChannelRPC].Dropped; got != many-4096 {
		t.Errorf("%d of %d small frames dropped", got, many)
	}
	if got := ch[runtime.ChannelBulk].Dropped; got < 40-16 || got == 40 {
		t.Errorf("%d of 40 large frames dropped", got)
	}
}

// TestNobodyAnswers drops what waited for who does not answer in time.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	cfg := configFor(t, newAuthority(t, "orders"), 1)
	cfg.HandshakeTimeout = 200 * time.Millisecond
	a, addr := join(t, cfg), silence(t)
	a.Route(2, addr)
	a.Send(2, runtime.ChannelRPC, seal(t, 1, nil))
	n := a.notice(t, quic.Failed, false)
	if want := fmt.Sprintf("quic: n2 at %s: not connected: no answer within 200ms", addr); n.String() != want {
		t.Errorf("got %q, want %q", n, want)
	}
	if got := a.Stats().Peers[0].Channels[runtime.ChannelRPC].Dropped; got != 1 {
		t.Errorf("what waited was not dropped: %d", got)
	}
}

// TestAddressThatIsNone gets one clear line.
func TestAddressThatIsNone(t *testing.T) {
	a := join(t, configFor(t, newAuthority(t, "orders"), 1))
	for _, addr := range []string{"nowhere", "127.0.0.1:port", "127.0.0.1:70000"} {
		a.Route(2, addr)
		a.Send(2, 0, seal(t, 1, nil))
		if n := a.notice(t, quic.Failed, false); n.Addr != addr || strings.Contains(n.String(), "\n") {
			t.Errorf("got %q", n)
		}
	}
}

// TestCloseLeavesNothing closes endpoints in all states, and looks for goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	unjoined := listen(t, configFor(t, authority, 3))
	dialing := join(t, configFor(t, authority, 4))
	a.Route(2, b.Addr())
	b.Route(1, a.Addr())
	reaches(t, a, b, 1, 2, "there")
	reaches(t, b, a, 2, 1, "back")
	a.Route(3, unjoined.Addr()) // which does not answer
	a.Send(3, 0, seal(t, 1, nil))
	dialing.Route(3, unjoined.Addr())
	dialing.Send(3, 0, seal(t, 1, nil))
	if mine(t) == 0 {
		t.Error("the endpoints have no goroutine that can be told")
	}
	for _, e := range []*quic.Endpoint{a.Endpoint, unjoined, dialing.Endpoint, b.Endpoint} {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	over := time.After(patience)
	for mine(t) > 0 { // the last steps of a connection of quic-go are nobody's to wait for
		select {
		case <-over:
			t.Fatalf("%d goroutines are left", mine(t))
		default:
			goruntime.Gosched()
		}
	}
}

// mine counts the goroutines of this package and of quic-go, but for the test's own.
func mine(t *testing.T) (n int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(buf[:goruntime.Stack(buf, true)]), "\n\n") {
		if (strings.Contains(stack, "quic-go/quic-go") || strings.Contains(stack, "octopii/transport/quic.")) && !strings.Contains(stack, "quic_test.") {
			n++
		}
	}
	return n
}
