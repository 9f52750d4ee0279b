package scenarios

import (
	"slices"
	"strconv"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// segmentBytes keeps the log's files small, so that a run sees many of them
// come and go.
const segmentBytes = 32 << 10

// cacheBytes makes old entries come from the disk, where faults are.
const cacheBytes = 32 << 10

// What package cluster has.
const (
	inflightPartial = 2
	applyTogether   = 32
)

// thrifty is how many entries gather for a spared peer: few enough that now and then so many come between two heartbeats.
const thrifty = 4

// snapshotChunk makes snapshots travel in many pieces, so that much can happen on their way.
const snapshotChunk = transport.ChunkMin

// valueSize is the length of the values that clients put, in bytes, at least.
const valueSize = 32

// How long a member waits for the leader's answer, and for somebody to lead.
const (
	forwardTimeout  = 4 * time.Second
	forwardPatience = 2 * time.Second
)

// kvService is the replicated key-value store: the node that production runs, with
// small limits.
type kvService struct {
	setup  Setup
	voters []runtime.NodeID
	keys   [][]byte
	// thrifty is the raft.CoreConfig.Thrifty of the members. One seed in two has all peers fed at once.
	thrifty int
}

func newKV(s Setup) *kvService {
	k := &kvService{setup: s}
	for i := range s.Nodes {
		k.voters = append(k.voters, runtime.NodeID(i+1))
	}
	for i := range s.Keys {
		k.keys = append(k.keys, strconv.AppendInt([]byte("k"), int64(i), 10))
	}
	if faults.NewSites(s.Seed, s.Overrides).Site("kv.thrifty", 0, 0).Below(2) > 0 {
		k.thrifty = thrifty
	}
	return k
}

func (k *kvService) node(id runtime.NodeID) runtime.Node {
	engine := raft.NewNode(raft.NodeConfig{
		Core: raft.CoreConfig{
			Voters: k.voters, CacheBytes: cacheBytes, MaxInflightPartial: inflightPartial, ApplyTogether: applyTogether,
			Thrifty: k.thrifty,
		},
		SegmentBytes:  segmentBytes,
		SnapshotEvery: k.setup.SnapshotEvery,
		SnapshotKeep:  k.setup.SnapshotEvery / 4,
		SnapshotChunk: snapshotChunk,
		Machine:       func() raft.StateMachine { return kv.NewMachine() },
	})
	if k.setup.Service != Member {
		return engine
	}
	cfg := member.Config{Engine: engine, Forward: true, ForwardTimeout: forwardTimeout, Patience: forwardPatience}
	for _, peer := range k.voters {
		if peer != id {
			cfg.Peers = append(cfg.Peers, member.Peer{ID: peer})
		}
	}
	return member.New(cfg)
}

func (k *kvService) judge(image oracle.Image) judge {
	return oracle.New(oracle.Config{
		Voters: k.voters, Image: image, Model: oracle.NewKV, PanicIsFailStop: k.setup.PanicIsFailStop,
	})
}

func (k *kvService) command(c *client, _ []runtime.NodeID) []byte {
	cmd := kv.Command{Client: c.id, Seq: c.seq, Key: k.keys[c.choose.Below(uint64(len(k.keys)))]}
	switch kind := c.choose.Below(100); {
	case kind < 40:
		cmd.Op = kv.Get
	case kind < 85:
		cmd.Op = kv.Put
		cmd.Value = c.newValue()
	case kind < 95:
		cmd.Op = kv.CompareAndSwap
		cmd.Value = c.newValue()
		if cmd.ExpectAbsent = c.key == nil; !cmd.ExpectAbsent {
			cmd.Key, cmd.Expect = c.key, c.found
		}
	default:
		cmd.Op = kv.Delete
	}
	return cmd.AppendRequest(nil)
}

// newValue returns a value that nobody else writes, ever. It is valid until
// the next call.
func (c *client) newValue() []byte {
	v := strconv.AppendUint(append(c.value[:0], 'c'), c.id, 10)
	v = strconv.AppendUint(append(v, '-'), c.seq, 10)
	for len(v) < valueSize {
		v = append(v, '.')
	}
	c.value = v
	return v
}

// learn keeps what a get found.
func (k *kvService) learn(c *client, resp []byte) {
	kind, data, err := raft.DecodeRequest(c.req)
	if err != nil || kind != raft.EntryQuery {
		return
	}
	cmd, err := kv.DecodeCommand(data)
	if err != nil {
		return
	}
	if r, err := kv.DecodeResponse(resp); err == nil && r.Status == kv.OK {
		c.key, c.found = cmd.Key, slices.Clone(r.Value)
	}
}

func (k *kvService) hint(resp []byte) runtime.NodeID {
	refusal, err := raft.DecodeRefusal(resp)
	if err != nil {
		return 0
	}
	return refusal.Leader
}
