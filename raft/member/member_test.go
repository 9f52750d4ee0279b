package member

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

func TestEventKinds(t *testing.T) {
	if err := runtime.CheckEvents(Events, raft.Events, transport.Events); err != nil {
		t.Error(err)
	}
}

// testEngine does what the test says. It answers a call when it leads, at once or when it is told to.
type testEngine struct {
	runtime.Env
	id     runtime.NodeID
	status raft.Status
	ready  bool
	hold   bool // do not answer yet
	held   []runtime.CallID
	called []string
	gone   []runtime.CallID // cancelled
	woken  int
}

func (e *testEngine) Boot(env runtime.Env)                            { e.Env = env }
func (e *testEngine) Receive(runtime.NodeID, runtime.Channel, []byte) {}
func (e *testEngine) Wake()                                           { e.woken++ }
func (e *testEngine) Cancel(id runtime.CallID)                        { e.gone = append(e.gone, id) }
func (e *testEngine) Stop()                                           { e.Halt(nil) }
func (e *testEngine) Status() raft.Status                             { return e.status }
func (e *testEngine) refuse(id runtime.CallID, r raft.Refusal) {
	e.Reply(id, runtime.Refused, r.Append(nil))
}
func (e *testEngine) Call(id runtime.CallID, _ runtime.Instant, req []byte) {
	e.called = append(e.called, string(req))
	switch {
	case !e.ready:
		e.refuse(id, raft.Refusal{Code: raft.RefusedNotReady})
	case e.status.Leader != e.id:
		e.refuse(id, raft.Refusal{Code: raft.RefusedNotLeader, Leader: e.status.Leader})
	case e.hold:
		e.held = append(e.held, id)
	default:
		e.Reply(id, runtime.Done, append([]byte("done "), req...))
	}
}

// testWorld is two or more nodes in one queue, with a clock that the test moves.
type testWorld struct {
	*testing.T
	now     runtime.Instant
	nodes   []*testNode
	queue   []func()
	cut     map[runtime.NodeID]bool // frames to it are lost
	replies map[runtime.CallID]string
	calls   runtime.CallID
}

type testNode struct {
	w      *testWorld
	id     runtime.NodeID
	node   *Node
	engine *testEngine
	alarm  runtime.Instant
	halted bool
	trace  []runtime.Event
	served []Request
	left   []transport.Ticket
}

func newTestWorld(t *testing.T, nodes int, change func(*Config)) *testWorld {
	w := &testWorld{T: t, cut: map[runtime.NodeID]bool{}, replies: map[runtime.CallID]string{}}
	for i := range nodes {
		h := &testNode{w: w, id: runtime.NodeID(i + 1), alarm: runtime.Never}
		h.engine = &testEngine{id: h.id, ready: true, status: raft.Status{Leader: 1, Term: 1}}
		cfg := Config{Engine: h.engine, Forward: true, Patience: time.Second, ForwardTimeout: 4 * time.Second,
			Serve:     func(r Request) { h.served = append(h.served, r) },
			Abandoned: func(t transport.Ticket) { h.left = append(h.left, t) },
		}
		for p := range nodes {
			if p != i {
				cfg.Peers = append(cfg.Peers, Peer{ID: runtime.NodeID(p + 1)})
			}
		}
		if change != nil {
			change(&cfg)
		}
		h.node = New(cfg)
		w.nodes = append(w.nodes, h)
	}
	for _, h := range w.nodes {
		h.node.Boot(h)
	}
	return w
}

func (h *testNode) Self() runtime.NodeID  { return h.id }
func (h *testNode) Now() runtime.Instant  { return h.w.now }
func (h *testNode) Wall() runtime.Instant { return h.w.now }
func (h *testNode) WakeAt(t runtime.Instant) {
	if !h.halted {
		h.alarm = t
	}
}
func (h *testNode) Uint64(runtime.Purpose) uint64 { return uint64(h.id) * 7 }
func (h *testNode) Route(runtime.NodeID, string)  {}
func (h *testNode) Trace(ev runtime.Event)        { h.trace = append(h.trace, ev) }
func (h *testNode) Halt(error)                    { h.halted, h.alarm = true, runtime.Never }
func (h *testNode) Submit(runtime.Lane, func(runtime.FS) error, func(error)) {
	h.w.Error("nothing here has files")
}

func (h *testNode) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	h.w.queue = append(h.w.queue, func() {
		if target := h.w.nodes[to-1]; !h.w.cut[to] && !target.halted {
			target.node.Receive(h.id, ch, frame)
		}
	})
}

func (h *testNode) Reply(id runtime.CallID, o runtime.Outcome, resp []byte) {
	if _, twice := h.w.replies[id]; twice {
		h.w.Errorf("call %d is answered twice", id)
	}
	if o == runtime.Refused {
		r, err := raft.DecodeRefusal(resp)
		if err != nil {
			h.w.Error(err)
		}
		resp = []byte(r.Error())
	}
	h.w.replies[id] = o.String() + ": " + string(resp)
}

// run lets the time go by.
func (w *testWorld) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		for len(w.queue) > 0 {
			next := w.queue[0]
			w.queue = w.queue[1:]
			next()
		}
		next := end
		for _, h := range w.nodes {
			next = min(next, h.alarm)
		}
		if w.now = max(w.now, next); next >= end {
			return
		}
		for _, h := range w.nodes {
			if h.alarm <= w.now && !h.halted {
				h.alarm = runtime.Never
				h.node.Wake()
			}
		}
	}
}

// call asks a node, with a minute to answer.
func (w *testWorld) call(node int, req string) runtime.CallID {
	w.calls++
	w.nodes[node-1].node.Call(w.calls, w.now.Add(time.Minute), []byte(req))
	return w.calls
}

func (w *testWorld) want(id runtime.CallID, want string) {
	w.Helper()
	if got := w.replies[id]; got != want {
		w.Errorf("call %d: got %q, want %q", id, got, want)
	}
}

func (h *testNode) lead(id runtime.NodeID, term raft.Term) {
	h.engine.status = raft.Status{Leader: id, Term: term}
	h.node.Refresh()
}

func (h *testNode) count(kind runtime.EventKind) (n int) {
	for _, ev := range h.trace {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

func TestCallsGoToTheLeader(t *testing.T) {
	w := newTestWorld(t, 3, nil)
	a, b := w.call(1, "at it"), w.call(2, "at another")
	w.run(time.Second)
	w.want(a, "done: done at it")
	w.want(b, "done: done at another")
	if got := w.nodes[0].engine.called; !slices.Equal(got, []string{"at it", "at another"}) {
		t.Errorf("the leader was asked %q", got)
	}
}

// TestNoCallGoesOnForEver has two members take each other for the leader.
func TestNoCallGoesOnForEver(t *testing.T) {
	w := newTestWorld(t, 3, nil)
	w.nodes[0].lead(2, 1)
	id := w.call(2, "x")
	w.run(time.Second)
	w.want(id, "refused: raft: refused: not the leader, try n2")
	if n := w.nodes[0].count(CallForwarded) + w.nodes[1].count(CallForwarded); n != 1 {
		t.Errorf("forwarded %d times", n)
	}
}

func TestWithoutForwardingTheLeaderIsNamed(t *testing.T) {
	w := newTestWorld(t, 2, func(c *Config) { c.Forward = false })
	w.want(w.call(2, "x"), "refused: raft: refused: not the leader, try n1")
}

func TestCallsWaitForALeader(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	second := w.nodes[1]
	second.lead(0, 2)
	a, b := w.call(2, "patient"), w.call(2, "cancelled")
	second.node.Cancel(b)
	w.run(500 * time.Millisecond)
	if len(w.replies) > 0 {
		t.Fatalf("answered: %v", w.replies)
	}
	second.lead(2, 2)
	w.want(a, "done: done patient")

	second.lead(0, 3)
	c := w.call(2, "in vain")
	second.engine.ready = false
	d := w.call(2, "too early")
	w.run(999 * time.Millisecond)
	w.want(c, "")
	w.run(2 * time.Millisecond)
	w.want(c, "refused: raft: refused: not the leader")
	w.want(d, "refused: raft: refused: not ready")
	w.want(b, "")
}

// TestWaitTellsWhatItWaitedFor has a call come while the node boots, and then nobody leads.
func TestWaitTellsWhatItWaitedFor(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	second := w.nodes[1]
	second.lead(0, 2)
	second.engine.ready = false
	a := w.call(2, "early")
	w.run(500 * time.Millisecond)
	second.engine.ready = true
	w.run(499 * time.Millisecond)
	w.want(a, "")
	w.run(2 * time.Millisecond)
	w.want(a, "refused: raft: refused: not the leader")
	if n := second.count(CallParked); n != 1 {
		t.Errorf("parked %d times", n)
	}
}

// TestUnansweredIsUnknown loses what is sent to the leader, once a session is open.
func TestUnansweredIsUnknown(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	w.want(w.call(2, "opens the session"), "")
	w.run(time.Second)
	w.cut[1] = true
	a := w.call(2, "lost")
	w.run(5 * time.Second)
	w.want(a, "unknown: ")
	probe, other := w.call(2, "tries it"), w.call(2, "better not")
	w.want(other, "refused: raft: refused: not the leader, try n1")
	w.cut[1] = false
	w.run(time.Second)
	w.want(probe, "done: done tries it")
	b := w.call(2, "again")
	w.run(time.Second)
	w.want(b, "done: done again")
	if slices.Contains(w.nodes[0].engine.called, "lost") {
		t.Error("what is unknown was sent again")
	}
}

// TestUnsentIsRefused never reaches the leader, so that there is no session in which anything could be sent.
func TestUnsentIsRefused(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	w.cut[1] = true
	a := w.call(2, "never sent")
	w.run(5 * time.Second)
	w.want(a, "refused: raft: refused: not the leader, try n1")
}

func TestAnotherLeaderTakesOver(t *testing.T) {
	w := newTestWorld(t, 3, nil)
	w.call(3, "opens the session")
	w.run(time.Second)
	w.nodes[0].engine.hold = true
	sent := w.call(3, "sent to the old one")
	w.run(100 * time.Millisecond)
	w.nodes[1].lead(2, 2)
	w.nodes[2].lead(2, 2)
	w.run(500 * time.Millisecond)
	w.want(sent, "")
	w.run(time.Second)
	w.want(sent, "unknown: ") // the old one had its chance
	if len(w.nodes[0].engine.gone) != 1 {
		t.Errorf("the old leader was told of %v", w.nodes[0].engine.gone)
	}

	w.nodes[2].lead(1, 3)
	w.cut[2] = true
	w.nodes[2].lead(2, 4) // whom it has never called
	w.nodes[0].lead(1, 5)
	w.nodes[0].engine.hold = false
	moved := w.call(3, "not sent yet")
	w.nodes[2].lead(1, 5)
	w.run(time.Second)
	w.want(moved, "done: done not sent yet")
}

func TestForwardedCallIsCancelled(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	w.nodes[0].engine.hold = true
	id := w.call(2, "x")
	w.run(100 * time.Millisecond)
	w.nodes[1].node.Cancel(id)
	w.run(time.Second)
	if got := w.nodes[0].engine; !slices.Equal(got.gone, got.held) || len(got.held) != 1 {
		t.Errorf("held %v, told of %v", got.held, got.gone)
	}
	w.want(id, "")
}

func TestProposalBearsTheClientsID(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	leader := w.nodes[0]
	leader.engine.hold = true
	id := w.call(2, "x")
	w.run(100 * time.Millisecond)
	leader.engine.Trace(runtime.Event{Kind: raft.Proposed, A: uint64(leader.engine.held[0])})
	if got := leader.trace[len(leader.trace)-1].A; got != uint64(id) || leader.engine.held[0] <= runtime.OwnCalls {
		t.Errorf("proposed call %d as %d, engine's %d", id, got, leader.engine.held[0])
	}
}

func TestStopWaitsForForwardedCalls(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	leader, second := w.nodes[0], w.nodes[1]
	leader.engine.hold = true
	id := w.call(2, "x")
	w.run(100 * time.Millisecond)
	second.node.Stop()
	late := w.call(2, "late")
	w.want(late, "refused: raft: refused: stopping")
	if second.halted {
		t.Error("it did not wait")
	}
	leader.engine.Reply(leader.engine.held[0], runtime.Done, []byte("in time"))
	leader.node.Refresh()
	w.run(100 * time.Millisecond)
	w.want(id, "done: in time")
	if !second.halted {
		t.Error("it goes on")
	}

	w = newTestWorld(t, 2, nil)
	w.nodes[0].engine.hold = true
	w.call(2, "x")
	w.nodes[1].node.Stop()
	w.run(2 * time.Second)
	if !w.nodes[1].halted {
		t.Error("it waits for ever")
	}
}

func TestServicesCallEachOther(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	a, b := w.nodes[0], w.nodes[1]
	var results []transport.RPCResult
	ask := func(body string) transport.RequestID {
		id, err := a.node.Ask(2, w.now.Add(time.Minute), []byte(body), func(r transport.RPCResult) { results = append(results, r) })
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	ask("one")
	ask("two")
	left := ask("three")
	if err := a.node.Notify(2, w.now.Add(time.Minute), []byte("four")); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	if len(b.served) != 4 || string(b.served[0].Body) != "one" || !b.served[3].OneWay {
		t.Fatalf("served %+v", b.served)
	}
	if err := b.node.Respond(b.served[0].Ticket, []byte("1")); err != nil {
		t.Fatal(err)
	}
	b.node.Fail(b.served[1].Ticket, []byte("2"))
	a.node.CancelAsk(left)
	w.run(time.Second)
	if len(results) != 2 || !bytes.Equal(results[0].Body, []byte("1")) || results[1].Err == nil {
		t.Errorf("results %+v", results)
	}
	if len(b.left) != 1 || b.left[0] != b.served[2].Ticket {
		t.Errorf("abandoned %v", b.left)
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	w := newTestWorld(t, 2, nil)
	frame := transport.AppendHeader(nil, 0x20)
	w.nodes[0].node.Receive(9, runtime.ChannelRPC, frame)
	w.nodes[0].node.Receive(2, runtime.ChannelRPC, frame) // damaged
	if n := w.nodes[0].count(StrangerIgnored); n != 1 {
		t.Errorf("%d frames ignored", n)
	}
}

func TestTheAlarmIsShared(t *testing.T) {
	w := newTestWorld(t, 1, nil)
	h := w.nodes[0]
	h.engine.WakeAt(100)
	h.node.Refresh()
	w.run(1000)
	if h.engine.woken != 1 || h.alarm != runtime.Never {
		t.Errorf("woken %d times, the alarm is at %v", h.engine.woken, h.alarm)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, p []byte) {
		o, resp, err := decodeForwarded(p)
		if err == nil && (o < runtime.Done || o > runtime.Unknown || len(resp) != len(p)-1) {
			t.Errorf("%x: %v, %x", p, o, resp)
		}
	})
}
