package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
	"github.com/octopii-go/octopii/walrus"
)

// Status is a member's view of itself and of its peers.
type Status struct {
	Cluster string
	ID      runtime.NodeID
	Engine  Engine
	Addr    string // bound
	Running bool   // false: it has ended, and Raft, RPC and Shipping are zero

	// Recovery is the worst that this start has found of the engine's log, Clean while the member reads its folder. With Torn and
	// Uncertain the end of the log was left out, see package raft for what that means; with Corrupt the member has ended.
	Recovery walrus.Verdict
	// Raft is the engine's view. It is zero while the member reads its folder.
	Raft raft.Status
	// Leader is who leads, as far as known; the zero Peer: nobody.
	Leader Peer
	// Peers are all members, this one included, by id.
	Peers []PeerStatus

	RPC      transport.RPCLoad
	Shipping transport.ShipperLoad
}

// PeerStatus is a member as another sees it.
type PeerStatus struct {
	Peer
	// Connected says that frames can leave for it at once; of the member itself, that it runs. Connections are made when there is
	// something to send: between two members that have nothing to say to each other, as two idle followers, it is false, and
	// nothing is wrong.
	Connected bool
	// Link are the counters of what went to and came from it.
	Link quic.PeerStats
}

// Status returns the member's view of itself. It waits for a turn of the loop, which is never long.
func (m *Member) Status() Status {
	s := Status{Cluster: m.cfg.Cluster, ID: m.cfg.ID, Engine: m.cfg.Engine, Addr: m.Addr()}
	s.Recovery = walrus.Verdict(m.recovery.Load())
	s.Running = m.onLoop(func() {
		s.Raft = m.node.Status()
		if p, beside := m.backend.(*proxy); beside {
			s.Raft = p.fresh()
		}
		s.RPC, s.Shipping = m.node.Load()
	})
	if !s.Running {
		s.Raft, s.RPC, s.Shipping = raft.Status{}, transport.RPCLoad{}, transport.ShipperLoad{}
	}
	s.Leader, _ = m.cfg.peer(s.Raft.Leader)
	links := map[runtime.NodeID]quic.PeerStats{}
	for _, link := range m.endpoint.Stats().Peers {
		links[link.ID] = link
	}
	for _, p := range m.cfg.Peers {
		link := links[p.ID]
		s.Peers = append(s.Peers, PeerStatus{Peer: p, Connected: link.Connected || p.ID == m.cfg.ID && s.Running, Link: link})
	}
	return s
}

// observe sees each event of the node, on the loop.
func (m *Member) observe(r *runtime.Record) {
	log := m.cfg.Logger
	switch r.Kind {
	case raft.RoleChanged:
		role, term := raft.Role(r.A), raft.Term(r.B)
		log.Info("role changed", "id", m.cfg.ID, "role", role, "term", term)
		m.journal.add(Event{Kind: RoleChanged, Role: role, Term: term})
	case member.LeaderChanged:
		leader, _ := m.cfg.peer(runtime.NodeID(r.A))
		known := "nobody"
		if r.A != 0 {
			known = runtime.NodeID(r.A).String()
		}
		log.Info("leader changed", "id", m.cfg.ID, "leader", known, "term", r.B)
		m.journal.add(Event{Kind: LeaderChanged, Leader: leader, Term: raft.Term(r.B)})
	case raft.SnapshotTaken:
		log.Info("snapshot taken", "id", m.cfg.ID, "index", r.A)
		m.journal.add(Event{Kind: SnapshotTaken, Index: raft.Index(r.A), Term: raft.Term(r.B)})
	case raft.SnapshotInstalled:
		log.Info("snapshot installed", "id", m.cfg.ID, "index", r.A)
		m.journal.add(Event{Kind: SnapshotInstalled, Index: raft.Index(r.A), Term: raft.Term(r.B)})
	case raft.DiskRefused:
		m.complain(string(r.Note), r.A)
	case raft.BootFinding:
		m.found(r)
	}
	if m.cfg.Trace != nil {
		m.cfg.Trace(r)
	}
}

// found says what recovery of the log has to say. A write that a loss of power has torn is nothing special; anything
// else is. It runs on the loop.
func (m *Member) found(r *runtime.Record) {
	verdict, level := walrus.Verdict(r.A), slog.LevelWarn
	if verdict == walrus.Torn {
		level = slog.LevelInfo
	}
	m.recovered(verdict)
	m.cfg.Logger.Log(context.Background(), level, "recovery of the log", "id", m.cfg.ID, "verdict", verdict,
		"file", string(r.Note), "offset", r.B, "bytes", r.C)
}

// recovered remembers the worst verdict. It may be called from any goroutine, by one at a time.
func (m *Member) recovered(v walrus.Verdict) {
	m.recovery.Store(max(m.recovery.Load(), uint32(v)))
}

// complain says that the disk failed a job, which the node survives. Such a job is tried again and again, but the same is not
// said again at once. It runs on the loop.
func (m *Member) complain(text string, lane uint64) {
	if m.disk.fresh(subject{}, text) {
		m.cfg.Logger.Warn("the disk fails a job, which will be tried again", "id", m.cfg.ID, "lane", lane, "err", text)
	}
}

// noticed hears what happens to connections, on any goroutine. Every failure is an event, but as long as a peer cannot be
// reached for one and the same reason that is not said again at once.
func (m *Member) noticed(n quic.Notice) {
	log, ev := m.cfg.Logger, Event{Peer: n.Peer, Err: n.Err}
	switch n.Kind {
	case quic.Connected:
		m.links.forget(n.Peer)
		log.Info(n.String(), "id", m.cfg.ID)
		ev.Kind = PeerConnected
	case quic.Disconnected:
		log.Info(n.String(), "id", m.cfg.ID)
		ev.Kind = PeerDisconnected
	case quic.Failed:
		about := subject{inbound: n.Inbound}
		if _, found := m.cfg.peer(n.Peer); found {
			about.peer = n.Peer
		}
		if m.links.fresh(about, reason(n)) {
			log.Warn(n.String(), "id", m.cfg.ID)
		}
		ev.Kind = PeerRefused
	default:
		log.Warn(n.String(), "id", m.cfg.ID)
		return
	}
	m.journal.add(ev)
}

// reason returns why a connection was not made, without the address: a stranger comes from another one each time.
func reason(n quic.Notice) string {
	var failed *quic.HandshakeError
	if errors.As(n.Err, &failed) {
		return failed.Reason.Error()
	}
	return n.String()
}

// stalled hears that the disk stands still, or goes on.
func (m *Member) stalled(s host.Stall) {
	ev := Event{Kind: DiskStalled, Err: fmt.Errorf("lane %d has been in a call for %v", s.Lane, s.For)}
	if s.Over {
		ev = Event{Kind: DiskWentOn, Err: fmt.Errorf("lane %d was in a call for %v", s.Lane, s.For)}
	}
	m.journal.add(ev)
}
