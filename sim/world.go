package sim

import (
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// NodesMax bounds the machines of a world.
const NodesMax = 64

// Driver is the workload: it makes calls, and hears of their results and of
// the timers it set. It is called between events and must not block.
type Driver interface {
	// Timer says that a timer set with World.After has fired.
	Timer(token uint64)
	// Reply says what became of a call. The result is valid during the call,
	// its Resp for good.
	Reply(r *CallResult)
}

// Config describes a world.
type Config struct {
	Seed      uint64
	Overrides []faults.Override
	Nodes     int // machines, with ids from 1; at most NodesMax
	Spec      faults.Spec
	// NewNode makes the node that a machine runs, anew for each boot.
	NewNode func(id runtime.NodeID) runtime.Node
	Driver  Driver
	// Observe sees every record as it is made; may be nil. The record and its note are
	// valid during the call.
	Observe func(*runtime.Record)
	// Leader says which node the nemesis should take for the leader, zero for
	// none; may be nil.
	Leader func() runtime.NodeID
}

// Finding is something wrong with the code under test that no event can hold:
// the stack of a panic, a job that would not die.
type Finding struct {
	Node  runtime.NodeID
	At    runtime.Instant
	Text  string
	Stack string
}

// World is a simulated cluster. It must be closed, so that its coroutines end.
type World struct {
	now      runtime.Instant
	step     uint64
	digest   uint64
	queue    queue
	sites    *faults.Sites
	spec     faults.Spec
	machines []*Machine
	net      *network
	calls    calls
	nemesis  nemesis
	driver   Driver
	newNode  func(id runtime.NodeID) runtime.Node
	observe  func(*runtime.Record)
	leader   func() runtime.NodeID
	timer    *faults.Site
	fired    faults.Counts
	ledger   *faults.Ledger
	findings []Finding
	pool     pool
	misreads bool // reads may show bytes of another time or place
	record   runtime.Record
	scratch  []byte
}

// New makes a world at time zero, its machines about to boot.
func New(cfg Config) *World {
	if cfg.Nodes < 1 || cfg.Nodes > NodesMax {
		panic(fmt.Sprintf("sim: %d nodes, want 1 to %d", cfg.Nodes, NodesMax))
	}
	w := &World{
		sites: faults.NewSites(cfg.Seed, cfg.Overrides), spec: cfg.Spec, driver: cfg.Driver,
		newNode: cfg.NewNode, observe: cfg.Observe, leader: cfg.Leader,
	}
	w.pool.keepsBefore = cfg.Spec.Phantom > 0 || cfg.Spec.Misdirect > 0 || cfg.Spec.Stale > 0
	w.misreads = cfg.Spec.Stale > 0 || cfg.Spec.Astray > 0
	w.timer = w.sites.Site("driver.timer", 0, 0)
	w.calls = calls{w: w, armed: runtime.Never,
		latency: w.sites.Site("client.latency", 0, 0), order: w.sites.Site("client.order", 0, 0)}
	w.net = newNetwork(w, cfg.Nodes)
	for i := range cfg.Nodes {
		m := newMachine(w, i)
		w.machines = append(w.machines, m)
		m.bootAfter(m.downtime.Between(0, bootSpread))
	}
	w.ledger = faults.NewLedger(w.ids())
	w.ledger.Lift(cfg.Spec.Budget)
	w.nemesis = newNemesis(w)
	return w
}

// Close ends all processes. The world cannot go on.
func (w *World) Close() {
	for _, m := range w.machines {
		if m.proc != nil {
			m.guardedKill()
			m.proc = nil
		}
	}
	w.queue.heap = nil
}

// machine returns the machine of a node, or nil.
func (w *World) machine(id runtime.NodeID) *Machine {
	if id < 1 || int(id) > len(w.machines) {
		return nil
	}
	return w.machines[id-1]
}

func (w *World) ids() (ids []runtime.NodeID) {
	for _, m := range w.machines {
		ids = append(ids, m.id)
	}
	return ids
}

func (w *World) newProcess(m *Machine) Process { return newNative(m, w.newNode(m.id)) }

// Now returns the world's time, in ns since it began.
func (w *World) Now() runtime.Instant { return w.now }

// Steps returns how many events have happened.
func (w *World) Steps() uint64 { return w.step }

// Digest returns a hash of all records so far.
func (w *World) Digest() uint64 { return w.digest }

// Sites returns the world's choices, for the driver to make its own.
func (w *World) Sites() *faults.Sites { return w.sites }

// Fired returns how often each kind of fault has struck.
func (w *World) Fired() faults.Counts { return w.fired }

// Ledger returns the budget of the world's faults.
func (w *World) Ledger() *faults.Ledger { return w.ledger }

// Findings returns what is wrong with the code under test, stacks and all.
func (w *World) Findings() []Finding { return slices.Clone(w.findings) }

// After lets the driver's Timer be called with the token at now+d.
func (w *World) After(d runtime.Instant, token uint64) {
	w.queue.push(event{at: w.now + d, kind: evTimer, machine: -1, ref: token, prio: uint32(w.timer.Draw())})
}

// emit makes a record of an event, hashes it and shows it to whoever observes.
func (w *World) emit(node runtime.NodeID, ev runtime.Event) {
	w.record = runtime.Record{At: w.now, Step: w.step, Node: node, Event: ev}
	w.digest = w.record.Hash(w.digest)
	if w.observe != nil {
		w.observe(&w.record)
	}
}

// struck counts a fault that has struck at a node, and records it. Faults that
// are events of their own already, or come by the thousand, are only counted.
func (w *World) struck(k faults.Kind, id runtime.NodeID) {
	w.fired.Add(k)
	w.scratch = append(w.scratch[:0], k.String()...)
	w.emit(id, runtime.Event{Kind: runtime.WorldFault, A: uint64(id), Note: w.scratch})
}

// Step lets the next event happen. It returns false if there is none.
func (w *World) Step() bool {
	if w.queue.len() == 0 {
		return false
	}
	e := w.queue.pop()
	w.now = e.at
	w.step++
	if e.machine >= 0 {
		w.stepMachine(&e)
		return true
	}
	switch e.kind {
	case evDeadline:
		w.calls.expire()
	case evTimer:
		w.emit(0, runtime.Event{Kind: TimerFired, A: e.ref})
		w.driver.Timer(e.ref)
	case evNemesis:
		w.nemesis.act(e.ref)
	case evLink:
		w.nemesis.turn(e.ref)
	case evRelief:
		w.nemesis.relieve(e.ref)
	default:
		panic(fmt.Sprintf("sim: event of kind %d for no machine", e.kind))
	}
	return true
}

// RunUntil lets everything happen that is due by t, and moves the clock there.
func (w *World) RunUntil(t runtime.Instant) {
	for w.queue.len() > 0 && w.queue.heap[0].at <= t {
		w.Step()
	}
	w.now = max(w.now, t)
}

// stepMachine sorts out the events of a machine that do not reach its process.
func (w *World) stepMachine(e *event) {
	m := w.machines[e.machine]
	if e.boot != 0 && (e.boot != m.boots || m.state != machineUp) {
		return // it belonged to a process that has ended
	}
	switch e.kind {
	case evOp:
		if m.trouble.stalled > w.now {
			again := *e
			again.at = m.trouble.stalled
			w.queue.push(again)
			return
		}
	case evBoot:
		m.boot()
		return
	case evResume:
		if m.resume <= w.now {
			m.unpause()
		}
		return
	case evReply:
		w.calls.finish(runtime.CallID(e.ref))
		return
	case evCrash:
		w.nemesis.kill(m, e.ref == 1)
		return
	case evDeliver:
		if m.resume <= w.now && !w.net.arrives(m, e.ref) {
			return
		}
	case evCall:
		if m.state != machineUp {
			w.calls.refuse(runtime.CallID(e.ref))
			return
		}
	}
	m.dispatch(e)
}

// Durable implements oracle.Image: it fills b with the bytes that every legal loss of
// power now would leave at off of the node's file, and returns false if some
// byte could differ or be missing.
func (w *World) Durable(node runtime.NodeID, file string, off int64, b []byte) bool {
	m := w.machine(node)
	if m == nil || off < 0 {
		return false
	}
	f := m.disk.names.durableInode(file)
	return f != nil && !f.dir && f.durable(b, off)
}

// Up reports whether the node's process runs.
func (w *World) Up(id runtime.NodeID) bool {
	m := w.machine(id)
	return m != nil && m.state == machineUp
}
