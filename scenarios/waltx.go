package scenarios

import (
	"encoding/binary"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/walrus"
)

// walEnds is where the topics of a log end with all that is staged, and what is in doubt then.
type walEnds struct {
	bounds [oracle.WalTopics][2]uint64
	txs    [oracle.WalTxs]*walrus.Transaction // nil: not in doubt
}

// endsOf returns what is published.
func endsOf(log *walrus.Log) (e walEnds) {
	for topic := range e.bounds {
		if topic > 0 {
			e.bounds[topic][0], e.bounds[topic][1] = log.Bounds(walrus.Topic(topic))
		}
	}
	for _, tx := range log.Prepared() {
		if tx.ID < oracle.WalTxs {
			e.txs[tx.ID] = &tx
		}
	}
	return e
}

// transact begins a batch about a transaction, which the changes after c belong to if it is being
// prepared. It reports whether it is.
func (n *walNode) transact(e *walErrand, c *oracle.WalChange, rest []oracle.WalChange) (prepares bool) {
	id := uint64(c.At)
	tx := n.ends.txs[id]
	if tx == nil {
		n.ends.txs[id] = n.prepare(id, rest)
		return true
	}
	n.ends.txs[id] = nil
	if !c.Commits() {
		n.batch.Abort(id)
		return false
	}
	n.batch.Commit(id)
	for i := range tx.Changes {
		if change := &tx.Changes[i]; !change.IsSet {
			ends := &n.ends.bounds[change.Topic]
			e.answer = binary.LittleEndian.AppendUint64(e.answer, ends[1])
			n.fresh(walPlace{change.Topic, ends[1]}, walCopy{change.Term, change.Flags, change.Payload})
			ends[1]++
		}
	}
	return false
}

// prepare fills the batch with a transaction, and returns that.
func (n *walNode) prepare(id uint64, changes []oracle.WalChange) *walrus.Transaction {
	tx := &walrus.Transaction{ID: id}
	for i := range changes {
		c := &changes[i]
		if c.Op == oracle.WalSet {
			n.batch.Set(c.At, c.Payload())
			tx.Changes = append(tx.Changes, walrus.Change{IsSet: true, Key: c.At, Payload: c.Payload()})
			continue
		}
		n.batch.Entry(walrus.Topic(c.At), 0, c.Term(), c.Flags(), c.Payload())
		tx.Changes = append(tx.Changes, walrus.Change{Topic: walrus.Topic(c.At), Term: c.Term(), Flags: c.Flags(), Payload: c.Payload()})
	}
	n.batch.Prepare(id)
	return tx
}

// fresh notes an entry of the batch, for the peers to learn if the log takes it.
func (n *walNode) fresh(at walPlace, c walCopy) {
	n.news = append(n.news, walNews{at, c})
}

// walNews is an entry that peers are about to learn.
type walNews struct {
	at   walPlace
	copy walCopy
}

// hashTx returns what stands for a transaction in the records.
func hashTx(tx *walrus.Transaction) (h uint64) {
	for i := range tx.Changes {
		c := &tx.Changes[i]
		if at := uint16(c.Topic); c.IsSet {
			h = oracle.HashWalTx(h, true, c.Key, oracle.HashWalEntry(0, 0, c.Payload))
		} else {
			h = oracle.HashWalTx(h, false, at, oracle.HashWalEntry(c.Term, c.Flags, c.Payload))
		}
	}
	return h
}
