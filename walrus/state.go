package walrus

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// bounds are the indexes a topic holds: first <= index < next.
type bounds struct {
	first, next uint64
}

// fresh is where a topic begins that nothing was said about.
var fresh = bounds{first: 1, next: 1}

// after returns the bounds once r has been applied, or ErrGap or ErrCompacted if
// it cannot be. It is the one definition of what records do to bounds: staging
// checks with it, publishing and recovery apply it.
func (b bounds) after(r *record) (bounds, error) {
	switch r.kind {
	case kindEntry, kindLink:
		if r.index != b.next {
			return b, fmt.Errorf("walrus: topic %d: entry %d after %d: %w", r.topic, r.index, b.next-1, ErrGap)
		}
		if b.next == math.MaxUint64 {
			return b, fmt.Errorf("walrus: topic %d: entry %d has no next: %w", r.topic, r.index, ErrTooLarge)
		}
		b.next++
	case kindTruncateBack:
		if r.index < b.first {
			return b, fmt.Errorf("walrus: topic %d: drop from %d on, first is %d: %w",
				r.topic, r.index, b.first, ErrCompacted)
		}
		if r.index > b.next {
			return b, fmt.Errorf("walrus: topic %d: drop from %d on, next is %d: %w", r.topic, r.index, b.next, ErrGap)
		}
		b.next = r.index
	case kindCopy:
		if r.index < b.first {
			return b, fmt.Errorf("walrus: topic %d: copy of entry %d, first is %d: %w", r.topic, r.index, b.first, ErrCompacted)
		}
		if r.index >= b.next {
			return b, fmt.Errorf("walrus: topic %d: copy of entry %d, next is %d: %w", r.topic, r.index, b.next, ErrGap)
		}
	case kindTruncateFront:
		if r.index > b.next {
			return b, fmt.Errorf("walrus: topic %d: drop up to %d, next is %d: %w", r.topic, r.index, b.next, ErrGap)
		}
		b.first = max(b.first, r.index)
	case kindRebase:
		b = bounds{first: r.index, next: r.index}
	default:
		panic(fmt.Sprintf("walrus: record of kind %d applied to topic %d", r.kind, r.topic))
	}
	return b, nil
}

// topic is the index of one topic. Entries are published when their group is
// durable; until then they count in staged only.
type topic struct {
	id       Topic
	main     *topic // what a recovery topic mirrors, else nil
	recovery *topic // the mirror of a mirrored topic, else nil

	live   bounds // published
	staged bounds // with everything accepted by Stage
	trial  bounds // of the batch being checked
	// slots holds the places of entries [located, live.next). In an open log located
	// is live.first. It is larger only during recovery, while the records that
	// truncate what lay in removed segments are still to come. A recovery topic has no
	// slots: its entries are those of main.
	slots   slots
	located uint64
	copies  []copied // of entries before located, ascending
	// shuffled: some entry may lie in a later segment than one behind it. Then lowest is the oldest
	// segment that has one, if it is known.
	shuffled bool
	lowest   *uint32
	// stagedFrom is the first index that the open group replaces, cutFrom that of the group in flight.
	stagedFrom, cutFrom uint64
	// bytes of payload are in the topic, if they are counted.
	counted bool
	bytes   int64
}

// apply changes the published bounds and the slots.
func (t *topic) apply(r *record, place slot) error {
	next, err := t.live.after(r)
	if err != nil {
		return err
	}
	t.live = next
	if t.main != nil {
		t.located = next.first
		return nil
	}
	switch r.kind {
	case kindEntry:
		t.slots.push(place)
		t.count(t.slots.count-1, t.slots.count, 1)
		return nil
	case kindCopy:
		t.move(r.index, place)
		return nil
	case kindTruncateBack:
		if r.index < t.located {
			t.located = r.index
		}
		t.count(int(r.index-t.located), t.slots.count, -1)
		t.slots.dropBack(int(r.index - t.located))
	case kindTruncateFront:
		if next.first > t.located {
			t.count(0, int(next.first-t.located), -1)
			t.slots.dropFront(int(next.first - t.located))
			t.located = next.first
		}
	case kindRebase:
		t.count(0, t.slots.count, -1)
		t.slots.dropBack(0)
		t.located = r.index
	}
	t.lowest = nil
	t.dropCopies(next.first, t.located)
	return nil
}

// slot returns where a published entry lies.
func (t *topic) slot(index uint64) slot { return t.slots.at(int(index - t.located)) }

// lastTerm returns the term of the last published entry: zero if there is
// none, false if it lies in a segment that is gone.
func (t *topic) lastTerm() (uint64, bool) {
	if t.main != nil {
		return t.main.lastTerm()
	}
	switch {
	case t.live.first == t.live.next:
		return 0, true
	case t.slots.count == 0 && len(t.copies) > 0 && t.copies[len(t.copies)-1].index == t.live.next-1:
		return t.copies[len(t.copies)-1].place.term, true
	case t.slots.count == 0:
		return 0, false
	}
	return t.slots.at(t.slots.count - 1).term, true
}

// stable is a key with its published value.
type stable struct {
	key   uint16
	value []byte
}

// state is everything the log stores, as memory knows it.
type state struct {
	topics []*topic // ascending by id
	keys   []stable // ascending by key
	// txs are the transactions in doubt, ascending by number.
	txs []prepared
	// journal is that of the segment to which groups are being published.
	journal journal
}

// find returns the topic, or nil.
func (s *state) find(id Topic) *topic {
	for _, t := range s.topics {
		if t.id == id {
			return t
		}
	}
	return nil
}

// topic returns the topic, made if needed, or nil if there are too many.
func (s *state) topic(id Topic) *topic {
	if t := s.find(id); t != nil {
		return t
	}
	if len(s.topics) == MaxTopics {
		return nil
	}
	t := &topic{id: id, live: fresh, staged: fresh, trial: fresh, located: fresh.first, stagedFrom: noIndex, cutFrom: noIndex}
	at, _ := slices.BinarySearchFunc(s.topics, id, func(t *topic, id Topic) int { return cmp.Compare(t.id, id) })
	s.topics = slices.Insert(s.topics, at, t)
	return t
}

// pair makes recovery the mirror of main. It fails if either has another
// partner, or if one of them began without the other.
func (s *state) pair(main, recovery Topic) error {
	m, r := s.topic(main), s.topic(recovery)
	if m == nil || r == nil {
		return fmt.Errorf("walrus: more than %d topics: %w", MaxTopics, ErrTooLarge)
	}
	if m.recovery == r && r.main == m {
		return nil
	}
	taken := m.recovery != nil || m.main != nil || r.main != nil || r.recovery != nil
	if taken || m.live != r.live || r.slots.count != 0 {
		return fmt.Errorf("walrus: topics %d and %d: %w", main, recovery, ErrMirror)
	}
	m.recovery, r.main = r, m
	return nil
}

// lookup returns the position of a key, and whether it is there.
func (s *state) lookup(key uint16) (int, bool) {
	return slices.BinarySearchFunc(s.keys, key, func(k stable, key uint16) int { return cmp.Compare(k.key, key) })
}

// set copies a value. It reuses the memory of the key's last one.
func (s *state) set(key uint16, value []byte) {
	at, found := s.lookup(key)
	if !found {
		s.keys = slices.Insert(s.keys, at, stable{key: key})
	}
	s.keys[at].value = append(s.keys[at].value[:0], value...)
}

// apply publishes a record whose payload, if it has one, is given.
func (s *state) apply(r *record, payload []byte, place slot) error {
	switch r.kind {
	case kindSet:
		s.set(uint16(r.index), payload)
		return nil
	case kindPrepare:
		return s.prepare(r.index, payload)
	case kindCommit, kindAbort:
		s.decide(r.index)
		return nil
	}
	t := s.topic(r.topic)
	if t == nil {
		return fmt.Errorf("walrus: more than %d topics: %w", MaxTopics, ErrTooLarge)
	}
	if t.main == nil {
		s.journal.add(r, place.at)
	}
	return t.apply(r, place)
}

// rows returns the topics for the header of a new segment.
func (s *state) rows() []headerRow {
	rows := make([]headerRow, 0, len(s.topics))
	for _, t := range s.topics {
		row := headerRow{topic: t.id, bounds: t.live}
		row.lastTerm, _ = t.lastTerm()
		if t.main != nil {
			row.mirrorOf = t.main.id
		}
		rows = append(rows, row)
	}
	return rows
}
