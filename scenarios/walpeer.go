package scenarios

import (
	"bytes"
	"errors"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// walPeer is what others know of a log: all entries that were ever staged in it. It outlives the node, as
// the disks of peers do.
type walPeer struct {
	entries map[walPlace][]walCopy
}

type walPlace struct {
	topic walrus.Topic
	index uint64
}

// walCopy is an entry as a peer has it.
type walCopy struct {
	term    uint64
	flags   uint8
	payload []byte
}

func newWalPeer() *walPeer { return &walPeer{entries: map[walPlace][]walCopy{}} }

func (p *walPeer) learn(at walPlace, c walCopy) { p.entries[at] = append(p.entries[at], c) }

// candidates returns the copies that the peer has for a place, one for each term, flags and length. If two have
// these and differ, nobody knows which one the log had.
func (p *walPeer) candidates(at walPlace) (out []walCopy) {
	all := p.entries[at]
	for i, c := range all {
		same := func(o walCopy) bool {
			return o.term == c.term && o.flags == c.flags && len(o.payload) == len(c.payload)
		}
		first, known := true, true
		for k, o := range all {
			first = first && (k >= i || !same(o))
			known = known && (!same(o) || bytes.Equal(o.payload, c.payload))
		}
		if first && known {
			out = append(out, c)
		}
	}
	return out
}

// walMendsMax is how many entries a node mends in one batch of its own.
const walMendsMax = 16

// damaged notes that an entry cannot be read. It reports whether it is known which one that is.
func (n *walNode) damaged(err error) bool {
	var c *walrus.CorruptError
	if !errors.As(err, &c) || c.Topic == 0 || c.Topic == oracle.WalMirror {
		return false
	}
	n.toMend(walPlace{c.Topic, c.Index})
	return true
}

func (n *walNode) toMend(at walPlace) {
	for _, known := range n.mends {
		if known == at {
			return
		}
	}
	n.mends = append(n.mends, at)
}

// mend stages what peers have of entries that cannot be read. The log knows which of the copies
// is the entry's. One that has been truncated meanwhile needs none.
func (n *walNode) mend() {
	for range min(len(n.mends), walMendsMax) {
		at := n.mends[0]
		n.mends = n.mends[1:]
		for _, c := range n.peer.candidates(at) {
			n.batch.Reset()
			n.batch.Repair(at.topic, at.index, c.term, c.flags, c.payload)
			if n.log.Stage(&n.batch) == nil {
				n.repairs++
				n.env.Trace(runtime.Event{
					Kind: oracle.WalMended, A: uint64(at.topic), B: at.index, C: oracle.HashWalEntry(c.term, c.flags, c.payload),
				})
				break
			}
		}
	}
}
