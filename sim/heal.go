package sim

import (
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// Heal ends the chaos for a core of nodes: no fault strikes them or the links
// between them any more, what links and disks hold up goes on, and those that are down boot. All else stays as
// broken as it is for good: who is down stays down, what is cut stays cut, and
// the faults of disks and links go on there. Besides, each node outside
// hears none of the core from now on, or is heard by none of it, or both: one
// that reaches a part of the core could lead, and starve the other part for
// ever, and no protocol without relays could help it. Ledger.Core draws such a core.
func (w *World) Heal(core []runtime.NodeID) {
	w.nemesis.over = true
	w.ledger.Heal()
	for _, m := range w.machines {
		m.strike.countdown = 0
		if !slices.Contains(core, m.id) {
			m.frozen = true
			for _, peer := range core {
				w.net.link(m, w.machine(peer)).clogged = 0
			}
			w.isolate(m, core)
			continue
		}
		m.calm = true
		m.unpause()
		m.trouble = trouble{}
		for _, peer := range core {
			l := w.net.link(m, w.machine(peer))
			l.cuts, l.clogged = 0, 0
		}
		if m.state == machineDown {
			m.bootAfter(m.downtime.Between(0, bootSpread))
		}
	}
	w.hasten()
	w.emit(0, runtime.Event{Kind: runtime.WorldHeal, A: uint64(len(core)), B: uint64(len(w.machines) - len(core))})
}

// hasten lets what a fault holds up of the core come as if it had begun now: frames to its nodes, and
// file calls on their disks.
func (w *World) hasten() {
	late := w.now.Add(netSlowMax)
	w.queue.retime(func(e *event) {
		switch {
		case e.at <= late:
		case e.kind == evDeliver:
			f := &w.net.frames.slots[e.ref]
			if f.to.calm {
				e.at = w.now.Add(w.net.link(f.from, f.to).latency.Between(netLatencyMin, netSlowMax))
			}
		case e.kind == evOp && w.machines[e.machine].calm:
			e.at = w.now.Add(w.machines[e.machine].latency.Between(0, bootSpread))
		}
	})
}

// isolate cuts a node outside of the core off from it, in one direction or both.
func (w *World) isolate(m *Machine, core []runtime.NodeID) {
	how := w.sites.Site("heal.isolate", uint64(m.id), 0).Below(3)
	for _, id := range core {
		if how != 0 {
			w.net.cut(m, w.machine(id), 1)
		}
		if how != 1 {
			w.net.cut(w.machine(id), m, 1)
		}
	}
}

// Kill ends the node's process now, with its machine's power if power is set.
func (w *World) Kill(id runtime.NodeID, power bool) { w.nemesis.kill(w.machine(id), power) }

// Pause lets the node's process stand still for d. Its machine, and so
// its file operations under way, go on.
func (w *World) Pause(id runtime.NodeID, d time.Duration) {
	if m := w.machine(id); m.state == machineUp {
		m.pause(d)
	}
}

// Stop asks the node to drain. It does not boot again.
func (w *World) Stop(id runtime.NodeID) {
	if m := w.machine(id); m.state == machineUp {
		m.dispatch(&event{kind: evStop})
	}
}

// Cut makes the link from one node to another fail, or, by -1, undoes that.
func (w *World) Cut(from, to runtime.NodeID, by int) { w.net.cut(w.machine(from), w.machine(to), by) }
