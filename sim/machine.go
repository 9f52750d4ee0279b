package sim

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// spendMax bounds the Env calls a process may make in one step: more of them
// is a loop.
const spendMax = 1 << 20

// machineState says whether a machine's process runs.
type machineState uint8

const (
	machineDown    machineState = iota // it will boot again
	machineUp                          // its process runs
	machineStopped                     // its process has drained and ended for good
)

// Machine is a simulated computer: a disk and a clock that outlive the
// processes it runs, one after another.
type Machine struct {
	w     *World
	id    runtime.NodeID
	index int32
	disk  *disk
	clock clock
	proc  Process
	state machineState
	boots uint32

	alarm   runtime.Instant // when the process wants to be woken, in world time
	armed   runtime.Instant // of the earliest wake-up event in the queue
	resume  runtime.Instant // until then the process stands still
	held    []event         // what came meanwhile
	trouble trouble
	image   *namespace // an old state of the disk, to be restored
	calm    bool       // faults no longer strike here
	frozen  bool       // it stays as it is: once down, it does not boot
	strike  struct {   // a crash that waits for a file operation
		countdown int // operations to go; zero: none waits
		power     bool
	}
	halted     bool
	haltReason error
	spent      int

	order, latency, downtime, timing, crash, lag *faults.Site
}

func newMachine(w *World, index int) *Machine {
	id := runtime.NodeID(index + 1)
	n := uint64(id)
	m := &Machine{w: w, id: id, index: int32(index), disk: newDisk(n, w.sites, &w.pool),
		alarm: runtime.Never, armed: runtime.Never,
		order:    w.sites.Site("machine.order", n, 0),
		latency:  w.sites.Site("disk.latency", n, 0),
		downtime: w.sites.Site("machine.downtime", n, 0),
		timing:   w.sites.Site("machine.clock", n, 0),
		crash:    w.sites.Site("machine.crash", n, 0),
		lag:      w.sites.Site("lane.lag", n, 0),
	}
	m.disk.rules, m.disk.unsafe = profiles[w.spec.FS], w.spec.NoPSOW
	if w.spec.Space.Mean == 0 {
		m.trouble.limit = w.spec.Space.Bytes
	}
	m.clock = newClock(m.timing)
	return m
}

// schedule queues an event of this boot.
func (m *Machine) schedule(kind eventKind, at runtime.Instant, ref uint64) {
	m.w.queue.push(event{at: at, kind: kind, ref: ref, machine: m.index, boot: m.boots, prio: uint32(m.order.Draw())})
}

// dispatch hands an event to the process and sees to what becomes of it.
func (m *Machine) dispatch(e *event) {
	if m.resume > m.w.now {
		m.hold(*e)
		return
	}
	m.spent = 0
	m.guarded(e)
	if m.halted {
		m.endHalted()
	}
}

func (m *Machine) guarded(e *event) {
	defer m.recoverPanic()
	switch e.kind {
	case evBoot:
		m.proc.Boot()
	case evWake:
		m.wake()
	case evDeliver:
		m.w.net.deliver(m, e.ref)
	case evOp:
		m.perform(e.ref)
	case evJobDone:
		m.proc.FileDone(e.ref)
	case evJobBegin:
		m.proc.Begin(e.ref)
	case evCancel:
		m.proc.Cancel(runtime.CallID(e.ref))
	case evStop:
		m.proc.Stop()
	case evCall:
		m.w.calls.arrive(m, runtime.CallID(e.ref))
	default:
		panic(fmt.Sprintf("sim: event of kind %d for a machine", e.kind))
	}
}

func (m *Machine) recoverPanic() {
	if value := recover(); value != nil {
		m.panicked(value, debug.Stack())
	}
}

// panicked makes a finding of a panic in the process, which dies of it.
func (m *Machine) panicked(value any, stack []byte) {
	note := fmt.Sprint(value)
	m.finding(note, stack)
	m.w.emit(m.id, runtime.Event{Kind: runtime.WorldPanic, Note: []byte(note)})
	m.halted = true
	m.haltReason = fmt.Errorf("panic: %s", note)
}

// finding keeps what is wrong with the code under test, for people.
func (m *Machine) finding(text string, stack []byte) {
	m.w.findings = append(m.w.findings, Finding{Node: m.id, At: m.w.now, Text: text, Stack: string(stack)})
}

// spend counts a call of the process upon the world in this step.
func (m *Machine) spend() {
	if m.spent++; m.spent == spendMax {
		panic(fmt.Sprintf("sim: %v made %d calls in one step and would not return", m.id, spendMax))
	}
}

// boot starts a new process on what is left on the disk.
func (m *Machine) boot() {
	if m.state != machineDown || m.frozen {
		return
	}
	m.state = machineUp
	m.w.ledger.Up(m.id)
	m.boots++
	m.alarm, m.armed = runtime.Never, runtime.Never
	m.clock.reboot(m.w.now, m.timing)
	m.proc = m.w.newProcess(m)
	m.w.emit(m.id, runtime.Event{Kind: runtime.WorldBoot, A: uint64(m.boots)})
	m.dispatch(&event{kind: evBoot})
}

// bootAfter schedules the next boot.
func (m *Machine) bootAfter(d time.Duration) {
	m.w.queue.push(event{at: m.w.now.Add(d), kind: evBoot, machine: m.index, prio: uint32(m.order.Draw())})
}

// endHalted buries a process that ended by its own will.
func (m *Machine) endHalted() {
	reason := m.haltReason
	m.halted, m.haltReason = false, nil
	note := ""
	if reason != nil {
		note = reason.Error()
	}
	m.w.emit(m.id, runtime.Event{Kind: runtime.WorldHalt, Note: []byte(note)})
	m.end()
	if reason == nil {
		m.state = machineStopped
		return
	}
	m.bootAfter(m.downtime.Between(10*time.Millisecond, 200*time.Millisecond))
}

// kill ends the process from outside, with the machine's power if power is set.
func (m *Machine) kill(power bool) {
	if m.state != machineUp {
		return
	}
	kind := runtime.WorldKill
	if power {
		kind = runtime.WorldPowerLoss
	}
	m.w.emit(m.id, runtime.Event{Kind: kind})
	m.end()
	if power && m.disk.losePower(m.w.spec.Torn, &m.w.fired) && m.w.spec.FS != faults.NoProfile {
		m.w.struck(faults.KindProfile, m.id)
	}
	m.bootAfter(m.downtime.Between(50*time.Millisecond, time.Second))
}

// end does what every end of a process does: what it had asked of the disk
// happens or not, its jobs unwind, its callers learn that nobody is there.
func (m *Machine) end() {
	m.proc.pending(m.interrupt)
	m.guardedKill()
	m.disk.endProcess()
	m.state = machineDown
	m.w.ledger.Down(m.id)
	m.proc = nil
	m.unpause()
	m.strike.countdown = 0
	m.w.calls.abandon(m)
}

func (m *Machine) guardedKill() {
	defer func() {
		if value := recover(); value != nil {
			m.finding(fmt.Sprint("while being killed: ", value), debug.Stack())
		}
	}()
	m.proc.Kill()
}

// interrupt decides how much of an operation still happened when its process
// died waiting for it.
func (m *Machine) interrupt(op *fileOp) {
	switch m.crash.Below(3) {
	case 0:
	case 1:
		m.disk.do(op)
	case 2:
		if op.kind == opWrite && len(op.buf) > 0 {
			op.buf = op.buf[:m.crash.Below(uint64(len(op.buf)))]
			m.disk.do(op)
		}
	}
}

// pause lets the process stand still; its machine works on.
func (m *Machine) pause(d time.Duration) {
	m.resume = max(m.resume, m.w.now.Add(d))
	m.w.emit(m.id, runtime.Event{Kind: runtime.WorldPause, A: uint64(d)})
	m.schedule(evResume, m.resume, 0)
}

// hold keeps an event for the end of the pause. What comes from outside outlives
// the process, and then finds nobody.
func (m *Machine) hold(e event) {
	e.machine = m.index
	if e.kind != evDeliver && e.kind != evCall {
		e.boot = m.boots
	}
	m.held = append(m.held, e)
}

// unpause ends a pause: what came meanwhile comes now, in any order.
func (m *Machine) unpause() {
	m.resume = 0
	for i := range m.held {
		m.held[i].at = m.w.now
		m.w.queue.push(m.held[i])
	}
	m.held = m.held[:0]
}

// wakeAt sets the alarm. The queue holds at least one wake-up at or before it:
// an alarm that moves away leaves the event where it is, and is re-armed then.
func (m *Machine) wakeAt(t runtime.Instant) {
	if t == runtime.Never {
		m.alarm = t
		return
	}
	m.alarm = max(m.clock.world(t), m.w.now)
	if m.alarm < m.armed {
		m.armed = m.alarm
		m.schedule(evWake, m.alarm, 0)
	}
}

func (m *Machine) wake() {
	if m.armed <= m.w.now {
		m.armed = runtime.Never
	}
	switch {
	case m.alarm <= m.w.now:
		m.alarm = runtime.Never
		m.proc.Wake()
	case m.alarm < m.armed:
		m.armed = m.alarm
		m.schedule(evWake, m.alarm, 0)
	}
}
