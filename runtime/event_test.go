package runtime

import "testing"

func TestWorldEventsAreNamedAndUnique(t *testing.T) {
	if err := CheckEvents(WorldEvents); err != nil {
		t.Fatal(err)
	}
}

func TestCheckEventsRefusesWrongAndRepeatedKinds(t *testing.T) {
	good := EventInfo{Kind: KindOf("a.b"), Name: "a.b"}
	if CheckEvents([]EventInfo{{Kind: 1, Name: "a.b"}}) == nil {
		t.Error("a kind that is not its name's was accepted")
	}
	if CheckEvents([]EventInfo{good}, []EventInfo{good}) == nil {
		t.Error("a kind defined twice was accepted")
	}
}

func TestRender(t *testing.T) {
	info := EventInfo{Name: "a.b", Text: "{A} {B:n} {C:t} {D:x} {note} {E} {open"}
	got := info.Render(Event{A: 1, B: 2, C: 3_000_000, D: 255, Note: []byte("hi\n")})
	want := `a.b 1 n2 3ms ff "hi\n" {E} {open`
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The values below are part of the format of every seed and digest: a change
// here invalidates the seeds kept and must say so.
func TestHashValuesArePinned(t *testing.T) {
	r := Record{At: 7, Step: 1, Node: 2, Event: Event{Kind: WorldBoot, A: 3, B: 4, C: 5, D: 6, Note: []byte("note")}}
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"mix", Mix(1, 2), 0xe7241645d95686e1},
		{"bytes", HashBytes(0, []byte("octopii runs")), 0x230969ecb32b0ec1},
		{"bulk", HashBulk(0, []byte("octopii runs, and goes on for longer than the sixty-four bytes of a block")), 0xa8dd8b5e4dd2c334},
		{"record", r.Hash(0), 0x77cb8721314c405e},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}
