package transport_test

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// BenchmarkShip moves an object from memory to memory, with nothing in between: what the
// state machines, hashes and checksums cost.
func BenchmarkShip(b *testing.B) {
	data := pattern(32 << 20)
	from := transport.NewShipper(transport.ShipperConfig{})
	digest, err := from.OfferBytes(data)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for range b.N {
		to := transport.NewShipper(transport.ShipperConfig{})
		if _, err := to.Fetch(0, transport.Order{Digest: digest, Sources: []runtime.NodeID{1}}); err != nil {
			b.Fatal(err)
		}
		for done := false; !done; {
			out := to.Take()
			done = len(out.Fetched) > 0
			for _, f := range out.Send {
				if err := from.Receive(0, 2, f.Frame); err != nil {
					b.Fatal(err)
				}
			}
			for _, f := range from.Take().Send {
				if err := to.Receive(0, 1, f.Frame); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkCall makes one call after the other.
func BenchmarkCall(b *testing.B) {
	caller := transport.NewRPC(transport.RPCConfig{Incarnation: 1})
	server := transport.NewRPC(transport.RPCConfig{Incarnation: 2})
	receive := func(frames []transport.Outgoing) {
		for _, f := range frames {
			if err := caller.Receive(0, 2, f.Frame); err != nil {
				b.Fatal(err)
			}
		}
	}
	body := make([]byte, 128)
	b.ReportAllocs()
	for range b.N {
		if _, err := caller.Call(0, 2, runtime.Instant(time.Second), body); err != nil {
			b.Fatal(err)
		}
		for done := false; !done; {
			out := caller.Take()
			done = len(out.Results) > 0
			for _, f := range out.Send {
				if err := server.Receive(0, 1, f.Frame); err != nil {
					b.Fatal(err)
				}
			}
			out = server.Take()
			for _, req := range out.Serve {
				if err := server.Respond(req.Ticket, req.Body); err != nil {
					b.Fatal(err)
				}
			}
			receive(out.Send)
			receive(server.Take().Send)
		}
	}
}
