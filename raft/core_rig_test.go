package raft

import (
	"errors"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// rig drives a cluster of cores by hand: it is network, disks and clock, does
// nothing unless told, and checks every event against the history.
type rig struct {
	now   runtime.Instant
	base  CoreConfig
	nodes []*rigNode // node i has id i+1
	net   []Message
	// blocked links lose what is sent over them.
	blocked map[[2]runtime.NodeID]bool
	ghost   *ghost
	// jitter is the draw given to cores: fixed in transcripts, random elsewhere.
	jitter func(id runtime.NodeID) uint64
	// say prints a line of the transcript, if there is one.
	say func(format string, args ...any)
	// count counts what happens, by name.
	count func(what string)
}

// rigNode is one member: a core, while it is up, and a disk.
type rigNode struct {
	id        runtime.NodeID
	core      *Core
	disk      rigDisk
	unsynced  []Write // begun, in order
	onDisk    WriteID // written, reported or not
	synced    WriteID // reported to the core
	held      []Gated
	loads     []Load
	applying  [][]Entry
	transfers []rigTransfer
	machine   rigMachine
}

// rigTransfer is a snapshot on its way to a peer.
type rigTransfer struct {
	to    runtime.NodeID
	meta  SnapshotMeta
	until runtime.Instant // when the sender gives up
}

func newRig(voters int, base CoreConfig) *rig {
	r := &rig{
		base:    base,
		blocked: map[[2]runtime.NodeID]bool{},
		jitter:  func(id runtime.NodeID) uint64 { return uint64(id) },
		say:     func(string, ...any) {},
		count:   func(string) {},
	}
	for i := range voters {
		id := runtime.NodeID(i + 1)
		r.base.Voters = append(r.base.Voters, id)
		r.nodes = append(r.nodes, &rigNode{id: id, disk: rigDisk{first: 1, state: HardState{Incarnation: uint64(id)}}})
	}
	r.ghost = newGhost(r)
	return r
}

func (r *rig) node(id runtime.NodeID) *rigNode { return r.nodes[id-1] }

// start boots a node from its disk.
func (r *rig) start(n *rigNode) {
	cfg := r.base
	cfg.ID = n.id
	d := &n.disk
	n.machine = rigMachine{index: d.snapshot.Index, term: d.snapshot.Term, chain: d.snapshot.Chain}
	n.core = NewCore(cfg, InitialState{
		State: d.state, Snapshot: d.snapshot, FirstIndex: d.first, LastIndex: d.last(),
		Term: func(i Index) Term { return d.entries[i-d.first].Term },
	}, r.now, r.jitter(n.id))
	r.ghost.booted(n)
	r.drain(n)
}

// crash ends a node. Of its unsynced writes the first keep survive.
func (r *rig) crash(n *rigNode, keep int) {
	for i := range n.unsynced[:keep] {
		if w := &n.unsynced[i]; w.ID > n.onDisk {
			r.must(n.disk.write(w))
		}
	}
	*n = rigNode{id: n.id, disk: n.disk}
	r.ghost.written(n)
	r.ghost.crashed(n)
}

func (r *rig) must(err error) {
	if err != nil {
		panic(err)
	}
}

// step hands a message to a node that is up.
func (r *rig) step(m Message) {
	if n := r.node(m.To); n.core != nil {
		n.core.Step(r.now, &m)
		r.drain(n)
	}
}

// tick lets a node look at the clock.
func (r *rig) tick(n *rigNode) {
	n.core.Tick(r.now, r.jitter(n.id))
	r.drain(n)
}

func (r *rig) propose(n *rigNode, data []byte) (Index, error) {
	index, _, err := n.core.Propose(r.now, EntryCommand, data)
	r.drain(n)
	return index, err
}

// drain carries out what the core asks for, as far as it takes no time.
func (r *rig) drain(n *rigNode) {
	out := n.core.Take(r.now)
	for i := range out.Events {
		switch out.Events[i].Kind {
		case Truncated:
			r.count("truncations")
		case Spared:
			r.count("spared")
		case Hedged:
			r.count("hedges")
		}
		r.ghost.observe(n, &out.Events[i])
	}
	if out.Persist != nil {
		w := *out.Persist
		w.Entries = slices.Clone(w.Entries)
		n.unsynced = append(n.unsynced, w)
		r.say("%v writes %s", n.id, formatWrite(&w))
	}
	for i := range out.Send {
		r.send(out.Send[i])
	}
	n.held = append(n.held, out.Gated...)
	r.release(n)
	for i := range n.held {
		if i >= len(n.held)-len(out.Gated) {
			r.say("%v holds for #%d: %s", n.id, n.held[i].Write, formatMessage(&n.held[i].Message))
		}
	}
	for _, l := range out.Loads {
		r.say("%v loads [%d,%d)", n.id, l.Lo, l.Hi)
	}
	n.loads = append(n.loads, out.Loads...)
	if len(out.Apply) > 0 {
		n.applying = append(n.applying, slices.Clone(out.Apply))
		r.say("%v applies %s", n.id, formatEntries(out.Apply))
	}
	for _, to := range out.SendSnapshot {
		n.transfers = append(n.transfers, rigTransfer{to, n.core.snapshot, r.now.Add(time.Second)})
		r.send(Message{
			Type: MsgSnapshot, From: n.id, To: to, Term: n.core.Status().Term, Snapshot: n.core.snapshot,
		})
	}
	for i := range out.Offers {
		r.install(n, &out.Offers[i])
	}
}

// install takes a snapshot that was offered.
func (r *rig) install(n *rigNode, m *Message) {
	// The log may be behind the snapshot, so it is there from here on.
	accepted := n.core.Install(m.Snapshot)
	r.say("%v installs snapshot %d/%d: %v", n.id, m.Snapshot.Index, m.Snapshot.Term, accepted)
	r.drain(n)
	if accepted {
		r.count("installs")
		n.machine = rigMachine{index: m.Snapshot.Index, term: m.Snapshot.Term, chain: m.Snapshot.Chain}
		n.applying = nil
		n.core.Applied(m.Snapshot.Index)
		r.drain(n)
	}
	r.send(Message{
		Type: MsgSnapshotReply, From: n.id, To: m.From, Term: n.core.Status().Term,
		Snapshot: m.Snapshot, Reject: !accepted, Commit: n.core.Status().Commit,
	})
}

// send puts a message on the network.
func (r *rig) send(m Message) {
	m.Entries = slices.Clone(m.Entries)
	lost := r.blocked[[2]runtime.NodeID{m.From, m.To}]
	if lost {
		r.say("%v sends, in vain: %s", m.From, formatMessage(&m))
		return
	}
	r.say("%v sends %s", m.From, formatMessage(&m))
	r.net = append(r.net, m)
}

// release sends the gated messages that wait for nothing any more.
func (r *rig) release(n *rigNode) {
	kept := n.held[:0]
	for _, g := range n.held {
		switch {
		case g.Write > n.synced:
			kept = append(kept, g)
		case n.core.Void(&g.Message):
			r.say("%v drops %s", n.id, formatMessage(&g.Message))
		default:
			r.ghost.leaves(n, &g.Message)
			r.send(g.Message)
		}
	}
	n.held = kept
}

// deliver takes a message off the network.
func (r *rig) deliver(i int) {
	m := r.net[i]
	r.net = slices.Delete(r.net, i, i+1)
	if m.Type == MsgSnapshotReply {
		r.step(m)
		if n := r.node(m.To); n.core != nil {
			r.endTransfer(n, m.From, m.Snapshot, !m.Reject || m.Commit >= m.Snapshot.Index)
		}
		return
	}
	r.step(m)
}

func (r *rig) endTransfer(n *rigNode, to runtime.NodeID, meta SnapshotMeta, ok bool) {
	n.transfers = slices.DeleteFunc(n.transfers, func(t rigTransfer) bool { return t.to == to })
	n.core.SnapshotSent(to, meta, ok)
	r.drain(n)
}

// giveUp ends the transfers that take too long.
func (r *rig) giveUp(n *rigNode) {
	for _, t := range slices.Clone(n.transfers) {
		if t.until <= r.now {
			r.endTransfer(n, t.to, t.meta, false)
		}
	}
}

// persist makes the first count unsynced writes durable, and reports them.
func (r *rig) persist(n *rigNode, count int) {
	if count == 0 {
		return
	}
	done := slices.Clone(n.unsynced[:count])
	n.unsynced = slices.Delete(n.unsynced, 0, count)
	for i := range done {
		if w := &done[i]; w.ID > n.onDisk {
			r.must(n.disk.write(w))
			n.onDisk = w.ID
		}
	}
	r.ghost.written(n)
	for i := range done {
		n.core.Persisted(done[i].ID)
		n.synced = done[i].ID
	}
	r.say("%v has #%d durable", n.id, n.synced)
	r.release(n)
	r.drain(n)
}

// finishApply completes the oldest round of applying.
func (r *rig) finishApply(n *rigNode) {
	round := n.applying[0]
	n.applying = n.applying[1:]
	for i := range round {
		n.machine.apply(&round[i])
		r.ghost.applied(n, &round[i])
	}
	n.core.Applied(n.machine.index)
	r.drain(n)
}

// finishLoad answers the oldest load from the disk.
func (r *rig) finishLoad(n *rigNode, readable bool) {
	l := n.loads[0]
	n.loads = n.loads[1:]
	d := &n.disk
	if !readable || l.Lo < d.first || l.Hi > d.last()+1 {
		r.say("%v cannot read [%d,%d)", n.id, l.Lo, l.Hi)
		n.core.Unreadable(l.ID)
	} else {
		entries := slices.Clone(d.entries[l.Lo-d.first : l.Hi-d.first])
		entries = entries[:cut(entries, l.MaxBytes)]
		r.count("reads")
		r.say("%v has read %s", n.id, formatEntries(entries))
		n.core.Loaded(l.ID, entries)
	}
	r.drain(n)
}

// snapshot takes a snapshot of what a node has applied.
func (r *rig) snapshot(n *rigNode, keep uint64) {
	m := n.machine
	n.core.SnapshotSaved(SnapshotMeta{Index: m.index, Term: m.term, Chain: m.chain}, keep)
	r.drain(n)
}

// busy does one thing that is waiting to be done, in a fair order, and reports
// whether there was any.
func (r *rig) busy() bool {
	for _, n := range r.nodes {
		switch {
		case n.core == nil:
		case len(n.unsynced) > 0:
			r.persist(n, len(n.unsynced))
			return true
		case len(n.applying) > 0:
			r.finishApply(n)
			return true
		case len(n.loads) > 0:
			r.finishLoad(n, true)
			return true
		}
	}
	if len(r.net) > 0 {
		r.deliver(0)
		return true
	}
	return false
}

var errRestless = errors.New("the cluster does not come to rest")

// settle does everything that takes no time.
func (r *rig) settle() error {
	for range 100_000 {
		if !r.busy() {
			return nil
		}
	}
	return errRestless
}

// pass lets time go by and does everything that is due meanwhile.
func (r *rig) pass(d time.Duration) error {
	end := r.now.Add(d)
	for {
		if err := r.settle(); err != nil {
			return err
		}
		due := runtime.Never
		for _, n := range r.nodes {
			if n.core != nil {
				due = min(due, n.core.Deadline())
			}
		}
		if due > end {
			r.now = max(r.now, end)
			return nil
		}
		r.now = max(r.now, due)
		for _, n := range r.nodes {
			if n.core != nil && n.core.Deadline() <= r.now {
				r.tick(n)
				r.giveUp(n)
			}
		}
	}
}

// leader returns the node that leads in the highest term, nil if none does.
func (r *rig) leader() *rigNode {
	var best *rigNode
	for _, n := range r.nodes {
		if n.core != nil && n.core.role == Leader && (best == nil || n.core.term > best.core.term) {
			best = n
		}
	}
	return best
}
