package scenarios

import (
	"fmt"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

// Bounds of virtual time for what must happen after the faults have ended,
// and how much longer chaos may last for a fault that has not struck yet.
const (
	overtimeMax  = 2 * time.Minute
	probeWithin  = 30 * time.Second
	settleWithin = 30 * time.Second
)

// leaderWithin is how long after the heal a leader must have committed something: eight
// election timeouts. A wait for a leader is two at most, and the next one
// follows only if votes are split, which happens in one election of a hundred.
const leaderWithin = 8 * time.Second

// probeOps is how many operations a healed core must finish.
const probeOps = 20

// phase is how far a run has come.
type phase uint8

const (
	phaseChaos    phase = iota // clients work, faults strike
	phaseOvertime              // some kind of fault has not struck yet
	phaseElect                 // the healed core must elect a leader
	phaseProbe                 // it must finish new work
	phaseSettle                // it must end what is under way, and converge
	phaseQuiet                 // it must rest
	phaseOver
)

// Run is a run under way. It belongs to one goroutine at a time, and must be
// finished or closed.
type Run struct {
	setup   Setup
	w       *sim.World
	judge   judge
	load    *workload
	watch   func(*runtime.Record) // somebody who wants to see every record
	phase   phase
	until   runtime.Instant // when the phase must be over
	core    []runtime.NodeID
	worked  bool // the chaos phase is over
	ops     Ops  // of the chaos phase
	missing []faults.Kind
	leaders int
	calm    calm
	up      map[runtime.NodeID]bool // raft has started there
	shipped int                     // snapshots that nodes were given by others
	// declares: the ledger must know who claims which bytes.
	declares bool
	result   *Result
}

// New prepares a run. Observe, which may be nil, sees every record; the record is
// valid during the call. An error says which value of the setup is out of range.
func New(s Setup, observe func(*runtime.Record)) (*Run, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	sv := newService(s)
	r := &Run{setup: s, watch: observe, load: newWorkload(s, sv), until: runtime.Never,
		declares: s.Faults.Damages(), up: map[runtime.NodeID]bool{}}
	r.w = sim.New(sim.Config{
		Seed: s.Seed, Overrides: s.Overrides, Nodes: s.Nodes, Spec: s.Faults,
		NewNode: sv.node,
		Driver:  r.load,
		Observe: r.observe,
		Leader:  func() runtime.NodeID { return r.judge.Leader() },
	})
	r.judge = sv.judge(r.w)
	r.load.start(r.w)
	return r, nil
}

func (r *Run) observe(rec *runtime.Record) {
	r.count(rec)
	if r.declares {
		declare(r.w.Ledger(), rec)
	}
	r.judge.Observe(rec)
	if r.watch != nil {
		r.watch(rec)
	}
}

// count notes what the result tells.
func (r *Run) count(rec *runtime.Record) {
	switch rec.Kind {
	case raft.RoleChanged:
		if rec.A == uint64(raft.Leader) {
			r.leaders++
		}
	case runtime.WorldBoot:
		r.up[rec.Node] = false // a snapshot restored from here on is its own
	case raft.Started:
		r.up[rec.Node] = true
	case raft.SnapshotInstalled:
		if r.up[rec.Node] {
			r.shipped++
		}
	}
}

// Digest returns the hash of all records so far.
func (r *Run) Digest() uint64 { return r.w.Digest() }

// Now returns the virtual time.
func (r *Run) Now() runtime.Instant { return r.w.Now() }

// Close ends a run that nobody wants to finish.
func (r *Run) Close() { r.w.Close() }

// Step lets the next event happen. It returns false when the run has ended.
func (r *Run) Step() bool {
	if r.phase == phaseOver || !r.w.Step() {
		return false
	}
	if r.judge.Violation() != nil {
		r.phase = phaseOver
		return false
	}
	r.turn()
	return r.phase != phaseOver
}

// turn begins the next phase when it is time.
func (r *Run) turn() {
	switch r.phase {
	case phaseChaos:
		if !r.load.done() {
			return
		}
		r.ops, r.worked = r.load.ops, true
		if r.missing = r.stillMissing(); len(r.missing) == 0 {
			r.heal()
			return
		}
		r.phase = phaseOvertime
		r.until = r.w.Now().Add(overtimeMax)
		r.load.overtime()
	case phaseOvertime:
		// A look at every step would cost more than the steps.
		if r.w.Steps()%256 != 0 {
			return
		}
		r.missing = r.stillMissing()
		if len(r.missing) == 0 || r.w.Now() > r.until {
			r.heal()
		}
	case phaseElect:
		if e := r.judge.(elector); e.Led(r.core) {
			r.phase = phaseProbe
		} else if r.w.Now() > r.calm.leaderBy {
			r.fail(e.Leaderless, "nobody in the core %v leads and commits %v after the heal", r.core, leaderWithin)
		}
	case phaseProbe:
		if r.load.ops.Done >= probeOps {
			r.load.wind()
			r.phase = phaseSettle
			r.until = r.w.Now().Add(settleWithin)
		} else if r.w.Now() > r.until {
			r.fail(r.judge.Stuck, "%d of %d operations done %v after the heal", r.load.ops.Done, probeOps, probeWithin)
		}
	case phaseSettle:
		if r.load.done() && r.w.Now() > r.calm.from && r.judge.Converged(r.core) {
			r.rest()
		} else if r.w.Now() > r.until {
			r.fail(r.judge.Stuck, "the core %v has not converged %v after its last operation", r.core, settleWithin)
		}
	case phaseQuiet:
		if r.w.Now() > r.until {
			r.rested()
		}
	}
}

func (r *Run) stillMissing() []faults.Kind {
	fired := r.w.Fired()
	return fired.Missing(r.setup.Faults)
}

func (r *Run) heal() {
	r.core = r.w.Ledger().Core(r.w.Sites().Site("run.core", 0, 0))
	r.w.Heal(r.core)
	r.load.probe(r.core)
	r.phase = phaseProbe
	r.until = r.w.Now().Add(probeWithin)
	r.calm.leaderBy, r.calm.from = r.w.Now().Add(leaderWithin), r.w.Now().Add(heartbeatEvery)
	if _, elects := r.judge.(elector); elects {
		r.phase = phaseElect
	}
}

// fail ends the run: the core did not do what it should, as say tells the judge. Over the budget
// nobody owed that.
func (r *Run) fail(say func(text string), format string, args ...any) {
	if !r.setup.Faults.OverBudget() {
		say(fmt.Sprintf(format, args...))
	}
	r.phase = phaseOver
}

// Finish runs to the end, lets the oracles look at the whole, and closes the run.
// Calling it again returns the same result.
func (r *Run) Finish() Result {
	if r.result != nil {
		return *r.result
	}
	for r.Step() {
	}
	r.judge.Finish()
	if !r.worked {
		r.ops = r.load.ops // it ended before its work did
	}
	res := Result{
		Setup: r.setup, Violation: r.judge.Violation(), Digest: r.w.Digest(), Ops: r.ops,
		Steps: r.w.Steps(), Virtual: time.Duration(r.w.Now()), Fired: r.w.Fired(), Missing: r.missing,
		LeaderChanges: r.leaders, SnapshotsShipped: r.shipped, Findings: r.w.Findings(),
	}
	if d, ok := r.judge.(doer); ok {
		res.Deeds = d.Deeds()
	}
	res.Verdict = verdict(&res, res.Violation)
	r.w.Close()
	r.result = &res
	return res
}
