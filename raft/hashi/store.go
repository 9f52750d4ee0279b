package hashi

import (
	"errors"
	"fmt"
	"sync"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
	"github.com/octopii-go/octopii/walrus/group"
)

// The topics of the log. They are on disk.
const (
	topicMain     walrus.Topic = 1
	topicRecovery walrus.Topic = 2
)

// ErrFailed is wrapped by everything a store returns after its first failure.
var ErrFailed = errors.New("hashi: the store has failed")

// Store is a log store and a stable store of hashicorp/raft in one log of package walrus. Its methods may
// be called from any goroutine, as raft calls them; those that write block for one sync.
//
// It is fail-stop: after the first failed sync, and after anything else that leaves raft with a wrong idea of
// what is stored, every method returns an error that matches ErrFailed, until the next OpenStore has
// found out what there is. What is refused and harms nobody, as when the disk is full, is returned once and
// changes nothing; it matches the errors of package walrus.
type Store struct {
	log *group.Log

	writing sync.Mutex // held by one writer of entries at a time, also while it waits for the disk
	batch   walrus.Batch
	encoded []byte // memory for the entries of a batch

	mu     sync.RWMutex // guards all below
	failed error
	view   view
	cache  cache

	stable stable
}

var (
	_ hraft.LogStore          = (*Store)(nil)
	_ hraft.MonotonicLogStore = (*Store)(nil)
	_ hraft.StableStore       = (*Store)(nil)
)

// view is the log as raft sees it. The one on disk may still have more at both ends.
type view struct {
	first, next uint64 // entries [first, next); none if they are equal
	// cutFront and cutBack say that entries before and from there on are gone; the record that says
	// so goes with the next entries. Zero: nothing to say.
	cutFront, cutBack uint64
}

// OpenStore opens the store in a folder of fs, or makes it. Its files have segmentBytes, zero leaves that to the log.
// It blocks for the recovery. The report says what that found, and is never nil. The errors are those of
// walrus.Open, and of a log that is no store.
func OpenStore(fs runtime.FS, dir string, segmentBytes int64) (*Store, *walrus.Report, error) {
	log, report, err := group.Open(fs, walrus.Options{
		Dir:          dir,
		SegmentBytes: segmentBytes,
		Mirror:       []walrus.Mirror{{Main: topicMain, Recovery: topicRecovery}},
	})
	if err != nil {
		return nil, report, fmt.Errorf("hashi: open store: %w", err)
	}
	s := &Store{log: log}
	s.view.first, s.view.next = log.Bounds(topicMain)
	if err := s.loadStable(); err != nil {
		return nil, report, errors.Join(err, log.Close())
	}
	return s, report, nil
}

// Err returns the failure of the store, nil if there was none.
func (s *Store) Err() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.failed
}

// Close makes durable what was deleted but not replaced, and gives the folder back. It returns the failure if
// the store has failed.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.Err()
	if err == nil {
		err = s.flushCuts()
	}
	s.fail(group.ErrClosed)
	if closeErr := s.log.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("hashi: close store: %w", closeErr)
	}
	return err
}

// fail makes a failure stick. The first one does.
func (s *Store) fail(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	return s.failed
}

// append makes a batch durable. An error of the log that is for good becomes the store's.
func (s *Store) append(b *walrus.Batch) error {
	err := s.log.Append(b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, walrus.ErrFailed):
		return s.fail(err)
	case errors.Is(err, walrus.ErrNoSpace), errors.Is(err, walrus.ErrFull), errors.Is(err, walrus.ErrTooLarge), errors.Is(err, walrus.ErrGap):
		return fmt.Errorf("hashi: %w", err)
	}
	return s.fail(err)
}
