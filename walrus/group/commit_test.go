package group

import (
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// inFlight has one append wait for its sync, and others for their round behind it.
func inFlight(t *testing.T, l *Log, gate *syncGate, others int, appends func(i int)) <-chan struct{} {
	t.Helper()
	first := inBackground(1, appends)
	await(t, gate.arrived, "the first sync")
	rest := inBackground(others, func(i int) { appends(i + 1) })
	l.until(t, "those behind it", func() bool { return l.round(2).appenders == others })
	done := make(chan struct{})
	go func() {
		<-first
		<-rest
		close(done)
	}()
	return done
}

// The lead is offered to all who wait, or come meanwhile, and taken by one.
func TestLeadIsTakenOnce(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	done := inFlight(t, l, gate, 3, func(i int) {
		if err := l.Append(entry(walrus.Topic(i+1), 1, nil)); err != nil {
			t.Error(err)
		}
	})
	gate.let <- nil
	await(t, gate.arrived, "the second sync")
	late := inBackground(1, func(int) {
		if err := l.Append(entry(9, 1, nil)); err != nil {
			t.Error(err)
		}
	})
	l.until(t, "who comes late", func() bool { return l.round(3).appenders == 1 })
	gate.let <- nil
	await(t, done, "the appenders")
	await(t, gate.arrived, "the last sync")
	gate.let <- nil
	await(t, late, "who came late")
	if s := l.Stats(); s.Groups != 3 || s.Batches != 5 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}

// Who is woken when its round has no outcome waits on: another may have taken the lead before it.
func TestWhoIsWokenInVainWaitsOn(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	done := inFlight(t, l, gate, 3, func(i int) {
		if err := l.Append(entry(walrus.Topic(i+1), 1, nil)); err != nil {
			t.Error(err)
		}
	})
	for range 10 {
		l.round(2).told.Broadcast()
		l.until(t, "nothing to change", func() bool { return l.open == 2 && l.settled == 0 && !l.offered })
	}
	gate.let <- nil
	await(t, gate.arrived, "the second sync")
	gate.let <- nil
	await(t, done, "the appenders")
	if s := l.Stats(); s.Groups != 2 || s.Batches != 4 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}
