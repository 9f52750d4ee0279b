package oracle

import (
	"strconv"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// walOverdueMax is how many groups may be published while entries are due to be dropped: the
// truncation rides in the next one that has room for it.
const walOverdueMax = 16

// walDropPart is the part of a limit in bytes by which it is exceeded before anything is dropped.
const walDropPart = 8

// walSegment returns the number in the name of a segment, zero for another file.
func walSegment(file string) uint64 {
	name := strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".seg")
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "wal-"), 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// kept judges the bounds of a topic that keeps only so much, which the group published last may have
// changed. The truncation was decided when the group before it had been published.
func (s *WalSuite) kept(l *walLog, r *runtime.Record) {
	t := &l.live.topics[r.A]
	if r.B > t.first && r.B <= t.next() {
		if !s.mayDrop(l, &l.base, r.A, r.B) {
			s.fail(r, walRetention, "%v drops the entries of topic %d before %d, of [%d,%d): less is left than it keeps",
				r.Node, r.A, r.B, t.first, t.next())
			return
		}
		l.drop(r.A, r.B)
		s.deeds[WalDropped]++
	}
	if !s.overdue(l, r.A) {
		l.overdue[r.A] = 0
	} else if l.overdue[r.A]++; l.overdue[r.A] > walOverdueMax {
		s.fail(r, walRetention, "%v keeps all entries of topic %d from %d on, for %d groups now", r.Node, r.A, t.first, walOverdueMax)
	}
}

// drop is a truncation by the log itself, in the group that was published last.
func (l *walLog) drop(topic, first uint64) {
	b := l.dropping(topic, first)
	l.live.applyAll([]*walBatch{b})
	l.ahead.applyAll([]*walBatch{b})
	l.last = append(l.last, b)
}

func (l *walLog) dropping(topic, first uint64) *walBatch {
	c := WalChange{Op: WalDropFront, At: uint16(topic), Count: uint32(first - l.live.topics[topic].first)}
	return &walBatch{changes: []WalChange{c}, records: []walRecord{{}}, keys: []walKey{{}}}
}

// mayDrop reports whether a log that was in the state then may have dropped the entries of a topic before
// an index.
func (s *WalSuite) mayDrop(l *walLog, then *walState, topic, to uint64) bool {
	t := &then.topics[topic]
	if topic == WalKept {
		return to <= t.next() && t.bytes(to) >= s.cfg.KeepBytes
	}
	if !then.hasKeys() {
		return true // the newest segment may have been used for nothing that was placed
	}
	for i := range l.live.topics[topic].entries {
		e := &l.live.topics[topic].entries[i]
		if l.live.topics[topic].first+uint64(i) >= to {
			break
		}
		if e.file != "" && walSegment(e.file)+s.cfg.KeepSegments > l.newest {
			return false
		}
	}
	return true
}

// overdue reports whether the first entry of a topic should have been dropped by now.
func (s *WalSuite) overdue(l *walLog, topic uint64) bool {
	t := &l.base.topics[topic]
	first := l.live.topics[topic].first
	if topic == WalRecent {
		e := l.live.topics[topic].at(first)
		return e != nil && e.file != "" && walSegment(e.file)+s.cfg.KeepSegments <= l.newest
	}
	return t.bytes(first) >= s.cfg.KeepBytes+s.cfg.KeepBytes/walDropPart && t.bytes(first+1) >= s.cfg.KeepBytes
}

// bytes returns the size of the entries from an index on.
func (t *walTopic) bytes(from uint64) (n uint64) {
	for index := max(from, t.first); index < t.next(); index++ {
		n += t.at(index).size
	}
	return n
}

func (s *walState) hasKeys() bool {
	for _, k := range s.keys {
		if k != nil {
			return true
		}
	}
	return false
}

// onItsWay adds the truncations by the log itself that may be in the group on its way, if they are
// found, to that.
func (s *WalSuite) onItsWay(l *walLog, f *walFound) {
	for _, topic := range []uint64{WalKept, WalRecent} {
		got := &f.topics[topic]
		if first := l.live.topics[topic].first; len(l.flight) > 0 && got.first > first && got.first <= l.live.topics[topic].next() &&
			s.mayDrop(l, &l.live, topic, got.first) {
			l.flight = append(l.flight, l.dropping(topic, got.first))
		}
	}
}
