package oracle

import (
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// walRecord is an entry, or the value of a key, as it was written.
type walRecord struct {
	content uint64 // HashWalEntry of it
	term    uint64
	flags   uint8
	size    uint64
	file    string // where it was placed last; empty: nowhere
	off     int64
	hole    bool   // found, and not to be read: what it was is not known
	tx      *walTx // of a walPrepare
}

// walTx is a transaction in doubt. One that was found has a hash only.
type walTx struct {
	changes []WalChange
	hash    uint64
}

func newWalTx(changes []WalChange) *walTx {
	t := &walTx{changes: changes}
	for i := range changes {
		c := &changes[i]
		t.hash = HashWalTx(t.hash, c.Op == WalSet, c.At, newWalRecord(c).content)
	}
	return t
}

func newWalRecord(c *WalChange) walRecord {
	r := walRecord{size: uint64(c.Count)}
	if c.Op == WalEntry {
		r.term, r.flags = c.Term(), c.Flags()
	}
	r.content = HashWalEntry(r.term, r.flags, c.Payload())
	return r
}

// walTopic is what a topic holds: the i-th entry has the index first+i.
type walTopic struct {
	first   uint64
	entries []walRecord
}

func (t *walTopic) next() uint64 { return t.first + uint64(len(t.entries)) }

// at returns an entry, or nil.
func (t *walTopic) at(index uint64) *walRecord {
	if index < t.first || index >= t.next() {
		return nil
	}
	return &t.entries[index-t.first]
}

// has reports whether the topic has that very entry at the index.
func (t *walTopic) has(index, content uint64) bool {
	e := t.at(index)
	return e != nil && e.content == content
}

// holds reports whether the topic has that very entry at the index, or one that cannot be read.
func (t *walTopic) holds(index, content uint64) bool {
	e := t.at(index)
	return e != nil && (e.hole || e.content == content)
}

// labels returns the hash of indexes, terms and flags.
func (t *walTopic) labels() (h uint64) {
	for i := range t.entries {
		h = HashWalLabel(h, t.first+uint64(i), t.entries[i].term, t.entries[i].flags)
	}
	return h
}

// HashWalLabel folds what an entry is called into the hash h of those before it.
func HashWalLabel(h, index, term uint64, flags uint8) uint64 {
	return runtime.Mix(runtime.Mix(h, index), runtime.Mix(term, uint64(flags)))
}

// walState is all that a log holds. The topic WalMirror is always empty here: what it
// should hold follows from WalMain.
type walState struct {
	topics [WalTopics]walTopic
	keys   [WalKeys]*walRecord // nil: no value
	txs    [WalTxs]*walTx      // nil: not in doubt
}

func newWalState() (s walState) {
	for i := range s.topics {
		s.topics[i].first = 1
	}
	return s
}

// clone returns a state that may be changed without a change of s.
func (s *walState) clone() walState {
	c := *s
	for i := range c.topics {
		c.topics[i].entries = slices.Clone(c.topics[i].entries)
	}
	return c
}

// apply carries out a change. The record is that of an entry or a value.
func (s *walState) apply(c *WalChange, record walRecord) {
	switch c.Op {
	case WalSet:
		s.keys[c.At] = &record
		return
	case walPrepare:
		s.txs[c.At] = record.tx
		return
	case walCommit, walAbort:
		s.txs[c.At] = nil
		return
	case walMend:
		return
	}
	t := &s.topics[c.At]
	index := c.Resolve(t.first, t.next())
	switch c.Op {
	case WalEntry:
		t.entries = append(t.entries, record)
	case WalDropBack:
		t.entries = t.entries[:index-t.first]
	case WalDropFront:
		t.entries = slices.Delete(t.entries, 0, int(index-t.first))
		t.first = index
	case WalRebase:
		t.first, t.entries = index, t.entries[:0]
	}
}

// applyAll carries out batches.
func (s *walState) applyAll(batches []*walBatch) {
	for _, b := range batches {
		for i := range b.changes {
			s.apply(&b.changes[i], b.records[i])
		}
	}
}

// resolve returns what a batch comes to.
func (s *walState) resolve(batch []WalChange) []WalChange {
	head, rest := batch[0], batch[1:]
	if head.Op != WalTx {
		return batch
	}
	head.Op = walPrepare
	tx := s.txs[head.At]
	if tx == nil {
		return []WalChange{head}
	}
	if head.Op = walAbort; head.Commits() {
		head.Op, rest = walCommit, slices.Concat(tx.changes, rest)
	}
	return slices.Concat([]WalChange{head}, rest)
}

// equal reports whether two states hold the same, as far as they are known.
func (s *walState) equal(o *walState) bool {
	for i := range s.topics {
		a, b := &s.topics[i], &o.topics[i]
		if a.first != b.first || len(a.entries) != len(b.entries) {
			return false
		}
		for k := range a.entries {
			if x, y := &a.entries[k], &b.entries[k]; x.content != y.content && !x.hole && !y.hole {
				return false
			}
		}
	}
	for i := range s.txs {
		if !sameTx(s.txs[i], o.txs[i]) {
			return false
		}
	}
	for i := range s.keys {
		if !sameValue(s.keys[i], o.keys[i]) {
			return false
		}
	}
	return true
}

func sameTx(a, b *walTx) bool {
	return a == nil && b == nil || a != nil && b != nil && a.hash == b.hash
}

func sameValue(a, b *walRecord) bool {
	return a == nil && b == nil || a != nil && b != nil && a.content == b.content
}

// record returns the record that the key names, nil if the state has it no more.
func (s *walState) record(k walKey) *walRecord {
	var e *walRecord
	if k.topic > 0 {
		e = s.topics[k.topic].at(k.index)
	} else if k.index < WalKeys {
		e = s.keys[k.index]
	}
	if e == nil || e.content != k.content {
		return nil
	}
	return e
}

// hasValue reports whether the key has that very value.
func (s *walState) hasValue(key int, content uint64) bool {
	return s.keys[key] != nil && s.keys[key].content == content
}

// empty reports whether there is nothing that could be lost.
func (s *walState) empty() bool {
	for i := range s.topics {
		if len(s.topics[i].entries) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(s.keys[:], func(r *walRecord) bool { return r != nil })
}
