package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// shipTrace feeds records to a suite, and is the disk that it asks.
type shipTrace struct {
	*ShipSuite
	step uint64
	disk map[string]string
}

// Durable implements Image.
func (t *shipTrace) Durable(_ runtime.NodeID, file string, off int64, b []byte) bool {
	data, found := t.disk[file]
	if !found || off+int64(len(b)) > int64(len(data)) {
		return false
	}
	copy(b, data[off:])
	return true
}

func (t *shipTrace) emit(kind runtime.EventKind, a, b, c, d uint64, note string) {
	t.step++
	t.Observe(&runtime.Record{
		At: runtime.Instant(t.step), Step: t.step, Node: 1,
		Event: runtime.Event{Kind: kind, A: a, B: b, C: c, D: d, Note: []byte(note)},
	})
}

// The acts of a run: the one object there is has the bytes "right", as file "f".
func (t *shipTrace) claim(name string)  { t.emit(transport.FileShipped, 1, 0, 0, 5, name) }
func (t *shipTrace) memory(data string) { t.emit(transport.FileShipped, 1, hash(data), 0, 5, "f") }
func (t *shipTrace) found(name, data string) {
	t.emit(transport.FileFound, uint64(len(data)), 0, hash(data), 0, name)
}
func (t *shipTrace) listed()                 { t.emit(transport.FilesListed, 0, 0, 0, 0, "") }
func (t *shipTrace) hold(a, b, c uint64)     { t.emit(transport.ShipLoadSeen, a, b, c, 0, "") }
func (t *shipTrace) write(name, data string) { t.disk[name] = data }
func hash(data string) uint64                { return runtime.HashBytes(0, []byte(data)) }

var shipCases = []struct {
	name, want string
	run        func(t *shipTrace)
}{
	{"a file and a restart", "", func(t *shipTrace) {
		t.listed()
		t.write("f", "right")
		t.claim("f")
		t.memory("right")
		for range 2 {
			t.emit(runtime.WorldPowerLoss, 0, 0, 0, 0, "")
			t.found("f", "right")
			t.listed()
		}
		t.hold(2, 2, 2)
	}},
	{"a file nobody asked for", "ship/malformed", func(t *shipTrace) { t.claim("g") }},
	{"not durable", "ship/claim", func(t *shipTrace) { t.claim("f") }},
	{"durable in part", "ship/claim", func(t *shipTrace) { t.write("f", "righ"); t.claim("f") }},
	{"durable with other bytes", "ship/claim", func(t *shipTrace) { t.write("f", "wrong"); t.claim("f") }},
	{"too long", "ship/claim", func(t *shipTrace) { t.write("f", "right!"); t.claim("f") }},
	{"other bytes in memory", "ship/memory", func(t *shipTrace) { t.memory("wrong") }},
	{"a wrong file is found", "ship/found-wrong", func(t *shipTrace) { t.found("f", "wrong") }},
	{"an unknown file is found", "ship/found-wrong", func(t *shipTrace) { t.found("g", "right") }},
	{"a file nobody was told of is found", "ship/nothing-seen", func(t *shipTrace) { t.found("f", "right"); t.listed() }},
	{"lost", "ship/lost", func(t *shipTrace) { t.write("f", "right"); t.claim("f"); t.listed() }},
	{"lost later", "ship/lost", func(t *shipTrace) {
		t.write("f", "right")
		t.claim("f")
		t.found("f", "right")
		t.listed()
		t.listed()
	}},
	{"too many fetches", "ship/limits", func(t *shipTrace) { t.hold(3, 0, 0) }},
	{"too many bytes", "ship/limits", func(t *shipTrace) { t.hold(0, 3, 0) }},
	{"too long a queue", "ship/limits", func(t *shipTrace) { t.hold(0, 0, 3) }},
	{"stuck", "ship/stuck", func(t *shipTrace) { t.Stuck("nothing happens") }},
	{"a panic", "ship/panic", func(t *shipTrace) { t.emit(runtime.WorldPanic, 0, 0, 0, 0, "oh") }},
	{"nothing happened", "ship/nothing-seen", func(*shipTrace) {}},
}

func TestShipRules(t *testing.T) {
	broken := map[string]bool{}
	for _, c := range shipCases {
		tr := &shipTrace{disk: map[string]string{}}
		tr.ShipSuite = NewShip(ShipConfig{
			Image: tr, Limit: transport.ShipperLoad{Fetches: 2, Bytes: 2, Queue: 2},
			Content: func(name string) []byte {
				if name == "f" {
					return []byte("right")
				}
				return nil
			},
		})
		c.run(tr)
		got := ""
		if v := tr.Finish(); v != nil {
			got = v.Signature()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		broken[c.want] = true
	}
	for _, r := range ShipRules() {
		if !broken[r.Signature()] {
			t.Errorf("no case breaks %s", r.Signature())
		}
	}
}
