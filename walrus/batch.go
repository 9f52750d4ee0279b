package walrus

import "slices"

// Batch is a list of changes that become visible together or not at all, in
// the order given. The zero value is empty and ready. It belongs to its
// caller, may be reused after Reset, and does not copy: payloads and values
// must stay unchanged until Log.Stage has returned.
type Batch struct {
	ops      []change
	insist   bool
	prepares bool   // it is the first phase of transaction tx
	decides  bool   // it commits or aborts transactions
	tx       uint64 // only if it prepares
}

// change is one element of a batch.
type change struct {
	record
	payload []byte
}

// Entry appends an entry to a topic. Its index must be the topic's next. A
// topic never used before begins at index 1; Rebase makes it begin elsewhere. Term
// and flags are the caller's own and come back with the entry.
func (b *Batch) Entry(t Topic, index, term uint64, flags uint8, payload []byte) {
	n := len(b.ops)
	if n == cap(b.ops) {
		b.ops = slices.Grow(b.ops, 1)
	}
	b.ops = b.ops[:n+1]
	// Field by field, as in copyTo.
	c := &b.ops[n]
	c.kind, c.flags, c.topic, c.length = kindEntry, flags, t, uint32(len(payload))
	c.index, c.term, c.sum = index, term, 0
	c.payload = payload
}

// Set gives a stable key, below MaxKeys, a value of at most MaxValue bytes.
func (b *Batch) Set(key uint16, value []byte) {
	b.ops = append(b.ops, change{
		record:  record{kind: kindSet, index: uint64(key), length: uint32(len(value))},
		payload: value,
	})
}

// TruncateBack drops the entries of a topic from an index on, which comes
// next then. Entries that replace them belong into the same batch.
func (b *Batch) TruncateBack(t Topic, from uint64) {
	b.ops = append(b.ops, change{record: record{kind: kindTruncateBack, topic: t, index: from}})
}

// TruncateFront drops the entries of a topic before an index. One at or
// below the topic's first changes nothing.
func (b *Batch) TruncateFront(t Topic, first uint64) {
	b.ops = append(b.ops, change{record: record{kind: kindTruncateFront, topic: t, index: first}})
}

// Rebase empties a topic; its next entry has the index first.
func (b *Batch) Rebase(t Topic, first uint64) {
	b.ops = append(b.ops, change{record: record{kind: kindRebase, topic: t, index: first}})
}

// Insist makes Stage take the batch although the device is full: for callers that ask
// Log.NoSpace beforehand. Its Flush may have to wait for space.
func (b *Batch) Insist() { b.insist = true }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.insist, b.prepares, b.decides, b.tx = false, false, false, 0
	for i := range b.ops {
		b.ops[i].payload = nil
	}
	b.ops = b.ops[:0]
}
