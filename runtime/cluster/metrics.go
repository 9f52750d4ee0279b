package cluster

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

var channelNames = [runtime.ChannelCount]string{"control", "bulk", "rpc", "files"}

// What a member shows beside its host.
var (
	running     = desc("octopii_member_running", "1 while the member runs.")
	leads       = desc("octopii_raft_leader", "1 if this member leads.")
	leaderKnown = desc("octopii_raft_leader_known", "1 if this member knows who leads.")
	term        = desc("octopii_raft_term", "The term.")
	role        = desc("octopii_raft_role", "0 follower, 1 pre-candidate, 2 candidate, 3 leader.")
	lastIndex   = desc("octopii_raft_last_index", "The last entry of the log.")
	commitIndex = desc("octopii_raft_commit_index", "The last entry known to be committed.")
	applied     = desc("octopii_raft_applied_index", "The last entry that the state machine has executed.")
	snapshot    = desc("octopii_raft_snapshot_index", "The last entry of the newest snapshot.")
	recovery    = desc("octopii_log_recovery_verdict", "What this start found of the log: 0 clean, 1 damaged, 2 torn, 3 uncertain, 4 corrupt.")
	events      = desc("octopii_member_events_total", "What has happened to the member: see cluster.Event.")

	rpcCalls   = desc("octopii_rpc_calls", "Calls to other members under way, forwarded requests included.")
	rpcServing = desc("octopii_rpc_serving", "Calls of other members being served.")
	rpcKept    = desc("octopii_rpc_kept_bytes", "Bytes of answers kept for other members.")
	fetches    = desc("octopii_ship_fetches", "Fetches under way.")
	shipBytes  = desc("octopii_ship_held_bytes", "Bytes held for fetches.")
	shipQueue  = desc("octopii_ship_queue", "Chunks that other members have asked for and not got yet.")

	peerUp      = desc("octopii_peer_connected", "1 if frames can leave for that member at once: there is no connection to one that was never sent anything.", "peer")
	peerDials   = desc("octopii_peer_dials_total", "Attempts to connect to that member.", "peer", "result")
	peerFrames  = desc("octopii_peer_frames_total", "Frames that the connection carried or lost.", "peer", "channel", "what")
	peerBytes   = desc("octopii_peer_bytes_total", "Bytes that the connection carried.", "peer", "channel", "what")
	connRefused = desc("octopii_connections_refused_total", "Connections of others that were not made.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Collector is what the member and its host count, for a registry. Two members of one process are told apart by labels, as
// prometheus.WrapRegistererWith adds. It may be collected until long after the member has ended.
func (m *Member) Collector() prometheus.Collector { return collector{m} }

type collector struct{ m *Member }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	c.m.host.Collector().Describe(to)
	for _, d := range []*prometheus.Desc{
		running, leads, leaderKnown, term, role, lastIndex, commitIndex, applied, snapshot, recovery, events, rpcCalls, rpcServing, rpcKept,
		fetches, shipBytes, shipQueue, peerUp, peerDials, peerFrames, peerBytes, connRefused,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.m.host.Collector().Collect(to)
	s := c.m.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(running, truth(s.Running))
	gauge(leads, truth(s.Raft.Role == raft.Leader))
	gauge(leaderKnown, truth(s.Leader.ID != 0))
	gauge(role, float64(s.Raft.Role))
	gauge(term, float64(s.Raft.Term))
	gauge(lastIndex, float64(s.Raft.Last))
	gauge(commitIndex, float64(s.Raft.Commit))
	gauge(applied, float64(s.Raft.Applied))
	gauge(snapshot, float64(s.Raft.Snapshot))
	gauge(recovery, float64(s.Recovery))
	gauge(rpcCalls, float64(s.RPC.Calls))
	gauge(rpcServing, float64(s.RPC.Serving))
	gauge(rpcKept, float64(s.RPC.ReplyBytes))
	gauge(fetches, float64(s.Shipping.Fetches))
	gauge(shipBytes, float64(s.Shipping.Bytes))
	gauge(shipQueue, float64(s.Shipping.Queue))
	for _, p := range s.Peers {
		if p.ID != s.ID {
			gauge(peerUp, truth(p.Connected), p.ID.String())
		}
	}
	c.collectCounters(to, &s)
}

// collectCounters shows what only grows.
func (c collector) collectCounters(to chan<- prometheus.Metric, s *Status) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(events, c.m.journal.count())
	counter(connRefused, c.m.endpoint.Stats().Refused)
	for _, p := range s.Peers {
		if p.ID == s.ID {
			continue
		}
		id := p.ID.String()
		counter(peerDials, p.Link.Dialed-p.Link.Failed, id, "made")
		counter(peerDials, p.Link.Failed, id, "failed")
		for ch, name := range channelNames {
			n := &p.Link.Channels[ch]
			counter(peerFrames, n.Sent, id, name, "sent")
			counter(peerFrames, n.Received, id, name, "received")
			counter(peerFrames, n.Dropped, id, name, "dropped")
			counter(peerFrames, n.Stale, id, name, "stale")
			counter(peerBytes, n.SentBytes, id, name, "sent")
			counter(peerBytes, n.ReceivedBytes, id, name, "received")
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
