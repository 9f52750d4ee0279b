package kv

import (
	"fmt"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/fsmtest"
)

// The store keeps the contract of a state machine, with few keys and with pages of them.
func TestMachineKeepsTheContract(t *testing.T) {
	for _, c := range []struct{ keys, count, trials int }{{3, 100, 20}, {1000, 3000, 2}} {
		key := func(d *fsmtest.Dice) []byte { return fmt.Appendf(nil, "key-%d", d.Below(c.keys)) }
		t.Run(fmt.Sprintf("%d keys", c.keys), func(t *testing.T) {
			fsmtest.Run(t, fsmtest.Config{
				Machine: func() raft.StateMachine { return NewMachine() },
				Command: func(d *fsmtest.Dice) []byte {
					cmd := Command{Op: []Op{Get, Put, Put, Delete, CompareAndSwap}[d.Below(5)], Client: 1, Seq: d.Uint64(), Key: key(d)}
					if cmd.Op == Put || cmd.Op == CompareAndSwap {
						cmd.Value = d.Bytes(d.Below(3))
					}
					if cmd.Op == CompareAndSwap {
						if cmd.ExpectAbsent = d.Below(2) == 0; !cmd.ExpectAbsent {
							cmd.Expect = d.Bytes(d.Below(2))
						}
					}
					return cmd.Append(nil)
				},
				Query: func(d *fsmtest.Dice) []byte {
					query := Command{Op: Get, Key: key(d)}
					return query.Append(nil)
				},
				Count: c.count, Trials: c.trials,
			})
		})
	}
}
