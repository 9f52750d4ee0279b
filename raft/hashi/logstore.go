package hashi

import (
	"errors"
	"fmt"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/walrus"
	"github.com/octopii-go/octopii/walrus/group"
)

// IsMonotonic implements hraft.MonotonicLogStore: indexes have no gaps.
func (*Store) IsMonotonic() bool { return true }

// FirstIndex implements hraft.LogStore.
func (s *Store) FirstIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.failed != nil || s.view.first == s.view.next {
		return 0, s.failed
	}
	return s.view.first, nil
}

// LastIndex implements hraft.LogStore.
func (s *Store) LastIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.failed != nil || s.view.first == s.view.next {
		return 0, s.failed
	}
	return s.view.next - 1, nil
}

// GetLog implements hraft.LogStore. It returns hraft.ErrLogNotFound for an entry that is not there. One that cannot
// be read, or is damaged, is a failure of the store.
func (s *Store) GetLog(index uint64, log *hraft.Log) error {
	s.mu.RLock()
	cached, err := s.cache.get(index, log), s.failed
	there := index >= s.view.first && index < s.view.next
	s.mu.RUnlock()
	switch {
	case err != nil:
		return err
	case !there:
		return hraft.ErrLogNotFound
	case cached:
		return nil
	}
	_, err = s.log.Read(topicMain, index, index+1, 0, func(e group.Entry) error { return decodeEntry(e, log) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, walrus.ErrCompacted), errors.Is(err, walrus.ErrGap): // deleted in this moment
		return hraft.ErrLogNotFound
	}
	return s.fail(err)
}

// StoreLog implements hraft.LogStore.
func (s *Store) StoreLog(log *hraft.Log) error { return s.StoreLogs([]*hraft.Log{log}) }

// StoreLogs implements hraft.LogStore: all or nothing, with one sync. The first entry must follow the last one
// there is, unless there is none; otherwise the error matches walrus.ErrGap. The entries and what was
// deleted before them become durable together.
func (s *Store) StoreLogs(logs []*hraft.Log) error {
	if len(logs) == 0 {
		return s.Err()
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	v, err := s.view, s.failed
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	s.batch.Reset()
	v.stageCuts(&s.batch)
	if v.first == v.next && logs[0].Index != v.next {
		if logs[0].Index == 0 {
			return fmt.Errorf("hashi: %w: entry 0", walrus.ErrGap)
		}
		s.batch.Rebase(topicMain, logs[0].Index)
		v.first, v.next = logs[0].Index, logs[0].Index
	}
	if err := s.stageEntries(&v, logs); err != nil {
		return err
	}
	if err := s.append(&s.batch); err != nil {
		return s.notStored(v, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.cutFront, v.cutBack = 0, 0
	s.view = v
	s.cache.put(logs)
	return nil
}

// stageEntries encodes the entries into the batch.
func (s *Store) stageEntries(v *view, logs []*hraft.Log) error {
	size := 0
	for _, l := range logs {
		size += encodedSize(l)
	}
	if cap(s.encoded) < size {
		s.encoded = make([]byte, 0, size)
	}
	s.encoded = s.encoded[:0]
	for _, l := range logs {
		if l.Index != v.next {
			return s.notStored(*v, fmt.Errorf("hashi: %w: entry %d after %d", walrus.ErrGap, l.Index, v.next-1))
		}
		start := len(s.encoded)
		s.encoded = appendEntry(s.encoded, l)
		s.batch.Entry(topicMain, l.Index, l.Term, uint8(l.Type), s.encoded[start:])
		v.next++
	}
	if cap(s.encoded) > encodedKeep {
		s.encoded = nil // the batch has it
	}
	return nil
}

// notStored returns the error of entries that were refused. If they were to replace others, raft has
// forgotten those, and the members that they named, while they are still there: it must not go on from that.
func (s *Store) notStored(v view, err error) error {
	if v.cutBack == 0 {
		return err
	}
	return s.fail(fmt.Errorf("entries from %d on were to be replaced: %w", v.cutBack, err))
}

// DeleteRange implements hraft.LogStore. The range must reach to one of the ends of the log; entries that
// are not there do not matter.
//
// What is deleted is gone at once, but the record that says so goes with the next entries, and costs no sync of its own:
// those at the end are always replaced next, and are then replaced by one write that happens or not; those at the
// front only take up space. When nothing is left there may be no next entry, so that this is durable on return.
func (s *Store) DeleteRange(low, high uint64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	v, err := s.view, s.failed
	switch {
	case err != nil || low > high || high < v.first || low >= v.next || v.first == v.next:
		s.mu.Unlock()
		return err
	case low > v.first && high < v.next-1:
		s.mu.Unlock()
		return fmt.Errorf("hashi: delete entries %d to %d in the middle of %d to %d", low, high, v.first, v.next-1)
	case low <= v.first && high >= v.next-1:
		s.mu.Unlock()
		return s.deleteAll()
	}
	defer s.mu.Unlock()
	if low <= v.first {
		s.view.first, s.view.cutFront = high+1, high+1
	} else {
		s.view.next, s.view.cutBack = low, low
	}
	s.cache.drop(low, high)
	return nil
}

// deleteAll empties the log. The next entry may have any index.
func (s *Store) deleteAll() error {
	next := s.view.next // only a writer changes it
	s.batch.Reset()
	s.batch.Rebase(topicMain, next)
	if err := s.append(&s.batch); err != nil {
		return s.fail(fmt.Errorf("delete all entries: %w", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = view{first: next, next: next}
	s.cache = cache{}
	return nil
}

// stageCuts adds the records of what was deleted.
func (v *view) stageCuts(b *walrus.Batch) {
	if v.cutFront != 0 {
		b.TruncateFront(topicMain, v.cutFront)
	}
	if v.cutBack != 0 {
		b.TruncateBack(topicMain, v.cutBack)
	}
}

// flushCuts makes durable what was deleted. The caller holds writing.
func (s *Store) flushCuts() error {
	s.mu.RLock()
	v := s.view
	s.mu.RUnlock()
	if v.cutFront == 0 && v.cutBack == 0 {
		return nil
	}
	s.batch.Reset()
	v.stageCuts(&s.batch)
	if err := s.append(&s.batch); err != nil {
		return s.notStored(v, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.cutFront, s.view.cutBack = 0, 0
	return nil
}

// last returns the last entry's index and term, zeros if there is none.
func (s *Store) last() (index, term uint64) {
	index, err := s.LastIndex()
	if err != nil || index == 0 {
		return 0, 0
	}
	var l hraft.Log
	if s.GetLog(index, &l) != nil {
		return index, 0
	}
	return index, l.Term
}
