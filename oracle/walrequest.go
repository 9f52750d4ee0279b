package oracle

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/octopii-go/octopii/runtime"
)

// WalAsk is what a client wants of a node that serves a log.
type WalAsk uint8

// What clients ask. The zero WalAsk is invalid.
const (
	WalWrite  WalAsk = iota + 1 // change the log
	WalRead                     // read entries [next-Back, next-Back+Count) of a topic
	WalScan                     // read all entries of a topic
	WalGet                      // read a key
	WalReopen                   // close the log and open it again
	walAskEnd
)

// WalOp is one change that a client wants.
type WalOp uint8

// The changes. The zero WalOp is invalid.
const (
	WalEntry     WalOp = iota + 1 // append an entry with Count bytes
	WalSet                        // give the key Count bytes
	WalDropBack                   // drop the last Count entries, or all there are
	WalDropFront                  // drop the first Count entries, or all there are
	WalRebase                     // drop all entries, and go on Count indexes later
	WalTx                         // see below
	walOpEnd

	// What becomes of a WalTx, and of what a log is given by others than clients.
	walPrepare
	walCommit
	walAbort
	walMend
)

// A WalTx is the first change of its batch, and makes it one about a transaction, that which At names.
// If it is not in doubt, the batch prepares it: the other changes, entries and values, are its. If it is,
// it is aborted when Seed is a multiple of four, and committed else; the other changes come
// after that.

// The topics and keys of a run: WalMirror repeats WalMain, the others stand alone.
const (
	WalMain   = 1
	WalMirror = 2
	WalKept   = 5 // keeps only so many bytes
	WalRecent = 6 // keeps only what lies in the newest segments
	WalTopics = 7 // above every topic
	WalKeys   = 4 // above every key
	WalTxs    = 3 // above every transaction
)

// walKeeps reports whether the log drops entries of the topic by itself. Clients only append to those.
func walKeeps(topic uint64) bool { return topic == WalKept || topic == WalRecent }

// WalPayloadMax bounds what one change may carry, in bytes.
const WalPayloadMax = 1 << 20

// WalChange is one change of a batch. What an entry or a value holds follows from Seed
// and Count, so that the bytes of a request need not carry it.
type WalChange struct {
	Op    WalOp
	At    uint16 // the topic; of a WalSet, the key
	Count uint32
	Seed  uint64
}

// Term and Flags return what comes with the entry.
func (c *WalChange) Term() uint64 { return c.Seed >> 8 % 7 }

// Flags returns the caller's own bits of the entry.
func (c *WalChange) Flags() uint8 { return uint8(c.Seed >> 16) }

// Payload returns the bytes of the entry or value. Of one in eight most bytes are zero.
func (c *WalChange) Payload() []byte {
	b, draw := make([]byte, 0, c.Count+8), c.Seed
	for len(b) < int(c.Count) {
		if len(b) > 0 && c.Seed%8 == 0 {
			draw = 0
		} else if len(b) > 0 {
			draw = runtime.Mix(draw, uint64(len(b)))
		}
		b = binary.LittleEndian.AppendUint64(b, draw)
	}
	return b[:c.Count]
}

// Resolve returns the index that the change names in a topic with these bounds: that of a
// new entry, or of a truncation or a rebase as package walrus takes it.
func (c *WalChange) Resolve(first, next uint64) uint64 {
	switch count := uint64(c.Count); c.Op {
	case WalDropBack:
		return next - min(count, next-first)
	case WalDropFront:
		return first + min(count, next-first)
	case WalRebase:
		return next + count
	}
	return next
}

// Bounds returns the topic's bounds after the change.
func (c *WalChange) Bounds(first, next uint64) (newFirst, newNext uint64) {
	index := c.Resolve(first, next)
	switch c.Op {
	case WalEntry:
		return first, next + 1
	case WalDropBack:
		return first, index
	case WalDropFront:
		return index, next
	case WalRebase:
		return index, index
	}
	return first, next
}

// WalRequest is one request of a client. Of a write the changes of each batch belong
// together; the batches are staged one after the other.
type WalRequest struct {
	Ask     WalAsk
	At      uint16 // topic to read, or the key
	Back    uint32 // of a read: how far before the end it begins
	Count   uint32 // of a read: how many entries
	Batches [][]WalChange
}

const (
	walRequestSize = 1 + 2 + 4 + 4
	walChangeSize  = 1 + 2 + 4 + 8
)

// Append appends the encoded request to b.
func (q *WalRequest) Append(b []byte) []byte {
	b = append(b, byte(q.Ask))
	b = binary.LittleEndian.AppendUint16(b, q.At)
	b = binary.LittleEndian.AppendUint32(b, q.Back)
	b = binary.LittleEndian.AppendUint32(b, q.Count)
	for _, batch := range q.Batches {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(batch)))
		for _, c := range batch {
			b = append(b, byte(c.Op))
			b = binary.LittleEndian.AppendUint16(b, c.At)
			b = binary.LittleEndian.AppendUint32(b, c.Count)
			b = binary.LittleEndian.AppendUint64(b, c.Seed)
		}
	}
	return b
}

var errWalRequest = errors.New("oracle: malformed request to a log")

// DecodeWalRequest is the inverse of Append. Everything in the result is in range.
func DecodeWalRequest(b []byte) (WalRequest, error) {
	if len(b) < walRequestSize {
		return WalRequest{}, errWalRequest
	}
	q := WalRequest{
		Ask:   WalAsk(b[0]),
		At:    binary.LittleEndian.Uint16(b[1:]),
		Back:  binary.LittleEndian.Uint32(b[3:]),
		Count: binary.LittleEndian.Uint32(b[7:]),
	}
	ok := q.Ask > 0 && q.Ask < walAskEnd && (q.Ask == WalWrite) == (len(b) > walRequestSize)
	if q.Ask == WalGet {
		ok = ok && q.At < WalKeys
	} else if q.Ask == WalRead || q.Ask == WalScan {
		ok = ok && q.At > 0 && q.At < WalTopics
	}
	for b = b[walRequestSize:]; ok && len(b) > 0; {
		var batch []WalChange
		if batch, b, ok = decodeWalBatch(b); ok {
			q.Batches = append(q.Batches, batch)
		}
	}
	if !ok {
		return WalRequest{}, errWalRequest
	}
	return q, nil
}

// decodeWalBatch decodes the batch that b begins with, and returns what follows it.
func decodeWalBatch(b []byte) (batch []WalChange, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; n == 0 || len(b) < n*walChangeSize {
		return nil, nil, false
	}
	for ; n > 0; n-- {
		c := WalChange{
			Op:    WalOp(b[0]),
			At:    binary.LittleEndian.Uint16(b[1:]),
			Count: binary.LittleEndian.Uint32(b[3:]),
			Seed:  binary.LittleEndian.Uint64(b[7:]),
		}
		if !c.valid() {
			return nil, nil, false
		}
		batch, b = append(batch, c), b[walChangeSize:]
		if c.Op == WalTx && len(batch) > 1 || batch[0].Op == WalTx && c.Op > WalSet && len(batch) > 1 {
			return nil, nil, false
		}
	}
	return batch, b, true
}

func (c *WalChange) valid() bool {
	switch {
	case c.Op == 0 || c.Op >= walOpEnd:
		return false
	case c.Op == WalSet:
		return c.At < WalKeys && c.Count <= WalPayloadMax
	case c.Op == WalTx:
		return c.At < WalTxs && c.Count == 0
	case c.Op == WalEntry && c.Count > WalPayloadMax, c.Op != WalEntry && walKeeps(uint64(c.At)):
		return false
	}
	return c.At > 0 && c.At < WalTopics && c.At != WalMirror && c.Count <= math.MaxInt32
}

// Commits reports whether a WalTx about a transaction in doubt commits it.
func (c *WalChange) Commits() bool { return c.Seed%4 != 0 }

// HashWalTx folds a change of a transaction into the hash h of those before it: the entry of a topic, or the value of
// a key, whose HashWalEntry is content.
func HashWalTx(h uint64, set bool, at uint16, content uint64) uint64 {
	kind := uint64(1)
	if set {
		kind = 2
	}
	return runtime.Mix(runtime.Mix(h, kind<<16|uint64(at)), content)
}

// HashWalEntry returns what stands for an entry or a value in the records of a log's driver.
func HashWalEntry(term uint64, flags uint8, payload []byte) uint64 {
	return runtime.HashBytes(runtime.Mix(term, uint64(flags)), payload)
}
