package scenarios

import (
	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// walOptions are those of the logs under test: small, so that segments come and go and
// groups fill up.
var walOptions = walrus.Options{
	Dir: "wal/log", SegmentBytes: 16 << 10, GroupBytes: 12 << 10,
	Mirror: []walrus.Mirror{{Main: oracle.WalMain, Recovery: oracle.WalMirror}},
	Retain: []walrus.Retain{{Topic: oracle.WalKept, Bytes: 2 << 10}, {Topic: oracle.WalRecent, Segments: 3}},
}

// walKeep is about how many entries clients leave in a topic.
const walKeep = 60

// walService is nodes of which each serves a log of its own to clients.
type walService struct {
	setup Setup
	peers map[runtime.NodeID]*walPeer
}

func (s *walService) node(id runtime.NodeID) runtime.Node {
	if s.peers[id] == nil {
		s.peers[id] = newWalPeer()
	}
	return newWalNode(walOptions, s.peers[id])
}

func (s *walService) judge(image oracle.Image) judge {
	f := &s.setup.Faults
	return oracle.NewWal(oracle.WalConfig{
		Image:        image,
		GroupBytes:   walOptions.GroupBytes,
		MayFill:      f.Space.Bytes > 0,
		MayMisread:   walMayMisread(f),
		TailRots:     f.Budget == faults.BudgetTail,
		Rots:         f.Rot > 0,
		KeepBytes:    uint64(walOptions.Retain[0].Bytes),
		KeepSegments: uint64(walOptions.Retain[1].Segments),
	})
}

// walMayMisread: whole sectors are lost, or reads show others.
func walMayMisread(f *faults.Spec) bool {
	return f.Stale+f.Astray > 0 || f.Phantom+f.Misdirect > 0 || f.NoPSOW
}

func (s *walService) command(c *client, _ []runtime.NodeID) []byte {
	q := oracle.WalRequest{Ask: oracle.WalWrite, At: walTopic(c)}
	switch dice := c.choose.Below(100); {
	case dice < 40:
		q.Batches = [][]oracle.WalChange{{walEntry(c)}}
	case dice < 50:
		q.Batches = [][]oracle.WalChange{walTransaction(c)}
	case dice < 62:
		for range 1 + c.choose.Below(4) {
			q.Batches = append(q.Batches, walBatch(c))
		}
	case dice < 68:
		change := walEntry(c)
		change.Op, change.At = oracle.WalSet, uint16(c.choose.Below(oracle.WalKeys))
		q.Batches = [][]oracle.WalChange{{change}}
	case dice < 76:
		q.Batches = [][]oracle.WalChange{walTruncation(c)}
	case dice < 90:
		// The nearer to the end the more often: a topic whose front is cut off every now and then has little else.
		q.Ask, q.Back, q.Count = oracle.WalRead, uint32(c.choose.Below(1+c.choose.Below(walKeep))), uint32(c.choose.Below(8))
	case dice < 93:
		q.Ask = oracle.WalScan
	case dice < 98:
		q.Ask, q.At = oracle.WalGet, uint16(c.choose.Below(oracle.WalKeys))
	default:
		q.Ask = oracle.WalReopen
	}
	return q.Append(nil)
}

// walTopic draws a topic to read: now and then the mirror, which has nothing to read.
func walTopic(c *client) uint16 {
	if topic := 1 + c.choose.Below(oracle.WalTopics-1); topic != oracle.WalMirror || c.choose.Below(4) == 0 {
		return uint16(topic)
	}
	return oracle.WalMain
}

// walEntry draws an entry: most are small, some are empty, a few are larger than any group.
func walEntry(c *client) oracle.WalChange {
	e := oracle.WalChange{Op: oracle.WalEntry, At: oracle.WalMain, Seed: c.choose.Draw(), Count: uint32(c.choose.Below(200))}
	if topic := 1 + c.choose.Below(oracle.WalTopics-1); topic != oracle.WalMirror {
		e.At = uint16(topic)
	}
	switch dice := c.choose.Below(100); {
	case dice < 5:
		e.Count = 0
	case dice < 12:
		e.Count = uint32(c.choose.Below(3 << 10))
	case dice < 15:
		e.Count = uint32(c.choose.Below(14 << 10))
	}
	return e
}

// walBatch draws changes that belong together.
func walBatch(c *client) []oracle.WalChange {
	var batch []oracle.WalChange
	for range 1 + c.choose.Below(6) {
		e := walEntry(c)
		e.Count %= 2 << 10
		batch = append(batch, e)
	}
	if c.choose.Below(3) == 0 {
		batch = append(batch, oracle.WalChange{
			Op: oracle.WalSet, At: uint16(c.choose.Below(oracle.WalKeys)), Seed: c.choose.Draw(), Count: uint32(c.choose.Below(64)),
		})
	}
	return batch
}

// walTransaction draws changes for a transaction, or to come after its decision.
func walTransaction(c *client) []oracle.WalChange {
	tx := oracle.WalChange{Op: oracle.WalTx, At: uint16(c.choose.Below(oracle.WalTxs)), Seed: c.choose.Draw()}
	return append([]oracle.WalChange{tx}, walBatch(c)...)
}

// walTruncation draws a truncation, half of those at the back with what comes instead.
func walTruncation(c *client) []oracle.WalChange {
	t := oracle.WalChange{Op: oracle.WalDropFront, At: oracle.WalMain, Count: uint32(c.choose.Below(walKeep))}
	if other := c.choose.Below(3); other > 0 {
		t.At = uint16(oracle.WalMirror + other) // of the topics that do not keep so much by themselves
	}
	switch dice := c.choose.Below(100); {
	case dice < 40:
		t.Op, t.Count = oracle.WalDropBack, uint32(c.choose.Below(6))
		if dice < 20 {
			e := walEntry(c)
			e.At, e.Count = t.At, e.Count%(2<<10)
			return []oracle.WalChange{t, e}
		}
	case dice < 45:
		t.Op = oracle.WalRebase
	}
	return []oracle.WalChange{t}
}

func (s *walService) learn(*client, []byte) {}

func (s *walService) hint([]byte) runtime.NodeID { return 0 }
