package quic

import "testing"

func TestMemoryOfFramesIsUsedAgain(t *testing.T) {
	var f frames
	large := f.take(100_000)
	f.give(large[:90_000]) // what lies beyond may be another frame's
	if p := f.take(95_000); &p[0] == &large[0] {
		t.Error("a frame reaches into another one")
	}
	if p := f.take(80_000); &p[0] != &large[0] || len(p) != 80_000 {
		t.Error("the memory was not used again")
	}
	if p := f.take(80_000); &p[0] == &large[0] {
		t.Error("two frames share memory")
	}
}

func TestMemoryOfFramesIsBounded(t *testing.T) {
	var f frames
	f.give(make([]byte, keptMin-1)) // not worth it
	for size := keptMin; size < 40*keptMin; size += keptMin / 2 {
		f.give(make([]byte, size))
		held := 0
		for _, p := range f.free {
			held += cap(p)
		}
		if held != f.bytes || held > keptBytes {
			t.Fatalf("%d bytes are held and %d are counted, limit %d", held, f.bytes, keptBytes)
		}
	}
	if p := f.take(20 * keptMin); len(p) != 20*keptMin {
		t.Errorf("a frame of %d bytes", len(p))
	}
}
