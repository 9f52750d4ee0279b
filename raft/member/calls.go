package member

import (
	"errors"
	"slices"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// parkedMax is how many calls may wait for a leader. One more is refused.
const parkedMax = 4096

// changeGrace is how much longer the answer of a member is waited for that is known to lead no longer. What
// it was asked has been decided by then, or it does not know.
const changeGrace = time.Second

// call is a call of a client that is not answered.
type call struct {
	id       runtime.CallID
	deadline runtime.Instant
	until    runtime.Instant // when the present wait is over; Never: nobody has set one
	req      []byte
	refusal  []byte              // why it is parked
	to       runtime.NodeID      // to whom it is forwarded
	request  transport.RequestID // by which it is
	parking  bool                // it has waited before: the time to wait is running
	patience runtime.Instant     // when that is over
}

// calls are the calls of clients. Each is in the hands of the engine, or parked, or forwarded.
type calls struct {
	node      *Node
	open      map[runtime.CallID]*call
	parked    []*call // oldest first
	forwarded []*call // in no order
	due       runtime.Instant
	// doubted says that the leader did not answer the last time. Then one call at a time tries whether it does again; clients
	// may well reach it where this member cannot.
	doubted bool
}

func (c *calls) init(n *Node) {
	*c = calls{node: n, open: map[runtime.CallID]*call{}, due: runtime.Never}
}

// begin hands a new call to the engine.
func (c *calls) begin(id runtime.CallID, deadline runtime.Instant, req []byte) {
	if c.node.stopAt != runtime.Never {
		c.node.env.Reply(id, runtime.Refused, raft.Refusal{Code: raft.RefusedStopping}.Append(nil))
		return
	}
	c.open[id] = &call{id: id, deadline: deadline, until: runtime.Never, req: req}
	c.node.engine.Call(id, deadline, req)
}

// reply answers a call for good.
func (c *calls) reply(x *call, outcome runtime.Outcome, resp []byte) {
	delete(c.open, x.id)
	c.node.env.Reply(x.id, outcome, resp)
}

func (c *calls) refuse(x *call, r raft.Refusal) { c.reply(x, runtime.Refused, r.Append(nil)) }

// answered takes what the engine says.
func (c *calls) answered(id runtime.CallID, outcome runtime.Outcome, resp []byte) {
	x := c.open[id]
	if x == nil {
		return
	}
	if outcome == runtime.Refused {
		if r, err := raft.DecodeRefusal(resp); err == nil && c.redirect(x, r, resp) {
			return
		}
	}
	c.reply(x, outcome, resp)
}

// redirect forwards or parks a call that the engine has refused, if that is what is to be done.
func (c *calls) redirect(x *call, r raft.Refusal, resp []byte) bool {
	n := c.node
	elsewhere := r.Code == raft.RefusedNotLeader && r.Leader != 0 && r.Leader != n.env.Self()
	switch {
	case elsewhere && n.cfg.Forward && !(c.doubted && len(c.forwarded) > 0):
		c.forward(x, r.Leader)
		return true
	case elsewhere || r.Code != raft.RefusedNotLeader && r.Code != raft.RefusedNotReady:
		return false
	}
	now := n.env.Now()
	if !x.parking {
		x.parking, x.patience = true, min(x.deadline, now.Add(n.cfg.Patience))
	}
	if n.stopAt != runtime.Never || x.patience <= now || len(c.parked) >= parkedMax {
		return false
	}
	n.env.Trace(runtime.Event{Kind: CallParked, A: uint64(x.id)})
	x.refusal = resp
	c.await(x, x.patience)
	c.parked = append(c.parked, x)
	return true
}

// await sets a limit to the present wait of a call.
func (c *calls) await(x *call, until runtime.Instant) {
	x.until = until
	c.due = min(c.due, until)
}

// forward sends a call to the leader, as the only attempt there will be.
func (c *calls) forward(x *call, leader runtime.NodeID) {
	n := c.node
	now := n.env.Now()
	body := appendForward(make([]byte, 0, forwardHeader+len(x.req)), x.id, x.req)
	request, err := n.rpc.Call(now, leader, min(x.deadline, now.Add(n.cfg.ForwardTimeout)), body)
	switch {
	case errors.Is(err, transport.ErrTooLarge):
		c.refuse(x, raft.Refusal{Code: raft.RefusedTooLarge})
		return
	case err != nil:
		c.refuse(x, raft.Refusal{Code: raft.RefusedBusy, Leader: leader})
		return
	}
	n.env.Trace(runtime.Event{Kind: CallForwarded, A: uint64(x.id), B: uint64(leader)})
	x.to, x.request, x.until = leader, request, runtime.Never
	c.forwarded = append(c.forwarded, x)
	n.asked[request] = func(res transport.RPCResult) { c.returned(x, &res) }
}

// returned takes what the leader says, or that it says nothing.
func (c *calls) returned(x *call, res *transport.RPCResult) {
	c.forwarded = remove(c.forwarded, x)
	c.doubted = errors.Is(res.Err, transport.ErrTimeout) || errors.Is(res.Err, transport.ErrUnreachable)
	switch {
	case res.Outcome == runtime.Done && res.Err == nil:
		outcome, resp, err := decodeForwarded(res.Body)
		if err != nil {
			outcome, resp = runtime.Unknown, nil
		}
		c.reply(x, outcome, resp)
	case res.Outcome == runtime.Refused && errors.Is(res.Err, transport.ErrOverloaded):
		c.refuse(x, raft.Refusal{Code: raft.RefusedBusy, Leader: x.to})
	case res.Outcome == runtime.Refused:
		c.refuse(x, raft.Refusal{Code: raft.RefusedNotLeader, Leader: x.to})
	default:
		c.reply(x, runtime.Unknown, nil)
	}
}

// cancel forgets a call. What has been begun may go on.
func (c *calls) cancel(id runtime.CallID) {
	x := c.open[id]
	if x == nil {
		return
	}
	delete(c.open, id)
	switch {
	case slices.Contains(c.parked, x):
		c.parked = remove(c.parked, x)
	case slices.Contains(c.forwarded, x):
		c.forwarded = remove(c.forwarded, x)
		c.withdraw(x)
	default:
		c.node.engine.Cancel(id)
	}
}

// withdraw takes back the request by which a call was forwarded, and says what may be concluded.
func (c *calls) withdraw(x *call) runtime.Outcome {
	delete(c.node.asked, x.request)
	outcome, _ := c.node.rpc.Cancel(x.request)
	return outcome
}

// newLeader begins anew what was not sent yet, and gives those who lead no longer a last chance to answer.
func (c *calls) newLeader() {
	n := c.node
	again := c.parked
	c.parked, c.doubted = nil, false
	for _, x := range slices.Clone(c.forwarded) {
		switch {
		case x.to == n.leader:
			x.until = runtime.Never
		case !n.rpc.Sent(x.request):
			c.withdraw(x)
			c.forwarded = remove(c.forwarded, x)
			again = append(again, x)
		case x.until == runtime.Never:
			c.await(x, n.env.Now().Add(changeGrace))
		}
	}
	for _, x := range again {
		x.until = runtime.Never
		n.engine.Call(x.id, x.deadline, x.req)
	}
}

// tick ends the waits that are over.
func (c *calls) tick(now runtime.Instant) {
	if now < c.due {
		return
	}
	c.due = runtime.Never
	for _, x := range slices.Clone(c.parked) {
		if x.until > now {
			c.due = min(c.due, x.until)
			continue
		}
		c.parked = remove(c.parked, x)
		c.giveUp(x, now)
	}
	for _, x := range slices.Clone(c.forwarded) {
		if x.until > now {
			c.due = min(c.due, x.until)
			continue
		}
		c.forwarded = remove(c.forwarded, x)
		if c.withdraw(x) == runtime.Refused {
			c.refuse(x, raft.Refusal{Code: raft.RefusedNotLeader, Leader: c.node.leader})
		} else {
			c.reply(x, runtime.Unknown, nil)
		}
	}
}

// giveUp ends a wait that was in vain. Who was parked while the node booted may have waited for a leader most of the time, and is
// told so: the engine, asked again, says how things are now.
func (c *calls) giveUp(x *call, now runtime.Instant) {
	if r, err := raft.DecodeRefusal(x.refusal); err == nil && r.Code == raft.RefusedNotReady && x.deadline > now {
		x.until = runtime.Never
		c.node.engine.Call(x.id, x.deadline, x.req)
		return
	}
	c.reply(x, runtime.Refused, x.refusal)
}

// stop refuses what waits for a leader.
func (c *calls) stop() {
	parked := c.parked
	c.parked = nil
	for _, x := range parked {
		c.refuse(x, raft.Refusal{Code: raft.RefusedStopping})
	}
}

// remove takes a call out of a list.
func remove(list []*call, x *call) []*call {
	i := slices.Index(list, x)
	return slices.Delete(list, i, i+1)
}
