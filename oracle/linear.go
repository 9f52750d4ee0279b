package oracle

import (
	"github.com/octopii-go/octopii/runtime"
)

// LinearOracle judges answers: there is one order of all calls, each between its
// start and its answer, in which the model gives the same answers (K1).
//
// Nearly always there is a certificate, and it is checked at once: the call's
// entry was first applied between the two, and the model, having replayed the
// committed commands, answers the same. The order of first applications is then that
// order, whoever made it. A read without an entry has one if the model answers
// the same now. Without a certificate porcupine judges the calls around (judge.go),
// from the state that a second model, following behind, has reached; what it cannot decide
// within its steps counts as a failure.
//
// It keeps two models and a window of calls: those applied, or read, since the
// oldest open call began, at most windowMax. Planted bugs it trips on: stale-read, reads
// before applying (C06), and answers given to another call (X08).
type LinearOracle struct {
	h    *history
	p    *reporter
	make func() Model

	leading  Model // has applied everything up to the frontier
	trailing Model // has applied what came before the window
	window   []int32
	head     int // window[head:] are the slots of calls, in the order they took effect

	keepMax int
	kept    []Operation // answered and not refused, if there is a limit
	dropped int         // operations that did not fit

	certified uint64 // answers with a certificate
	examined  uint64 // answers that porcupine was asked about
}

// windowMax bounds the window. With more calls than that under way, those
// applied first count as over.
const windowMax = 4096

// applied hands the command of an entry, applied for the first time, to the
// model, and returns the hash of the response: of no bytes if there is no command.
func (o *LinearOracle) applied(e *entry) uint64 {
	response := runtime.HashBytes(0, nil)
	if c := o.h.calls.of(e); c != nil {
		response = runtime.HashBytes(0, o.leading.Apply(c.request))
		c.applied, c.expected = true, response
		o.enter(c, e.slot)
		o.trail()
	}
	e.state = o.leading.Hash()
	return response
}

// enter puts a call in the window.
func (o *LinearOracle) enter(c *call, slot int32) {
	c.windowed = true
	if len(o.window) == cap(o.window) && o.head > len(o.window)/2 {
		n := copy(o.window, o.window[o.head:])
		o.window, o.head = o.window[:n], 0
	}
	o.window = append(o.window, slot)
}

// trail lets calls leave the window that are over for everybody still waiting.
func (o *LinearOracle) trail() {
	oldest := o.h.calls.oldest(o.h.order)
	for o.head < len(o.window) {
		c := o.h.calls.slots[o.window[o.head]]
		if (c.answered == 0 || c.answered >= oldest) && len(o.window)-o.head <= windowMax {
			return
		}
		o.trailing.Apply(c.request)
		c.windowed = false
		o.head++
		o.h.calls.settle(c)
	}
	o.window, o.head = o.window[:0], 0
}

// answered judges an answer, and lets go of the call.
func (o *LinearOracle) answered(r *runtime.Record, c *call) bool {
	if c.outcome != runtime.Refused {
		o.keep(r, c)
	}
	if c.outcome == runtime.Done && len(o.h.members) > 0 && !o.certify(r, c) {
		return false
	}
	o.h.calls.settle(c)
	o.trail()
	return true
}

func (o *LinearOracle) certify(r *runtime.Record, c *call) bool {
	c.response = runtime.HashBytes(0, r.Note)
	if c.at == (place{}) {
		if !readOnly(o.leading, c.request) {
			return o.p.fail(r, durabilityNowhere, about{call: c.id},
				"call %d of client %d is told done, and no node made an entry of it",
				c.id, c.client)
		}
		c.expected, c.applied = runtime.HashBytes(0, o.leading.Apply(c.request)), true
		o.enter(c, o.h.calls.byID[c.id])
	}
	if c.applied && c.expected == c.response {
		o.certified++
		return true
	}
	o.examined++
	switch judge(o.trailing, o.around(c)) {
	case Linearizable:
		return true
	case Undecided:
		return o.p.fail(r, linearUndecided, about{index: uint64(c.at.index), call: c.id},
			"call %d of client %d is told %q; whether that is linearizable was not decided",
			c.id, c.client, clip(r.Note))
	}
	return o.p.fail(r, linearBroken, about{index: uint64(c.at.index), call: c.id},
		"call %d of client %d is told %q; no order of the calls around it allows that (its entry "+
			"is %d, applied so far %d)",
		c.id, c.client, clip(r.Note), c.at.index, o.h.frontier)
}

// around returns the calls that an order for c has to place: those in the
// window, and those not yet applied that may take effect all the same.
func (o *LinearOracle) around(c *call) []observed {
	part := partition(o.leading, c.request)
	var ops []observed
	add := func(other *call) {
		if partition(o.leading, other.request) != part {
			return
		}
		op := observed{client: other.client, request: other.request, start: other.started, end: never}
		if other.outcome == runtime.Done {
			op.end, op.response, op.done = other.answered, other.response, true
		}
		ops = append(ops, op)
	}
	for _, slot := range o.window[o.head:] {
		add(o.h.calls.slots[slot])
	}
	for _, other := range o.h.calls.slots {
		waits := !other.applied && other.fate != overtaken && other.outcome != runtime.Refused
		if other.id != 0 && !other.windowed && (waits || other == c) {
			add(other)
		}
	}
	return ops
}

// keep remembers an operation for the end of the run, if that was asked for.
func (o *LinearOracle) keep(r *runtime.Record, c *call) {
	if len(o.kept) >= o.keepMax {
		o.dropped++
		return
	}
	op := Operation{
		Client:  c.client,
		Request: append([]byte(nil), c.request...),
		Outcome: c.outcome,
		Start:   c.started,
		End:     c.answered,
	}
	if op.Outcome == runtime.Done {
		op.Response = append([]byte(nil), r.Note...)
	}
	o.kept = append(o.kept, op)
}

// finished judges the operations kept, by what clients saw and nothing else.
func (o *LinearOracle) finished(r *runtime.Record) bool {
	if o.keepMax == 0 {
		return true
	}
	if o.dropped > 0 {
		return o.p.fail(r, linearUndecided, about{},
			"%d operations were kept to be judged, and %d more were not",
			len(o.kept), o.dropped)
	}
	ops := o.kept
	for _, c := range o.h.calls.slots { // those nobody was told about may have taken effect
		if c.id != 0 && c.answered == 0 {
			ops = append(ops, Operation{Client: c.client, Request: c.request, Outcome: runtime.Unknown, Start: c.started})
		}
	}
	switch Judge(o.make, ops) {
	case NotLinearizable:
		return o.p.fail(r, linearBroken, about{},
			"the answers to %d operations are not those of any one order of them",
			len(ops))
	case Undecided:
		return o.p.fail(r, linearUndecided, about{},
			"whether the answers to %d operations are linearizable was not decided",
			len(ops))
	}
	o.certified += uint64(len(ops))
	return true
}

func clip(p []byte) []byte { return p[:min(len(p), noteMax)] }
