package sim

import (
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// opLatency is how long a file call takes, from min to max, in the main.
type opLatency struct{ min, max time.Duration }

// opLatencies are of the order of a good local disk. What only asks the
// kernel is quick; what moves bytes takes tens of microseconds; a sync waits
// for the device.
var opLatencies = [opCount]opLatency{
	opCreate: {20 * time.Microsecond, 60 * time.Microsecond}, opOpen: {5 * time.Microsecond, 20 * time.Microsecond},
	opRename: {20 * time.Microsecond, 60 * time.Microsecond}, opRemove: {20 * time.Microsecond, 60 * time.Microsecond},
	opList: {10 * time.Microsecond, 40 * time.Microsecond}, opMkdirAll: {20 * time.Microsecond, 60 * time.Microsecond},
	opSyncDir: {200 * time.Microsecond, 900 * time.Microsecond}, opLock: {time.Microsecond, 5 * time.Microsecond},
	opUnlock: {time.Microsecond, 5 * time.Microsecond}, opRead: {10 * time.Microsecond, 80 * time.Microsecond},
	opWrite: {10 * time.Microsecond, 60 * time.Microsecond}, opAllocate: {50 * time.Microsecond, 500 * time.Microsecond},
	opSize: {time.Microsecond, 3 * time.Microsecond}, opTruncate: {20 * time.Microsecond, 60 * time.Microsecond},
	opSyncData: {100 * time.Microsecond, 600 * time.Microsecond}, opSync: {120 * time.Microsecond, 800 * time.Microsecond},
	opDropCache: {2 * time.Microsecond, 10 * time.Microsecond}, opClose: {time.Microsecond, 5 * time.Microsecond},
}

// stallFactor is how much longer one call in 128 takes: the slow tail.
const stallFactor = 16

// draw returns a latency for one call.
func (l opLatency) draw(site *faults.Site) time.Duration {
	v := site.Draw()
	d := l.min + time.Duration((v>>32)*uint64(l.max-l.min)>>32)
	if v&127 == 127 {
		d *= stallFactor
	}
	return d
}

// issue begins a file operation of the process: it takes effect later, and a
// crash may strike before, at that moment, or after.
func (m *Machine) issue(op *fileOp, ref uint64) {
	m.spend()
	latency := opLatencies[op.kind].draw(m.latency)
	if m.trouble.slow > 0 {
		latency *= time.Duration(m.trouble.slow)
	}
	m.schedule(evOp, m.w.now.Add(latency), ref)
	if m.strike.countdown > 0 {
		if m.strike.countdown--; m.strike.countdown == 0 {
			power := uint64(0)
			if m.strike.power {
				power = 1
			}
			m.schedule(evCrash, m.w.now.Add(m.crash.Between(0, latency)), power)
		}
	}
}

// lags makes the next job of a lane wait before it begins, if the spec says so.
func (m *Machine) lags(ref uint64) bool {
	lag := m.w.spec.Lag
	if lag == 0 || m.calm {
		return false
	}
	m.w.fired.Add(faults.KindLag)
	m.schedule(evJobBegin, m.w.now.Add(m.lag.Between(0, lag)), ref)
	return true
}

// jobDoneLater lets the process hear of a job that made no file call.
func (m *Machine) jobDoneLater(ref uint64) {
	m.schedule(evJobDone, m.w.now.Add(time.Microsecond+time.Duration(m.latency.Below(20_000))), ref)
}

// perform lets the operation issued with ref take effect, and the process hear
// of it. There is no moment between the two that anybody could tell apart from
// one of them: a job has no effect but its file calls and its end.
func (m *Machine) perform(ref uint64) {
	op := m.proc.op(ref)
	code := m.afflict(op)
	if op.err != nil && code == codeDone {
		code = codeRefused
	}
	m.traceOp(op, code)
	m.proc.FileDone(ref)
}

func (m *Machine) traceOp(op *fileOp, code uint64) {
	ev := runtime.Event{Kind: diskEvents[op.kind], A: uint64(op.off), B: uint64(len(op.buf)), C: uint64(op.count), D: code}
	if op.file != nil {
		ev.Note = op.file.note
	} else {
		m.w.scratch = append(m.w.scratch[:0], op.name...)
		ev.Note = m.w.scratch
	}
	if op.kind == opAllocate || op.kind == opTruncate {
		ev.B = uint64(op.n)
	}
	m.w.emit(m.id, ev)
}
