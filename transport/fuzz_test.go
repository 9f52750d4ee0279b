package transport_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// FuzzRPC lets a peer send whatever it likes. The fuzzer chooses payloads; they are
// sealed, so that they get past the checksum.
func FuzzRPC(f *testing.F) {
	f.Add([]byte("\x20\x00\x30\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(session())
	f.Fuzz(func(t *testing.T, script []byte) {
		a := transport.NewRPC(transport.RPCConfig{Incarnation: 1, ServeMax: 4, CallsMax: 4, ReplyBytesMax: 64})
		now := runtime.Instant(0)
		for len(script) >= 4 {
			kind, size := script[0], int(script[2])|int(script[3])<<8
			now = now.Add(time.Duration(script[1]) * time.Millisecond)
			script = script[4:]
			size = min(size, len(script))
			_ = a.Receive(now, 2, seal(t, kind, script[:size])) // refusing is as good as taking
			script = script[size:]
			if _, err := a.Call(now, 2, now.Add(time.Second), []byte("x")); err == nil {
				a.Tick(now)
			}
			for _, req := range a.Take().Serve {
				if err := a.Respond(req.Ticket, req.Body); err != nil {
					t.Fatal(err)
				}
			}
			if load := a.Load(); load.Serving > 4 || load.Calls > 4 || load.ReplyBytes > 64 || load.Peers > 1 {
				t.Fatalf("limits are exceeded: %+v", load)
			}
		}
	})
}

// session returns what a well-behaved peer sends in a call, as a script of FuzzRPC.
func session() []byte {
	var script []byte
	add := func(frame []byte) {
		kind, payload, err := transport.Decode(frame)
		if err != nil {
			panic(err)
		}
		script = append(append(script, kind, 1, byte(len(payload)), byte(len(payload)>>8)), payload...)
	}
	peer := transport.NewRPC(transport.RPCConfig{Incarnation: 2})
	self := transport.NewRPC(transport.RPCConfig{Incarnation: 1})
	for range 3 {
		if _, err := peer.Call(0, 1, 1_000_000_000, []byte("body")); err != nil {
			panic(err)
		}
		for frames := peer.Take().Send; len(frames) > 0; {
			frame := frames[0].Frame
			frames = frames[1:]
			add(frame)
			if err := self.Receive(0, 2, frame); err != nil {
				panic(err)
			}
			for _, back := range self.Take().Send {
				if err := peer.Receive(0, 1, back.Frame); err != nil {
					panic(err)
				}
			}
			frames = append(frames, peer.Take().Send...)
		}
	}
	return script
}

// FuzzShipper lets a peer send whatever it likes to a node that offers and fetches. The
// fuzzer chooses payloads; they are sealed, so that they get past the checksum.
func FuzzShipper(f *testing.F) {
	data := pattern(1100)
	script := []byte{}
	other := transport.NewShipper(transport.ShipperConfig{ChunkBytes: transport.ChunkMin})
	digest, err := other.OfferBytes(data)
	if err != nil {
		f.Fatal(err)
	}
	self := transport.NewShipper(transport.ShipperConfig{ChunkBytes: transport.ChunkMin})
	if _, err := self.Fetch(0, transport.Order{Digest: digest, Sources: []runtime.NodeID{2}}); err != nil {
		f.Fatal(err)
	}
	for range 10 {
		for _, out := range self.Take().Send {
			if err := other.Receive(0, 1, out.Frame); err != nil {
				f.Fatal(err)
			}
		}
		for _, out := range other.Take().Send {
			kind, payload, err := transport.Decode(out.Frame)
			if err != nil {
				f.Fatal(err)
			}
			script = append(append(script, kind, 1, byte(len(payload)), byte(len(payload)>>8)), payload...)
			if err := self.Receive(0, 2, out.Frame); err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Add(script)
	f.Fuzz(func(t *testing.T, script []byte) {
		s := transport.NewShipper(transport.ShipperConfig{ChunkBytes: transport.ChunkMin, QueueMax: 4, ReadsMax: 1, Window: 4})
		if _, err := s.OfferBytes(data[:1050]); err != nil {
			t.Fatal(err)
		}
		now := runtime.Instant(0)
		for _, path := range []string{"", "file"} {
			if _, err := s.Fetch(now, transport.Order{Digest: digest, Sources: []runtime.NodeID{2, 3}, Path: path}); err != nil {
				t.Fatal(err)
			}
		}
		for len(script) >= 4 {
			kind, size := script[0], int(script[2])|int(script[3])<<8
			now = now.Add(time.Duration(script[1]) * time.Millisecond)
			script = script[4:]
			size = min(size, len(script))
			_ = s.Receive(now, 2, seal(t, kind, script[:size])) // refusing is as good as taking
			script = script[size:]
			s.Tick(now)
			for _, end := range s.Take().Fetched {
				if end.Err == nil && !bytes.Equal(end.Data, data) {
					t.Fatal("wrong bytes were fetched")
				}
			}
			if load := s.Load(); load.Queue > 5 || load.Bytes > 1100+8*transport.ChunkMin {
				t.Fatalf("limits are exceeded: %+v", load)
			}
		}
	})
}
