package scenarios

import (
	"slices"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

// How long a client waits before it tries again what was refused.
const (
	retryMin = 5 * time.Millisecond
	retryMax = 50 * time.Millisecond
)

// opsEndless is more operations than any run can do.
const opsEndless = 1 << 62

// client is one client of the workload. It has one operation under way at a time.
type client struct {
	id       uint64
	seq      uint64          // of the operation under way, from 1
	req      []byte          // its request
	began    runtime.Instant // when it began
	busy     bool
	waiting  bool   // for its timer
	key      []byte // that its last get found, and the value: what a compare-and-swap expects
	found    []byte
	value    []byte         // memory for newValue
	ask      runtime.NodeID // whom to ask next
	choose   *faults.Site
	retrying *faults.Site
}

// workload is the driver of a run: clients that ask the service. Timer
// tokens are indices of clients.
type workload struct {
	w       *sim.World
	service service
	setup   Setup
	clients []client
	total   int // operations to do
	begun   int
	ended   int
	ops     Ops
	nodes   []runtime.NodeID // that clients ask by themselves
	all     int              // how many nodes there are to be referred to
}

func newWorkload(s Setup, sv service) *workload {
	l := &workload{service: sv, setup: s, total: s.Ops, all: s.Nodes}
	for i := range s.Nodes {
		l.nodes = append(l.nodes, runtime.NodeID(i+1))
	}
	return l
}

// start lets the clients begin in the world.
func (l *workload) start(w *sim.World) {
	l.w = w
	for i := range l.setup.Clients {
		c := client{id: uint64(i + 1)}
		c.choose = w.Sites().Site("client.choose", c.id, 0)
		c.retrying = w.Sites().Site("client.retry", c.id, 0)
		c.ask = l.nodes[c.choose.Below(uint64(len(l.nodes)))]
		l.clients = append(l.clients, c)
		l.after(&l.clients[i], 0)
	}
}

// after lets the client go on in a while.
func (l *workload) after(c *client, d runtime.Instant) {
	c.waiting = true
	l.w.After(d, c.id-1)
}

// done reports whether all operations have ended.
func (l *workload) done() bool { return l.ended == l.total }

// overtime lets the clients go on as before, until somebody calls wind.
func (l *workload) overtime() {
	l.ops = Ops{}
	l.total = opsEndless
	for i := range l.clients {
		if c := &l.clients[i]; !c.busy && !c.waiting {
			l.after(c, 0)
		}
	}
}

// probe lets them go on in a healed world without a pause, asking the core first.
func (l *workload) probe(core []runtime.NodeID) {
	l.setup.Pace = 0
	l.nodes = core
	l.overtime()
}

// wind lets the operations under way be the last.
func (l *workload) wind() { l.total = l.begun }

// Timer implements sim.Driver: a client begins its next operation, or tries
// the one under way again.
func (l *workload) Timer(token uint64) {
	c := &l.clients[token]
	c.waiting = false
	if !c.busy && !l.begin(c) {
		return
	}
	l.call(c)
}

// begin prepares the client's next operation. If its time has not come yet, a
// timer is set.
func (l *workload) begin(c *client) bool {
	if l.begun >= l.total {
		return false
	}
	if due := runtime.Instant(int64(l.setup.Pace) / int64(l.setup.Ops) * int64(l.begun)); due > l.w.Now() {
		l.after(c, due-l.w.Now())
		return false
	}
	l.begun++
	c.seq++
	c.busy = true
	c.began = l.w.Now()
	c.req = l.service.command(c, l.nodes)
	return true
}

// call sends the operation under way to the node the client believes in.
func (l *workload) call(c *client) {
	left := OpDeadline - l.w.Now().Sub(c.began)
	if left <= 0 {
		l.end(c, runtime.Refused)
		return
	}
	// The request is never changed again, so that a second attempt may share it.
	l.w.Call(c.id, c.seq, c.ask, left, c.req)
}

// Reply implements sim.Driver.
func (l *workload) Reply(r *sim.CallResult) {
	c := &l.clients[r.Client-1]
	if r.Outcome != runtime.Refused {
		if r.Outcome == runtime.Done {
			l.service.learn(c, r.Resp)
		}
		l.end(c, r.Outcome)
		return
	}
	c.ask = l.next(c, r.Resp)
	l.after(c, runtime.Instant(c.retrying.Between(retryMin, retryMax)))
}

// next returns whom to ask after a refusal: the leader it names, if it is not
// the one that refused, else the next node.
func (l *workload) next(c *client, resp []byte) runtime.NodeID {
	if leader := l.service.hint(resp); leader != c.ask && leader >= 1 && int(leader) <= l.all {
		return leader
	}
	return l.nodes[(slices.Index(l.nodes, c.ask)+1)%len(l.nodes)]
}

// end counts an operation and lets the client go on.
func (l *workload) end(c *client, o runtime.Outcome) {
	switch o {
	case runtime.Done:
		l.ops.Done++
	case runtime.Refused:
		l.ops.Refused++
	case runtime.Unknown:
		l.ops.Unknown++
		if !slices.Contains(l.nodes, c.ask) {
			c.ask = l.nodes[0] // what is outside the core may stay silent for as long as the core has time
		}
	}
	l.ended++
	c.busy = false
	if l.begin(c) {
		l.call(c)
	}
}
