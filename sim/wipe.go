package sim

import (
	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// wipe lets a machine lose its disk whole. Within the budget its node stays down:
// nobody can tell it what it had promised. Over the budget it boots on an
// empty disk.
func (n *nemesis) wipe(act uint64) {
	m := n.w.machines[n.whom[act].Below(uint64(len(n.w.machines)))]
	if m.frozen {
		return
	}
	verdict := n.w.ledger.Grant(faults.Act{Kind: faults.KindWipe, Nodes: []runtime.NodeID{m.id}})
	if verdict.Decision == faults.Refused {
		return
	}
	n.w.struck(faults.KindWipe, m.id)
	m.kill(true)
	m.frozen = verdict.Decision == faults.Downgraded
	m.disk.replace(namespace{})
}

// restore copies a disk as it would be after a loss of power, or, if there is
// a copy, sets the disk back to it.
func (n *nemesis) restore(act uint64) {
	m := n.w.machines[n.whom[act].Below(uint64(len(n.w.machines)))]
	if m.image == nil {
		image := m.disk.names.copyDurable(m.disk.pool)
		m.image = &image
		return
	}
	if n.w.ledger.Grant(faults.Act{Kind: faults.KindRestore, Nodes: []runtime.NodeID{m.id}}).Decision == faults.Refused {
		return
	}
	n.w.struck(faults.KindRestore, m.id)
	m.kill(true)
	m.disk.replace(*m.image)
	m.image = nil
}

// swap gives two machines each other's disks, as somebody does who has taken them out.
func (n *nemesis) swap(act uint64) {
	i := n.whom[act].Below(uint64(len(n.w.machines)))
	j := n.whom[act].Below(uint64(len(n.w.machines)))
	a, b := n.w.machines[i], n.w.machines[j]
	if i == j {
		return
	}
	for _, m := range []*Machine{a, b} {
		if n.w.ledger.Grant(faults.Act{Kind: faults.KindSwap, Nodes: []runtime.NodeID{m.id}}).Decision == faults.Refused {
			return
		}
	}
	n.w.struck(faults.KindSwap, a.id)
	a.kill(true)
	b.kill(true)
	a.disk.names, b.disk.names = b.disk.names, a.disk.names
}

// replace puts another disk in. No process may run.
func (d *disk) replace(s namespace) {
	old := d.names
	d.names = s
	for _, f := range old.seen.inodes {
		d.collect(f)
	}
}

// copyDurable returns the names and bytes that the device holds for certain.
func (s *namespace) copyDurable(p *pool) (c namespace) {
	for i, name := range s.durable.sorted {
		f := s.durable.inodes[i]
		c.seen.sorted = append(c.seen.sorted, name)
		c.seen.inodes = append(c.seen.inodes, f.copyDurable(p))
	}
	c.durable.sorted = append(c.durable.sorted, c.seen.sorted...)
	c.durable.inodes = append(c.durable.inodes, c.seen.inodes...)
	return c
}

func (f *inode) copyDurable(p *pool) *inode {
	g := &inode{dir: f.dir, size: f.durableSize, durableSize: f.durableSize, floor: f.durableSize}
	for i, c := range f.chunks {
		if c != nil {
			*g.chunkAt(int64(i), p) = *c
		}
	}
	for i := range f.unsynced {
		u := &f.unsynced[i]
		if b := g.sectorBytes(u.sector); b != nil {
			u.apply(fateLost, b, nil)
		}
	}
	g.cutChunks()
	return g
}
