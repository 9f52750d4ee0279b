package raft

import "github.com/octopii-go/octopii/runtime"

// frameSlab is how much memory for small frames is allocated at a time.
const frameSlab = 16 << 10

// waitingMax is how many messages may wait for a write. One more is dropped: its
// peer asks again.
const waitingMax = 4096

// outbox is the one place where messages leave a node. What asserts that
// something is durable waits here for its write.
type outbox struct {
	node    *Node
	durable WriteID // every write up to here was reported to the core
	waiting []Gated // in the order asked for
	slab    []byte  // room for frames; what is in it belongs to the Env
}

// send traces what the message asserts, and sends it.
func (o *outbox) send(m *Message) {
	env := o.node.env
	switch m.Type {
	case MsgPreVote:
		env.Trace(event(VoteAsked, uint64(m.Term), uint64(m.Index), uint64(m.LogTerm), 1))
	case MsgVote:
		env.Trace(event(VoteAsked, uint64(m.Term), uint64(m.Index), uint64(m.LogTerm), 0))
	case MsgPreVoteReply:
		if !m.Reject {
			env.Trace(event(PreVoteGranted, uint64(m.Term), uint64(m.To), uint64(m.Index), uint64(m.LogTerm)))
		}
	case MsgVoteReply:
		if !m.Reject {
			env.Trace(event(VoteGranted, uint64(m.Term), uint64(m.To), uint64(m.Index), uint64(m.LogTerm)))
		}
	case MsgAppendReply:
		if !m.Reject {
			env.Trace(event(Acked, uint64(m.To), uint64(m.Term), uint64(m.Index), 0))
		}
	}
	env.Send(m.To, runtime.ChannelControl, appendMessage(o.room(messageSize(m)), m))
}

// room returns an empty buffer of that capacity for a frame. Small frames share
// an allocation.
func (o *outbox) room(size int) []byte {
	if size > frameSlab/8 {
		return make([]byte, 0, size)
	}
	if cap(o.slab)-len(o.slab) < size {
		o.slab = make([]byte, 0, frameSlab)
	}
	start := len(o.slab)
	o.slab = o.slab[:start+size]
	return o.slab[start : start : start+size]
}

// gate sends the message once its write, and all before it, are durable.
func (o *outbox) gate(g *Gated) {
	switch {
	case g.Write <= o.durable:
		o.send(&g.Message)
	case len(o.waiting) < waitingMax:
		o.waiting = append(o.waiting, *g)
	}
}

// release says that all writes up to id are durable. It must come after
// Core.Persisted, and before anything else of the core, so that Core.Void knows.
func (o *outbox) release(id WriteID) {
	o.durable = id
	kept := o.waiting[:0]
	for i := range o.waiting {
		g := &o.waiting[i]
		switch {
		case g.Write > id:
			kept = append(kept, *g)
		case o.node.core.Void(&g.Message) || o.repeated(i, id):
		default:
			o.send(&g.Message)
		}
	}
	o.waiting = kept
}

// repeated reports whether message i is an acknowledgement that says less than
// a later one to the same peer which leaves in the same release.
func (o *outbox) repeated(i int, id WriteID) bool {
	m := &o.waiting[i].Message
	if m.Type != MsgAppendReply || m.Reject {
		return false
	}
	for j := i + 1; j < len(o.waiting); j++ {
		later := &o.waiting[j]
		if later.Write <= id && later.Message.Type == MsgAppendReply && !later.Message.Reject &&
			later.Message.To == m.To && later.Message.Term == m.Term && later.Message.Index >= m.Index {
			return true
		}
	}
	return false
}
