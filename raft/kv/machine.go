package kv

import (
	"bytes"
	"io"

	"github.com/octopii-go/octopii/raft"
)

// slabBytes is how much memory for responses is allocated at a time.
const slabBytes = 4 << 10

// Machine is a key-value store that implements [raft.StateMachine]. The zero
// Machine is empty and ready. It belongs to one lane.
type Machine struct {
	store store
	slab  []byte // room for responses; what is in it belongs to callers
}

// NewMachine returns an empty store.
func NewMachine() *Machine { return &Machine{} }

// Len returns how many keys there are.
func (m *Machine) Len() int { return m.store.count }

// Apply executes the entries' commands in order and appends one encoded
// Response each to results. A command that cannot be decoded changes nothing and is
// answered Malformed, so that every replica goes on alike.
func (m *Machine) Apply(entries []raft.Entry, results [][]byte) [][]byte {
	for i := range entries {
		command, err := DecodeCommand(entries[i].Data)
		response := Response{Status: Malformed}
		if err == nil {
			response = m.execute(&command)
		}
		results = append(results, m.encode(&response))
	}
	return results
}

// Query executes a Get and returns an encoded Response. Any other command is
// answered Malformed, as is what cannot be decoded.
func (m *Machine) Query(request []byte) []byte {
	query, err := DecodeCommand(request)
	response := Response{Status: Malformed}
	if err == nil && query.Op == Get {
		response = m.get(query.Key)
	}
	return m.encode(&response)
}

func (m *Machine) get(key []byte) Response {
	if value, found := m.store.get(key); found {
		return Response{Status: OK, Value: value}
	}
	return Response{Status: NotFound}
}

func (m *Machine) execute(c *Command) Response {
	switch c.Op {
	case Get:
		return m.get(c.Key)
	case Put:
		m.store.put(c.Key, bytes.Clone(c.Value))
		return Response{Status: OK}
	case Delete:
		if m.store.remove(c.Key) {
			return Response{Status: OK}
		}
		return Response{Status: NotFound}
	}
	return m.compareAndSwap(c)
}

func (m *Machine) compareAndSwap(c *Command) Response {
	current, found := m.store.get(c.Key)
	switch {
	case found && (c.ExpectAbsent || !bytes.Equal(current, c.Expect)):
		return Response{Status: Mismatch, Value: current}
	case !found && !c.ExpectAbsent:
		return Response{Status: NotFound}
	}
	m.store.put(c.Key, bytes.Clone(c.Value))
	return Response{Status: OK}
}

// encode returns the response's bytes, in memory that is the caller's.
func (m *Machine) encode(r *Response) []byte {
	size := 1 + len(r.Value)
	if cap(m.slab)-len(m.slab) < size {
		m.slab = make([]byte, 0, max(slabBytes, size))
	}
	start := len(m.slab)
	m.slab = r.Append(m.slab)
	return m.slab[start:len(m.slab):len(m.slab)]
}

// Snapshot captures the store. It never fails and takes the same time for any
// number of keys.
func (m *Machine) Snapshot() (raft.Image, error) {
	return &image{pages: m.store.capture(), count: m.store.count}, nil
}

// Restore replaces the store by what an image wrote. Errors wrap ErrMalformed,
// or are the reader's.
func (m *Machine) Restore(r io.Reader) error {
	restored, err := readImage(r)
	if err != nil {
		return err
	}
	m.store = restored
	return nil
}
