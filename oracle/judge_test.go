package oracle

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/runtime"
)

// register is the model of one byte: a request of that byte writes it and is
// answered by nothing, an empty one reads it.
type register struct{ value byte }

func newRegister() Model { return &register{} }

func (m *register) Apply(command []byte) []byte {
	if len(command) == 0 {
		return []byte{m.value}
	}
	m.value = command[0]
	return nil
}

func (m *register) Clone() Model { c := *m; return &c }
func (m *register) Hash() uint64 { return uint64(m.value) }

func read(start, end uint64, value byte) Operation {
	return Operation{Start: start, End: end, Outcome: runtime.Done, Response: []byte{value}}
}

func write(start, end uint64, value byte) Operation {
	return Operation{Start: start, End: end, Outcome: runtime.Done, Request: []byte{value}}
}

func TestJudge(t *testing.T) {
	lost := write(1, 0, 5)
	lost.Outcome = runtime.Unknown
	for _, c := range []struct {
		name    string
		history []Operation
		want    Verdict
	}{
		{"nothing", nil, Linearizable},
		{"a read of what was written", []Operation{write(1, 2, 5), read(3, 4, 5)}, Linearizable},
		{"a read of what was there before", []Operation{write(1, 2, 5), read(3, 4, 0)}, NotLinearizable},
		{"a read of what is being written", []Operation{write(1, 4, 5), read(2, 3, 5)}, Linearizable},
		{"a read of what is not yet written", []Operation{read(1, 2, 5), write(3, 4, 5)}, NotLinearizable},
		{"an unknown write that took effect late", []Operation{lost, read(3, 4, 0), read(5, 6, 5)}, Linearizable},
		{"an unknown write that never took effect", []Operation{lost, read(3, 4, 0)}, Linearizable},
		{"an unknown write that came and went", []Operation{lost, read(3, 4, 5), read(5, 6, 0)}, NotLinearizable},
	} {
		if got := Judge(newRegister, c.history); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// With as many unknown writes as this, every order of them would have to be tried.
func TestJudgeGivesUpAfterItsSteps(t *testing.T) {
	var history []Operation
	for i := range 40 {
		op := write(1, 0, byte(i+1))
		op.Outcome = runtime.Unknown
		history = append(history, op)
	}
	wide := func() Model { return &sequence{} }
	history = append(history, read(2, 3, 0xff))
	if got := Judge(wide, history); got != Undecided {
		t.Errorf("got %v", got)
	}
}

// sequence is a model whose state is everything it was told: no two orders
// lead to the same.
type sequence struct{ hash uint64 }

func (m *sequence) Apply(command []byte) []byte {
	if len(command) == 0 {
		return binary.LittleEndian.AppendUint64(nil, m.hash)
	}
	m.hash = runtime.HashBytes(m.hash, command)
	return nil
}
func (m *sequence) Clone() Model { c := *m; return &c }
func (m *sequence) Hash() uint64 { return m.hash }

// A history made by a register that takes effect somewhere within each call is
// always accepted, whatever order it is told in.
func TestJudgeAcceptsWhatARegisterDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model, history := newRegister(), []Operation{}
		for point := range uint64(rapid.IntRange(0, 12).Draw(t, "operations")) {
			at := 100 + point*10
			op := Operation{Start: at - rapid.Uint64Range(1, 60).Draw(t, "before"), End: at + rapid.Uint64Range(1, 60).Draw(t, "after"), Outcome: runtime.Done}
			if v := rapid.ByteRange(0, 3).Draw(t, "value"); v > 0 {
				op.Request = []byte{v}
			}
			op.Response = append([]byte(nil), model.Apply(op.Request)...)
			if len(op.Request) > 0 && rapid.Bool().Draw(t, "unknown") {
				op.Outcome, op.Response = runtime.Unknown, nil
			}
			history = append(history, op)
		}
		history = rapid.Permutation(history).Draw(t, "order")
		if got := Judge(newRegister, history); got != Linearizable {
			t.Fatalf("got %v for %+v", got, history)
		}
	})
}

// alone is a suite without voters: clients' answers are all it has.
func alone(t *testing.T) *trace {
	return newTrace(t, func(c *Config) { c.Voters, c.Image, c.Model, c.KeepCalls = nil, nil, newRegister, 4 })
}

func TestAHistoryIsJudgedAlone(t *testing.T) {
	for _, c := range []struct {
		name, want string
		run        func(tr *trace)
	}{
		{"sound", "", func(tr *trace) {
			tr.start(10, []byte{5})
			tr.reply(10, runtime.Done)
			tr.start(11, nil)
			tr.reply(11, runtime.Done, 5)
		}},
		{"a lost write", "linear/broken", func(tr *trace) {
			tr.start(10, []byte{5})
			tr.reply(10, runtime.Done)
			tr.start(11, nil)
			tr.reply(11, runtime.Done, 0)
		}},
		{"a write that nobody was told about", "", func(tr *trace) {
			tr.start(10, []byte{5})
			tr.start(11, nil)
			tr.reply(11, runtime.Done, 5)
		}},
		{"a refused write that took effect", "linear/broken", func(tr *trace) {
			tr.start(10, []byte{5})
			tr.reply(10, runtime.Refused)
			tr.start(11, nil)
			tr.reply(11, runtime.Done, 5)
		}},
		{"more than is kept", "linear/undecided", func(tr *trace) {
			for i := range uint64(5) {
				tr.start(10+i, []byte{5})
				tr.reply(10+i, runtime.Done)
			}
		}},
		{"nothing done", "progress/nothing-done", func(tr *trace) {
			tr.start(10, []byte{5})
			tr.reply(10, runtime.Unknown)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := alone(t)
			c.run(tr)
			tr.suite.Finish()
			tr.want(c.want)
		})
	}
}
