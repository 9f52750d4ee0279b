package raft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// filingMachine is a testMachine that writes its count into a file at each Apply
// and remembers what it was told.
type filingMachine struct {
	testMachine
	file      runtime.File
	found     uint64 // what the file held when it was opened
	compacted []Index
	fail      error
}

func (m *filingMachine) Open(files runtime.FS, dir string) error {
	if m.fail != nil {
		return m.fail
	}
	name := dir + "/count"
	file, err := files.Open(name)
	if err != nil {
		if file, err = files.Create(name); err != nil {
			return err
		}
	}
	held := make([]byte, 8)
	if n, _ := file.ReadAt(held, 0); n == len(held) {
		m.found = binary.LittleEndian.Uint64(held)
	}
	m.file = file
	return nil
}

func (m *filingMachine) Apply(entries []Entry, results [][]byte) [][]byte {
	results = m.testMachine.Apply(entries, results)
	if _, err := m.file.WriteAt(results[len(results)-1], 0); err != nil {
		panic(err)
	}
	return results
}

func (m *filingMachine) Compact(index Index) error {
	m.compacted = append(m.compacted, index)
	return nil
}

func TestQueriesAreAnsweredInTheirPlace(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	leader := w.leader()
	var ids []runtime.CallID
	for i := range 10 {
		w.calls += 2
		deadline := w.now.Add(10 * time.Second)
		leader.node.Call(w.calls-1, deadline, AppendRequest(nil, EntryCommand, []byte("c")))
		leader.node.Call(w.calls, deadline, AppendRequest(nil, EntryQuery, []byte{byte(i)}))
		ids = append(ids, w.calls)
	}
	w.run(100 * time.Millisecond)
	for i, id := range ids {
		want := append(binary.LittleEndian.AppendUint64(nil, uint64(i+1)), byte(i))
		if got := w.replies[id]; got.outcome != runtime.Done || !bytes.Equal(got.data, want) {
			t.Errorf("query %d: %v %x, want %x", i, got.outcome, got.data, want)
		}
	}
	w.same()
}

func TestRequestsAreCommandsOrQueries(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{})
	leader := w.leader()
	for _, request := range [][]byte{nil, {0}, {byte(EntryNoop)}, {byte(EntryQuery) + 1, 1}} {
		w.calls++
		leader.node.Call(w.calls, w.now.Add(time.Second), request)
		w.settle()
		if r := w.refusal(w.calls); r.Code != RefusedMalformed {
			t.Errorf("%x: %v", request, r)
		}
	}
}

func TestStateMachineKeepsFiles(t *testing.T) {
	machines := []*filingMachine{}
	w := newTestWorld(t, 1, NodeConfig{SnapshotEvery: 10, SnapshotKeep: 5, Machine: func() StateMachine {
		m := &filingMachine{}
		machines = append(machines, m)
		return m
	}})
	w.put(34)
	if got := machines[0].compacted; !slices.Equal(got, []Index{10, 20, 30}) {
		t.Errorf("told to compact to %v, want 10, 20, 30", got)
	}
	w.hosts[0].kill()
	w.hosts[0].boot()
	w.put(1)
	if got := machines[1].found; got != 34 {
		t.Errorf("the next life found %d in its file, want 34", got)
	}
	if got := machines[1].count; got != 35 {
		t.Errorf("the next life has counted %d, want 35", got)
	}
}

func TestStateMachineThatCannotOpenHaltsTheNode(t *testing.T) {
	reason := fmt.Errorf("no")
	w := newTestWorld(t, 1, NodeConfig{Machine: func() StateMachine { return &filingMachine{fail: reason} }})
	w.run(time.Second)
	if h := w.hosts[0]; !h.halted || h.reason == nil {
		t.Errorf("halted %t: %v", h.halted, h.reason)
	}
}
