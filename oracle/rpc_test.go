package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// rpcTrace feeds records to a suite.
type rpcTrace struct {
	*RPCSuite
	step uint64
}

func (t *rpcTrace) emit(node runtime.NodeID, kind runtime.EventKind, a, b, c, d uint64) {
	t.note(node, kind, a, b, c, d, "")
}

func (t *rpcTrace) note(node runtime.NodeID, kind runtime.EventKind, a, b, c, d uint64, note string) {
	t.step++
	t.Observe(&runtime.Record{
		At: runtime.Instant(t.step), Step: t.step, Node: node,
		Event: runtime.Event{Kind: kind, A: a, B: b, C: c, D: d, Note: []byte(note)},
	})
}

// The acts of a run, all of node 1 calling node 2 with request hash 77.
func (t *rpcTrace) ask()                  { t.emit(1, transport.CallAsked, 5, 2, 77, 900) }
func (t *rpcTrace) serve()                { t.emit(2, transport.RequestServed, 1, 0, 77, 0) }
func (t *rpcTrace) answer(hash uint64)    { t.emit(2, transport.RequestAnswered, 1, 0, 77, hash) }
func (t *rpcTrace) end(o runtime.Outcome) { t.emit(1, transport.CallEnded, 5, 2, uint64(o), 0) }
func (t *rpcTrace) done(hash uint64) {
	t.emit(1, transport.CallEnded, 5, 2, uint64(runtime.Done), hash)
}
func (t *rpcTrace) reply(note string) {
	t.note(1, runtime.CallReply, 900, 1, uint64(runtime.Done), 0, note)
}
func (t *rpcTrace) hold(calls, serving uint64) { t.emit(1, transport.LoadSeen, calls, 0, serving, 0) }

var rpcCases = []struct {
	name, want string
	run        func(t *rpcTrace)
}{
	{"a call", "", func(t *rpcTrace) {
		answer := runtime.HashBytes(0, []byte("yes"))
		t.ask()
		t.serve()
		t.answer(answer)
		t.done(answer)
		t.reply("yes")
		t.hold(4, 4)
	}},
	{"asked twice with the same bytes", "rpc/malformed", func(t *rpcTrace) { t.ask(); t.ask() }},
	{"handled though nobody asked", "rpc/phantom", func(t *rpcTrace) { t.serve() }},
	{"handled by another node", "rpc/phantom", func(t *rpcTrace) { t.ask(); t.emit(3, transport.RequestServed, 1, 0, 77, 0) }},
	{"answered but never handled", "rpc/phantom", func(t *rpcTrace) { t.ask(); t.answer(1) }},
	{"handled twice", "rpc/served-twice", func(t *rpcTrace) { t.ask(); t.serve(); t.serve() }},
	{"handled again after a restart", "rpc/served-twice", func(t *rpcTrace) {
		t.ask()
		t.serve()
		t.emit(2, runtime.WorldKill, 0, 0, 0, 0)
		t.serve()
	}},
	{"refused and handled before", "rpc/refused-served", func(t *rpcTrace) { t.ask(); t.serve(); t.end(runtime.Refused) }},
	{"refused and handled later", "rpc/refused-served", func(t *rpcTrace) { t.ask(); t.end(runtime.Refused); t.serve() }},
	{"unknown and handled later", "rpc/nothing-seen", func(t *rpcTrace) { t.ask(); t.end(runtime.Unknown); t.serve() }},
	{"another answer", "rpc/wrong-answer", func(t *rpcTrace) { t.ask(); t.serve(); t.answer(8); t.done(9) }},
	{"an answer of nobody", "rpc/wrong-answer", func(t *rpcTrace) { t.ask(); t.done(9) }},
	{"a client is told something else", "rpc/wrong-reply", func(t *rpcTrace) {
		t.ask()
		t.serve()
		t.answer(8)
		t.done(8)
		t.reply("something else")
	}},
	{"ended twice", "rpc/ended-twice", func(t *rpcTrace) { t.ask(); t.end(runtime.Unknown); t.end(runtime.Unknown) }},
	{"ended after a restart", "rpc/ended-twice", func(t *rpcTrace) {
		t.ask()
		t.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		t.end(runtime.Unknown)
	}},
	{"too many calls", "rpc/limits", func(t *rpcTrace) { t.hold(5, 0) }},
	{"too many requests", "rpc/limits", func(t *rpcTrace) { t.hold(0, 5) }},
	{"stuck", "rpc/stuck", func(t *rpcTrace) { t.Stuck("nothing happens") }},
	{"a panic", "rpc/panic", func(t *rpcTrace) { t.note(1, runtime.WorldPanic, 0, 0, 0, 0, "oh") }},
	{"nothing happened", "rpc/nothing-seen", func(*rpcTrace) {}},
}

func TestRPCRules(t *testing.T) {
	broken := map[string]bool{}
	for _, c := range rpcCases {
		tr := &rpcTrace{RPCSuite: NewRPC(transport.RPCLoad{Calls: 4, Serving: 4})}
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
	for _, r := range RPCRules() {
		if !broken[r.Signature()] {
			t.Errorf("no case breaks %s", r.Signature())
		}
	}
}
