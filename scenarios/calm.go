package scenarios

import (
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// A core that has converged is watched for quietFor. In each heartbeat
// interval a node may then send another two control frames: a heartbeat and a probe, or
// an answer to each; and a few more, as a window cuts intervals in two.
const (
	quietFor       = 2 * time.Second
	heartbeatEvery = 100 * time.Millisecond // raft's default
	quietFrames    = 2*uint64(quietFor/heartbeatEvery) + 6
)

// elector is a judge of nodes that elect a leader.
type elector interface {
	judge
	// Led reports whether a member of the core leads and has committed something.
	Led(core []runtime.NodeID) bool
	Leaderless(text string)
	Restless(text string)
}

// calm is what a run knows of the time after the heal.
type calm struct {
	leaderBy runtime.Instant
	from     runtime.Instant // what the faults had held up has come by then
	leader   runtime.NodeID  // when the quiet began
	sent     []uint64        // by then, on each link from the core
	stirred  int             // how often the leader has changed since
}

// rest begins the quiet of a core that has converged. Services without a leader
// have other clocks than raft's: they are done.
func (r *Run) rest() {
	if _, elects := r.judge.(elector); !elects {
		r.phase = phaseOver
		return
	}
	r.phase = phaseQuiet
	r.until = r.w.Now().Add(quietFor)
	r.calm.leader = r.judge.Leader()
	r.calm.sent = r.calm.sent[:0]
	r.eachLink(func(from, to runtime.NodeID) {
		r.calm.sent = append(r.calm.sent, r.w.Sent(from, to, runtime.ChannelControl))
	})
}

// rested judges what the core did when it had nothing to do, and ends the run.
//
// A node outside that the core hears may have stood for election before the heal, and its disk may have
// kept the news back: in the later term it cannot follow the leader, and says so. That costs the
// leader its office, and rightly, but each such node can do it once.
func (r *Run) rested() {
	e := r.judge.(elector)
	if leader := e.Leader(); leader != r.calm.leader || !e.Converged(r.core) {
		if r.calm.stirred++; r.calm.stirred <= r.setup.Nodes-len(r.core) {
			r.phase = phaseSettle
			r.until = r.w.Now().Add(settleWithin)
			return
		}
		r.fail(e.Restless, "%v led the core %v; %v later it has not kept still under %v, for the %dth time",
			r.calm.leader, r.core, quietFor, leader, r.calm.stirred)
		return
	}
	r.phase = phaseOver
	i := 0
	r.eachLink(func(from, to runtime.NodeID) {
		if n := r.w.Sent(from, to, runtime.ChannelControl) - r.calm.sent[i]; n > quietFrames {
			r.fail(e.Restless, "%v sent %v %d control frames in %v with nothing to do, where %d are enough", from, to, n, quietFor, quietFrames)
		}
		i++
	})
}

// eachLink visits the links that begin in the core.
func (r *Run) eachLink(visit func(from, to runtime.NodeID)) {
	for _, from := range r.core {
		for to := range runtime.NodeID(r.setup.Nodes) {
			if to+1 != from {
				visit(from, to+1)
			}
		}
	}
}
