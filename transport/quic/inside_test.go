package quic

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

func TestQueueKeepsOrderAndLimits(t *testing.T) {
	q := newQueue()
	for round := range 50 { // wraps around, and grows
		for i := range round {
			if q.put([]byte{byte(round), byte(i)}) != queued {
				t.Fatal("full")
			}
		}
		for i := range round {
			if frame, ok := q.take(2); !ok || frame[0] != byte(round) || frame[1] != byte(i) {
				t.Fatalf("took %v, %v", frame, ok)
			}
		}
	}
	for q.put(nil) == queued {
	}
	if q.count != queueFrames {
		t.Errorf("%d frames fit", q.count)
	}
	if n := q.clear(); n != queueFrames || !q.empty() {
		t.Errorf("%d dropped", n)
	}
	if q.put(make([]byte, queueBytes)) != queued || q.put([]byte{1}) != dropped || q.bytes != queueBytes {
		t.Errorf("%d bytes fit", q.bytes)
	}
	if _, ok := q.take(queueBytes - 1); ok {
		t.Error("took more than asked for")
	}
}

// TestSmallFramesNeedNoWriter sends frames that are handed to the connection at once, and between them some that are too
// large for that. All must arrive in order.
func TestSmallFramesNeedNoWriter(t *testing.T) {
	cfgA, cfgB := two(t)
	arrived := make(chan []byte, 1<<12)
	a, b := place(t, cfgA, func() {}), bind(t, cfgB)
	defer a.Close()
	defer b.Close()
	_, err := b.Join(func(_ runtime.NodeID, _ runtime.Channel, frame []byte) { arrived <- frame })
	if err != nil {
		t.Fatal(err)
	}
	a.Route(2, b.Addr())
	p := a.peer(2)
	sent, before := uint64(0), map[fate]int{}
	send := func(size int) {
		sent++
		frame := append(transport.AppendHeader(nil, 1), make([]byte, size)...)
		binary.LittleEndian.PutUint64(frame[transport.HeaderSize:], sent)
		if err := transport.Seal(frame); err != nil {
			t.Fatal(err)
		}
		before[p.queues[0].put(frame)]++
		p.wake()
	}
	next := uint64(0)
	receive := func() {
		t.Helper()
		select {
		case frame := <-arrived:
			if next++; binary.LittleEndian.Uint64(frame[transport.HeaderSize:]) != next {
				t.Fatalf("frame %d arrived in place of %d", binary.LittleEndian.Uint64(frame[transport.HeaderSize:]), next)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("frame %d does not arrive", next+1)
		}
	}
	send(8)
	receive()
	q := p.queues[0]
	for i := range 1000 {
		if i%100 == 0 {
			for next < sent {
				receive()
			}
			until(t, func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.stream != nil }, "the writer to come to rest")
		}
		send(8)
		if i%50 == 49 {
			send(gatherBytes)
		}
	}
	for next < sent {
		receive()
	}
	if before[dropped] > 0 || before[handed] < 10 || before[queued] < 20 {
		t.Errorf("%d were dropped, %d handed over at once, %d queued", before[dropped], before[handed], before[queued])
	}
}

// place makes and joins an endpoint.
func place(t *testing.T, cfg Config, receive func()) *Endpoint {
	t.Helper()
	e := bind(t, cfg)
	if _, err := e.Join(func(runtime.NodeID, runtime.Channel, []byte) { receive() }); err != nil {
		t.Fatal(err)
	}
	return e
}

// bind makes an endpoint that is not joined.
func bind(t *testing.T, cfg Config) *Endpoint {
	t.Helper()
	e, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// two returns configs of nodes 1 and 2.
func two(t *testing.T) (one, other Config) {
	t.Helper()
	authority, err := newAuthority("orders")
	if err != nil {
		t.Fatal(err)
	}
	var cfg [2]Config
	for i := range cfg {
		id := runtime.NodeID(i + 1)
		c, err := authority.Credentials(id, Validity{})
		if err != nil {
			t.Fatal(err)
		}
		cfg[i] = Config{Cluster: "orders", ID: id, Listen: "127.0.0.1:0", Credentials: c.Load, HandshakeTimeout: time.Minute}
	}
	return cfg[0], cfg[1]
}

func frameOf(t *testing.T) []byte {
	t.Helper()
	frame := transport.AppendHeader(nil, 1)
	if err := transport.Seal(frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestPeerThatCrashed has the socket vanish under an endpoint, so that nobody is told, and another
// endpoint come up in its place. Its peer must not wait for a timeout to find out.
func TestPeerThatCrashed(t *testing.T) {
	cfgA, cfgB := two(t)
	cfgA.IdleTimeout, cfgB.IdleTimeout = time.Hour, time.Hour
	arrived := make(chan int, 1<<10)
	at := func(boot int) func() { return func() { arrived <- boot } }
	a, b := place(t, cfgA, func() {}), place(t, cfgB, at(0))
	defer a.Close()
	a.Route(2, b.Addr())
	cfgB.Listen = b.Addr()
	over := time.After(30 * time.Second)
	for boot := range 3 {
		again := time.NewTicker(20 * time.Millisecond)
		for got := -1; got != boot; {
			a.Send(2, 0, frameOf(t))
			select {
			case got = <-arrived:
			case <-again.C:
			case <-over:
				t.Fatalf("boot %d is not reached", boot)
			}
		}
		again.Stop()
		b.socket.Close()
		crashed := b
		b = place(t, cfgB, at(boot+1))
		crashed.Close() // complains of the socket; frees the rest
	}
	b.Close()
}

// TestPeerThatVanished has the socket of a peer vanish for good: the connection ends by its timeout.
func TestPeerThatVanished(t *testing.T) {
	cfgA, cfgB := two(t)
	cfgA.IdleTimeout = 500 * time.Millisecond
	notices := make(chan Notice, 1<<10)
	cfgA.Notify = func(n Notice) { notices <- n }
	a, b := place(t, cfgA, func() {}), place(t, cfgB, func() {})
	defer a.Close()
	defer b.Close()
	a.Route(2, b.Addr())
	over := time.After(30 * time.Second)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	next := func(kind NoticeKind) Notice {
		t.Helper()
		for {
			select {
			case n := <-notices:
				if n.Kind == kind {
					return n
				}
			case <-again.C:
				a.Send(2, 0, frameOf(t))
			case <-over:
				t.Fatalf("waited in vain for: %v", kind)
			}
		}
	}
	next(Connected)
	b.socket.Close()
	n := next(Disconnected)
	var timeout interface{ Timeout() bool }
	if !errors.As(n.Err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v", n)
	}
}

// FuzzReadHello checks that what is read as a hello is written so.
func FuzzReadHello(f *testing.F) {
	var good bytes.Buffer
	if err := (hello{version: protocolVersion, cluster: "orders", from: 1, to: 2, stamp: stamp{3, 4}}).write(&good, kindHello); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:20])
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHello(bufio.NewReader(bytes.NewReader(b)), kindHello)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := h.write(&again, kindHello); err != nil || !bytes.HasPrefix(b, again.Bytes()) {
			t.Errorf("%x was read as %+v, %v", b, h, err)
		}
	})
}

func TestNoticeReadsWell(t *testing.T) {
	for want, n := range map[string]Notice{
		"quic: connected to n2 at h:1":              {Kind: Connected, Peer: 2, Addr: "h:1"},
		"quic: connected from n2 at h:1":            {Kind: Connected, Peer: 2, Addr: "h:1", Inbound: true},
		"quic: disconnected from n2 at h:1":         {Kind: Disconnected, Peer: 2, Addr: "h:1"},
		"quic: disconnected from n2 at h:1: closed": {Kind: Disconnected, Peer: 2, Addr: "h:1", Inbound: true, Err: errors.New("closed")},
	} {
		if got := n.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
