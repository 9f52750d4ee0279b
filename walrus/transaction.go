package walrus

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Limits of transactions that are prepared and not decided. All of them are written again in
// the first group of every segment, so that none of them pins an older one.
const (
	// MaxPrepared is how many there may be at a time.
	MaxPrepared = 64
	// MaxPreparedBytes is the size of one, in bytes, with 24 for each change.
	MaxPreparedBytes = 256 << 10

	changeHeaderBytes = 24
)

// Transaction is a batch that was prepared and is neither committed nor aborted: in doubt.
type Transaction struct {
	ID      uint64
	Changes []Change
}

// Change is one change of a transaction: a stable value, or an entry, which has its index
// when the transaction is committed.
type Change struct {
	IsSet   bool   // Key and not Topic, Term and Flags
	Key     uint16 // of a stable value
	Topic   Topic
	Term    uint64
	Flags   uint8
	Payload []byte
}

// prepared is a transaction in doubt, as the log keeps it.
//
// The body, the payload of its record, is its changes in order. Each is 24 bytes and a payload:
//
//	 0 |kind 1|flags 1|topic or key 2|length 4|
//	 8 |term                                 8|
//	16 |0                                    8|
//	24 |payload
type prepared struct {
	id   uint64
	body []byte
}

// Prepare makes the batch the first phase of a transaction: its entries and values are made
// durable, and nobody sees them before Commit is given the same number in a later batch. The
// log numbers the entries then, so their index must be given as 0. The batch holds nothing else.
//
// A transaction that is not decided survives crashes, and is told by Log.Prepared.
func (b *Batch) Prepare(tx uint64) { b.prepares, b.tx = true, tx }

// Commit makes a prepared transaction visible, in the place of the batch where it stands.
func (b *Batch) Commit(tx uint64) {
	b.ops = append(b.ops, change{record: record{kind: kindCommit, index: tx}})
	b.decides = true
}

// Abort forgets a prepared transaction.
func (b *Batch) Abort(tx uint64) {
	b.ops = append(b.ops, change{record: record{kind: kindAbort, index: tx}})
	b.decides = true
}

// Prepared returns the transactions that are prepared durably and not decided, in the order
// of their numbers. The memory is the caller's.
func (l *Log) Prepared() (out []Transaction) {
	for i := range l.txs {
		p := &l.txs[i]
		t := Transaction{ID: p.id}
		_ = eachChange(p.body, func(c *change) error {
			t.Changes = append(t.Changes, c.export())
			return nil
		})
		out = append(out, t)
	}
	return out
}

// export returns the change with a payload of its own.
func (c *change) export() Change {
	out := Change{Payload: slices.Clone(c.payload)}
	if c.kind == kindSet {
		out.IsSet, out.Key = true, uint16(c.index)
	} else {
		out.Topic, out.Term, out.Flags = c.topic, c.term, c.flags
	}
	return out
}

// appendChange encodes a change for a body.
func appendChange(p []byte, c *change) []byte {
	at := len(p)
	p = append(p, zeros[:changeHeaderBytes]...)
	where := uint16(c.topic)
	if c.kind == kindSet {
		where = uint16(c.index)
	}
	p[at], p[at+1] = byte(c.kind), c.flags
	binary.LittleEndian.PutUint16(p[at+2:], where)
	binary.LittleEndian.PutUint32(p[at+4:], c.length)
	binary.LittleEndian.PutUint64(p[at+8:], c.term)
	return append(p, c.payload...)
}

// eachChange visits the changes of a body. The entries have no index yet.
func eachChange(body []byte, visit func(*change) error) error {
	for len(body) > 0 {
		if len(body) < changeHeaderBytes {
			return errors.New("transaction that makes no sense")
		}
		c := change{record: record{kind: kind(body[0]), flags: body[1]}}
		where := binary.LittleEndian.Uint16(body[2:])
		c.length, c.term = binary.LittleEndian.Uint32(body[4:]), binary.LittleEndian.Uint64(body[8:])
		switch c.kind {
		case kindEntry:
			c.topic = Topic(where)
		case kindSet:
			c.index = uint64(where)
		default:
			return errors.New("transaction with a change of unknown kind")
		}
		if reserved := binary.LittleEndian.Uint64(body[16:]); reserved != 0 || uint64(c.length) > uint64(len(body)-changeHeaderBytes) {
			return errors.New("transaction that makes no sense")
		}
		body = body[changeHeaderBytes:]
		c.payload, body = body[:c.length:c.length], body[c.length:]
		if err := visit(&c); err != nil {
			return err
		}
	}
	return nil
}

// findTx returns the position of a transaction, and whether it is there.
func findTx(txs []prepared, id uint64) (int, bool) {
	return slices.BinarySearchFunc(txs, id, func(p prepared, id uint64) int { return cmp.Compare(p.id, id) })
}

// prepare adds a transaction in doubt. One of that number that is there already is the same, repeated.
func (s *state) prepare(id uint64, body []byte) error {
	at, found := findTx(s.txs, id)
	if found {
		s.txs[at].body = slices.Clone(body)
		return nil
	}
	if len(s.txs) == MaxPrepared {
		return fmt.Errorf("walrus: more than %d transactions: %w", MaxPrepared, ErrTooLarge)
	}
	err := eachChange(body, func(c *change) error {
		if c.kind == kindEntry && (c.topic == 0 || s.topic(c.topic) == nil) { // its commit must not fail
			return fmt.Errorf("walrus: topic %d: %w", c.topic, ErrTooLarge)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.txs = slices.Insert(s.txs, at, prepared{id: id, body: slices.Clone(body)})
	return nil
}

// decide forgets a transaction. In the first group of a segment it may be one that was prepared in
// an older one and is not repeated, since it is decided here.
func (s *state) decide(id uint64) {
	if at, found := findTx(s.txs, id); found {
		s.txs = slices.Delete(s.txs, at, at+1)
	}
}

// tryTransaction is try for a batch that prepares or decides transactions. What it comes to is left in
// l.planned, and in l.trialTxs the transactions in doubt after it.
func (l *Log) tryTransaction(b *Batch) (size int, err error) {
	l.planned, l.trialTxs = l.planned[:0], append(l.trialTxs[:0], l.stagedTxs...)
	if b.prepares {
		return l.tryPrepare(b)
	}
	for i := range b.ops {
		op := b.ops[i]
		n, err := l.tryOne(&op)
		if err != nil {
			return 0, err
		}
		size += n
		if op.kind != kindCommit && op.kind != kindAbort {
			continue
		}
		at, found := findTx(l.trialTxs, op.index)
		if !found {
			return 0, fmt.Errorf("walrus: transaction %d is not prepared: %w", op.index, ErrTransaction)
		}
		body := l.trialTxs[at].body
		l.trialTxs = slices.Delete(l.trialTxs, at, at+1)
		if op.kind == kindAbort {
			continue
		}
		err = eachChange(body, func(c *change) error {
			if c.kind == kindEntry {
				c.index = l.find(c.topic).trial.next
			}
			n, err := l.tryOne(c)
			size += n
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return size, nil
}

// tryOne plans one change.
func (l *Log) tryOne(c *change) (size int, err error) {
	if size, err = l.check(c); err == nil {
		l.planned = append(l.planned, *c)
	}
	return size, err
}

// tryPrepare plans the record of a transaction, and sees to it that nothing forbids its commit.
func (l *Log) tryPrepare(b *Batch) (size int, err error) {
	at, found := findTx(l.trialTxs, b.tx)
	switch {
	case found:
		return 0, fmt.Errorf("walrus: transaction %d is prepared already: %w", b.tx, ErrTransaction)
	case len(l.trialTxs) == MaxPrepared:
		return 0, fmt.Errorf("walrus: more than %d transactions: %w", MaxPrepared, ErrTooLarge)
	}
	var body []byte
	whole := groupHeaderBytes + recordHeaderBytes + trailerBytes
	for i := range b.ops {
		op := b.ops[i]
		if (op.kind != kindEntry || op.index != 0) && op.kind != kindSet {
			return 0, fmt.Errorf("walrus: transaction %d holds more than values and entries without an index: %w", b.tx, ErrTransaction)
		}
		body = appendChange(body, &op)
		if op.kind == kindEntry && op.topic != 0 {
			if t := l.topic(op.topic); t != nil {
				op.index = t.trial.next
			}
		}
		n, err := l.check(&op)
		if err != nil {
			return 0, err
		}
		whole += n
	}
	if len(body) > MaxPreparedBytes || max(whole, groupHeaderBytes+recordHeaderBytes+roundUp(len(body), alignBytes)+trailerBytes) > l.o.GroupBytes {
		return 0, fmt.Errorf("walrus: transaction %d of %d bytes: %w", b.tx, len(body), ErrTooLarge)
	}
	for _, t := range l.topics {
		t.trial = t.staged // nothing of it is visible yet
	}
	c := change{record: record{kind: kindPrepare, index: b.tx, length: uint32(len(body))}, payload: body}
	l.trialTxs = slices.Insert(l.trialTxs, at, prepared{id: b.tx, body: body})
	return l.tryOne(&c)
}

// holds reports whether the state has the value or the transaction of a record.
func (s *state) holds(r *record, payload []byte) bool {
	if r.kind == kindPrepare {
		at, found := findTx(s.txs, r.index)
		return found && bytes.Equal(s.txs[at].body, payload)
	}
	at, found := s.lookup(uint16(r.index))
	return r.kind == kindSet && found && bytes.Equal(s.keys[at].value, payload)
}
