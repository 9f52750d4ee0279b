package transport_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/octopii-go/octopii/transport"
)

// seal returns a whole frame.
func seal(t testing.TB, kind uint8, payload []byte) []byte {
	t.Helper()
	frame := append(transport.AppendHeader(nil, kind), payload...)
	if err := transport.Seal(frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestGolden pins the bytes: members of one cluster may run different builds.
func TestGolden(t *testing.T) {
	const want = "f7010700" + "05000000" + "68e55a11" + "68656c6c6f"
	frame := seal(t, 7, []byte("hello"))
	if got := hex.EncodeToString(frame); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 4096, transport.MaxPayload} {
		payload := bytes.Repeat([]byte{0xa5}, size)
		kind, got, err := transport.Decode(seal(t, uint8(size), payload))
		if err != nil || kind != uint8(size) || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: kind %d, %d bytes, %v", size, kind, len(got), err)
		}
	}
}

func TestFrameBehindOtherBytes(t *testing.T) {
	prefix := []byte("in front")
	buf := append(transport.AppendHeader(prefix, 3), "payload"...)
	frame := buf[len(prefix):]
	if err := transport.Seal(frame); err != nil {
		t.Fatal(err)
	}
	if kind, payload, err := transport.Decode(frame); kind != 3 || string(payload) != "payload" || err != nil {
		t.Errorf("kind %d, payload %q, %v", kind, payload, err)
	}
	if !bytes.HasPrefix(buf, prefix) {
		t.Errorf("the bytes in front changed: %q", buf)
	}
}

func TestEachFlippedBitIsRefused(t *testing.T) {
	for _, size := range []int{0, 1, 100} {
		frame := seal(t, 1, bytes.Repeat([]byte{0x5a}, size))
		for i := range frame {
			for bit := range 8 {
				frame[i] ^= 1 << bit
				if _, _, err := transport.Decode(frame); err == nil {
					t.Errorf("payload of %d: bit %d of byte %d flipped, and nobody noticed", size, bit, i)
				}
				frame[i] ^= 1 << bit
			}
		}
		if _, _, err := transport.Decode(frame); err != nil {
			t.Errorf("the frame as it was: %v", err)
		}
	}
}

func TestEachChangedByteIsRefused(t *testing.T) {
	frame := seal(t, 1, []byte("some bytes"))
	for i := range frame {
		was := frame[i]
		for v := range 256 {
			frame[i] = byte(v)
			if _, _, err := transport.Decode(frame); (err == nil) != (byte(v) == was) {
				t.Errorf("byte %d set from %#02x to %#02x: %v", i, was, v, err)
			}
		}
		frame[i] = was
	}
}

func TestRefusals(t *testing.T) {
	good := seal(t, 1, []byte("payload"))
	change := func(at int, v byte) []byte {
		f := bytes.Clone(good)
		f[at] = v
		return f
	}
	cases := []struct {
		name  string
		frame []byte
		want  error
	}{
		{"nothing", nil, transport.ErrTruncated},
		{"half a header", good[:transport.HeaderSize-1], transport.ErrTruncated},
		{"header only", good[:transport.HeaderSize], transport.ErrTruncated},
		{"a byte short", good[:len(good)-1], transport.ErrTruncated},
		{"a byte more", append(bytes.Clone(good), 0), transport.ErrTruncated},
		{"another protocol", change(0, 'G'), transport.ErrVersion},
		{"another version", change(1, transport.Version+1), transport.ErrVersion},
		{"reserved byte", change(3, 1), transport.ErrVersion},
		{"length beyond the limit", change(7, 0xff), transport.ErrTooLarge},
		{"another kind", change(2, 2), transport.ErrChecksum},
		{"damaged checksum", change(8, good[8]+1), transport.ErrChecksum},
		{"damaged payload", change(12, good[12]+1), transport.ErrChecksum},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if _, payload, err := transport.Decode(tc.frame); !errors.Is(err, tc.want) || payload != nil {
				t.Errorf("got %v, payload %q, want %v", err, payload, tc.want)
			}
		})
	}
}

// TestSizeFromTheHeader reads no more than a header, as one does from a stream.
func TestSizeFromTheHeader(t *testing.T) {
	for _, payload := range []int{0, 1, transport.MaxPayload} {
		frame := seal(t, 1, make([]byte, payload))
		if size, err := transport.Size(frame[:transport.HeaderSize]); size != len(frame) || err != nil {
			t.Errorf("payload of %d: size %d, %v", payload, size, err)
		}
	}
	large := seal(t, 1, nil)
	large[7] = 0xff
	for want, header := range map[error][]byte{
		transport.ErrTruncated: large[:transport.HeaderSize-1],
		transport.ErrVersion:   make([]byte, transport.HeaderSize),
		transport.ErrTooLarge:  large,
	} {
		if size, err := transport.Size(header); size != 0 || !errors.Is(err, want) {
			t.Errorf("%x: size %d, %v, want %v", header, size, err, want)
		}
	}
}

func TestSealLimits(t *testing.T) {
	frame := append(transport.AppendHeader(nil, 1), make([]byte, transport.MaxPayload+1)...)
	if err := transport.Seal(frame); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	for name, frame := range map[string][]byte{"too short": {transport.Magic}, "no header": make([]byte, 20)} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no assertion")
				}
			}()
			_ = transport.Seal(frame) // panics
		})
	}
}

func TestNoAllocation(t *testing.T) {
	payload := make([]byte, 128)
	buf := make([]byte, 0, 256)
	n := testing.AllocsPerRun(100, func() {
		frame := append(transport.AppendHeader(buf[:0], 1), payload...)
		if transport.Seal(frame) != nil {
			t.Error("not sealed")
		}
		if _, _, err := transport.Decode(frame); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecode checks that any bytes are either refused, or exactly the frame
// that sealing the decoded content gives.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(seal(f, 0, nil))
	f.Add(seal(f, 9, []byte("some payload")))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		kind, payload, err := transport.Decode(frame)
		if err != nil {
			if payload != nil || kind != 0 {
				t.Errorf("refused with %v, but kind %d and %d bytes", err, kind, len(payload))
			}
			return
		}
		if again := seal(t, kind, payload); !bytes.Equal(again, frame) {
			t.Errorf("decoded %x, which seals as %x", frame, again)
		}
	})
}

func BenchmarkSealAndDecode(b *testing.B) {
	payload := make([]byte, 200)
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		frame := append(transport.AppendHeader(buf[:0], 1), payload...)
		if transport.Seal(frame) != nil {
			b.Fatal("not sealed")
		}
		if _, _, err := transport.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}
