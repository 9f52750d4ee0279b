package kv

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Cell is what the store knows of one key. Its zero value is an absent key.
type Cell struct {
	Present bool
	Value   string
}

// Step is the specification of the store: the cell of the command's key
// before it, to the cell after it and the response. It is a pure function; the
// response's value is a copy.
func Step(before Cell, c Command) (after Cell, r Response) {
	switch c.Op {
	case Put:
		return Cell{Present: true, Value: string(c.Value)}, Response{Status: OK}
	case CompareAndSwap:
		if before == (Cell{Present: !c.ExpectAbsent, Value: string(c.Expect)}) {
			return Cell{Present: true, Value: string(c.Value)}, Response{Status: OK}
		}
		if before.Present {
			return before, Response{Status: Mismatch, Value: []byte(before.Value)}
		}
		return before, Response{Status: NotFound}
	case Get:
		if before.Present {
			return before, Response{Status: OK, Value: []byte(before.Value)}
		}
		return before, Response{Status: NotFound}
	case Delete:
		if before.Present {
			return Cell{}, Response{Status: OK}
		}
		return before, Response{Status: NotFound}
	}
	return before, Response{Status: Malformed}
}

// Model is a whole store by that specification, for checkers.
type Model struct {
	cells    map[string]*hashed // present ones only
	hash     uint64             // sum of the hashes of cells
	response []byte             // of the last command
}

// hashed is a cell with its part of the hash of the state.
type hashed struct {
	Cell
	hash uint64
}

// NewModel returns an empty store.
func NewModel() *Model { return &Model{cells: map[string]*hashed{}} }

// Len returns how many keys there are.
func (m *Model) Len() int { return len(m.cells) }

// Cell returns the state of a key.
func (m *Model) Cell(key []byte) Cell {
	if cell := m.cells[string(key)]; cell != nil {
		return cell.Cell
	}
	return Cell{}
}

// Hash returns a hash of the state. Equal states have equal hashes.
func (m *Model) Hash() uint64 { return m.hash }

// Clone returns an independent copy.
func (m *Model) Clone() *Model {
	cells := maps.Clone(m.cells)
	for key, cell := range cells { //lint:sorted each is copied by itself
		own := *cell
		cells[key] = &own
	}
	return &Model{cells: cells, hash: m.hash}
}

// Apply executes an encoded command and returns the encoded response, which is
// valid until the next call. It does not keep command.
func (m *Model) Apply(command []byte) []byte {
	c, err := DecodeCommand(command)
	response := Response{Status: Malformed}
	if err == nil {
		before := m.Cell(c.Key)
		var after Cell
		if after, response = Step(before, c); after != before {
			m.set(c.Key, after)
		}
	}
	m.response = response.Append(m.response[:0])
	return m.response
}

// set gives a key its new state.
func (m *Model) set(key []byte, after Cell) {
	cell := m.cells[string(key)]
	if cell != nil {
		m.hash -= cell.hash
	}
	if !after.Present {
		delete(m.cells, string(key))
		return
	}
	if cell == nil {
		cell = &hashed{}
		m.cells[string(key)] = cell
	}
	cell.Cell = after
	cell.hash = runtime.HashBytes(runtime.HashBytes(1, key), []byte(after.Value))
	m.hash += cell.hash
}

// Partition returns a hash of the command's key: commands on different keys
// have nothing to do with each other.
func (m *Model) Partition(command []byte) uint64 {
	c, _ := DecodeCommand(command) // all malformed commands are one part
	return runtime.HashBytes(0, c.Key)
}

// ReadOnly reports whether the command can change nothing in any state.
func (m *Model) ReadOnly(command []byte) bool {
	c, err := DecodeCommand(command)
	return err != nil || c.Op == Get
}

// Restore replaces the state by that of a state machine's image.
func (m *Model) Restore(content []byte) error {
	s, err := readImage(bytes.NewReader(content))
	if err != nil {
		return err
	}
	*m = *NewModel()
	for _, p := range s.pages {
		for _, it := range p.items {
			m.set(it.key, Cell{Present: true, Value: string(it.value)})
		}
	}
	return nil
}

// AppendImage appends the bytes that a state machine in this state must write
// as its snapshot.
func (m *Model) AppendImage(dst []byte) []byte {
	dst = append(dst, "kvimage1"...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(m.cells)))
	for _, key := range slices.Sorted(maps.Keys(m.cells)) {
		value := m.cells[key].Value
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(key)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
		dst = append(append(dst, key...), value...)
	}
	return dst
}
