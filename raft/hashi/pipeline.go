package hashi

import (
	hraft "github.com/hashicorp/raft"
)

// inFlight is how many messages with entries are sent to a follower before it has answered the first. The library's transport
// takes no more before somebody has taken the answer.
const inFlight = 2

// network is the library's transport, with pipelines that do not get stuck.
type network struct {
	*hraft.NetworkTransport
}

var (
	_ hraft.Transport   = network{}
	_ hraft.WithPreVote = network{}
	_ hraft.WithClose   = network{}
)

// AppendEntriesPipeline implements hraft.Transport.
func (n network) AppendEntriesPipeline(id hraft.ServerID, target hraft.ServerAddress) (hraft.AppendPipeline, error) {
	inner, err := n.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &pipeline{AppendPipeline: inner}, nil
}

// pipeline sends entries to a follower while the answer to those before is still under way.
//
// Raft's goroutine that takes the answers ends with the first one that is no success. The one that sends may learn of
// it some messages later: it looks at what it waits for in any order. But when the first answer was taken, the second
// stands in the way of a third message, and nobody takes it any more. So the sender would wait without a limit, and
// only itself could close the pipeline. Here it is told instead.
type pipeline struct {
	hraft.AppendPipeline
	sent [inFlight]hraft.AppendFuture // the latest, the oldest first
}

// AppendEntries implements hraft.AppendPipeline. It is called by one goroutine.
func (p *pipeline) AppendEntries(req *hraft.AppendEntriesRequest, resp *hraft.AppendEntriesResponse) (hraft.AppendFuture, error) {
	if first := p.sent[0]; first != nil && last(first) {
		return nil, hraft.ErrPipelineShutdown
	}
	f, err := p.AppendPipeline.AppendEntries(req, resp)
	if err == nil {
		copy(p.sent[:], p.sent[1:])
		p.sent[inFlight-1] = f
	}
	return f, err
}

// last reports whether an answer, which is there when all but one message behind it could be sent, is one after
// which raft takes no other.
func last(f hraft.AppendFuture) bool {
	if f.Error() != nil {
		return true
	}
	resp := f.Response()
	return !resp.Success || resp.Term > f.Request().Term
}
