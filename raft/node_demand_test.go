package raft

import (
	"errors"
	"testing"
)

func TestSnapshotOnDemand(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{SnapshotKeep: 1})
	w.put(5)
	leader := w.leader()
	answers := []error{}
	demand := func() { leader.node.Snapshot(func(err error) { answers = append(answers, err) }) }
	demand()
	demand() // the same one will do
	w.settle()
	if len(answers) != 2 || answers[0] != nil || answers[1] != nil {
		t.Fatalf("answers %v", answers)
	}
	if s := leader.status(); s.Snapshot != s.Applied || leader.count(SnapshotTaken) != 1 {
		t.Errorf("snapshot at %d of %d, %d taken", s.Snapshot, s.Applied, leader.count(SnapshotTaken))
	}
	demand() // there is nothing newer to take
	if len(answers) != 3 || answers[2] != nil {
		t.Errorf("answers %v", answers)
	}
	w.put(1)
	demand()
	w.settle()
	if s := leader.status(); len(answers) != 4 || answers[3] != nil || s.Snapshot != s.Applied {
		t.Errorf("answers %v, snapshot at %d of %d", answers, s.Snapshot, s.Applied)
	}
	leader.node.Stop()
	demand()
	if len(answers) != 5 || !errors.Is(answers[4], ErrNotRunning) {
		t.Errorf("answers %v", answers)
	}
}

func TestSnapshotOnDemandThatFails(t *testing.T) {
	reason := errors.New("not now")
	w := newTestWorld(t, 1, NodeConfig{Machine: func() StateMachine { return &unwillingMachine{fail: reason} }})
	w.put(5)
	var answer error
	w.leader().node.Snapshot(func(err error) { answer = err })
	w.settle()
	if !errors.Is(answer, reason) {
		t.Errorf("answer %v", answer)
	}
	w.put(1) // it goes on
}

// unwillingMachine cannot be captured.
type unwillingMachine struct {
	testMachine
	fail error
}

func (m *unwillingMachine) Snapshot() (Image, error) { return nil, m.fail }
