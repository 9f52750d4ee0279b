package oracle

import "github.com/octopii-go/octopii/runtime"

// mended takes an entry that a peer gives into the open group, to take the place of the one that
// the log cannot read. Who gives other bytes than the log has lost is no peer.
func (s *WalSuite) mended(l *walLog, r *runtime.Record) {
	if r.A == 0 || r.A >= WalTopics || r.A == WalMirror {
		s.fail(r, walMalformed, "%v mends topic %d", r.Node, r.A)
		return
	}
	e := l.ahead.topics[r.A].at(r.B)
	if e == nil || e.content != r.C {
		s.fail(r, walMalformed, "%v mends entry %d of topic %d with hash %x, which it never was", r.Node, r.B, r.A, r.C)
		return
	}
	l.staged = append(l.staged, &walBatch{
		changes: []WalChange{{Op: walMend, At: uint16(r.A)}}, records: []walRecord{*e}, keys: []walKey{{r.A, r.B, r.C}},
	})
}

// damaged judges the claim that an entry cannot be read: its bytes are as they were, and
// nothing makes reads show others. A damaged copy of it that was on its way would be such a thing.
func (s *WalSuite) damaged(l *walLog, r *runtime.Record, topic, index uint64) {
	e := l.live.topics[topic].at(index)
	if e == nil || e.file == "" || s.cfg.Image == nil || s.cfg.MayMisread || s.cfg.TailRots {
		return
	}
	s.buf = append(s.buf[:0], make([]byte, e.size)...)
	if s.cfg.Image.Durable(r.Node, e.file, e.off, s.buf) && HashWalEntry(e.term, e.flags, s.buf) == e.content {
		s.fail(r, walHole, "%v cannot read entry %d of topic %d, which lies intact in %s at %d+%d", r.Node, index, topic, e.file, e.off, e.size)
	}
}

// holesFound judges the entries that an open log is said not to be able to read.
func (s *WalSuite) holesFound(l *walLog, f *walFound, r *runtime.Record) {
	for t := range f.topics {
		for i := range f.topics[t].entries {
			if f.topics[t].entries[i].hole {
				s.deeds[WalHoles]++
				s.damaged(l, r, uint64(t), f.topics[t].first+uint64(i))
			}
		}
	}
}

// withdrawn takes back what is on its way and what is staged: it found no room, and has not happened.
func (s *WalSuite) withdrawn(l *walLog, r *runtime.Record) {
	if len(l.flight) == 0 {
		s.fail(r, walMalformed, "%v takes nothing back", r.Node)
		return
	}
	if !s.cfg.MayFill {
		s.fail(r, walRefusal, "%v takes a group back for want of room, and there is room", r.Node)
		return
	}
	for _, batches := range [][]*walBatch{l.flight, l.staged} {
		for _, b := range batches {
			if b.call != nil {
				b.call.staged--
				b.call.refused = true
			}
		}
	}
	s.deeds[WalTakenBack]++
	l.flight, l.staged, l.ahead = nil, nil, l.live.clone()
}
