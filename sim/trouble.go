package sim

import (
	"slices"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// A disk that somebody else fills stays full, and one that is slow in bursts
// stays slow, for a time between these.
const (
	fullMin = 200 * time.Millisecond
	fullMax = 4 * time.Second
	slowMin = 100 * time.Millisecond
	slowMax = 3 * time.Second
)

// trouble is what slows a disk down, or takes its room. It passes, and takes
// nothing away.
type trouble struct {
	limit   int64           // bytes that files may take; zero: no bound
	slow    uint32          // file calls take that many times longer; zero: as long as ever
	stalled runtime.Instant // until then no file call takes effect
	dead    runtime.Instant // until then file calls fail
	fails   deadPart        // which
}

// deadPart says which calls of a dead disk fail.
type deadPart uint8

const (
	deadAll     deadPart = iota
	deadChanges          // as after a file system was remounted to be read only
	deadReads
	deadParts
)

// meets reports whether the call is one that fails.
func (p deadPart) meets(k opKind) bool {
	switch k {
	case opOpen, opList, opRead, opSize, opDropCache:
		return p != deadChanges
	case opLock, opUnlock, opClose:
		return p == deadAll
	}
	return p != deadReads
}

// disturb lets trouble of the act's sort befall a disk.
func (n *nemesis) disturb(act uint64) {
	spec := &n.w.spec
	how := n.how[act]
	m := n.w.machines[n.whom[act].Below(uint64(len(n.w.machines)))]
	switch act {
	case actFill:
		m.trouble.limit = max(m.disk.used()+int64(how.Below(uint64(spec.Space.Bytes))), 1)
		n.w.struck(faults.KindFull, m.id)
		n.relieveLater(act, m, how.Between(fullMin, fullMax))
	case actSlow:
		m.trouble.slow = spec.Slow.Factor
		n.w.struck(faults.KindSlow, m.id)
		if spec.Slow.Mean > 0 {
			n.relieveLater(act, m, how.Between(slowMin, slowMax))
		}
	case actStall:
		m.trouble.stalled = max(m.trouble.stalled, n.w.now.Add(how.Between(time.Millisecond, spec.Stall.Max)))
		n.w.struck(faults.KindStall, m.id)
	case actDead:
		m.trouble.dead = max(m.trouble.dead, n.w.now.Add(how.Between(time.Millisecond, spec.Dead.Max)))
		m.trouble.fails = deadPart(how.Below(uint64(deadParts)))
		n.w.struck(faults.KindDead, m.id)
	}
}

func (n *nemesis) relieveLater(act uint64, m *Machine, d time.Duration) {
	n.later(evRelief, act, d, act<<32|uint64(m.index))
}

// relieve ends the trouble that an act began.
func (n *nemesis) relieve(ref uint64) {
	if n.over {
		return // it has ended in the core, and stays elsewhere
	}
	m := n.w.machines[uint32(ref)]
	switch ref >> 32 {
	case actFill:
		m.trouble.limit = 0
	case actSlow:
		m.trouble.slow = 0
	}
}

// squeeze makes of a call that needs more room than there is what a full disk
// makes of it: a write or an Allocate gets as far as the room goes. It reports
// whether the call failed.
func (d *disk) squeeze(op *fileOp, limit int64) bool {
	room := max(limit-d.used(), 0)
	switch op.kind {
	case opWrite:
		short := op.off + int64(len(op.buf)) - op.file.inode.size - room
		if short <= 0 || len(op.buf) == 0 {
			return false
		}
		op.buf = op.buf[:max(int64(len(op.buf))-short, 0)]
		d.do(op)
	case opAllocate:
		f := op.file.inode
		if op.n == 0 || op.off+op.n-f.size <= room {
			return false
		}
		if op.zero {
			f.extend(f.size+room, true, d.pool)
		}
	case opCreate, opMkdirAll, opLock:
		if room > 0 || d.names.seen.lookup(op.name) != nil {
			return false
		}
	default:
		return false
	}
	op.err = runtime.ErrNoSpace
	return true
}

// used returns how many bytes files take, those included that only an open
// handle or a name not yet durably gone refers to.
func (d *disk) used() (n int64) {
	var counted []*inode
	count := func(f *inode) {
		if !slices.Contains(counted, f) {
			counted = append(counted, f)
			n += f.size
		}
	}
	for _, f := range d.names.seen.inodes {
		count(f)
	}
	for _, f := range d.names.durable.inodes {
		count(f)
	}
	for _, h := range d.open {
		count(h.inode)
	}
	return n
}
