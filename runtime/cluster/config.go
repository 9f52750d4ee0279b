package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
)

// Engine is what decides the order of commands. All members of a cluster have the same.
type Engine string

// The engines.
const (
	Octopii   Engine = "octopii"   // package raft; the default
	Hashicorp Engine = "hashicorp" // hashicorp/raft, by package raft/hashi
)

// defaultElection is the time that a zero Config.ElectionTimeout stands for, as in package raft.
const defaultElection = time.Second

// inflightPartial is the raft.CoreConfig.MaxInflightPartial of every member. Beside a bare default it was measured with 64 clients
// on three processes of one machine: 1.4 times the writes, at two thirds of the processor time.
const inflightPartial = 2

// applyTogether is the raft.CoreConfig.ApplyTogether of every member. In what steps a follower applies, only its status shows:
// Applied stands behind Commit until the next heartbeat.
const applyTogether = 32

// thrifty is the raft.CoreConfig.Thrifty of every member. With one client on three processes of one machine a write takes 0.6 of the
// processor time that it takes with zero. With 64 and more, 256 gives a tenth more writes than 32: small entries fill an append by then.
const thrifty = 256

// Peer is a member as its peers know it.
type Peer struct {
	// ID is the member's own, for ever. It is not zero.
	ID runtime.NodeID
	// Addr is where members reach it: a host and a UDP port.
	Addr string
	// Service is where clients reach it. Nothing here looks into it: it is handed to those who should ask another member.
	Service string
}

// String returns the peer's id and address.
func (p Peer) String() string { return fmt.Sprintf("%v at %s", p.ID, p.Addr) }

// Config says who a member is. The fields up to Peers must be given, and either TLSDir or Credentials; a zero field among
// the others stands for its default.
type Config struct {
	// Cluster is the cluster's name: 1 to 63 of a-z 0-9 - . _
	Cluster string
	// ID is the member itself. It is among Peers.
	ID runtime.NodeID
	// Dir is the member's folder, made if it is missing.
	Dir string
	// Peers are all members, this one included, in any order. Every member is given the same, but for addresses,
	// which may change while it is down.
	Peers []Peer

	// TLSDir is the folder that quic.Authority.Issue has made for this member.
	TLSDir string
	// Credentials, if not nil, is asked in place of TLSDir: see quic.Config.
	Credentials func() (*quic.Credentials, error)

	// Listen is the UDP address that the member binds. Default: its own of Peers.
	Listen string
	// Engine is what decides the order of commands. Default Octopii.
	Engine Engine
	// NoForward says that what only the leader can do is refused by other members, with a *NotLeaderError.
	// Otherwise they hand it to the leader.
	NoForward bool
	// Patience is how long a call waits while nobody is known to lead, before it is refused. Default: five times
	// ElectionTimeout; negative: it does not wait.
	Patience time.Duration

	// ElectionTimeout and HeartbeatInterval are those of raft.CoreConfig. Defaults 1 s and 100 ms. The engine
	// of hashicorp/raft takes the first only.
	ElectionTimeout, HeartbeatInterval time.Duration
	// MaxEntryBytes is the largest command, in bytes. Default 256 KiB.
	MaxEntryBytes int
	// SnapshotEvery and SnapshotKeep are those of raft.NodeConfig. Defaults 10,000 and 1,000 entries.
	SnapshotEvery, SnapshotKeep uint64
	// SegmentBytes is the size of the log's files; zero leaves it to the log.
	SegmentBytes int64
	// RPC and Shipper limit the calls among members and the shipping lane. What belongs to a boot, such as lanes and
	// incarnation, is filled in.
	RPC     transport.RPCConfig
	Shipper transport.ShipperConfig

	// StallAfter is how long a call on a file may take before the disk is said to stand still. Default 5 s.
	StallAfter time.Duration
	// Logger is told what people who run the member may want to know. Default: nobody is.
	Logger *slog.Logger
	// Trace, if not nil, gets each event of the node, as in host.Config.
	Trace func(*runtime.Record)
	// Wrap, if not nil, puts something between the member and its folder, as in host.Config.
	Wrap func(runtime.FS) runtime.FS
}

// withDefaults returns the config with nothing zero that has a default, and Peers as a sorted copy.
func (c Config) withDefaults() Config {
	c.Peers = slices.SortedFunc(slices.Values(c.Peers), func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	if own, found := c.peer(c.ID); found {
		c.Listen = cmp.Or(c.Listen, own.Addr)
	}
	if c.Credentials == nil && c.TLSDir != "" {
		c.Credentials = quic.Folder(c.TLSDir).Load
	}
	c.Engine = cmp.Or(c.Engine, Octopii)
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, defaultElection)
	c.Patience = max(0, cmp.Or(c.Patience, 5*c.ElectionTimeout))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports the first thing wrong with the config, in one line. It looks at nothing outside of it.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.ID == 0:
		return errors.New("cluster: config without ID")
	case c.Dir == "":
		return errors.New("cluster: config without Dir")
	case len(c.Peers) == 0:
		return errors.New("cluster: config without Peers")
	case c.Credentials == nil:
		return errors.New("cluster: config without TLSDir or Credentials")
	case engines[c.Engine] == nil:
		return fmt.Errorf("cluster: engine %q is not known", c.Engine)
	}
	if c.ElectionTimeout < 0 || c.HeartbeatInterval < 0 {
		return fmt.Errorf("cluster: ElectionTimeout is %v and HeartbeatInterval %v: neither may be negative", c.ElectionTimeout, c.HeartbeatInterval)
	}
	if err := c.validatePeers(); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	checks := []func() error{
		c.endpoint(nil).Validate,
		c.raft(func() raft.StateMachine { return nil }).Validate,
		c.node(noEngine{}).Validate,
		host.Config{ID: c.ID, Dir: c.Dir, StallAfter: c.StallAfter}.Validate,
	}
	if c.Engine == Hashicorp {
		checks = append(checks, c.hashi(new(quic.Endpoint), func() raft.StateMachine { return nil }, nil).Validate)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return fmt.Errorf("cluster: config: %w", err)
		}
	}
	return nil
}

// validatePeers looks at who the members are, and where. The peers are sorted.
func (c *Config) validatePeers() error {
	for i, p := range c.Peers {
		switch {
		case p.ID == 0:
			return fmt.Errorf("peer at %q has no ID", p.Addr)
		case i > 0 && p.ID == c.Peers[i-1].ID:
			return fmt.Errorf("peer %v is given twice, at %q and %q", p.ID, c.Peers[i-1].Addr, p.Addr)
		case p.Addr == "" && p.ID == c.ID: // it has to be told where to listen
		case p.Addr == "":
			return fmt.Errorf("peer %v has no address", p.ID)
		default:
			if err := checkAddr(p.Addr); err != nil {
				return fmt.Errorf("peer %v: %w", p.ID, err)
			}
		}
	}
	if _, found := c.peer(c.ID); !found {
		return fmt.Errorf("%v is not among the peers %v", c.ID, c.Peers)
	}
	if c.Listen != "" {
		if err := checkAddr(c.Listen); err != nil {
			return fmt.Errorf("Listen: %w", err)
		}
	}
	return nil
}

// checkAddr reports whether an address has the form HOST:PORT. Neither is looked up.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err // which has the address
	}
	if n, err := strconv.Atoi(port); port == "" || err == nil && (n < 0 || n > 1<<16-1) {
		return fmt.Errorf("address %s: port %q is none", addr, port)
	}
	return nil
}

// noEngine stands for an engine that is not there yet.
type noEngine struct{ member.Engine }

// peer returns the member with that id.
func (c *Config) peer(id runtime.NodeID) (Peer, bool) {
	i := slices.IndexFunc(c.Peers, func(p Peer) bool { return p.ID == id })
	if i < 0 {
		return Peer{}, false
	}
	return c.Peers[i], true
}

// ids returns the ids of all members, ascending.
func (c *Config) ids() []runtime.NodeID {
	ids := make([]runtime.NodeID, len(c.Peers))
	for i, p := range c.Peers {
		ids[i] = p.ID
	}
	return ids
}

// raft returns how package raft is to work.
func (c *Config) raft(machine func() raft.StateMachine) raft.NodeConfig {
	return raft.NodeConfig{
		Core: raft.CoreConfig{
			ID: c.ID, Voters: c.ids(), ElectionTimeout: c.ElectionTimeout, HeartbeatInterval: c.HeartbeatInterval,
			MaxEntryBytes: c.MaxEntryBytes, MaxInflightPartial: inflightPartial, ApplyTogether: applyTogether,
			Thrifty: thrifty,
		},
		SegmentBytes: c.SegmentBytes, SnapshotEvery: c.SnapshotEvery, SnapshotKeep: c.SnapshotKeep, Machine: machine,
	}
}

// node returns how the member as a whole is to work.
func (c *Config) node(engine member.Engine) member.Config {
	cfg := member.Config{
		Engine: engine, Forward: !c.NoForward, Patience: c.Patience, RPC: c.RPC, Shipper: c.Shipper,
	}
	for _, p := range c.Peers {
		if p.ID != c.ID {
			cfg.Peers = append(cfg.Peers, member.Peer{ID: p.ID, Addr: p.Addr})
		}
	}
	return cfg
}

// endpoint returns how the member is connected.
func (c *Config) endpoint(notify func(quic.Notice)) quic.Config {
	return quic.Config{
		Cluster: c.Cluster, ID: c.ID, Listen: c.Listen, Credentials: c.Credentials, Notify: notify,
		Allow: func(id runtime.NodeID) bool { _, found := c.peer(id); return found },
	}
}
