package sim

import (
	"slices"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// A partition that flaps changes this often at most, and stays as it is for a
// time between these, so that now and then an election fits in.
const (
	flapTurns = 12
	flapMin   = 20 * time.Millisecond
	flapMax   = 800 * time.Millisecond
)

// A partition of another shape lasts between these.
const (
	partitionMin = 200 * time.Millisecond
	partitionMax = 6 * time.Second
)

// partition is a set of directed links that are down, or flap.
type partition struct {
	cuts  [][2]*Machine
	down  bool
	turns int // changes to come
}

// split begins a partition of the spec's shape.
func (n *nemesis) split() {
	cuts, side := n.cuts(n.w.spec.Partition.Shape)
	verdict := n.w.ledger.Grant(faults.Act{Kind: faults.KindPartition, Nodes: side})
	if verdict.Decision == faults.Refused {
		return
	}
	n.w.fired.Add(faults.KindPartition)
	p := partition{cuts: cuts, turns: 1}
	if n.w.spec.Partition.Shape == faults.ShapeFlap {
		p.turns = 1 + 2*int(n.how[actPartition].Below(flapTurns/2)) // odd: the last change mends it
	}
	n.change(&p)
	n.later(evLink, actPartition, n.lasts(), n.partitions.add(p))
}

// turn changes a partition that flaps, or ends one.
func (n *nemesis) turn(ref uint64) {
	p := n.partitions.take(ref)
	if n.over {
		return // what is cut stays cut
	}
	n.change(&p)
	if p.turns--; p.turns > 0 {
		n.later(evLink, actPartition, n.lasts(), n.partitions.add(p))
	}
}

// lasts draws how long the links stay as they are.
func (n *nemesis) lasts() time.Duration {
	if n.w.spec.Partition.Shape == faults.ShapeFlap {
		return n.how[actPartition].Between(flapMin, flapMax)
	}
	return n.how[actPartition].Between(partitionMin, partitionMax)
}

// change takes the links down, or mends them.
func (n *nemesis) change(p *partition) {
	by := 1
	if p.down {
		by = -1
	}
	p.down = !p.down
	for _, c := range p.cuts {
		n.w.net.cut(c[0], c[1], by)
	}
}

// clog lets the links that a node sends on, or hears by, or one of them, hold
// their frames for a while. What was sent before the clog still comes in time.
func (n *nemesis) clog() {
	how := n.how[actClog]
	until := n.w.now.Add(how.Between(time.Millisecond, n.w.spec.Clog.Max))
	m := n.w.machines[n.whom[actClog].Below(uint64(len(n.w.machines)))]
	out := how.Below(2) == 0
	only := how.Below(2 * uint64(len(n.w.machines))) // beyond the machines: all of them
	for i, peer := range n.w.machines {
		if peer == m || only < uint64(len(n.w.machines)) && only != uint64(i) {
			continue
		}
		from, to := m, peer
		if !out {
			from, to = peer, m
		}
		l := n.w.net.link(from, to)
		l.clogged = max(l.clogged, until)
	}
	n.w.struck(faults.KindClog, m.id)
}

// cuts draws the links of a partition, and the nodes of one side.
func (n *nemesis) cuts(shape faults.Shape) (cuts [][2]*Machine, side []runtime.NodeID) {
	var ids []runtime.NodeID
	for _, m := range n.w.machines {
		ids = append(ids, m.id)
	}
	n.shuffle(actPartition, ids)
	size, out, in := 1, true, true
	switch shape {
	case faults.ShapeHalves:
		size = len(ids) / 2
	case faults.ShapeLeader:
		i := slices.Index(ids, n.leaderOr(actPartition, ids[:1]))
		ids[0], ids[i] = ids[i], ids[0]
	case faults.ShapeOneWay:
		out = n.how[actPartition].Below(2) == 0
		in = !out
	}
	for _, a := range ids[:size] {
		for _, b := range ids[size:] {
			if out {
				cuts = append(cuts, [2]*Machine{n.w.machine(a), n.w.machine(b)})
			}
			if in {
				cuts = append(cuts, [2]*Machine{n.w.machine(b), n.w.machine(a)})
			}
		}
	}
	return cuts, ids[:size]
}
