// Package fsmtest is a kit with which users prove their own [raft.StateMachine] fit to be replicated.
//
// Replicas execute the same commands in the same order, and that is all they have in common. In how many
// batches the commands come, when a snapshot is taken, whether a replica has executed everything or
// began with another's snapshot, and which of its calls a query came between, differs from
// one to the next; state and responses must not. A state machine that depends on any of it works in
// every test on one machine, and diverges in production.
//
// A test of a state machine:
//
//	func TestMachine(t *testing.T) {
//		fsmtest.Run(t, fsmtest.Config{
//			Machine: func() raft.StateMachine { return NewMachine() },
//			Command: func(d *fsmtest.Dice) []byte { ... },
//			Query:   func(d *fsmtest.Dice) []byte { ... },
//		})
//	}
//
// Each rule of the contract is a subtest, and is checked in some trials, each with commands of its own. A failure
// comes again: dice are made of the seed. Commands should come close to what clients send, meet each other (few keys, not many), and reach every part
// of the state.
//
// What the kit cannot see: a state machine that asks the clock, the environment or random numbers, if it got the same
// answer each time; and one that fails after more commands than a trial has.
//
// The package is pure: it imports nothing that knows a file, a clock or a thread.
package fsmtest
