package oracle

import (
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Verdicts, as package walrus counts them: from walUncertain on a report names bytes as lost.
const (
	walTorn      = 2
	walUncertain = 3
)

// walFinding is bytes of which a report says that they may have held something.
type walFinding struct {
	file    string
	off, to int64
}

// walFound is what an open log is said to hold.
type walFound struct {
	walState
	bounds [WalTopics][2]uint64 // nothing was said yet: zeros
	labels [WalTopics]uint64
}

// observeFound takes what an open log is said to hold, until WalOpened.
func (s *WalSuite) observeFound(r *runtime.Record) {
	l := s.log(r.Node)
	if l.found == nil {
		l.found = &walFound{walState: newWalState()}
	}
	f, ok := l.found, false
	switch r.Kind {
	case WalTopicFound:
		if ok = r.A > 0 && r.A < WalTopics && f.bounds[r.A][1] == 0 && r.B <= r.C; ok {
			f.bounds[r.A], f.labels[r.A] = [2]uint64{r.B, r.C}, r.D
			if r.A != WalMirror {
				f.topics[r.A].first = r.B
			}
		}
	case WalEntryFound:
		if ok = r.A > 0 && r.A < WalTopics && r.B == f.topics[r.A].next() && r.B < f.bounds[r.A][1]; ok {
			f.topics[r.A].entries = append(f.topics[r.A].entries, walRecord{content: r.C})
		}
	case WalHoleFound:
		if ok = r.A > 0 && r.A < WalTopics && r.B == f.topics[r.A].next() && r.B < f.bounds[r.A][1]; ok {
			f.topics[r.A].entries = append(f.topics[r.A].entries, walRecord{hole: true})
		}
	case WalDoubtFound:
		if ok = r.A < WalTxs && f.txs[r.A] == nil; ok {
			f.txs[r.A] = &walTx{hash: r.B}
		}
	case WalValueFound:
		if ok = r.A < WalKeys && f.keys[r.A] == nil; ok {
			f.keys[r.A] = &walRecord{content: r.B}
		}
	case WalFinding:
		if ok = true; r.A >= walUncertain || s.cfg.TailRots && r.A == walTorn {
			l.named = append(l.named, walFinding{string(r.Note), int64(r.B), int64(r.B + r.C)})
		}
	}
	if !ok {
		s.fail(r, walMalformed, "%v finds what cannot be there, or twice", r.Node)
	}
}

// opened judges what a log holds after it was opened: what was acknowledged, with the
// group that was on its way or without it.
func (s *WalSuite) opened(l *walLog, r *runtime.Record) {
	f := l.found
	l.found = nil
	if f == nil || len(l.staged) > 0 {
		s.fail(r, walMalformed, "%v opens a log and says nothing of it, or while batches are staged", r.Node)
		return
	}
	for t := range f.topics {
		if t != 0 && t != WalMirror && f.bounds[t][1] != f.topics[t].next() {
			s.fail(r, walMalformed, "%v finds %d entries in topic %d, which holds %v", r.Node, len(f.topics[t].entries), t, f.bounds[t])
			return
		}
	}
	if f.bounds[WalMirror] != f.bounds[WalMain] || f.labels[WalMirror] != f.labels[WalMain] {
		s.fail(r, walMirror, "the main topic of %v holds %v, hash %x; its mirror %v, hash %x",
			r.Node, f.bounds[WalMain], f.labels[WalMain], f.bounds[WalMirror], f.labels[WalMirror])
		return
	}
	s.onItsWay(l, f)
	if !s.cameBack(l, f, r) {
		return
	}
	s.holesFound(l, f, r)
	for _, tx := range f.txs {
		if tx != nil {
			s.deeds[WalDoubted]++
		}
	}
	l.misplace()
	l.settle(r.C > 0)
	l.open, l.named = true, nil
	if !l.live.empty() {
		s.recovered++
	}
	for t := range l.live.topics {
		if t != 0 && t != WalMirror && l.live.topics[t].labels() != f.labels[t] {
			s.fail(r, walPhantom, "the entries of topic %d of %v have other terms or flags than were given to them", t, r.Node)
		}
	}
}

// cameBack finds the state that the log is in, and makes it the live one. If it is in
// none that it may be in, that is a violation.
func (s *WalSuite) cameBack(l *walLog, f *walFound, r *runtime.Record) bool {
	with := l.live.clone()
	with.applyAll(l.flight)
	switch {
	case f.equal(&l.live):
		if f.equal(&with) { // it drops what it brings: whether it came back cannot be seen
			l.wrote = slices.Concat(l.wrote, l.flight)
		}
		l.flight = nil
		return true
	case len(l.flight) > 0 && f.equal(&with):
		l.publish()
		return true
	case f.equal(&l.base) && l.lastNamed():
		l.live, l.last, l.flight = l.base.clone(), nil, nil
		return true
	}
	s.explain(l, f, &with, r)
	return false
}

// misplace forgets where the group lies that was written last: a recovery of which nothing was heard
// may have written it again, elsewhere. If this one has, it says so next.
func (l *walLog) misplace() {
	for _, b := range l.wrote {
		for _, key := range b.keys {
			if e := l.live.record(key); e != nil && key.content != 0 {
				e.file = ""
			}
		}
	}
}

// settle makes what came back the state that the next recovery is measured by. If the last
// group was written again, it is the last of the log still.
func (l *walLog) settle(again bool) {
	if !again {
		l.last, l.base = nil, l.live.clone()
	}
	l.ahead = l.live.clone()
}

// lastNamed reports whether reports name all that the log holds of the group that was
// published last.
func (l *walLog) lastNamed() bool {
	for _, b := range l.last {
		for _, key := range b.keys {
			e := l.live.record(key)
			named := e == nil || slices.ContainsFunc(l.named, func(f walFinding) bool {
				return f.file == e.file && f.off <= e.off && e.off+int64(e.size) <= f.to
			})
			if !named {
				return false
			}
		}
	}
	return len(l.last) > 0 && len(l.named) > 0
}

// explain says which rule a recovered state breaks that is neither the acknowledged one
// nor the one with the group that was on its way.
func (s *WalSuite) explain(l *walLog, f *walFound, with *walState, r *runtime.Record) {
	for t := range f.topics {
		for i, e := range f.topics[t].entries {
			index := f.topics[t].first + uint64(i)
			if !e.hole && !l.live.topics[t].has(index, e.content) && !with.topics[t].has(index, e.content) {
				s.explainExtra(l, r, walKey{uint64(t), index, e.content})
				return
			}
		}
		for i, e := range l.live.topics[t].entries {
			index := l.live.topics[t].first + uint64(i)
			if with.topics[t].has(index, e.content) && !f.topics[t].holds(index, e.content) {
				s.fail(r, walLost, "entry %d of topic %d of %v was acknowledged, and is gone; it was in %q at %d", index, t, r.Node, e.file, e.off)
				return
			}
		}
	}
	for k, v := range f.keys {
		live := l.live.keys[k]
		switch {
		case v != nil && !l.live.hasValue(k, v.content) && !with.hasValue(k, v.content):
			s.explainExtra(l, r, walKey{0, uint64(k), v.content})
			return
		case v == nil && live != nil:
			s.fail(r, walLost, "the value of key %d of %v was acknowledged, and is gone", k, r.Node)
			return
		}
	}
	for k := range f.txs {
		if !sameTx(f.txs[k], l.live.txs[k]) && !sameTx(f.txs[k], with.txs[k]) {
			s.fail(r, walInDoubt, "transaction %d of %v comes back as %+v, which was %+v, or %+v with what was on its way",
				k, r.Node, f.txs[k], l.live.txs[k], with.txs[k])
			return
		}
	}
	for t := range f.topics {
		got, a, b := &f.topics[t], &l.live.topics[t], &with.topics[t]
		if t != WalMirror && !(within(got.first, a.first, b.first) && within(got.next(), a.next(), b.next())) {
			s.fail(r, walBounds, "topic %d of %v holds [%d,%d) after a recovery, want [%d,%d) or [%d,%d)", t, r.Node,
				got.first, got.next(), a.first, a.next(), b.first, b.next())
			return
		}
	}
	if decides(l.flight) {
		s.fail(r, walHalf, "of %d batches that were on their way at %v, which decide transactions, a part came back", len(l.flight), r.Node)
		return
	}
	s.fail(r, walPartial, "of %d batches that were on their way at %v a part came back", len(l.flight), r.Node)
}

// within reports whether x is one of two numbers or lies between them.
func within(x, a, b uint64) bool { return x >= min(a, b) && x <= max(a, b) }

// explainExtra says what is wrong with a record that came back and should not have.
func (s *WalSuite) explainExtra(l *walLog, r *runtime.Record, k walKey) {
	switch fate := l.fates[k]; {
	case fate == 0 && l.hidden[k.content]:
		s.fail(r, walUndecided, "entry %d of topic %d of %v comes back with what was prepared and not committed", k.index, k.topic, r.Node)
	case fate == 0:
		s.fail(r, walPhantom, "entry %d of topic %d of %v comes back with hash %x, which was never written there", k.index, k.topic, r.Node, k.content)
	case fate == walWritten:
		s.fail(r, walUnstable, "entry %d of topic %d of %v comes back, of a group that an earlier recovery left out or that was never cut", k.index, k.topic, r.Node)
	case k.topic == 0:
		s.fail(r, walLost, "key %d of %v has an older value than the one that was acknowledged", k.index, r.Node)
	default:
		s.fail(r, walReturned, "entry %d of topic %d of %v comes back, which was truncated", k.index, k.topic, r.Node)
	}
}

// inspected judges what lies in the files of a mirrored topic.
func (s *WalSuite) inspected(r *runtime.Record) {
	if r.B != r.C {
		s.fail(r, walMirror, "in the files of %v are %d entries of the main topic, hash %x; the links have hash %x", r.Node, r.A, r.B, r.C)
	}
}
