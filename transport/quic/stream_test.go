package quic_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// streamPair is two nodes that know each other, the second of which accepts streams.
type streamPair struct {
	a, b     *station
	listener net.Listener
}

func newStreamPair(t testing.TB, authority *quic.Authority) streamPair {
	t.Helper()
	p := streamPair{a: join(t, configFor(t, authority, 1)), b: join(t, configFor(t, authority, 2))}
	p.a.Route(2, p.b.Addr())
	p.b.Route(1, p.a.Addr())
	var err error
	if p.listener, err = p.b.Streams(); err != nil {
		t.Fatal(err)
	}
	return p
}

// within is a context that ends before the test would be too patient.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial opens a stream from the first to the second.
func (p streamPair) dial(t testing.TB) (near *quic.Stream, far net.Conn) {
	t.Helper()
	near, err := p.a.DialStream(within(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	if far, err = p.listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestStreamIsAConn runs what the Go project demands of any net.Conn.
func TestStreamIsAConn(t *testing.T) {
	t.Parallel()
	p := newStreamPair(t, newAuthority(t, "orders"))
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		near, far := p.dial(t)
		return near, far, func() {
			_, _ = near.Close(), far.Close() // which never fail
		}, nil
	})
}

func TestStreamKnowsWhoIsThere(t *testing.T) {
	p := newStreamPair(t, newAuthority(t, "orders"))
	near, far := p.dial(t)
	defer near.Close()
	defer far.Close()
	for _, c := range []struct {
		conn          net.Conn
		local, remote string
	}{{near, "n1", "n2"}, {far, "n2", "n1"}} {
		if c.conn.LocalAddr().String() != c.local || c.conn.RemoteAddr().String() != c.remote || c.conn.RemoteAddr().Network() != "octopii" {
			t.Errorf("%v to %v", c.conn.LocalAddr(), c.conn.RemoteAddr())
		}
	}
	if near.Peer() != 2 || far.(*quic.Stream).Peer() != 1 || p.listener.Addr().String() != "n2" {
		t.Errorf("%v, %v", near.Peer(), p.listener.Addr())
	}
}

// What was written before Close arrives, then the end, whatever the size.
func TestStreamDeliversBeforeItEnds(t *testing.T) {
	t.Parallel()
	p := newStreamPair(t, newAuthority(t, "orders"))
	for _, size := range []int{0, 1, 1 << 10, 20 << 20} {
		near, far := p.dial(t)
		sent := bytes.Repeat([]byte("octopii "), size/8)
		received := make(chan []byte, 1)
		go func() {
			got, err := io.ReadAll(far)
			if err != nil {
				t.Error(err)
			}
			received <- got
		}()
		if _, err := near.Write(sent); err != nil {
			t.Fatal(err)
		}
		if err := near.Close(); err != nil {
			t.Fatal(err)
		}
		if got := await(t, received, "all bytes"); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes arrived of %d", len(got), len(sent))
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		_ = far.Close() // never fails
	}
}

// A writer whose peer does not read is blocked by the window, and freed by either side's Close.
func TestStreamCloseFreesTheWriter(t *testing.T) {
	t.Parallel()
	p := newStreamPair(t, newAuthority(t, "orders"))
	for name, end := range map[string]func(near, far net.Conn) error{
		"near": func(near, _ net.Conn) error { return near.Close() },
		"far":  func(_, far net.Conn) error { return far.Close() },
	} {
		near, far := p.dial(t)
		written := make(chan error, 1)
		var begun sync.WaitGroup
		begun.Add(1)
		go func() {
			begun.Done()
			_, err := near.Write(make([]byte, 64<<20))
			written <- err
		}()
		begun.Wait()
		if _, err := io.ReadFull(far, make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		if err := end(near, far); err != nil {
			t.Fatal(err)
		}
		if err := await(t, written, "the writer"); err == nil {
			t.Errorf("%s closed: the write succeeded", name)
		}
		_, _ = near.Close(), far.Close() // never fail
	}
}

// Without a listener, after its Close, and beyond the backlog, streams are refused; the connection stays.
func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	p := newStreamPair(t, newAuthority(t, "orders"))
	if _, err := p.b.Streams(); err == nil {
		t.Error("two listeners")
	}
	refused := func() {
		t.Helper()
		s, err := p.a.DialStream(within(t), 2)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	}
	waiting, err := p.a.DialStream(within(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	for range 2 {
		if err := p.listener.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := waiting.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("one that waited: %v", err)
	}
	if _, err := p.listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	refused()
	if p.listener, err = p.b.Streams(); err != nil {
		t.Fatal(err)
	}
	near, far := p.dial(t)
	_, _ = near.Close(), far.Close() // never fail
	if s := p.a.Stats(); s.Peers[0].Dialed != 1 {
		t.Errorf("%d connections for it", s.Peers[0].Dialed)
	}
}

// A node that has as many streams open as it may waits for one to end.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 16
	p := newStreamPair(t, newAuthority(t, "orders"))
	var ends []func()
	for range limit {
		near, far := p.dial(t)
		ends = append(ends, func() { _, _ = near.Close(), far.Close() })
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.a.DialStream(short, 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stream %d: %v", limit+1, err)
	}
	for _, end := range ends {
		end()
	}
	near, far := p.dial(t)
	_, _ = near.Close(), far.Close() // never fail
}

// Frames and streams share the connection, and a stream that nobody reads does not stop the frames.
func TestFramesBesideAStream(t *testing.T) {
	t.Parallel()
	p := newStreamPair(t, newAuthority(t, "orders"))
	near, far := p.dial(t)
	done := make(chan error, 1)
	go func() {
		_, err := near.Write(make([]byte, 64<<20))
		done <- err
	}()
	if _, err := io.ReadFull(far, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	reaches(t, p.a, p.b, 1, 2, "not stopped")
	_, _ = near.Close(), far.Close() // never fail
	await(t, done, "the writer")
	if s := p.a.Stats(); s.Peers[0].Dialed != 1 {
		t.Errorf("%d connections for both", s.Peers[0].Dialed)
	}
}

func TestDialStreamFails(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t, "orders")
	a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
	if _, err := a.DialStream(t.Context(), 2); !errors.Is(err, quic.ErrNoRoute) {
		t.Errorf("nowhere: %v", err)
	}
	a.Route(3, b.Addr())
	var refused *quic.HandshakeError
	if _, err := a.DialStream(within(t), 3); !errors.Is(err, quic.ErrNode) || !errors.As(err, &refused) || refused.Peer != 3 {
		t.Errorf("another node's address: %v", err)
	}
	stranger := join(t, configFor(t, newAuthority(t, "orders"), 4))
	stranger.Route(2, b.Addr())
	if _, err := stranger.DialStream(within(t), 2); !errors.Is(err, quic.ErrCertificate) {
		t.Errorf("another authority's certificate: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	a.Route(5, silent.LocalAddr().String())
	if _, err := a.DialStream(short, 5); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody there: %v", err)
	}
	a.Route(2, b.Addr())
	a.Route(2, "")
	if _, err := a.DialStream(within(t), 2); !errors.Is(err, quic.ErrNoRoute) {
		t.Errorf("no longer there: %v", err)
	}
}

// A restarted peer ends the streams of before, and can be dialed anew.
func TestStreamsEndWithTheirConnection(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t, "orders")
	p := newStreamPair(t, authority)
	near, far := p.dial(t)
	accepted := make(chan error, 1)
	go func() {
		_, err := p.listener.Accept()
		accepted <- err
	}()
	if err := p.b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := await(t, accepted, "the end of Accept"); !errors.Is(err, quic.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("far end: %v", err)
	}
	if _, err := near.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("near end: %v", err)
	}
	again := join(t, configFor(t, authority, 2))
	l, err := again.Streams()
	if err != nil {
		t.Fatal(err)
	}
	p.a.Route(2, again.Addr())
	p.b, p.listener = again, l
	s, err := p.a.DialStream(within(t), 2)
	for err != nil && within(t).Err() == nil { // an attempt at the old address may be under way
		s, err = p.a.DialStream(within(t), 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := l.Accept(); err != nil || c.(*quic.Stream).Peer() != runtime.NodeID(1) {
		t.Errorf("%v, %v", c, err)
	}
}
