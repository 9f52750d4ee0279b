package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// testWorld is the smallest world that nodes run in: one queue, in which
// everything happens in the order it was asked for, at once; time passes only
// when the queue is empty. It has no faults but those that a test injects.
type testWorld struct {
	t       testing.TB
	now     runtime.Instant
	hosts   []*testHost // host i has id i+1
	queue   []func()
	replies map[runtime.CallID]testReply
	calls   runtime.CallID
	draws   uint64
	// lose, if not nil, says which messages are lost. Of a frame of the shipping lane, it
	// sees From, To, the kind as Type, and the length as Offset.
	lose func(m *Message) bool
}

type testReply struct {
	outcome runtime.Outcome
	data    []byte
}

// testHost is the Env of one node at a time.
type testHost struct {
	world  *testWorld
	id     runtime.NodeID
	cfg    NodeConfig
	disk   *testDisk
	node   *Node
	boots  int // counts lives: what belongs to an older one is dropped
	alarm  runtime.Instant
	halted bool
	reason error
	trace  []runtime.Event // of all lives
	quiet  bool            // do not keep the trace
}

// testEnv is the Env of one life of a node.
type testEnv struct {
	*testHost
	boot int
}

func newTestWorld(t testing.TB, nodes int, cfg NodeConfig) *testWorld {
	w := &testWorld{t: t, replies: map[runtime.CallID]testReply{}}
	cfg.SegmentBytes = 64 << 10
	if cfg.Machine == nil {
		cfg.Machine = func() StateMachine { return &testMachine{} }
	}
	for i := range nodes {
		cfg.Core.Voters = append(cfg.Core.Voters, runtime.NodeID(i+1))
	}
	for _, id := range cfg.Core.Voters {
		h := &testHost{world: w, id: id, cfg: cfg, disk: newTestDisk(), alarm: runtime.Never}
		w.hosts = append(w.hosts, h)
		h.boot()
	}
	return w
}

// boot starts the node's next life on what its disk holds.
func (h *testHost) boot() {
	h.boots++
	h.halted, h.reason, h.alarm, h.disk.lock = false, nil, runtime.Never, nil
	h.node = NewNode(h.cfg)
	h.node.Boot(testEnv{h, h.boots})
}

// kill ends the node's life; its disk keeps everything.
func (h *testHost) kill() {
	h.boots++
	h.alarm = runtime.Never
	h.node = nil
}

func (e testEnv) alive() bool { return e.boot == e.boots && !e.halted }

func (e testEnv) Self() runtime.NodeID         { return e.id }
func (e testEnv) Now() runtime.Instant         { return e.world.now }
func (e testEnv) Wall() runtime.Instant        { return e.world.now }
func (e testEnv) Route(runtime.NodeID, string) {}

func (e testEnv) WakeAt(t runtime.Instant) {
	if e.alive() {
		e.alarm = t
	}
}

func (e testEnv) Uint64(runtime.Purpose) uint64 {
	e.world.draws++
	return runtime.Mix(uint64(e.id), e.world.draws)
}

func (e testEnv) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	w := e.world
	var m Message
	if kind := frame[2]; w.lose != nil && kind >= shipKinds {
		m = Message{Type: MessageType(kind), From: e.id, To: to, Offset: uint64(len(frame))}
	} else if w.lose != nil {
		if err := decodeMessage(frame, &m); err != nil {
			w.t.Fatal(err)
		}
	}
	if !e.alive() || w.lose != nil && w.lose(&m) {
		return
	}
	target := w.hosts[to-1]
	w.queue = append(w.queue, func() {
		if target.node != nil && !target.halted {
			target.node.Receive(e.id, ch, frame)
		}
	})
}

func (e testEnv) Submit(_ runtime.Lane, job func(runtime.FS) error, done func(error)) {
	if !e.alive() {
		return
	}
	e.world.queue = append(e.world.queue, func() {
		if !e.alive() {
			return
		}
		err, killed := e.attempt(job)
		if killed {
			e.kill()
			return
		}
		e.world.queue = append(e.world.queue, func() {
			if e.alive() {
				done(err)
			}
		})
	})
}

// errKilled is what a file call panics with to end its node's life.
var errKilled = errors.New("killed")

// attempt runs a job, which a file call may end together with the node.
func (e testEnv) attempt(job func(runtime.FS) error) (err error, killed bool) {
	defer func() {
		if p := recover(); p == errKilled {
			killed = true
		} else if p != nil {
			panic(p)
		}
	}()
	return job(e.disk), false
}

func (e testEnv) Reply(id runtime.CallID, outcome runtime.Outcome, resp []byte) {
	if _, twice := e.world.replies[id]; twice {
		e.world.t.Errorf("call %d was answered twice", id)
	}
	if e.alive() {
		e.world.replies[id] = testReply{outcome, resp}
	}
}

func (e testEnv) Trace(ev runtime.Event) {
	if e.alive() && !e.quiet {
		ev.Note = append([]byte(nil), ev.Note...)
		e.trace = append(e.trace, ev)
	}
}

func (e testEnv) Halt(reason error) {
	if e.alive() {
		e.halted, e.testHost.reason, e.alarm = true, reason, runtime.Never
	}
}

// settle lets everything happen that needs no time.
func (w *testWorld) settle() {
	for steps := 0; len(w.queue) > 0; steps++ {
		if steps > 1_000_000 {
			w.t.Fatal("the world never comes to rest")
		}
		next := w.queue[0]
		w.queue = w.queue[1:]
		next()
	}
}

// run lets the world go on for that time.
func (w *testWorld) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		w.settle()
		next := end
		for _, h := range w.hosts {
			next = min(next, h.alarm)
		}
		w.now = max(w.now, next)
		if next >= end {
			return
		}
		for _, h := range w.hosts {
			if h.alarm <= w.now && h.node != nil && !h.halted {
				h.alarm = runtime.Never
				h.node.Wake()
			}
		}
	}
}

// leader runs the world until a node leads, and returns it.
func (w *testWorld) leader() *testHost {
	w.t.Helper()
	for range 200 {
		for _, h := range w.hosts {
			if s := h.status(); s.Role == Leader && s.Commit >= s.First && s.Commit == s.Last {
				return h
			}
		}
		w.run(50 * time.Millisecond)
	}
	w.t.Fatal("nobody leads")
	return nil
}

func (h *testHost) status() Status {
	if h.node == nil || h.halted {
		return Status{}
	}
	return h.node.Status()
}

// call asks a node for a command with that text and returns the call's id.
func (w *testWorld) call(h *testHost, command string) runtime.CallID {
	w.calls++
	h.node.Call(w.calls, w.now.Add(10*time.Second), AppendRequest(nil, EntryCommand, []byte(command)))
	return w.calls
}

// put has commands executed by the leader, and expects them to be done.
func (w *testWorld) put(count int) {
	w.t.Helper()
	leader := w.leader()
	var ids []runtime.CallID
	for i := range count {
		ids = append(ids, w.call(leader, fmt.Sprintf("command %d", i)))
		w.settle()
	}
	w.run(100 * time.Millisecond)
	for _, id := range ids {
		if got := w.replies[id]; got.outcome != runtime.Done {
			w.t.Fatalf("call %d: %v %x", id, got.outcome, got.data)
		}
	}
}

// refusal expects a call to have been refused and returns why.
func (w *testWorld) refusal(id runtime.CallID) Refusal {
	w.t.Helper()
	reply := w.replies[id]
	r, err := DecodeRefusal(reply.data)
	if reply.outcome != runtime.Refused || err != nil {
		w.t.Fatalf("call %d: %v %x, want a refusal", id, reply.outcome, reply.data)
	}
	return r
}

// same expects all nodes that are up to have applied the same, up to the same index.
func (w *testWorld) same() {
	w.t.Helper()
	chains := map[Index]uint64{}
	for _, h := range w.hosts {
		for _, ev := range h.trace {
			if ev.Kind != Applied && ev.Kind != SnapshotInstalled {
				continue
			}
			if other, known := chains[Index(ev.A)]; known && other != ev.C {
				w.t.Errorf("node %d has chain hash %x at %d, another has %x", h.id, ev.C, ev.A, other)
			}
			chains[Index(ev.A)] = ev.C
		}
		if a, b := h.status().Applied, w.leader().status().Applied; h.node != nil && a != b {
			w.t.Errorf("node %d has applied up to %d, the leader up to %d", h.id, a, b)
		}
	}
}

// count returns how often the node traced a kind of event.
func (h *testHost) count(kind runtime.EventKind) int {
	n := 0
	for _, ev := range h.trace {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// testMachine counts commands and remembers a hash of them; padding makes its
// snapshots large.
type testMachine struct {
	count, hash uint64
	padding     int
}

func (m *testMachine) Apply(entries []Entry, results [][]byte) [][]byte {
	for _, e := range entries {
		m.count++
		m.hash = runtime.HashBytes(m.hash, e.Data)
		results = append(results, binary.LittleEndian.AppendUint64(nil, m.count))
	}
	return results
}

// Query returns the count, and the question.
func (m *testMachine) Query(request []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, m.count), request...)
}

func (m *testMachine) Snapshot() (Image, error) {
	b := binary.LittleEndian.AppendUint64(nil, m.count)
	b = binary.LittleEndian.AppendUint64(b, m.hash)
	return &testImage{append(b, make([]byte, m.padding)...)}, nil
}

func (m *testMachine) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.count, m.hash = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return nil
}

// testImage is the bytes of a captured testMachine.
type testImage struct{ bytes []byte }

func (g *testImage) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(g.bytes)
	return int64(n), err
}

func (g *testImage) Release() { g.bytes = nil }
