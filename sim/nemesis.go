package sim

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// bootSpread is within which the machines of a new world boot.
const bootSpread = 20 * time.Millisecond

// What the nemesis does next, in evNemesis.
const (
	actCrash = iota
	actPartition
	actFill
	actSlow
	actStall
	actRot
	actLatent
	actPhantom
	actMisdirect
	actWipe
	actRestore
	actPause
	actClog
	actDead
	actSwap
	actCount
)

// strikeSpread is within how many file operations a crash that waits for one strikes.
const strikeSpread = 4

// nemesis breaks things, as the spec says and the ledger allows.
type nemesis struct {
	w          *World
	partitions slab[partition]
	over       bool // the world is healed: no more acts

	// One site for each sort of act, so that one dial does not shift the other.
	when, whom, how [actCount]*faults.Site
}

func newNemesis(w *World) nemesis {
	n := nemesis{w: w}
	for act := range uint64(actCount) {
		n.when[act] = w.sites.Site("nemesis.when", act, 0)
		n.whom[act] = w.sites.Site("nemesis.whom", act, 0)
		n.how[act] = w.sites.Site("nemesis.how", act, 0)
		// The first act does not let itself be waited for beyond the mean: a
		// run in which nothing strikes shows nothing.
		if mean := n.mean(act); mean > 0 {
			n.later(evNemesis, act, min(mean, n.when[act].Exponential(mean)), act)
		}
	}
	if w.spec.Slow.Factor > 0 && w.spec.Slow.Mean == 0 {
		n.later(evNemesis, actSlow, 0, actSlow)
	}
	return n
}

// mean returns the average time between two acts of that sort, zero for none.
func (n *nemesis) mean(act uint64) time.Duration {
	spec := &n.w.spec
	switch act {
	case actPartition:
		return spec.Partition.Mean
	case actFill:
		return spec.Space.Mean
	case actSlow:
		return spec.Slow.Mean
	case actStall:
		return spec.Stall.Mean
	case actRot:
		return spec.Rot
	case actLatent:
		return spec.Latent
	case actPhantom:
		return spec.Phantom
	case actMisdirect:
		return spec.Misdirect
	case actWipe:
		return spec.Wipe
	case actRestore:
		return spec.Restore
	case actPause:
		return spec.Pause.Mean
	case actClog:
		return spec.Clog.Mean
	case actDead:
		return spec.Dead.Mean
	case actSwap:
		return spec.Swap
	}
	return spec.Crash.Mean
}

func (n *nemesis) later(kind eventKind, act uint64, d time.Duration, ref uint64) {
	n.w.queue.push(event{at: n.w.now.Add(d), kind: kind, machine: -1, ref: ref, prio: uint32(n.when[act].Draw())})
}

func (n *nemesis) act(act uint64) {
	if n.over {
		return
	}
	switch act {
	case actCrash:
		n.crash()
	case actPartition:
		n.split()
	case actWipe:
		n.wipe(act)
	case actRestore:
		n.restore(act)
	case actPause:
		n.pause()
	case actClog:
		n.clog()
	case actSwap:
		n.swap(act)
	case actFill, actSlow, actStall, actDead:
		n.disturb(act)
	default:
		n.damage(act)
	}
	if n.mean(act) == 0 {
		return // once is for good
	}
	n.later(evNemesis, act, n.when[act].Exponential(n.mean(act)), act)
}

// crash strikes its targets: half of the time at once, else at one of the
// next file operations of the machine, where most of what can go wrong does.
// One that still waits for its operation strikes now.
func (n *nemesis) crash() {
	c := n.w.spec.Crash
	kind := faults.KindKill
	if c.Power {
		kind = faults.KindPowerLoss
	}
	verdict := n.w.ledger.Grant(faults.Act{Kind: kind, Target: c.Target, Nodes: n.targets(actCrash, c.Target)})
	for _, id := range verdict.Nodes {
		m := n.w.machine(id)
		if n.how[actCrash].Below(2) == 0 || m.strike.countdown > 0 {
			n.kill(m, c.Power)
			continue
		}
		m.strike.countdown = 1 + int(n.how[actCrash].Below(strikeSpread))
		m.strike.power = c.Power
	}
}

// targets draws whom an act against processes is meant for.
func (n *nemesis) targets(act int, t faults.Target) []runtime.NodeID {
	var up []runtime.NodeID
	for _, m := range n.w.machines {
		if m.state == machineUp {
			up = append(up, m.id)
		}
	}
	if len(up) == 0 || t == faults.TargetAll {
		return up
	}
	switch t {
	case faults.TargetLeader:
		return []runtime.NodeID{n.leaderOr(act, up)}
	case faults.TargetMajority:
		n.shuffle(act, up)
		return up[:min(n.w.ledger.Quorum(), len(up))]
	}
	return []runtime.NodeID{up[n.whom[act].Below(uint64(len(up)))]}
}

// leaderOr returns the node that leads, or any of those given if none does.
func (n *nemesis) leaderOr(act int, ids []runtime.NodeID) runtime.NodeID {
	if n.w.leader != nil {
		if id := n.w.leader(); n.w.Up(id) {
			return id
		}
	}
	return ids[n.whom[act].Below(uint64(len(ids)))]
}

// pause lets a process that runs stand still for a while.
func (n *nemesis) pause() {
	verdict := n.w.ledger.Grant(faults.Act{Kind: faults.KindPause, Nodes: n.targets(actPause, faults.TargetAny)})
	for _, id := range verdict.Nodes {
		n.w.fired.Add(faults.KindPause)
		n.w.machine(id).pause(n.how[actPause].Between(time.Millisecond, n.w.spec.Pause.Max))
	}
}

func (n *nemesis) shuffle(act int, ids []runtime.NodeID) {
	for i := len(ids) - 1; i > 0; i-- {
		j := n.whom[act].Below(uint64(i + 1))
		ids[i], ids[j] = ids[j], ids[i]
	}
}

func (n *nemesis) kill(m *Machine, power bool) {
	if n.over || m.state != machineUp {
		return
	}
	if power {
		n.w.fired.Add(faults.KindPowerLoss)
	} else {
		n.w.fired.Add(faults.KindKill)
	}
	m.kill(power)
}
