package oracle

import (
	"encoding/binary"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// readMax bounds what a single claim may cover, in bytes. A longer one is false.
const readMax = 1 << 30

// presence is what the image says of a range of bytes.
type presence uint8

const (
	absent   presence = iota // a power loss could change them
	present                  // they are durable
	unjudged                 // there is no image to ask
)

// inspector asks the image whether claims are true.
type inspector struct {
	image    Image
	buffer   []byte
	judged   uint64 // claims
	unjudged uint64
}

// read returns the durable bytes of the file that the record's note names,
// valid until the next call.
func (x *inspector) read(m *member, r *runtime.Record, off int64, n uint64) ([]byte, presence) {
	if x.image == nil {
		x.unjudged++
		return nil, unjudged
	}
	x.judged++
	if n > readMax || off < 0 {
		return nil, absent
	}
	if uint64(cap(x.buffer)) < n {
		x.buffer = make([]byte, n+n/2)
	}
	p := x.buffer[:n]
	if !x.image.Durable(m.id, m.file(r.Note), off, p) {
		return nil, absent
	}
	return p, present
}

// decodeState reads term and vote out of the value of a hard state as it is in the
// log: term, vote and incarnation, 8 bytes little endian each. It does not ask
// the node's own decoder, which is under judgement, too.
func decodeState(value []byte) (ballot, bool) {
	if len(value) != 24 {
		return ballot{}, false
	}
	return ballot{
		term: raft.Term(binary.LittleEndian.Uint64(value)),
		vote: runtime.NodeID(binary.LittleEndian.Uint64(value[8:])),
	}, true
}
