package group

import (
	"context"
	"errors"
	goruntime "runtime"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

func TestTicketIsResolvedWhenDurable(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	first, err := l.Submit(entry(1, 1, nil))
	check(t, err)
	await(t, gate.arrived, "the first sync")
	second, err := l.Submit(entry(1, 2, nil))
	check(t, err)
	done := second.Done()

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ticket := range []Ticket{first, second} {
		if err := ticket.Wait(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := ticket.Err(); err != nil {
			t.Errorf("got %v before anything is known", err)
		}
	}
	if _, next := l.Bounds(1); next != 1 {
		t.Errorf("visible before it is durable")
	}

	gate.let <- nil
	await(t, first.Done(), "the first ticket")
	await(t, gate.arrived, "the second sync")
	check(t, first.Wait(t.Context()))
	if _, next := l.Bounds(1); next != 2 {
		t.Errorf("ends at %d with the first ticket resolved", next)
	}
	select {
	case <-done:
		t.Error("the second ticket is resolved")
	default:
	}
	gate.let <- nil
	await(t, done, "the second ticket")
	check(t, second.Err())
	await(t, second.Done(), "it again")

	empty, err := l.Submit(&walrus.Batch{})
	check(t, err)
	check(t, empty.Wait(t.Context()))
	check(t, l.Close())
}

// Waiting with a context that ends just when the ticket is resolved: both may win, and
// the waiter is as good as new.
func TestTicketWaitCancelledAtTheLastMoment(t *testing.T) {
	l := open(t, voidFS{}, small())
	const rounds = 2000
	done := inBackground(4, func(i int) {
		topic := walrus.Topic(i + 1)
		for n := range uint64(rounds) {
			ticket, err := l.Submit(entry(topic, n+1, nil))
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			if err := ticket.Wait(ctx); err != nil && err != context.Canceled {
				t.Error(err)
			}
			if err := ticket.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			cancel()
		}
	})
	await(t, done, "the submitters")
	check(t, l.Close())
}

// The same, made to happen: the outcome comes when Wait has given up already.
func TestOutcomeThatComesTooLate(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	ticket, err := l.Submit(entry(1, 1, nil))
	check(t, err)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		done := inBackground(1, func(int) { _ = ticket.Wait(ctx) })
		r := l.round(ticket.round)
		l.until(t, "the watcher", func() bool { return r.watchers != nil })
		l.mu.Lock()
		cancel()
		for range 10 {
			goruntime.Gosched()
		}
		w := pop(&r.watchers)
		w.news = outcome
		w.wake <- struct{}{}
		l.mu.Unlock()
		await(t, done, "Wait")
		if len(w.wake) > 0 {
			t.Fatal("an outcome is left in the waiter")
		}
	}
	gate.let <- nil
	check(t, l.Close())
}

// An appender that meets tickets only does not wait behind a goroutine of theirs for more
// than the flush in flight, and tickets behind an appender are seen to.
func TestAppendersAndTicketsShareGroups(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	ticket, err := l.Submit(entry(1, 1, nil))
	check(t, err)
	await(t, gate.arrived, "the first sync")
	done := inBackground(1, func(int) {
		if err := l.Append(entry(2, 1, nil)); err != nil {
			t.Error(err)
		}
	})
	l.until(t, "the appender", func() bool { return l.round(2).owners == 1 })
	gate.let <- nil
	check(t, ticket.Wait(t.Context()))
	await(t, gate.arrived, "the appender's sync")
	ticket, err = l.Submit(entry(1, 2, nil))
	check(t, err)
	gate.let <- nil
	await(t, done, "the appender")
	await(t, gate.arrived, "the last sync")
	gate.let <- nil
	check(t, ticket.Wait(t.Context()))
	if s := l.Stats(); s.Groups != 3 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}
