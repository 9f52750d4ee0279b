package quic

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/octopii-go/octopii/runtime"
)

// Stats are the counters of an endpoint, since it began.
type Stats struct {
	Peers []PeerStats // by id

	Refused  uint64 // connections by which it was dialed and that were not made
	NoRoute  uint64 // frames for nodes without a route
	NoFrames uint64 // frames that were none: not sealed by package transport
}

// PeerStats are the counters of what went to and came from one peer.
type PeerStats struct {
	ID        runtime.NodeID
	Addr      string // where it is dialed; empty: nowhere
	Connected bool   // frames for it can leave

	Dialed   uint64 // attempts to connect to it
	Failed   uint64 // of these, that came to no connection, be it because it dialed us at the same time
	Accepted uint64 // connections by which it dialed us

	Channels [runtime.ChannelCount]ChannelStats
}

// ChannelStats are the counters of one channel between two nodes.
type ChannelStats struct {
	Sent, SentBytes         uint64 // handed to the connection
	Received, ReceivedBytes uint64 // handed to the receiver
	Dropped                 uint64 // not sent: the queue was full, or the connection went or did not come
	Stale                   uint64 // not received: there was a newer connection
}

// channelCounters are ChannelStats that several goroutines count.
type channelCounters struct {
	sent, sentBytes, received, receivedBytes, dropped, stale atomic.Uint64
}

func (c *channelCounters) stats() ChannelStats {
	return ChannelStats{
		Sent: c.sent.Load(), SentBytes: c.sentBytes.Load(),
		Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Dropped: c.dropped.Load(), Stale: c.stale.Load(),
	}
}

// Stats returns the counters. It may be called from any goroutine, also after Close.
func (e *Endpoint) Stats() Stats {
	s := Stats{Refused: e.refused.Load(), NoRoute: e.noRoute.Load(), NoFrames: e.noFrames.Load()}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, p := range e.peers {
		s.Peers = append(s.Peers, p.stats())
	}
	slices.SortFunc(s.Peers, func(a, b PeerStats) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (p *peer) stats() PeerStats {
	s := PeerStats{ID: p.id, Dialed: p.dialed.Load(), Failed: p.failed.Load(), Accepted: p.accepted.Load()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.route != nil {
		s.Addr = p.route.addr
	}
	s.Connected = p.live != nil && p.route != nil
	for ch := range s.Channels {
		s.Channels[ch] = p.counters[ch].stats()
	}
	return s
}
