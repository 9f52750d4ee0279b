package sim

import (
	"hash/crc32"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// Latency of a frame: mostly within the first range, one in 64 within the
// second. A range and a rare slow one find more than a bell curve does.
const (
	netLatencyMin  = 100 * time.Microsecond
	netLatencyMax  = 600 * time.Microsecond
	netSlowMax     = 15 * time.Millisecond
	inFlightMax    = 4096 // frames on one link at a time
	corruptBitsMax = 8    // flipped in one corrupt frame
)

// Reasons in NetLost.
const (
	lostDropped = iota
	lostCut
	lostNobody
	lostQueue
)

// castagnoli is the polynomial that processors know.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is one on its way.
type frame struct {
	from, to *Machine
	ch       runtime.Channel
	bytes    []byte
}

// link is one direction between two machines.
type link struct {
	cuts     int             // partitions that cut it now
	clogged  runtime.Instant // until then it holds what is sent
	inFlight int
	sent     [runtime.ChannelCount]uint64 // frames handed over for it, by channel

	latency, drop, dup, corrupt *faults.Site
}

// network carries frames, each on its own: later ones overtake earlier ones.
type network struct {
	w      *World
	links  []link // from * nodes + to
	frames slab[frame]
}

func newNetwork(w *World, nodes int) *network {
	n := &network{w: w, links: make([]link, nodes*nodes)}
	for from := range nodes {
		for to := range nodes {
			a, b := uint64(from+1), uint64(to+1)
			n.links[from*nodes+to] = link{
				latency: w.sites.Site("net.latency", a, b),
				drop:    w.sites.Site("net.drop", a, b),
				dup:     w.sites.Site("net.dup", a, b),
				corrupt: w.sites.Site("net.corrupt", a, b),
			}
		}
	}
	return n
}

func (n *network) link(from, to *Machine) *link {
	return &n.links[int(from.index)*len(n.w.machines)+int(to.index)]
}

// send takes a frame over. What may befall it is decided here, but for the
// partitions, which are looked at again when it arrives.
func (n *network) send(from *Machine, id runtime.NodeID, ch runtime.Channel, bytes []byte) {
	to := n.w.machine(id)
	if to == nil {
		n.lost(id, from, ch, bytes, lostNobody)
		return
	}
	l, spec := n.link(from, to), &n.w.spec
	if ch < runtime.ChannelCount {
		l.sent[ch]++
	}
	calm := from.calm && to.calm
	switch {
	case l.cuts > 0:
		n.lost(id, from, ch, bytes, lostCut)
		return
	case l.inFlight >= inFlightMax:
		n.lost(id, from, ch, bytes, lostQueue)
		return
	case !calm && l.drop.Chance(spec.Drop):
		n.w.fired.Add(faults.KindDrop)
		n.lost(id, from, ch, bytes, lostDropped)
		return
	}
	if !calm && l.dup.Chance(spec.Dup) {
		n.w.struck(faults.KindDup, to.id)
		n.launch(l, frame{from, to, ch, append([]byte(nil), bytes...)}, calm)
	}
	if !calm && l.corrupt.Chance(spec.Corrupt) && len(bytes) > 0 {
		n.w.struck(faults.KindCorrupt, to.id)
		for range 1 + l.corrupt.Below(corruptBitsMax) {
			bit := l.corrupt.Below(uint64(len(bytes)) * 8)
			bytes[bit/8] ^= 1 << (bit % 8)
		}
	}
	n.launch(l, frame{from, to, ch, bytes}, calm)
}

// launch puts a frame on the link for as long as it takes.
func (n *network) launch(l *link, f frame, calm bool) {
	v := l.latency.Draw()
	span := netLatencyMax - netLatencyMin
	if v&63 == 63 {
		span = netSlowMax - netLatencyMin
	}
	d := netLatencyMin + time.Duration((v>>32)*uint64(span)>>32)
	if extra := n.w.spec.Delay; extra > 0 && !calm {
		n.w.fired.Add(faults.KindDelay)
		d += l.latency.Between(0, extra)
	}
	l.inFlight++
	n.w.queue.push(event{at: max(n.w.now, l.clogged).Add(d), kind: evDeliver, machine: f.to.index,
		ref: n.frames.add(f), prio: uint32(f.to.order.Draw())})
}

// Sent returns how many frames a node has sent to another on a channel, whatever
// became of them.
func (w *World) Sent(from, to runtime.NodeID, ch runtime.Channel) uint64 {
	return w.net.link(w.machine(from), w.machine(to)).sent[ch]
}

// deliver hands an arriving frame to the process. The frame is whatever was
// sent, perhaps to a process before this one.
func (n *network) deliver(m *Machine, ref uint64) {
	f := n.frames.take(ref)
	m.w.emit(m.id, runtime.Event{Kind: NetDelivered, A: uint64(f.from.id), B: uint64(f.ch),
		C: uint64(len(f.bytes)), D: uint64(crc32.Checksum(f.bytes, castagnoli))})
	m.proc.Receive(f.from.id, f.ch, f.bytes)
}

// arrives reports whether the frame's link and receiver still exist when its
// time has come, and forgets it if not.
func (n *network) arrives(m *Machine, ref uint64) bool {
	f := &n.frames.slots[ref]
	l := n.link(f.from, f.to)
	l.inFlight--
	reason := lostNobody
	switch {
	case l.cuts > 0:
		reason = lostCut
	case m.state == machineUp:
		return true
	}
	lost := n.frames.take(ref)
	n.lost(m.id, lost.from, lost.ch, lost.bytes, reason)
	return false
}

func (n *network) lost(to runtime.NodeID, from *Machine, ch runtime.Channel, bytes []byte, reason int) {
	n.w.emit(to, runtime.Event{Kind: NetLost, A: uint64(from.id), B: uint64(ch), C: uint64(len(bytes)), D: uint64(reason)})
}

// cut adds a partition (or takes one away, by -1) to the link.
func (n *network) cut(from, to *Machine, by int) {
	if from == to {
		return
	}
	l := n.link(from, to)
	l.cuts = max(l.cuts+by, 0)
	n.w.emit(0, runtime.Event{Kind: NetCut, A: uint64(from.id), B: uint64(to.id), C: uint64(l.cuts)})
}
