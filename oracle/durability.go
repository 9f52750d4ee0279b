package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// DurabilityOracle holds the cluster to what its clients were told (D1, K1 to
// K4): what is done stays, in order, once; what is refused never happens;
// what is unknown may still happen, once; and nothing happens that nobody asked for.
//
// An obligation begins with the client's answer and never ends. What it costs
// is two words in the entry; once the entry is under every member's snapshot, the
// chain hash carries it. A call that nobody has been told about, or whose answer
// was unknown, is remembered until its entry is committed or overtaken.
//
// Planted bugs it trips on:
//
//	acked-lost         skip-sync, ack-before-durable, commit-old-term, vote-twice, where no claim gives them away
//	acked-early        answering on append
//	acked-nowhere      answers made up
//	refused-committed  unknown reported as refused (T04)
//	twice              a proposal tried again by the node (K2)
//	phantom            frames accepted damaged (X04), W08
//	order              T06
//	answered-twice     X08
//	forwarded-on       a member that forwards what was forwarded to it
type DurabilityOracle struct {
	h    *history
	p    *reporter
	noop uint64 // the hash of an entry without a command
	done uint64 // calls told done
	// refused and unknown count the other answers.
	refused, unknown uint64
}

// forwarded judges members.CallForwarded: nobody but the node that a call was made at sends it to another.
func (o *DurabilityOracle) forwarded(r *runtime.Record, c *call) bool {
	if c == nil {
		return true // settled: it was sent before, and answered
	}
	if c.node != r.Node {
		return o.p.fail(r, durabilityForwarded, about{call: c.id},
			"%v forwards call %d of client %d to %v; it was made at %v",
			r.Node, c.id, c.client, runtime.NodeID(r.B), c.node)
	}
	c.forwarded = true
	return true
}

// proposed judges raft.Proposed: the call was made, and this is what it asked
// for, and its only entry. It folds it, too.
func (o *DurabilityOracle) proposed(m *member, r *runtime.Record, l *LogOracle) bool {
	id, p := runtime.CallID(r.A), place{raft.Index(r.B), raft.Term(r.C)}
	what := about{index: r.B, call: id}
	c := o.h.calls.find(id)
	if c == nil || c.hash != r.D {
		return o.p.fail(r, durabilityPhantom, what,
			"%v makes entry %d of term %d with hash %x out of call %d, which asked for something "+
				"else, was refused, or was never made",
			m.id, p.index, p.term, r.D, id)
	}
	if c.at != (place{}) {
		return o.p.fail(r, durabilityTwice, what,
			"%v makes entry %d of term %d out of call %d, which is entry %d of term %d",
			m.id, p.index, p.term, id, c.at.index, c.at.term)
	}
	if !l.matches(m, r, p, r.D, 0, false) {
		return false
	}
	e := o.h.entries.find(p)
	if e.call != 0 {
		return o.p.fail(r, durabilityTwice, what,
			"%v makes entry %d of term %d out of call %d; it is call %d's",
			m.id, p.index, p.term, id, e.call)
	}
	c.at = p
	e.call, e.slot = id, o.h.calls.byID[id]
	switch is := o.h.committed.term(p.index); {
	case is == p.term:
		c.fate = committed
	case is != 0:
		c.fate = overtaken
	}
	return true
}

// committed judges an entry that is committed for the first time, and settles
// the calls that competed for its index.
func (o *DurabilityOracle) committed(m *member, r *runtime.Record, i raft.Index, e *entry) bool {
	c := o.h.calls.of(e)
	if c == nil && e.hash != o.noop {
		return o.p.fail(r, durabilityPhantom, about{index: uint64(i)},
			"%v commits entry %d of term %d with hash %x, which no client asked for",
			m.id, i, e.term, e.hash)
	}
	if c != nil {
		c.fate = committed
		if c.outcome == runtime.Refused {
			return o.p.fail(r, durabilityRefused, about{index: uint64(i), call: c.id},
				"%v commits entry %d of term %d, call %d of client %d, which was told that it is refused",
				m.id, i, e.term, c.id, c.client)
		}
	}
	if len(o.h.entries.others) > 0 {
		for _, loser := range o.h.entries.others[i] {
			if c := o.h.calls.of(loser); c != nil {
				c.fate = overtaken
				o.h.calls.settle(c)
			}
		}
	}
	return true
}

// elected judges a new leader's log against what clients were told (D1). What
// is committed but was not acknowledged is the log oracle's matter.
func (o *DurabilityOracle) elected(m *member, r *runtime.Record) bool {
	owed := min(o.h.owed(raft.Term(r.B)), o.h.acked)
	i, lacks := differs(&m.log, &o.h.committed, 1, owed)
	for ; lacks && i <= owed; i++ {
		if e := o.h.entries.main(i); e != nil && e.marks&acked != 0 && m.log.term(i) != e.term {
			return o.p.fail(r, durabilityLost, about{index: uint64(i), call: e.call},
				"call %d was told done; its entry %d of term %d is not in the log of %v, which becomes "+
					"leader of term %d (its log ends at %d)",
				e.call, i, e.term, m.id, r.B, m.log.last)
		}
	}
	return true
}

// committing judges a commit index before it is folded (D1): nobody commits
// another entry where a client was told done.
func (o *DurabilityOracle) committing(m *member, r *runtime.Record) bool {
	i, differ := differs(&m.log, &o.h.committed, m.commit+1, min(raft.Index(r.A), o.h.acked, m.log.last))
	if !differ {
		return true
	}
	e := o.h.entries.main(i)
	if e == nil || e.marks&acked == 0 {
		return true
	}
	return o.p.fail(r, durabilityLost, about{index: uint64(i), call: e.call},
		"call %d was told done; %v commits another entry in place of its entry %d of term %d, one of term %d",
		e.call, m.id, i, e.term, m.log.term(i))
}

// started judges runtime.CallStart and folds it.
func (o *DurabilityOracle) started(r *runtime.Record) bool {
	c := o.h.calls.start(r, o.h.order)
	if c == nil {
		return o.p.fail(r, malformed, about{call: runtime.CallID(r.A)},
			"call %d of client %d has no id of its own",
			r.A, r.B)
	}
	c.ackedBefore = o.h.acked
	return true
}

// answered judges runtime.CallReply and folds it. What a done answer says is
// for the linear oracle to judge.
func (o *DurabilityOracle) answered(r *runtime.Record, c *call) bool {
	outcome := runtime.Outcome(r.C)
	if c == nil || c.answered != 0 {
		return o.p.fail(r, durabilityAnswers, about{call: runtime.CallID(r.A)},
			"call %d of client %d is answered (%v), and was not open",
			r.A, r.B, outcome)
	}
	c.answered, c.outcome = o.h.order, outcome
	switch outcome {
	case runtime.Done:
		o.done++
		return o.toldDone(r, c)
	case runtime.Refused:
		o.refused++
		if c.fate == committed {
			return o.p.fail(r, durabilityRefused, about{index: uint64(c.at.index), call: c.id},
				"call %d of client %d is told refused, and is committed as entry %d of term %d",
				c.id, c.client, c.at.index, c.at.term)
		}
	case runtime.Unknown:
		o.unknown++
		return o.excused(r, c)
	default:
		return o.p.fail(r, malformed, about{call: c.id},
			"call %d of client %d has outcome %d",
			c.id, c.client, r.C)
	}
	return true
}

// answerWithin is how long a node may take to answer what it has applied. The
// answer of one that is about to may meet the client's deadline on its way.
const answerWithin = runtime.Instant(100_000_000)

// excused judges an unknown outcome (V5): the node died, or never learnt what
// became of the call's entry.
func (o *DurabilityOracle) excused(r *runtime.Record, c *call) bool {
	m := o.h.member(c.node)
	if c.forwarded || m == nil || !m.up || m.since > c.started || c.settled == 0 || r.At-c.settled < answerWithin {
		return true
	}
	return o.p.fail(r, progressUnanswered, about{index: uint64(c.at.index), call: c.id},
		"call %d of client %d is left unknown; %v, which took it and has lived since, applied its entry %d long ago",
		c.id, c.client, m.id, c.at.index)
}

func (o *DurabilityOracle) toldDone(r *runtime.Record, c *call) bool {
	if c.at == (place{}) {
		return true // it may be a read
	}
	what := about{index: uint64(c.at.index), call: c.id}
	switch {
	case c.fate == overtaken:
		return o.p.fail(r, durabilityLost, what,
			"call %d of client %d is told done; another entry is committed in place of its entry %d of term %d",
			c.id, c.client, c.at.index, c.at.term)
	case c.fate != committed:
		return o.p.fail(r, durabilityEarly, what,
			"call %d of client %d is told done before its entry %d of term %d is committed",
			c.id, c.client, c.at.index, c.at.term)
	case c.at.index <= c.ackedBefore: // the other rules imply this one; it keeps watch over them
		return o.p.fail(r, durabilityOrder, what,
			"call %d of client %d is entry %d; when it was made, entry %d had been told done",
			c.id, c.client, c.at.index, c.ackedBefore)
	}
	o.h.acked = max(o.h.acked, c.at.index)
	if e := o.h.entries.find(c.at); e != nil {
		e.marks |= acked
	}
	return true
}
