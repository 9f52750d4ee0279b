package oracle

import (
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// ProgressOracle judges that things happen (V0, V1, V3, V4), that nothing else does (V2, V14), and that no node
// panics (X3). It keeps a few counters.
//
// Planted bugs it trips on:
//
//	leaderless  election timeouts without a random part (A26), elections put off by anything (A28)
//	restless    a peer that cannot be reached is probed all the time (B36)
//	stuck       appends that were lost are not sent again (B76), a later term that nobody is told of (A76)
//
// When the faults are over for a core, the scenario gives it time, asks
// [Suite.Converged] now and then, and when time is up says [Suite.Stuck]. A run in
// which nothing was done, or an oracle had nothing to judge, proves nothing and
// fails as vacuous.
type ProgressOracle struct {
	h      *history
	p      *reporter
	panics uint64
	// failStop lets a panic pass as a fail-stop: the node halts, the run goes on.
	failStop bool
}

// panicked judges runtime.WorldPanic.
func (o *ProgressOracle) panicked(r *runtime.Record) bool {
	o.panics++
	if o.failStop {
		return true
	}
	return o.p.fail(r, progressPanic, about{}, "%v panics: %s", r.Node, clip(r.Note))
}

// converged reports whether the core follows one leader that has committed all
// of its log, in its own term, and whether everybody in the core has applied
// that.
func (o *ProgressOracle) converged(core []runtime.NodeID) bool {
	leader := o.h.leader()
	if leader == nil || leader.commit != leader.log.last || leader.log.end().term != leader.state.term {
		return false
	}
	for _, id := range core {
		m := o.h.member(id)
		if m == nil || !m.running {
			return false
		}
		if m.state.term != leader.state.term || m.log.last != leader.log.last || m.commit != leader.commit || m.applied != leader.commit {
			return false
		}
	}
	return true
}

// led reports whether a member of the core leads the others' newest term and has committed
// an entry of its own.
func (o *ProgressOracle) led(core []runtime.NodeID) bool {
	leader := o.h.leader()
	return leader != nil && slices.Contains(core, leader.id) && leader.log.term(leader.commit) == leader.state.term
}

// stuck records that the run did not get on, and how things stand.
func (o *ProgressOracle) stuck(broken rule, text string) bool {
	standing := ""
	for i := range o.h.members {
		m := &o.h.members[i]
		if !m.running {
			standing += fmt.Sprintf("; %v is down", m.id)
			continue
		}
		standing += fmt.Sprintf("; %v %v of term %d, log to %d, commit %d, applied %d", m.id, m.role, m.state.term, m.log.last, m.commit, m.applied)
	}
	return o.p.fail(&o.p.last, broken, about{}, "%s%s", text, standing)
}
