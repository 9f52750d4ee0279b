package oracle

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The rules that RPCSuite judges by.
const (
	rpcMalformed = iota
	rpcPhantom
	rpcServedTwice
	rpcRefusedServed
	rpcWrongAnswer
	rpcWrongReply
	rpcEndedTwice
	rpcLimits
	rpcStuck
	rpcPanic
	rpcNothing
	rpcRuleCount
)

// rpcRules is read-only.
var rpcRules = [rpcRuleCount]Rule{
	rpcMalformed:     {"rpc", "malformed", "X3", Safety, "records make sense: requests are told apart by their hashes"},
	rpcPhantom:       {"rpc", "phantom", "R1", Safety, "a handler gets what was asked of that node, from whoever asked it"},
	rpcServedTwice:   {"rpc", "served-twice", "R2", Safety, "a request is handled at most once, through restarts of both sides"},
	rpcRefusedServed: {"rpc", "refused-served", "R3", Safety, "a request whose caller was told that it is refused is never handled"},
	rpcWrongAnswer:   {"rpc", "wrong-answer", "R4", Safety, "the answer to a request is what the handler said to that very request"},
	rpcWrongReply:    {"rpc", "wrong-reply", "R4", Safety, "a client gets the answer to its own request"},
	rpcEndedTwice:    {"rpc", "ended-twice", "R5", Safety, "a call ends once"},
	rpcLimits:        {"rpc", "limits", "R6", Safety, "what a node holds for its calls and those of peers stays within its limits"},
	rpcStuck:         {"rpc", "stuck", "V1", Liveness, "after the heal calls are answered, and what they held is let go"},
	rpcPanic:         {"rpc", "panic", "X3", Panic, "no node panics"},
	rpcNothing:       {"rpc", "nothing-seen", "V0", Vacuous, "requests were handled, and answers came back"},
}

// RPCRules returns the rules that RPCSuite judges by.
func RPCRules() []Rule { return append([]Rule(nil), rpcRules[:]...) }

// attempt is one request as it was asked once.
type attempt struct {
	caller, callee runtime.NodeID
	served         bool
	answered       bool
	answer         uint64 // its hash
	ended          runtime.Outcome
}

// rpcKey names a call that is under way.
type rpcKey struct {
	node runtime.NodeID
	id   uint64
}

// RPCSuite judges a run of nodes that call each other, by the records of package
// runtime and of the drivers of transport.RPC. Requests must be unique: two with
// the same bytes cannot be told apart. It keeps about 150 bytes for each of them.
type RPCSuite struct {
	reporter *reporter
	order    uint64
	limit    transport.RPCLoad
	attempts map[uint64]*attempt // by the hash of the request
	open     map[rpcKey]*attempt
	calls    map[runtime.CallID]*attempt // of the world's clients
	loads    map[runtime.NodeID]uint64   // calls held, as last heard
	done     uint64
	served   uint64
}

// NewRPC returns a suite that has seen nothing. No node may hold more than limit says.
func NewRPC(limit transport.RPCLoad) *RPCSuite {
	return &RPCSuite{
		reporter: newReporter(), limit: limit,
		attempts: map[uint64]*attempt{}, open: map[rpcKey]*attempt{},
		calls: map[runtime.CallID]*attempt{}, loads: map[runtime.NodeID]uint64{},
	}
}

// Violation returns the first violation, or nil.
func (s *RPCSuite) Violation() *Violation { return s.reporter.found }

// Leader returns nobody: no node is more than another.
func (s *RPCSuite) Leader() runtime.NodeID { return 0 }

// Converged reports whether no node of the core holds a call any more.
func (s *RPCSuite) Converged(core []runtime.NodeID) bool {
	for _, id := range core {
		if s.loads[id] > 0 {
			return false
		}
	}
	return true
}

// Stuck says that what had to happen did not happen in time: a violation.
func (s *RPCSuite) Stuck(text string) { s.fail(&s.reporter.last, rpcStuck, "%s", text) }

// Finish judges the run as a whole, once, after the last record.
func (s *RPCSuite) Finish() *Violation {
	if s.done == 0 || s.served == 0 {
		s.fail(&s.reporter.last, rpcNothing, "%d requests were handled, %d calls done", s.served, s.done)
	}
	return s.reporter.found
}

func (s *RPCSuite) fail(r *runtime.Record, id int, format string, args ...any) {
	s.reporter.failRule(r, rpcRules[id], about{}, fmt.Sprintf(format, args...))
}

// Observe judges the record, which comes after all those observed before. The
// record and its note are used during the call only. After the first violation
// it does nothing.
func (s *RPCSuite) Observe(r *runtime.Record) {
	if s.reporter.found != nil {
		return
	}
	switch r.Kind {
	case runtime.CallReply:
		s.replied(r)
	case transport.CallAsked:
		s.asked(r)
	case transport.CallEnded:
		s.ended(r)
	case transport.RequestServed:
		s.handled(r)
	case transport.RequestAnswered:
		s.answered(r)
	case transport.LoadSeen:
		s.held(r)
		return
	case runtime.WorldPanic:
		s.fail(r, rpcPanic, "%v panics: %s", r.Node, clip(r.Note))
	case runtime.WorldKill, runtime.WorldPowerLoss, runtime.WorldHalt:
		s.died(r.Node)
	case runtime.WorldBoot, runtime.WorldHeal, transport.SessionOpened, transport.SessionLost, transport.RequestRepeated:
	default:
		return
	}
	s.order++
	s.reporter.landmarks.add(r, s.order)
	s.reporter.last.At, s.reporter.last.Step = r.At, r.Step
}

// died forgets the calls of a node that has ended: nobody will hear how they end.
func (s *RPCSuite) died(node runtime.NodeID) {
	s.loads[node] = 0
	for key := range s.open { //lint:sorted deletions commute
		if key.node == node {
			delete(s.open, key)
		}
	}
}

func (s *RPCSuite) asked(r *runtime.Record) {
	if s.attempts[r.C] != nil {
		s.fail(r, rpcMalformed, "%v asks for what was asked before: hash %x", r.Node, r.C)
		return
	}
	a := &attempt{caller: r.Node, callee: runtime.NodeID(r.B)}
	s.attempts[r.C] = a
	if r.A == 0 {
		return // one-way, or refused on the spot
	}
	s.open[rpcKey{r.Node, r.A}] = a
	if r.D != 0 {
		s.calls[runtime.CallID(r.D)] = a
	}
}

func (s *RPCSuite) handled(r *runtime.Record) {
	a := s.attempts[r.C]
	switch {
	case a == nil || a.callee != r.Node || a.caller != runtime.NodeID(r.A):
		s.fail(r, rpcPhantom, "%v handles a request of %v, hash %x, that was never asked like that", r.Node, runtime.NodeID(r.A), r.C)
	case a.served:
		s.fail(r, rpcServedTwice, "%v handles a request of %v, hash %x, for the second time", r.Node, a.caller, r.C)
	case a.ended == runtime.Refused:
		s.fail(r, rpcRefusedServed, "%v handles a request of %v, hash %x, that %v was told is refused", r.Node, a.caller, r.C, a.caller)
	default:
		a.served = true
		s.served++
	}
}

func (s *RPCSuite) answered(r *runtime.Record) {
	a := s.attempts[r.C]
	if a == nil || !a.served || a.callee != r.Node {
		s.fail(r, rpcPhantom, "%v answers what it never got: hash %x", r.Node, r.C)
		return
	}
	a.answered, a.answer = true, r.D
}

func (s *RPCSuite) ended(r *runtime.Record) {
	key := rpcKey{r.Node, r.A}
	a := s.open[key]
	if a == nil {
		s.fail(r, rpcEndedTwice, "call %d of %v ends, which is not under way", r.A, r.Node)
		return
	}
	delete(s.open, key)
	a.ended = runtime.Outcome(r.C)
	switch {
	case a.ended == runtime.Refused && a.served:
		s.fail(r, rpcRefusedServed, "call %d of %v is refused, and %v has handled it", r.A, r.Node, a.callee)
	case a.ended != runtime.Done:
	case !a.answered || a.answer != r.D || a.callee != runtime.NodeID(r.B):
		s.fail(r, rpcWrongAnswer, "call %d of %v to %v ends with answer %x, the handler said %x", r.A, r.Node, a.callee, r.D, a.answer)
	default:
		s.done++
	}
}

// replied judges what a client of the world is told.
func (s *RPCSuite) replied(r *runtime.Record) {
	id := runtime.CallID(r.A)
	a := s.calls[id]
	delete(s.calls, id)
	if a == nil || runtime.Outcome(r.C) != runtime.Done {
		return
	}
	if hash := runtime.HashBytes(0, r.Note); !a.answered || hash != a.answer {
		s.fail(r, rpcWrongReply, "client %d is told %x, the handler said %x", r.B, hash, a.answer)
	}
}

func (s *RPCSuite) held(r *runtime.Record) {
	s.loads[r.Node] = r.A
	got := transport.RPCLoad{Calls: int(r.A), CallBytes: int(r.B), Serving: int(r.C), ReplyBytes: int(r.D)}
	if got.Calls > s.limit.Calls || got.CallBytes > s.limit.CallBytes || got.Serving > s.limit.Serving || got.ReplyBytes > s.limit.ReplyBytes {
		s.fail(r, rpcLimits, "%v holds %+v, at most %+v is allowed", r.Node, got, s.limit)
	}
}
