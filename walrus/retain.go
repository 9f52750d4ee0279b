package walrus

// Retain limits what a topic keeps. Entries are dropped from its front, by a truncation that rides
// in a later group, while the others have at least Bytes of payload, or lie in the
// Segments newest segments. Zeros set no limit.
type Retain struct {
	Topic    Topic
	Bytes    int64
	Segments int
}

// retainPart is the part of a limit in bytes by which it is exceeded before entries are dropped: a
// truncation is not worth its record for each entry.
const retainPart = 8

// retain stages the truncations that are due.
func (l *Log) retain() {
	for i := range l.o.Retain {
		r := &l.o.Retain[i]
		t := l.find(r.Topic)
		if t == nil || t.slots.count == 0 {
			continue
		}
		if !t.counted {
			t.counted = true
			t.count(0, t.slots.count, 1)
		}
		first := l.keepFrom(r, t)
		if first <= max(t.live.first, t.staged.first) {
			continue
		}
		l.retained.Reset()
		l.retained.TruncateFront(r.Topic, first)
		_ = l.stageChore(&l.retained) // what finds no room now is due again after the next group
	}
}

// keepFrom returns the first index of a topic that a limit keeps.
func (l *Log) keepFrom(r *Retain, t *topic) uint64 {
	index := t.live.first
	if r.Bytes > 0 && t.bytes-r.Bytes >= r.Bytes/retainPart {
		for left := t.bytes; ; index++ {
			if left -= int64(t.slot(index).length); left < r.Bytes {
				break
			}
		}
	}
	if r.Segments > 0 {
		base := uint32(l.segs[0].seq)
		oldest := uint32(max(len(l.segs)-r.Segments, 0))
		for index < t.live.next && t.slot(index).seg-base < oldest {
			index++
		}
	}
	return index
}

// count adds the payloads of the slots from position lo to below hi to the topic's bytes, or takes them away.
func (t *topic) count(lo, hi int, sign int64) {
	if !t.counted {
		return
	}
	for i := lo; i < hi; i++ {
		t.bytes += sign * int64(t.slots.at(i).length)
	}
}
