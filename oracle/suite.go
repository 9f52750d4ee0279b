package oracle

import (
	"fmt"

	"github.com/octopii-go/octopii/raft"
	members "github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
)

// Config says what a run is made of.
type Config struct {
	// Voters are the members of the raft group. Without any, there is no log to
	// go by: only clients' answers are judged, at the end, and KeepCalls must be set.
	Voters []runtime.NodeID
	// Image answers what is durable; nil: nothing can (production).
	Image Image
	// Model makes a model of the empty service.
	Model func() Model
	// KeepCalls is how many operations to keep for a judgement at the end by what
	// clients saw alone, beside the one that goes on all the time. More operations
	// than that are a failure: undecided. Zero: none.
	KeepCalls int
	// PanicIsFailStop lets a node's panic count as its halt. It is for measuring
	// which planted bugs the oracles find without the nodes' own assertions.
	PanicIsFailStop bool
}

// check panics on a Config that makes no sense.
func (c *Config) check() {
	switch {
	case c.Model == nil:
		panic("oracle: no model")
	case len(c.Voters) > 64:
		panic(fmt.Sprintf("oracle: %d voters", len(c.Voters)))
	case len(c.Voters) == 0 && c.KeepCalls == 0:
		panic("oracle: neither voters nor calls to judge")
	}
}

// Suite is all oracles over one run. It is not safe for concurrent use.
type Suite struct {
	history  *history
	reporter *reporter
	disk     inspector

	election   ElectionOracle
	log        LogOracle
	state      StateOracle
	durability DurabilityOracle
	linear     LinearOracle
	progress   ProgressOracle

	spared, hedged uint64 // records of raft's thrift
}

// New returns a suite that has seen nothing. It panics if cfg makes no sense.
func New(cfg Config) *Suite {
	cfg.check()
	s := &Suite{
		history:  newHistory(cfg.Voters),
		reporter: newReporter(),
		disk:     inspector{image: cfg.Image},
	}
	h, p := s.history, s.reporter
	s.election = ElectionOracle{h: h, p: p, disk: &s.disk}
	s.log = LogOracle{h: h, p: p, disk: &s.disk}
	s.state = StateOracle{h: h, p: p, disk: &s.disk, model: cfg.Model}
	s.durability = DurabilityOracle{h: h, p: p, noop: raft.HashEntry(raft.EntryNoop, nil)}
	s.linear = LinearOracle{h: h, p: p, make: cfg.Model, leading: cfg.Model(), trailing: cfg.Model(), keepMax: cfg.KeepCalls}
	s.progress = ProgressOracle{h: h, p: p, failStop: cfg.PanicIsFailStop}
	return s
}

// Violation returns the first violation, or nil.
func (s *Suite) Violation() *Violation { return s.reporter.found }

// Leader returns who leads, by the trace: the living leader of the highest
// term, or zero.
func (s *Suite) Leader() runtime.NodeID {
	if m := s.history.leader(); m != nil {
		return m.id
	}
	return 0
}

// Converged reports whether all nodes of the core follow one leader that has
// committed everything in its log, in its own term, and have applied it. It is
// cheap. The core must not be empty.
func (s *Suite) Converged(core []runtime.NodeID) bool { return s.progress.converged(core) }

// Stuck says that what had to happen did not happen in time: a violation, which
// the text describes.
func (s *Suite) Stuck(text string) { s.progress.stuck(progressStuck, text) }

// Led reports whether a member of the core leads, and has committed an entry of
// its own term. It is cheap.
func (s *Suite) Led(core []runtime.NodeID) bool { return s.progress.led(core) }

// Leaderless says that nobody in the core did so in time: a violation, which the text describes.
func (s *Suite) Leaderless(text string) { s.progress.stuck(progressLeaderless, text) }

// Restless says that the core did not rest when it had nothing to do: a violation, which the
// text describes.
func (s *Suite) Restless(text string) { s.progress.stuck(progressRestless, text) }

// Observe judges the record, which comes after all those observed before. The
// record and its note are used during the call only. After the first violation
// it does nothing.
func (s *Suite) Observe(r *runtime.Record) {
	if s.reporter.found != nil {
		return
	}
	s.history.order++
	switch r.Kind {
	case runtime.CallStart, runtime.CallReply:
		s.observeCall(r)
		s.reporter.recent.add(r, s.history.order)
	case runtime.WorldBoot, runtime.WorldKill, runtime.WorldPowerLoss, runtime.WorldHalt, runtime.WorldPanic,
		runtime.WorldPause, runtime.WorldHeal:
		s.observeWorld(r)
		s.reporter.landmarks.add(r, s.history.order)
	case raft.Recovered, raft.Appended, raft.EntryPlaced, raft.Acked, raft.Matched, raft.Rewound, raft.Committed, raft.Proposed, raft.Applied,
		raft.VoteAsked, raft.PreVoteGranted:
		s.observeNode(r)
		s.reporter.recent.add(r, s.history.order)
	case raft.Started, raft.StateChanged, raft.RoleChanged, raft.VoteGranted, raft.Truncated, raft.SnapshotTaken,
		raft.SnapshotInstalled, raft.SnapshotPlaced, raft.Compacted, raft.StatePlaced, raft.DiskRefused,
		raft.BootFinding:
		s.observeNode(r)
		s.reporter.landmarks.add(r, s.history.order)
	case raft.Spared:
		s.spared++
	case raft.Hedged:
		s.hedged++
	case members.CallForwarded:
		s.durability.forwarded(r, s.history.calls.find(runtime.CallID(r.A)))
		s.reporter.recent.add(r, s.history.order)
	case runtime.WorldFault:
		s.reporter.recent.add(r, s.history.order) // nobody's excuse, but part of the story
	default:
		return
	}
	s.reporter.last.At, s.reporter.last.Step = r.At, r.Step
}

func (s *Suite) observeCall(r *runtime.Record) {
	if r.Kind == runtime.CallStart {
		s.durability.started(r)
		return
	}
	c := s.history.calls.find(runtime.CallID(r.A))
	if s.durability.answered(r, c) {
		s.linear.answered(r, c)
	}
}

func (s *Suite) observeWorld(r *runtime.Record) {
	m := s.history.member(r.Node)
	switch r.Kind {
	case runtime.WorldBoot:
		s.history.calls.rebooted(r.Node)
		if m != nil {
			m.reset(true)
			m.since = s.history.order
		}
	case runtime.WorldPanic:
		s.progress.panicked(r)
		fallthrough
	case runtime.WorldKill, runtime.WorldPowerLoss, runtime.WorldHalt:
		if m != nil {
			m.reset(false)
		}
	}
}

// observeNode judges what a member says, with each oracle that has to do with
// it, and folds it into the history if it passes.
func (s *Suite) observeNode(r *runtime.Record) {
	m := s.history.member(r.Node)
	if m == nil || !m.up {
		s.reporter.fail(r, malformed, about{}, "%v, which is no voter or not running, speaks", r.Node)
		return
	}
	switch r.Kind {
	case raft.Recovered, raft.Started, raft.EntryPlaced, raft.StatePlaced, raft.SnapshotPlaced, raft.SnapshotInstalled, raft.DiskRefused,
		raft.BootFinding:
		s.observeAnytime(m, r)
		return
	}
	if !m.running {
		s.reporter.fail(r, malformed, about{}, "%v acts before it has started", m.id)
		return
	}
	switch r.Kind {
	case raft.StateChanged, raft.RoleChanged, raft.VoteAsked, raft.VoteGranted, raft.PreVoteGranted:
		s.observeElection(m, r)
	default:
		s.observeLog(m, r)
	}
}

// observeAnytime takes the records that may come while a node starts.
func (s *Suite) observeAnytime(m *member, r *runtime.Record) {
	h, p := s.history, place{raft.Index(r.A), raft.Term(r.B)}
	switch r.Kind {
	case raft.EntryPlaced:
		if s.log.claimed(m, r, p) {
			h.trim()
		}
	case raft.StatePlaced:
		s.election.claimed(m, r)
	case raft.SnapshotPlaced:
		s.state.claimed(m, r)
	case raft.SnapshotInstalled:
		s.state.installed(m, r)
	case raft.Recovered:
		if m.running {
			s.reporter.fail(r, malformed, about{index: r.A},
				"%v recovers entry %d after it has started",
				m.id, r.A)
			return
		}
		s.log.recovered(m, r, p)
	case raft.Started:
		if m.running {
			s.reporter.fail(r, malformed, about{}, "%v starts twice in one boot", m.id)
			return
		}
		if s.election.started(m, r) && s.log.started(m, r) && s.state.started(m, r) {
			h.started(m, r)
		}
	}
}

func (s *Suite) observeElection(m *member, r *runtime.Record) {
	switch r.Kind {
	case raft.StateChanged:
		next := ballot{raft.Term(r.A), runtime.NodeID(r.B)}
		if s.election.stateChanged(m, r, next) {
			s.history.stateChanged(m, next)
		}
	case raft.RoleChanged:
		role, term := raft.Role(r.A), raft.Term(r.B)
		if !s.election.roleChanged(m, r, role, term) {
			return
		}
		if role == raft.Leader && !(s.durability.elected(m, r) && s.log.elected(m, r)) {
			return
		}
		s.history.roleChanged(m, role, term)
	case raft.VoteAsked:
		s.election.asked(m, r)
	case raft.VoteGranted:
		s.election.granted(m, r)
	case raft.PreVoteGranted:
		s.election.preGranted(m, r)
	}
}

func (s *Suite) observeLog(m *member, r *runtime.Record) {
	h, p := s.history, place{raft.Index(r.A), raft.Term(r.B)}
	switch r.Kind {
	case raft.Applied:
		if s.state.applied(m, r) {
			s.state.apply(m, r, &s.linear)
		}
	case raft.Appended:
		if s.election.appended(m, r, p) && s.log.appended(m, r, p) {
			h.appended(m, p)
		}
	case raft.Matched:
		s.log.matched(m, r)
	case raft.Rewound:
		s.log.rewound(m, r)
	case raft.Committed:
		if s.durability.committing(m, r) && s.log.committed(m, r) {
			h.commit(m, r, &s.durability)
		}
	case raft.Acked:
		if s.election.acked(m, r) {
			s.log.acked(m, r)
		}
	case raft.Proposed:
		s.durability.proposed(m, r, &s.log)
	case raft.Truncated:
		if s.log.truncated(m, r, p.index) {
			h.truncated(m, p.index)
		}
	case raft.Compacted:
		if s.state.compacted(m, r) {
			h.compacted(m, raft.Index(r.A), raft.Index(r.B))
		}
	case raft.SnapshotTaken:
		s.state.taken(m, r)
	}
}
