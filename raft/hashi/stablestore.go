package hashi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/walrus"
)

// The keys under which hashicorp/raft keeps what it must not forget.
const (
	nameTerm      = "CurrentTerm"
	nameVoteTerm  = "LastVoteTerm"
	nameCandidate = "LastVoteCand"
)

// The stable keys of the log. They are on disk.
const (
	keyTerm  = 1 // the value of nameTerm
	keyVote  = 2 // pairs of nameVoteTerm and nameCandidate
	keyOther = 3 // pairs of everything else
)

// nameMax is the longest name of a value, in bytes. All names and values together, beside
// those of raft's own, must fit into walrus.MaxValue.
const nameMax = 1 << 10

// stable is what the stable store holds. Values are as on disk: reads see nothing that is not durable.
type stable struct {
	mu       sync.Mutex // held by one writer at a time, also while it waits for the disk
	batch    walrus.Batch
	values   map[string][]byte // changed with Store.mu held too
	voteTerm []byte            // of a vote whose candidate has not been set yet; nil: there is none
}

// Set implements hraft.StableStore. It is durable on return, with one exception.
//
// Raft stores a vote as two values, the term and then the candidate. A crash between the two leaves a vote for the
// candidate of before in the new term. So the term is held back, and not even seen by readers, until the
// candidate is set; then both become durable as one record. A term that no candidate follows is dropped.
func (s *Store) Set(key, value []byte) error {
	s.stable.mu.Lock()
	defer s.stable.mu.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	if len(key) > nameMax {
		return fmt.Errorf("hashi: %w: name of %d bytes", walrus.ErrTooLarge, len(key))
	}
	if string(key) == nameVoteTerm {
		s.stable.voteTerm = append([]byte{}, value...)
		return nil
	}
	changes := map[string][]byte{string(key): append([]byte{}, value...)}
	if string(key) == nameCandidate && s.stable.voteTerm != nil {
		changes[nameVoteTerm] = s.stable.voteTerm
		s.stable.voteTerm = nil
	}
	return s.change(changes)
}

// Get implements hraft.StableStore. What is not there is nil.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return bytes.Clone(s.stable.values[string(key)]), s.failed
}

// SetUint64 implements hraft.StableStore. It is Set of the number's eight bytes.
func (s *Store) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.LittleEndian.AppendUint64(nil, value))
}

// GetUint64 implements hraft.StableStore. What is not there is zero.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	p, err := s.Get(key)
	switch {
	case err != nil || len(p) == 0:
		return 0, err
	case len(p) != 8:
		return 0, fmt.Errorf("hashi: value of %q is no number: %d bytes", key, len(p))
	}
	return binary.LittleEndian.Uint64(p), nil
}

// Bootstrap gives a new store its first members, as the first entry of its log, in term 1. It reports whether it did: a
// store that has held anything is left alone. Unlike hraft.BootstrapCluster it is one record, so
// that no crash leaves a store that is neither new nor has members.
func (s *Store) Bootstrap(members hraft.Configuration) (bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.stable.mu.Lock()
	defer s.stable.mu.Unlock()
	if err := s.Err(); err != nil {
		return false, err
	}
	if s.view != (view{first: 1, next: 1}) || len(s.stable.values) > 0 {
		return false, nil
	}
	entry := &hraft.Log{Index: 1, Term: 1, Type: hraft.LogConfiguration, Data: hraft.EncodeConfiguration(members)}
	term := binary.LittleEndian.AppendUint64(nil, 1)
	s.batch.Reset()
	s.batch.Set(keyTerm, encodeValues(keyTerm, map[string][]byte{nameTerm: term}))
	s.batch.Entry(topicMain, entry.Index, entry.Term, uint8(entry.Type), appendEntry(nil, entry))
	if err := s.append(&s.batch); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.next = 2
	s.stable.values[nameTerm] = term
	return true, nil
}

// change makes values durable, as one record each of the log's keys, and all in one group. Values that
// are there already cost nothing. The caller holds stable.mu.
func (s *Store) change(changes map[string][]byte) error {
	values, touched := maps.Clone(s.stable.values), map[uint16]bool{}
	for name, value := range changes {
		if old, found := values[name]; !found || !bytes.Equal(old, value) {
			values[name] = value
			touched[keyOf(name)] = true
		}
	}
	if len(touched) == 0 {
		return nil
	}
	b := &s.stable.batch
	b.Reset()
	for _, key := range slices.Sorted(maps.Keys(touched)) {
		b.Set(key, encodeValues(key, values))
	}
	if err := s.append(b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stable.values = values
	return nil
}

func keyOf(name string) uint16 {
	switch name {
	case nameTerm:
		return keyTerm
	case nameVoteTerm, nameCandidate:
		return keyVote
	}
	return keyOther
}

// encodeValues returns what stands under a key of the log: the names and values that belong there, by name, each as
//
//	name length u16 | value length u32 | name | value
//
// with numbers little endian.
func encodeValues(key uint16, values map[string][]byte) []byte {
	var p []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if keyOf(name) != key {
			continue
		}
		p = binary.LittleEndian.AppendUint16(p, uint16(len(name)))
		p = binary.LittleEndian.AppendUint32(p, uint32(len(values[name])))
		p = append(append(p, name...), values[name]...)
	}
	return p
}

// errValues is wrapped by the errors of decodeValues.
var errValues = errors.New("hashi: malformed stable values")

// decodeValues is the inverse of encodeValues.
func decodeValues(key uint16, p []byte, values map[string][]byte) error {
	for len(p) > 0 {
		if len(p) < 6 {
			return fmt.Errorf("%w under key %d: %d bytes left", errValues, key, len(p))
		}
		nameLen, valueLen := int(binary.LittleEndian.Uint16(p)), int64(binary.LittleEndian.Uint32(p[2:]))
		p = p[6:]
		if int64(nameLen)+valueLen > int64(len(p)) {
			return fmt.Errorf("%w under key %d: %d and %d bytes in %d", errValues, key, nameLen, valueLen, len(p))
		}
		name, value := string(p[:nameLen]), p[nameLen:int64(nameLen)+valueLen]
		p = p[nameLen+len(value):]
		if _, twice := values[name]; twice || keyOf(name) != key {
			return fmt.Errorf("%w under key %d: unexpected %q", errValues, key, name)
		}
		values[name] = bytes.Clone(value)
	}
	return nil
}

// loadStable reads all values.
func (s *Store) loadStable() error {
	s.stable.values = map[string][]byte{}
	for _, key := range []uint16{keyTerm, keyVote, keyOther} {
		p, _ := s.log.Get(key)
		if err := decodeValues(key, p, s.stable.values); err != nil {
			return err
		}
	}
	return nil
}
