package quic_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
)

// What follows speaks the protocol by hand, as a peer may that is not this package.

// hello is a handshake frame, by the bytes.
type hello struct {
	version                           uint16
	from, to, incarnation, connection uint64
	cluster                           string
}

func (h hello) frame(t testing.TB, kind uint8) []byte {
	var b []byte
	b = binary.LittleEndian.AppendUint16(b, h.version)
	for _, v := range []uint64{h.from, h.to, h.incarnation, h.connection} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return seal(t, kind, append(b, h.cluster...))
}

// rawTLS shows the credentials' certificate, if any, and believes everybody.
func rawTLS(c *quic.Credentials) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"octopii"}, InsecureSkipVerify: true, ClientAuth: tls.RequestClientCert}
	if c != nil {
		cfg.Certificates = []tls.Certificate{c.Certificate}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.Certificate, nil }
	}
	return cfg
}

// rawTransport is a socket that is closed with the test.
func rawTransport(t testing.TB) *quicgo.Transport {
	t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tr := &quicgo.Transport{Conn: socket}
	t.Cleanup(func() {
		tr.Close()
		socket.Close()
	})
	return tr
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// rawDial connects to addr, no further than TLS.
func rawDial(t testing.TB, addr string, c *quic.Credentials) (*quicgo.Conn, error) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return rawTransport(t).Dial(limit(t), to, rawTLS(c), nil)
}

// rawHello connects to addr, says hello, and returns what the answer begins with.
func rawHello(t testing.TB, addr string, c *quic.Credentials, first []byte) (*quicgo.Conn, []byte, error) {
	t.Helper()
	conn, err := rawDial(t, addr, c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := conn.OpenStreamSync(limit(t))
	if err != nil {
		return conn, nil, err
	}
	if _, err := stream.Write(first); err != nil {
		return conn, nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(stream, 1000))
	return conn, answer, err
}

// rawServe accepts one connection and answers its hello, if there is an answer.
// It returns the address, and how the connection ended.
func rawServe(t testing.TB, c *quic.Credentials, answer []byte) (string, <-chan error) {
	t.Helper()
	tr := rawTransport(t)
	listener, err := tr.Listen(rawTLS(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx := limit(t)
	go func() {
		conn, err := listener.Accept(ctx)
		if err != nil {
			return
		}
		if stream, err := conn.AcceptStream(ctx); err == nil {
			_, _ = stream.Write(answer) // an error shows in how the connection ends
		}
		<-conn.Context().Done()
		ended <- context.Cause(conn.Context())
	}()
	return tr.Conn.LocalAddr().String(), ended
}

// closedWith waits for the end of the connection and returns the code and the text.
func closedWith(t testing.TB, conn *quicgo.Conn) (uint64, string) {
	t.Helper()
	await(t, conn.Context().Done(), "the end of the connection")
	var app *quicgo.ApplicationError
	if err := context.Cause(conn.Context()); !errors.As(err, &app) || !app.Remote {
		t.Fatalf("ended with %v", err)
	}
	return uint64(app.ErrorCode), app.ErrorMessage
}

// pool returns those authorities.
func pool(authorities ...*quic.Authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range authorities {
		p.AddCert(a.Certificate())
	}
	return p
}

// TestWireFormat connects by hand, byte for byte, and has a frame delivered.
func TestWireFormat(t *testing.T) {
	authority := newAuthority(t, "orders")
	s := join(t, configFor(t, authority, 1))
	conn, answer, err := rawHello(t, s.Addr(), credentials(t, authority, 2, quic.Validity{}),
		hello{2, 2, 1, 77, 5, "orders"}.frame(t, 1))
	want := hello{2, 1, 2, s.Incarnation(), 0, "orders"}.frame(t, 2)
	if err != nil || string(answer) != string(want) {
		t.Fatalf("answer %x, %v\nwant %x", answer, err, want)
	}
	stream, err := conn.OpenUniStreamSync(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	frame := seal(t, 9, []byte("a frame"))
	if _, err := stream.Write(append([]byte{byte(runtime.ChannelRPC)}, frame...)); err != nil {
		t.Fatal(err)
	}
	if d := await(t, s.inbox, "the frame"); d.from != 2 || d.ch != runtime.ChannelRPC || string(d.frame) != string(frame) {
		t.Errorf("got %+v", d)
	}
}

func TestWhatIsNoProtocolEndsTheConnection(t *testing.T) {
	tooLarge := transport.AppendHeader(nil, 1)
	tooLarge[7] = 0xff // 4 GiB, of which nothing follows
	for name, data := range map[string][]byte{
		"a channel there is not":   {byte(runtime.ChannelCount)},
		"a frame beyond the limit": append([]byte{0}, tooLarge...),
		"no frame":                 append([]byte{0}, "GET / HTTP/1.1\r\n\r\n"...),
	} {
		t.Run(name, func(t *testing.T) {
			authority := newAuthority(t, "orders")
			s := join(t, configFor(t, authority, 1))
			conn, _, err := rawHello(t, s.Addr(), credentials(t, authority, 2, quic.Validity{}), hello{2, 2, 1, 77, 5, "orders"}.frame(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			stream, err := conn.OpenUniStreamSync(limit(t))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = stream.Write(data) // an error shows in how the connection ends
			if code, text := closedWith(t, conn); code != 20 {
				t.Errorf("closed with %d, %q", code, text)
			}
			if n := s.notice(t, quic.Disconnected, true); n.Peer != 2 {
				t.Errorf("got %v", n)
			}
		})
	}
}

// TestNewerConnectionReplacesOlder has a peer connect several times, out of order.
func TestNewerConnectionReplacesOlder(t *testing.T) {
	authority := newAuthority(t, "orders")
	s := join(t, configFor(t, authority, 1))
	c := credentials(t, authority, 2, quic.Validity{})
	connect := func(incarnation, connection uint64) *quicgo.Conn {
		t.Helper()
		conn, _, err := rawHello(t, s.Addr(), c, hello{2, 2, 1, incarnation, connection, "orders"}.frame(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first := connect(7, 1)
	second := connect(7, 2)
	if code, text := closedWith(t, first); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
	for _, older := range [][2]uint64{{7, 1}, {6, 3}} {
		conn, _, err := rawHello(t, s.Addr(), c, hello{2, 2, 1, older[0], older[1], "orders"}.frame(t, 1))
		if err == nil {
			t.Fatalf("%v was let in", older)
		}
		if code, text := closedWith(t, conn); code != 19 {
			t.Errorf("closed with %d, %q", code, text)
		}
		if n := s.notice(t, quic.Failed, true); !errors.Is(n.Err, quic.ErrStale) || n.Peer != 2 {
			t.Errorf("got %v", n)
		}
	}
	connect(8, 1)
	if code, text := closedWith(t, second); code != 2 {
		t.Errorf("closed with %d, %q", code, text)
	}
}

// TestBulkDoesNotDelayControl has a peer not read what is sent in bulk, until it has got all that was sent behind it on another
// channel. If that waited behind bulk it would never come.
func TestBulkDoesNotDelayControl(t *testing.T) {
	const frames, pings = 12, 20
	authority := newAuthority(t, "orders")
	s, c := join(t, configFor(t, authority, 1)), credentials(t, authority, 2, quic.Validity{})
	s.Route(2, silence(t))
	conn, _, err := rawHello(t, s.Addr(), c, hello{2, 2, 1, 77, 1, "orders"}.frame(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	s.notice(t, quic.Connected, true)
	large, ping := seal(t, 2, make([]byte, 1<<20)), seal(t, 1, []byte("ping"))
	for range frames {
		s.Send(2, runtime.ChannelBulk, slices.Clone(large))
	}
	for range pings {
		s.Send(2, runtime.ChannelControl, slices.Clone(ping))
	}
	streams := map[runtime.Channel]*quicgo.ReceiveStream{}
	for streams[runtime.ChannelControl] == nil || streams[runtime.ChannelBulk] == nil {
		stream, err := conn.AcceptUniStream(limit(t))
		if err != nil {
			t.Fatal(err)
		}
		var ch [1]byte
		if _, err := io.ReadFull(stream, ch[:]); err != nil {
			t.Fatal(err)
		}
		streams[runtime.Channel(ch[0])] = stream
	}
	for _, want := range []struct {
		ch    runtime.Channel
		frame []byte
		times int
	}{{runtime.ChannelControl, ping, pings}, {runtime.ChannelBulk, large, frames}} {
		stream := streams[want.ch]
		if err := stream.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want.frame))
		for i := range want.times {
			if _, err := io.ReadFull(stream, got); err != nil || !bytes.Equal(got, want.frame) {
				t.Fatalf("channel %d, frame %d: %v", want.ch, i, err)
			}
		}
	}
}
