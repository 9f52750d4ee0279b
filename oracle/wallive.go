package oracle

import (
	"encoding/binary"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// walRecordBytes is more than a record takes on disk beside its payload, with its
// link; walGroupBytes what a group takes beside its records.
const (
	walRecordBytes = 72
	walGroupBytes  = 64
)

// stagedBatch takes a batch into the open group.
func (s *WalSuite) stagedBatch(l *walLog, r *runtime.Record) {
	c := s.call(r)
	if c == nil {
		return
	}
	if c.refused || r.B != uint64(c.staged) || c.staged == len(c.batches) {
		s.fail(r, walMalformed, "%v stages batch %d of call %d, which has %d and %d of them staged", r.Node, r.B, r.A, len(c.batches), c.staged)
		return
	}
	b := &walBatch{call: c, changes: l.ahead.resolve(c.batches[c.staged])}
	for i := range b.changes {
		change := &b.changes[i]
		record, key := walRecord{}, walKey{index: uint64(change.At)}
		switch change.Op {
		case WalEntry, WalSet:
			record = newWalRecord(change)
		case walPrepare:
			record.tx = newWalTx(c.batches[c.staged][1:])
			for i := range record.tx.changes {
				l.hidden[newWalRecord(&record.tx.changes[i]).content] = true
			}
		}
		if change.Op == WalEntry {
			key = walKey{topic: uint64(change.At), index: l.ahead.topics[change.At].next()}
			c.answer = binary.LittleEndian.AppendUint64(c.answer, key.index)
		}
		if key.content = record.content; key.content != 0 {
			l.fates[key] = max(l.fates[key], walWritten)
		}
		l.ahead.apply(change, record)
		b.records, b.keys = append(b.records, record), append(b.keys, key)
	}
	c.staged++
	l.staged = append(l.staged, b)
}

// refusedBatch judges the refusal of a batch: only one that is too large may be, or one with entries
// where disks get full.
func (s *WalSuite) refusedBatch(r *runtime.Record) {
	c := s.call(r)
	if c == nil {
		return
	}
	if r.B != uint64(c.staged) || c.staged == len(c.batches) {
		s.fail(r, walMalformed, "%v refuses batch %d of call %d, which has %d and %d of them staged", r.Node, r.B, r.A, len(c.batches), c.staged)
		return
	}
	size, entries := walGroupBytes, false
	batch := c.batches[c.staged]
	if batch[0].Op == WalTx {
		entries = true
		if batch = s.log(r.Node).ahead.resolve(batch); len(batch) == 1 {
			batch = c.batches[c.staged]
		}
	}
	for _, change := range batch {
		size += walRecordBytes
		entries = entries || change.Op == WalEntry
		if change.Op == WalEntry || change.Op == WalSet {
			size += int(change.Count)
		}
	}
	full := r.C == 1 && s.cfg.MayFill && entries
	if c.refused = true; size <= s.cfg.GroupBytes && !full {
		s.fail(r, walRefusal, "%v refuses a batch of at most %d bytes, groups take %d: %s", r.Node, size, s.cfg.GroupBytes, clip(r.Note))
	}
}

func (s *WalSuite) cut(l *walLog, r *runtime.Record) {
	if len(l.flight) > 0 || len(l.staged) == 0 {
		s.fail(r, walMalformed, "%v cuts %d batches while %d are on their way", r.Node, len(l.staged), len(l.flight))
		return
	}
	l.flight, l.staged = l.staged, nil
}

func (s *WalSuite) publishedGroup(l *walLog, r *runtime.Record) {
	if len(l.flight) == 0 {
		s.fail(r, walMalformed, "%v publishes nothing", r.Node)
		return
	}
	s.published++
	s.countDeeds(l.flight)
	l.publish()
}

// countDeeds counts what a group does that is published.
func (s *WalSuite) countDeeds(batches []*walBatch) {
	for _, b := range batches {
		for i := range b.changes {
			switch b.changes[i].Op {
			case walPrepare:
				s.deeds[WalPrepared]++
			case walCommit:
				s.deeds[WalCommitted]++
			case walAbort:
				s.deeds[WalAborted]++
			case walMend:
				s.deeds[WalRepaired]++
			}
		}
	}
}

// decides reports whether batches commit or abort a transaction.
func decides(batches []*walBatch) bool {
	return slices.ContainsFunc(batches, func(b *walBatch) bool { return b.changes[0].Op == walCommit || b.changes[0].Op == walAbort })
}

func prepares(batches []*walBatch) bool {
	return slices.ContainsFunc(batches, func(b *walBatch) bool { return b.changes[0].Op == walPrepare })
}

// publish makes the group that was on its way the one published last.
func (l *walLog) publish() {
	l.base.applyAll(l.last)
	for _, b := range l.flight {
		for _, key := range b.keys {
			if key.content != 0 {
				l.fates[key] = walPublished
			}
		}
		if b.call != nil {
			b.call.published++
		}
	}
	l.live.applyAll(l.flight)
	l.last, l.wrote, l.flight = l.flight, l.flight, nil
}

// bounds judges what the log says of a topic.
func (s *WalSuite) bounds(l *walLog, r *runtime.Record) {
	if r.A == 0 || r.A >= WalTopics {
		s.fail(r, walMalformed, "%v speaks of topic %d", r.Node, r.A)
		return
	}
	rule, t := walBounds, &l.live.topics[r.A]
	if walKeeps(r.A) {
		s.kept(l, r)
	}
	switch {
	case r.A == WalMirror:
		rule, t = walMirror, &l.live.topics[WalMain]
	case r.C > t.next() && (prepares(l.last) || decides(l.last)):
		rule = walUndecided
	case r.C < t.next() && decides(l.last):
		rule = walHalf
	}
	if r.B != t.first || r.C != t.next() {
		s.fail(r, rule, "topic %d of %v holds [%d,%d), want [%d,%d)", r.A, r.Node, r.B, r.C, t.first, t.next())
	}
}

// placed judges the claim that a record is durable: one that the log holds, or that
// a later change of its group has dropped.
func (s *WalSuite) placed(l *walLog, r *runtime.Record) {
	var held *walRecord
	switch {
	case r.A == 0 && r.B < WalKeys:
		held = l.live.keys[r.B]
	case r.A < WalTopics:
		held = l.live.topics[r.A].at(r.B)
	}
	l.newest = max(l.newest, walSegment(string(r.Note)))
	may := l.writtenLast(r.A, r.B)
	if held != nil {
		held.file, held.off = string(r.Note), int64(r.C)
		may = append(may, *held)
	}
	may = slices.DeleteFunc(may, func(e walRecord) bool { return e.size != r.D })
	if len(may) == 0 {
		s.fail(r, walClaim, "%v has placed %d bytes for entry %d of topic %d, which the log does not hold like that", r.Node, r.D, r.B, r.A)
		return
	}
	if s.cfg.Image == nil {
		return
	}
	s.buf = append(s.buf[:0], make([]byte, r.D)...)
	if !s.cfg.Image.Durable(r.Node, string(r.Note), int64(r.C), s.buf) {
		s.fail(r, walClaim, "entry %d of topic %d of %v is not durable in %s at %d+%d", r.B, r.A, r.Node, r.Note, r.C, r.D)
		return
	}
	if !slices.ContainsFunc(may, func(e walRecord) bool { return HashWalEntry(e.term, e.flags, s.buf) == e.content }) {
		s.fail(r, walClaim, "entry %d of topic %d of %v is durable with other bytes in %s at %d+%d", r.B, r.A, r.Node, r.Note, r.C, r.D)
	}
}

// writtenLast returns what the group that was published last wrote under that index.
func (l *walLog) writtenLast(topic, index uint64) (records []walRecord) {
	for _, b := range l.wrote {
		for i, key := range b.keys {
			if key.content != 0 && key.topic == topic && key.index == index {
				records = append(records, b.records[i])
			}
		}
	}
	return records
}

// located judges whether a read may begin, and notes what it must show.
func (s *WalSuite) located(l *walLog, r *runtime.Record) {
	c := s.call(r)
	if c == nil {
		return
	}
	if r.B == 0 || r.B >= WalTopics {
		s.fail(r, walMalformed, "%v reads topic %d", r.Node, r.B)
		return
	}
	t, why := &l.live.topics[r.B], ""
	if r.B == WalMirror {
		t = &l.live.topics[WalMain]
	}
	switch {
	case r.C < t.first:
		why = WalCompacted
	case r.C >= r.D || r.D > t.next() || r.B == WalMirror:
		why = WalGap
	}
	if why != string(r.Note) {
		s.fail(r, walWrongRange, "entries [%d,%d) of topic %d of %v, which holds [%d,%d): got %q, want %q",
			r.C, r.D, r.B, r.Node, t.first, t.next(), clip(r.Note), why)
		return
	}
	c.topic, c.at, c.coming = r.B, r.C, c.coming[:0]
	for index := r.C; why == "" && index < r.D; index++ {
		c.coming = append(c.coming, t.at(index).content)
	}
}

// Why entries cannot be located, as a WalLocated says it.
const (
	WalCompacted = "compacted"
	WalGap       = "gap"
)

func (s *WalSuite) entryRead(r *runtime.Record) {
	c := s.call(r)
	if c == nil {
		return
	}
	if len(c.coming) == 0 || c.topic != r.B || c.at != r.C || c.coming[0] != r.D {
		s.fail(r, walWrongRead, "%v reads entry %d of topic %d as %x; %d are to come, from %d of topic %d on: %x",
			r.Node, r.C, r.B, r.D, len(c.coming), c.at, c.topic, c.coming[:min(1, len(c.coming))])
		return
	}
	c.sum = runtime.Mix(c.sum, r.D)
	c.at, c.coming = c.at+1, c.coming[1:]
	s.reads++
}

func (s *WalSuite) readEnded(l *walLog, r *runtime.Record) {
	c := s.call(r)
	switch {
	case c == nil:
	case r.B == 2 && len(c.coming) > 0:
		s.damaged(l, r, c.topic, c.at)
	case r.B == 1:
		s.fail(r, walFileGone, "%v cannot read topic %d from %d on: %s", r.Node, c.topic, c.at, clip(r.Note))
	case len(r.Note) == 0 && len(c.coming) > 0:
		s.fail(r, walWrongRead, "%v reads topic %d up to %d, and %d entries are missing", r.Node, c.topic, c.at, len(c.coming))
	}
}

func (s *WalSuite) valueRead(l *walLog, r *runtime.Record) {
	if r.B >= WalKeys {
		s.fail(r, walMalformed, "%v reads key %d", r.Node, r.B)
		return
	}
	if want := l.live.keys[r.B]; (r.C == 1) != (want != nil) || want != nil && want.content != r.D {
		s.fail(r, walWrongValue, "key %d of %v: found %d, hash %x; want %+v", r.B, r.Node, r.C, r.D, want)
	}
}
