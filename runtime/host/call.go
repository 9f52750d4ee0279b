package host

import (
	"context"
	"math"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// call is a client's request on its way.
type call struct {
	id       runtime.CallID
	deadline runtime.Instant
	req      []byte
	reply    chan reply // holds one, so that the loop never waits
}

type reply struct {
	outcome runtime.Outcome
	resp    []byte
	err     error
}

// Call asks the node for something and blocks until it answers, the context
// is done, or the host ends. The node owns req from here on.
//
// The outcome is always one that a client may rely on. The error says why the node
// itself did not answer: with Unknown, that of the context or ErrStopped; with
// Refused, ErrStopped or ErrBusy, or the context's if it was done before the call. It is nil if
// the node answered, whatever it said; resp is what it said.
func (h *Host) Call(ctx context.Context, req []byte) (outcome runtime.Outcome, resp []byte, err error) {
	if err := ctx.Err(); err != nil {
		return runtime.Refused, nil, err
	}
	c := &call{
		id:       runtime.CallID(h.lastCall.Add(1)),
		deadline: runtime.Never,
		req:      req,
		reply:    make(chan reply, 1),
	}
	if at, ok := ctx.Deadline(); ok {
		c.deadline = h.now().Add(time.Until(at))
	}
	if !h.inbox.put(item{kind: toCall, call: c}, callsMax) {
		if h.dead.Load() {
			return runtime.Refused, nil, h.stoppedError()
		}
		return runtime.Refused, nil, ErrBusy
	}
	h.hurry()
	select {
	case r := <-c.reply:
		return r.outcome, r.resp, r.err
	case <-ctx.Done():
		h.inbox.post(item{kind: toCancel, call: c}, math.MaxInt)
		return runtime.Unknown, nil, ctx.Err()
	case <-h.ended:
	}
	select {
	case r := <-c.reply: // answered at the last moment
		return r.outcome, r.resp, r.err
	default: // the node never saw it
		return runtime.Refused, nil, h.stoppedError()
	}
}

// begin hands a call to the node.
func (h *Host) begin(c *call) {
	h.calls[c.id] = c
	h.node.Call(c.id, c.deadline, c.req)
}

// cancel tells the node that nobody waits, unless it has answered.
func (h *Host) cancel(id runtime.CallID) {
	if h.calls[id] != nil {
		delete(h.calls, id)
		h.node.Cancel(id)
	}
}
