package hashi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"sync"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// A snapshot's content is, numbers little endian, and then what raft.Image.WriteTo wrote:
//
//	 0       8       16      24
//	+-------+-------+-------+-------+
//	| magic | index | term  | chain |
//	| u64   | u64   | u64   | u64   |
//	+-------+-------+-------+-------+
//
// of the last command that was executed. chain is its chain hash.
const (
	contentMagic  = 0x31746174732d736f // "os-stat1"
	contentHeader = 32
)

// replica is the state machine as an FSM of hashicorp/raft. Its methods are called by one goroutine of raft's, and query
// by any.
type replica struct {
	fail      func(error)
	compacted func() // a snapshot is durable

	mu      sync.Mutex // one call of the machine at a time
	machine raft.StateMachine
	broken  error // why the state is of no use
	index   raft.Index
	term    raft.Term
	chain   uint64 // over all commands and their responses: see raft.ChainHash

	commands []raft.Entry
	results  [][]byte
}

var _ hraft.BatchingFSM = (*replica)(nil)

// Apply implements hraft.FSM.
func (r *replica) Apply(log *hraft.Log) any { return r.ApplyBatch([]*hraft.Log{log})[0] }

// ApplyBatch implements hraft.BatchingFSM. The response to a command is a []byte.
//
// A state that could not be restored is not worked on: the goroutine is unwound, as in guard.
func (r *replica) ApplyBatch(logs []*hraft.Log) []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		goruntime.Goexit()
	}
	responses := make([]any, len(logs))
	r.commands = r.commands[:0]
	for i, log := range logs {
		if log.Type != hraft.LogCommand {
			continue
		}
		t, data, err := raft.DecodeRequest(log.Data)
		e := raft.Entry{Index: raft.Index(log.Index), Term: raft.Term(log.Term), Type: t, Data: data}
		switch {
		case err == nil && t == raft.EntryCommand:
			r.commands = append(r.commands, e)
			continue
		case err == nil:
			r.execute(logs[:i], responses)
			answer := r.machine.Query(data)
			responses[i] = answer
			r.step(&e, answer)
		}
	}
	r.execute(logs, responses)
	return responses
}

// execute executes the commands at hand, the last of which is the last command in logs.
func (r *replica) execute(logs []*hraft.Log, responses []any) {
	if len(r.commands) == 0 {
		return
	}
	r.results = r.machine.Apply(r.commands, r.results[:0])
	if len(r.results) != len(r.commands) {
		panic(fmt.Sprintf("hashi: state machine gave %d responses to %d commands", len(r.results), len(r.commands)))
	}
	next := 0
	for i, log := range logs {
		if next == len(r.commands) {
			break
		}
		if log.Index == uint64(r.commands[next].Index) {
			responses[i] = r.results[next]
			r.step(&r.commands[next], r.results[next])
			next++
		}
	}
	clear(r.commands)
	clear(r.results)
	r.commands = r.commands[:0]
}

// step moves past an entry that was executed.
func (r *replica) step(e *raft.Entry, response []byte) {
	if e.Index <= r.index {
		panic(fmt.Sprintf("hashi: applying entry %d after %d", e.Index, r.index))
	}
	r.chain = raft.ChainHash(r.chain, e.Index, e.Term, e.Hash(), runtime.HashBytes(0, response))
	r.index, r.term = e.Index, e.Term
}

// query asks the state machine.
func (r *replica) query(request []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return nil, r.broken
	}
	return r.machine.Query(request), nil
}

// position returns the last entry executed, and the chain hash there.
func (r *replica) position() (raft.Index, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.index, r.chain
}

// Snapshot implements hraft.FSM.
func (r *replica) Snapshot() (hraft.FSMSnapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return nil, r.broken
	}
	captured, err := r.machine.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("hashi: state machine: %w", err)
	}
	return &image{replica: r, Image: captured, index: r.index, term: r.term, chain: r.chain}, nil
}

// Restore implements hraft.FSM.
func (r *replica) Restore(source io.ReadCloser) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return r.broken
	}
	if err := r.restore(source); err != nil {
		r.broken = fmt.Errorf("hashi: restore the state machine: %w", err)
		r.fail(r.broken)
		return r.broken
	}
	r.compact(r.index)
	return nil
}

func (r *replica) restore(source io.Reader) error {
	var header [contentHeader]byte
	if _, err := io.ReadFull(source, header[:]); err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint64(header[:]); magic != contentMagic {
		return fmt.Errorf("content begins with %#x", magic)
	}
	if err := r.machine.Restore(source); err != nil {
		return err
	}
	// The content is verified at its end, to which the machine need not have read.
	if _, err := io.Copy(io.Discard, source); err != nil {
		return err
	}
	r.index = raft.Index(binary.LittleEndian.Uint64(header[8:]))
	r.term = raft.Term(binary.LittleEndian.Uint64(header[16:]))
	r.chain = binary.LittleEndian.Uint64(header[24:])
	return nil
}

// compact tells the state machine that a snapshot is there to stay. The caller holds mu.
func (r *replica) compact(index raft.Index) {
	c, ok := r.machine.(raft.Compactor)
	if !ok || index == 0 || r.broken != nil {
		return
	}
	_ = c.Compact(index) // it says more at the next snapshot
}

// image is a captured state.
type image struct {
	raft.Image
	replica *replica
	index   raft.Index
	term    raft.Term
	chain   uint64
}

// Persist implements hraft.FSMSnapshot.
func (m *image) Persist(to hraft.SnapshotSink) error {
	header := binary.LittleEndian.AppendUint64(nil, contentMagic)
	for _, v := range []uint64{uint64(m.index), uint64(m.term), m.chain} {
		header = binary.LittleEndian.AppendUint64(header, v)
	}
	if k, ok := to.(*sink); ok {
		k.own = true
	}
	_, err := to.Write(header)
	if err == nil {
		_, err = m.WriteTo(to)
	}
	if err != nil {
		return errors.Join(err, to.Cancel())
	}
	if err := to.Close(); err != nil {
		return err
	}
	m.replica.mu.Lock()
	defer m.replica.mu.Unlock()
	m.replica.compact(m.index)
	m.replica.compacted()
	return nil
}
