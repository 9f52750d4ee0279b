package hashi

import (
	hraft "github.com/hashicorp/raft"
)

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
	return newPipeline(inner), nil
}

// pipeline sends entries to a follower while the answer to those before is still under way.
//
// Raft's goroutine that takes the answers ends with the first one that is no success. The one that sends learns of
// it when it looks, which it may do a few messages later: of all that it waits for it sees any first. But the library's
// pipeline takes only two messages before somebody has to take an answer. So the sender can wait, without a
// limit, for an answer to be taken that nobody wants, and only itself could close the pipeline. Here
// all answers are taken, wanted or not.
type pipeline struct {
	hraft.AppendPipeline
	answers chan hraft.AppendFuture // for raft
	closing chan struct{}           // closed by Close
	closed  chan struct{}           // closed when pass has ended
}

func newPipeline(inner hraft.AppendPipeline) *pipeline {
	p := &pipeline{
		AppendPipeline: inner,
		answers:        make(chan hraft.AppendFuture), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	go p.pass()
	return p
}

// Consumer implements hraft.AppendPipeline.
func (p *pipeline) Consumer() <-chan hraft.AppendFuture { return p.answers }

// Close implements hraft.AppendPipeline. It is called once.
func (p *pipeline) Close() error {
	err := p.AppendPipeline.Close()
	close(p.closing)
	<-p.closed
	return err
}

// pass takes the answers, and passes them on as long as raft wants them. It is a goroutine, and ends with the pipeline.
func (p *pipeline) pass() {
	defer close(p.closed)
	wanted := true
	for {
		select {
		case answer := <-p.AppendPipeline.Consumer():
			if !wanted {
				continue
			}
			select {
			case p.answers <- answer:
				resp := answer.Response()
				wanted = resp.Success && resp.Term <= answer.Request().Term
			case <-p.closing:
				return
			}
		case <-p.closing:
			return
		}
	}
}
