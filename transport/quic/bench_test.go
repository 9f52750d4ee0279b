package quic_test

import (
	"context"
	"crypto/tls"
	"io"
	"testing"

	quicgo "github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
)

// pair is two endpoints that know each other, and hand what they receive to functions.
func pair(b *testing.B, receive1, receive2 transport.Receiver) (one, two *quic.Endpoint) {
	authority := newAuthority(b, "bench")
	one, two = listen(b, configFor(b, authority, 1)), listen(b, configFor(b, authority, 2))
	for e, receive := range map[*quic.Endpoint]transport.Receiver{one: receive1, two: receive2} {
		if _, err := e.Join(receive); err != nil {
			b.Fatal(err)
		}
	}
	one.Route(2, two.Addr())
	two.Route(1, one.Addr())
	return one, two
}

// bare is a stream of quic-go, with the settings of an endpoint as far as they matter.
func bare(b *testing.B) (near, far *quicgo.Stream) {
	c := credentials(b, newAuthority(b, "bench"), 1, quic.Validity{})
	cfg := &quicgo.Config{
		InitialStreamReceiveWindow: 2 << 20, MaxStreamReceiveWindow: 8 << 20,
		InitialConnectionReceiveWindow: 6 << 20, MaxConnectionReceiveWindow: 24 << 20,
	}
	server := rawTransport(b)
	listener, err := server.Listen(&tls.Config{Certificates: []tls.Certificate{c.Certificate}, NextProtos: []string{"octopii"}}, cfg)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := rawTransport(b).Dial(limit(b), server.Conn.LocalAddr(), rawTLS(nil), cfg)
	if err != nil {
		b.Fatal(err)
	}
	accepted, err := listener.Accept(limit(b))
	if err != nil {
		b.Fatal(err)
	}
	if near, err = conn.OpenStream(); err == nil {
		_, err = near.Write([]byte{1})
	}
	if err == nil {
		far, err = accepted.AcceptStream(context.Background())
	}
	if err == nil {
		_, err = io.ReadFull(far, make([]byte, 1))
	}
	if err != nil {
		b.Fatal(err)
	}
	return near, far
}

// BenchmarkThroughput moves frames of 64 KiB one way, with a window as a transfer would have.
func BenchmarkThroughput(b *testing.B) {
	const size, window = 64 << 10, 64
	template := append(transport.AppendHeader(nil, 1), make([]byte, size-transport.HeaderSize)...)
	if err := transport.Seal(template); err != nil {
		b.Fatal(err)
	}
	b.Run("endpoint", func(b *testing.B) {
		tokens := make(chan struct{}, window)
		one, _ := pair(b, func(runtime.NodeID, runtime.Channel, []byte) {}, func(runtime.NodeID, runtime.Channel, []byte) { <-tokens })
		send := func() {
			tokens <- struct{}{}
			frame := make([]byte, size) // which the endpoint will own
			copy(frame, template)
			one.Send(2, runtime.ChannelBulk, frame)
		}
		drain := func() {
			for range window { // all have arrived when all tokens are ours
				tokens <- struct{}{}
			}
			for range window {
				<-tokens
			}
		}
		send()
		drain()
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			send()
		}
		drain()
	})
	b.Run("bare", func(b *testing.B) {
		near, far := bare(b)
		done := make(chan struct{})
		tokens := make(chan struct{}, window)
		go func() {
			defer close(done)
			for range tokens {
				if _, err := io.ReadFull(far, make([]byte, size)); err != nil {
					b.Error(err)
					return
				}
			}
		}()
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			tokens <- struct{}{}
			if _, err := near.Write(template); err != nil {
				b.Fatal(err)
			}
		}
		close(tokens)
		<-done
	})
}

// BenchmarkRoundTrip sends a small frame to and fro.
func BenchmarkRoundTrip(b *testing.B) {
	template := append(transport.AppendHeader(nil, 1), make([]byte, 128)...)
	if err := transport.Seal(template); err != nil {
		b.Fatal(err)
	}
	b.Run("endpoint", func(b *testing.B) {
		back, there := make(chan []byte, 1), make(chan []byte, 1)
		one, two := pair(b,
			func(_ runtime.NodeID, _ runtime.Channel, frame []byte) { back <- frame },
			func(_ runtime.NodeID, _ runtime.Channel, frame []byte) { there <- frame })
		go func() {
			for frame := range there {
				two.Send(1, runtime.ChannelControl, frame)
			}
		}()
		frame := append([]byte(nil), template...)
		b.ReportAllocs()
		for b.Loop() {
			one.Send(2, runtime.ChannelControl, frame)
			frame = <-back
		}
		close(there)
	})
	b.Run("bare", func(b *testing.B) {
		near, far := bare(b)
		go func() {
			buf := make([]byte, len(template))
			for {
				if _, err := io.ReadFull(far, buf); err != nil {
					return
				}
				if _, err := far.Write(buf); err != nil {
					return
				}
			}
		}()
		buf := make([]byte, len(template))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := near.Write(template); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(near, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
