package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// changeKind says what a change does to a log or hard state.
type changeKind uint8

const (
	changeState    changeKind = iota + 1 // the hard state is at.term and vote
	changeAppend                         // at joins the log
	changeTruncate                       // the entries from at.index on leave it
	changeCompact                        // the entries before at.index leave it
	changeReset                          // the log is empty and goes on after at
)

// change is one step in the life of a log and hard state.
type change struct {
	kind changeKind
	at   place
	vote runtime.NodeID
}

// ballot is a term with the vote in it: the hard state, as far as it binds.
type ballot struct {
	term raft.Term
	vote runtime.NodeID
}

// store is a log with its hard state.
type store struct {
	log   shadow
	state ballot
}

func (s *store) apply(c change) {
	switch c.kind {
	case changeState:
		s.state = ballot{c.at.term, c.vote}
	case changeAppend:
		s.log.cut(c.at.index)
		s.log.push(c.at.term)
	case changeTruncate:
		s.log.cut(c.at.index)
	case changeCompact:
		s.log.compact(c.at.index)
	case changeReset:
		s.log.reset(c.at)
	}
}

// disk is what the history knows of a member's disk: what is durable for
// certain, and the changes since, of which some first part may be durable too. They
// are written in order and whole: what comes back after a crash is what is
// durable, with such a part done.
type disk struct {
	durable store
	changes []change
	head    int // changes[head:] are pending
}

func (d *disk) pending() []change { return d.changes[d.head:] }

func (d *disk) push(c change) {
	if len(d.changes) == cap(d.changes) && d.head > len(d.changes)/2 {
		n := copy(d.changes, d.changes[d.head:])
		d.changes, d.head = d.changes[:n], 0
	}
	d.changes = append(d.changes, c)
}

// advance makes the first n pending changes durable.
func (d *disk) advance(n int) {
	for _, c := range d.changes[d.head : d.head+n] {
		d.durable.apply(c)
	}
	if d.head += n; d.head == len(d.changes) {
		d.changes, d.head = d.changes[:0], 0
	}
}

// placed makes everything up to the entry durable, of which a claim was found
// true. It returns false if the entry was never written, or if one before
// it that should be durable as well was not claimed.
func (d *disk) placed(p place) bool {
	pending := d.pending()
	var unclaimed raft.Index // the first append that was passed over
	for k, c := range pending {
		switch {
		case c.kind == changeAppend && c.at == p && unclaimed == 0:
			d.advance(k + 1)
			return true
		case c.kind == changeAppend && unclaimed == 0:
			unclaimed = c.at.index
		case c.kind == changeTruncate && c.at.index <= unclaimed, c.kind == changeReset:
			unclaimed = 0 // what was not claimed is gone again
		}
	}
	return d.durable.log.term(p.index) == p.term // written again, where it lies now
}

// statePlaced is placed for a hard state. It makes no entry durable: those
// have claims of their own.
func (d *disk) statePlaced(b ballot) bool {
	early := true
	for k, c := range d.pending() {
		early = early && c.kind != changeAppend
		if c.kind == changeState && c.at.term == b.term && c.vote == b.vote {
			if early {
				d.advance(k + 1)
			}
			return true
		}
	}
	return d.durable.state == b
}

// restart makes what was found at boot the durable state.
func (d *disk) restart(found *store) {
	d.durable.log.copyFrom(&found.log)
	d.durable.state = found.state
	d.changes, d.head = d.changes[:0], 0
}
