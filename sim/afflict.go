package sim

import (
	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// What traceOp notes of an operation.
const (
	codeDone     = 0
	codeInjected = 1 // a fault struck
	codeRefused  = 2 // it failed as it must
)

// afflict performs the operation, or what a fault makes of it. It returns
// codeInjected if a fault struck.
func (m *Machine) afflict(op *fileOp) uint64 {
	spec, d := &m.w.spec, m.disk
	switch {
	case m.calm:
	case m.trouble.dead > m.w.now && m.trouble.fails.meets(op.kind):
		m.meetDead(op)
		return codeInjected
	case op.kind.syncs() && d.sync.Chance(spec.Sync):
		m.failSync(op)
		return codeInjected
	case op.kind.faulty() && d.io.Chance(spec.IO):
		kind := faults.KindIO
		if op.kind == opWrite && len(op.buf) > 0 && d.short.Below(2) == 1 {
			kind = faults.KindShortWrite
			op.buf = op.buf[:d.short.Below(uint64(len(op.buf)))]
			d.do(op)
		}
		if op.kind == opRead && len(op.buf) > 0 && d.part.Below(2) == 1 {
			kind = faults.KindShortRead
			op.buf = op.buf[:d.part.Below(uint64(len(op.buf)))]
			d.do(op)
		}
		m.w.struck(kind, m.id)
		op.err = runtime.ErrIO
		return codeInjected
	case op.kind.holds() && d.close.Chance(spec.Close):
		if op.kind != opLock {
			d.do(op)
		}
		m.w.struck(faults.KindClose, m.id)
		op.err = runtime.ErrIO
		return codeInjected
	case m.trouble.limit > 0 && d.squeeze(op, m.trouble.limit):
		m.w.struck(faults.KindNoSpace, m.id)
		return codeInjected
	}
	if (op.kind == opRead || op.kind == opWrite) && len(op.file.inode.bad) > 0 && d.meetBad(op) {
		m.w.fired.Add(faults.KindUnreadable) // every attempt meets it: the file call's own event tells
		return codeInjected
	}
	d.do(op)
	if op.kind == opRead && m.w.misreads && !m.calm && m.misread(op) {
		return codeInjected
	}
	if op.kind.syncs() && op.err == nil {
		return m.afterSync(op)
	}
	return codeDone
}

// meetDead is a call of a disk that refuses it: what was to be released is
// released, what was to be synced is as after any failed sync, and nothing else happens.
func (m *Machine) meetDead(op *fileOp) {
	m.w.fired.Add(faults.KindDeadCall) // there are many: the file call's own event tells
	switch {
	case op.kind.syncs():
		m.failSync(op)
	case op.kind == opClose || op.kind == opUnlock:
		m.disk.do(op)
	}
	op.err = runtime.ErrIO
}

// failSync makes a sync fail. Which bytes and names reached the device is
// drawn, and nothing will write the others.
func (m *Machine) failSync(op *fileOp) {
	d := m.disk
	m.w.struck(faults.KindSync, m.id)
	op.err = runtime.ErrIO
	if op.kind == opSyncDir {
		d.failSyncDir(op.name)
		return
	}
	state := m.w.spec.After
	if state == faults.AfterAny {
		state = faults.AfterNewOnce + faults.AfterSync(d.after.Below(uint64(faults.AfterAny-faults.AfterNewOnce)))
	}
	showNew, everybody := state == faults.AfterNewOnce || state == faults.AfterNewAll, false
	if state == faults.NoAfterSync {
		showNew = d.showsNew()
	} else {
		everybody = state == faults.AfterNewAll || state == faults.AfterOldAll
		m.w.struck(faults.KindNewOnce+faults.Kind(state-faults.AfterNewOnce), m.id)
	}
	d.failSync(op.file.inode, showNew)
	if !everybody {
		return
	}
	for _, h := range d.open {
		h.untold = h.untold || h.inode == op.file.inode && h != op.file
	}
}

// showsNew says what reads show of bytes whose sync failed, where no dial says.
func (d *disk) showsNew() bool {
	switch d.rules.keeps {
	case keepNew:
		return true
	case keepOld:
		return false
	}
	return d.sync.Below(2) == 0
}

// afterSync is the end of a sync that did its work. The handle may have to hear
// that an earlier one, made through another handle, has failed: the kernel tells every
// handle that was open then, once each (errseq_t, since Linux 4.13).
func (m *Machine) afterSync(op *fileOp) uint64 {
	if m.disk.rules.lies {
		m.w.fired.Add(faults.KindLie)
	}
	if op.file == nil || !op.file.untold || m.calm {
		return codeDone
	}
	op.file.untold = false
	m.w.struck(faults.KindToldLate, m.id)
	op.err = runtime.ErrIO
	return codeInjected
}
