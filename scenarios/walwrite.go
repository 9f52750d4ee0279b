package scenarios

import (
	"encoding/binary"
	"errors"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// stage puts batches into the open group until it is full.
func (n *walNode) stage() {
	for len(n.queue) > 0 {
		part := n.queue[0]
		if err := n.stagePart(part); errors.Is(err, walrus.ErrFull) {
			return
		}
		n.queue = n.queue[1:]
	}
}

// stagePart stages a batch. One that the log will not have ends its write.
func (n *walNode) stagePart(p walPart) error {
	e := p.errand
	if e.refused {
		return nil
	}
	ends, answer := n.ends, len(e.answer)
	n.batch.Reset()
	n.news = n.news[:0]
	changes := e.batches[p.at]
	if changes[0].Op == oracle.WalTx {
		head := &changes[0]
		if changes = changes[1:]; n.transact(e, head, changes) {
			changes = nil
		}
	}
	for i := range changes {
		n.add(e, &changes[i])
	}
	ev := runtime.Event{Kind: oracle.WalStaged, A: uint64(e.call), B: uint64(p.at)}
	err := n.log.Stage(&n.batch)
	switch {
	case err == nil:
		for _, f := range n.news {
			n.peer.learn(f.at, f.copy)
		}
		n.staged = append(n.staged, p)
		n.env.Trace(ev)
		return nil
	case !errors.Is(err, walrus.ErrFull):
		ev.Kind, ev.Note = oracle.WalRefused, []byte(err.Error())
		if errors.Is(err, walrus.ErrNoSpace) {
			ev.C, n.choreAt = 1, min(n.choreAt, n.env.Now().Add(walChorePause))
		}
		n.env.Trace(ev)
		e.refused = true
		outcome := runtime.Unknown
		if p.at == 0 {
			outcome = runtime.Refused
		}
		n.env.Reply(e.call, outcome, nil)
	}
	n.ends, e.answer = ends, e.answer[:answer]
	return err
}

// add puts a change into the batch.
func (n *walNode) add(e *walErrand, c *oracle.WalChange) {
	if c.Op == oracle.WalSet {
		n.batch.Set(c.At, c.Payload())
		return
	}
	topic, ends := walrus.Topic(c.At), &n.ends.bounds[c.At]
	index := c.Resolve(ends[0], ends[1])
	switch c.Op {
	case oracle.WalEntry:
		payload := c.Payload()
		n.batch.Entry(topic, index, c.Term(), c.Flags(), payload)
		n.fresh(walPlace{topic, index}, walCopy{c.Term(), c.Flags(), payload})
		e.answer = binary.LittleEndian.AppendUint64(e.answer, index)
	case oracle.WalDropBack:
		n.batch.TruncateBack(topic, index)
	case oracle.WalDropFront:
		n.batch.TruncateFront(topic, index)
	case oracle.WalRebase:
		n.batch.Rebase(topic, index)
	}
	ends[0], ends[1] = c.Bounds(ends[0], ends[1])
}

// cut begins the flush of what is staged, unless one is under way.
func (n *walNode) cut() {
	if n.group != nil {
		return
	}
	group := n.log.Cut()
	if group == nil {
		return
	}
	n.env.Trace(runtime.Event{Kind: oracle.WalCut})
	n.group, n.flight, n.staged, n.repairs = group, n.staged, nil, 0
	n.flush()
	n.stage() // there is room again
}

// flush writes the group in flight.
func (n *walNode) flush() {
	n.flushAt = runtime.Never
	group := n.group
	n.env.Submit(walLogLane, func(files runtime.FS) error { return walrus.Flush(files, group) }, n.flushed)
}

// flushed learns that the group is durable, or that nobody can say. One for which there
// was no room is taken back, or written again later.
func (n *walNode) flushed(err error) {
	switch {
	case errors.Is(err, walrus.ErrNoSpace) && n.takesBack && n.log.Withdraw(n.group):
		n.env.Trace(runtime.Event{Kind: oracle.WalWithdrawn})
		n.tookBack()
		n.settle()
		return
	case errors.Is(err, walrus.ErrNoSpace):
		n.flushAt = n.env.Now().Add(walChorePause)
		n.settle()
		return
	case err != nil && n.options.Reopen:
		n.spoiled = true
		n.settle()
		return
	case err != nil:
		n.fail(err)
		return
	}
	n.publish()
}

// tookBack refuses what was in flight, and what was staged behind it.
func (n *walNode) tookBack() {
	for _, parts := range [][]walPart{n.flight, n.staged} {
		for _, p := range parts {
			if p.errand.refused {
				continue
			}
			p.errand.refused = true
			outcome := runtime.Unknown
			if p.at == 0 {
				outcome = runtime.Refused
			}
			n.env.Reply(p.errand.call, outcome, nil)
		}
	}
	n.group, n.flight, n.staged, n.repairs = nil, nil, nil, 0
	n.ends = endsOf(n.log)
	n.choreAt = min(n.choreAt, n.env.Now().Add(walChorePause))
}

func (n *walNode) fail(err error) {
	n.log.Fail(err)
	n.env.Halt(err)
}

// elsewhere writes the group whose flush has failed into another segment, once no chore is
// under way.
func (n *walNode) elsewhere() {
	if !n.spoiled || n.choring {
		return
	}
	job, done := n.log.Reopen(n.group)
	n.env.Trace(runtime.Event{Kind: oracle.WalReopened})
	n.spoiled, n.choring = false, true
	n.env.Submit(walLogLane, job, func(err error) {
		n.choring = false
		done(err)
		if err != nil {
			n.fail(err)
			return
		}
		n.publish()
	})
}

// publish makes the group in flight visible, and tells who waits for it.
func (n *walNode) publish() {
	n.log.Publish(n.group)
	n.env.Trace(runtime.Event{Kind: oracle.WalPublished})
	for topic := uint64(1); topic < oracle.WalTopics; topic++ {
		first, next := n.log.Bounds(walrus.Topic(topic))
		n.env.Trace(runtime.Event{Kind: oracle.WalBounds, A: topic, B: first, C: next})
	}
	for _, ev := range walPlaces(n.log.Placed()) {
		n.env.Trace(ev)
	}
	for _, p := range n.flight {
		if p.errand.left--; p.errand.left == 0 {
			n.env.Reply(p.errand.call, runtime.Done, p.errand.answer)
		}
	}
	n.group, n.flight = nil, nil
	if n.choreAt == runtime.Never {
		n.choreAt = n.env.Now()
	}
	n.settle()
}

// chore lets the log do its background work.
func (n *walNode) chore() {
	if n.choring || n.phase != walServing || n.env.Now() < n.choreAt {
		return
	}
	n.choreAt = runtime.Never
	job, done := n.log.Chore()
	if job == nil {
		return
	}
	n.choring = true
	n.env.Submit(walLogLane, job, func(err error) {
		n.choring = false
		done(err)
		n.choreAt = n.env.Now()
		if err != nil {
			n.choreAt = n.choreAt.Add(walChorePause)
		}
		n.settle()
	})
}

// scrub has the log verify a piece of itself. Damage is a reason to end.
func (n *walNode) scrub() {
	if n.phase != walServing || n.env.Now() < n.scrubAt {
		return
	}
	n.scrubAt = runtime.Never
	job, done := n.log.Scrub(walReadBytes)
	if job == nil {
		n.scrubAt = n.env.Now().Add(walScrubPause)
		return
	}
	n.reads++
	n.env.Submit(walReadLane, job, func(err error) {
		n.reads--
		done(err)
		if errors.Is(err, walrus.ErrCorrupt) && !n.damaged(err) {
			n.env.Halt(err)
			return
		}
		n.scrubAt = n.env.Now().Add(walScrubPause)
		n.settle()
	})
}
