package group

import (
	"errors"
	goruntime "runtime"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// The owners of the group whose sync fails, those who wait behind it, those who find no room, and
// whoever comes later: all get the error, though the disk would take the next sync.
func TestFailedSyncIsFinalForAll(t *testing.T) {
	fs, gate := folder(t), newSyncGate()
	l := open(t, gate.over(fs), small())
	kept, err := l.Submit(entry(1, 1, payload(1, 1)))
	check(t, err)
	gate.let <- nil
	check(t, kept.Wait(t.Context()))

	const each = 5
	failed := make(chan error, 3*each)
	appended := func(topic walrus.Topic) {
		failed <- l.Append(entry(topic, 1, nil))
	}
	<-gate.arrived
	first, err := l.Submit(entry(1, 2, payload(1, 2)))
	check(t, err)
	await(t, gate.arrived, "the last sync that succeeds")
	inFlight, err := l.Submit(entry(2, 1, nil))
	check(t, err)
	inBackground(each, func(i int) { appended(walrus.Topic(20 + i)) })
	l.until(t, "the appenders whose sync will fail", func() bool { return l.round(l.open).owners == each+1 })
	gate.let <- nil
	check(t, first.Wait(t.Context()))
	await(t, gate.arrived, "the sync that will fail")
	behind, err := l.Submit(entry(3, 1, make([]byte, roomBytes)))
	check(t, err)
	inBackground(each, func(i int) { appended(walrus.Topic(10 + i)) })
	l.until(t, "those without room", func() bool { return len(l.queue) == each })
	gate.let <- errSync

	for range 2 * each {
		if err := await(t, failed, "an appender"); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, errSync) {
			t.Errorf("got %v", err)
		}
	}
	for _, ticket := range []Ticket{inFlight, behind} {
		await(t, ticket.Done(), "a ticket")
		if err := ticket.Wait(t.Context()); !errors.Is(err, walrus.ErrFailed) || !errors.Is(ticket.Err(), errSync) {
			t.Errorf("got %v", err)
		}
	}
	check(t, kept.Wait(t.Context()))
	if err := l.Append(entry(2, 1, nil)); !errors.Is(err, walrus.ErrFailed) {
		t.Errorf("later append: %v", err)
	}
	if _, err := l.Submit(entry(2, 1, nil)); !errors.Is(err, walrus.ErrFailed) {
		t.Errorf("later submit: %v", err)
	}
	if err := l.log.Stage(entry(2, 1, nil)); !errors.Is(err, walrus.ErrFailed) {
		t.Errorf("the log underneath: %v", err)
	}
	if _, err := l.Add(2, 1, 0, nil); !errors.Is(err, walrus.ErrFailed) {
		t.Errorf("later add: %v", err)
	}
	if next, err := verify(l, 1); next != 3 || err != nil {
		t.Errorf("what was durable: ends at %d, %v", next, err)
	}
	select {
	case <-gate.arrived:
		t.Error("another sync after the one that failed")
	default:
	}
	if err := l.Close(); !errors.Is(err, errSync) {
		t.Errorf("close: %v", err)
	}

	l = open(t, fs, small())
	if next, err := verify(l, 1); next != 3 || err != nil {
		t.Errorf("next life: ends at %d, %v", next, err)
	}
	if _, next := l.Bounds(3); next != 1 {
		t.Errorf("next life: what was never written is there up to %d", next)
	}
	check(t, l.Close())
}

// Under load: after the failure nobody is told that anything is durable.
func TestFailureUnderLoad(t *testing.T) {
	const failAt, writers = 50, 8
	var syncs atomic.Int64
	var broken atomic.Bool
	fs := &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
		if op == "sync data" && syncs.Add(1) == failAt {
			broken.Store(true)
			return errSync
		}
		return call()
	}}
	l := open(t, fs, small())
	var acked [writers]uint64
	done := inBackground(writers, func(w int) {
		for i := uint64(1); ; i++ {
			begunBroken := broken.Load()
			err := l.Append(entry(walrus.Topic(w+1), i, nil))
			if err == nil && begunBroken {
				t.Errorf("writer %d: entry %d acknowledged after the failure", w, i)
			}
			if err != nil {
				if !errors.Is(err, errSync) {
					t.Error(err)
				}
				return
			}
			acked[w] = i
		}
	})
	await(t, done, "the writers")
	for w := range writers {
		if _, next := l.Bounds(walrus.Topic(w + 1)); next != acked[w]+1 {
			t.Errorf("writer %d: %d acknowledged, %d durable", w, acked[w], next-1)
		}
	}
	if n := syncs.Load(); n != failAt {
		t.Errorf("%d syncs, the one that failed was %d", n, failAt)
	}
	if err := l.Close(); !errors.Is(err, errSync) {
		t.Errorf("close: %v", err)
	}
}

// A file system that unwinds the goroutine fails the log; nobody waits for ever.
func TestFlushThatDoesNotReturn(t *testing.T) {
	for name, unwind := range map[string]func(){"goexit": goruntime.Goexit, "panic": func() { panic("in the file system") }} {
		t.Run(name, func(t *testing.T) {
			arrived, let := make(chan struct{}), make(chan struct{})
			fs := &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
				if op == "sync data" {
					close(arrived)
					<-let
					unwind()
				}
				return call()
			}}
			l := open(t, fs, small())
			first := inBackground(1, func(int) {
				defer func() { _ = recover() }()
				_ = l.Append(entry(1, 1, nil))
			})
			await(t, arrived, "the sync")
			second := inBackground(1, func(int) {
				if err := l.Append(entry(2, 1, nil)); !errors.Is(err, errUnwound) {
					t.Errorf("got %v", err)
				}
			})
			l.until(t, "the second", func() bool { return l.round(2).owners == 1 })
			close(let)
			await(t, first, "the leader")
			await(t, second, "the second")
			if err := l.Close(); !errors.Is(err, walrus.ErrFailed) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// A chore that fails delays nobody and is tried again, ever more rarely.
func TestFailingChoresAreTriedAgain(t *testing.T) {
	var broken atomic.Bool
	var refused atomic.Int64
	fs := &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
		if op == "allocate" && broken.Load() {
			refused.Add(1)
			return runtime.ErrIO
		}
		return call()
	}}
	l := open(t, fs, small())
	l.until(t, "the chores of Open", func() bool { return !l.chores.busy })
	broken.Store(true)
	next := uint64(1)
	appendSome := func(n int) {
		for range n {
			check(t, l.Append(entry(1, next, payload(1, next))))
			next++
		}
	}
	appendSome(600) // some segments' worth
	if n := refused.Load(); n == 0 || n > 200 {
		t.Errorf("%d attempts", n)
	}
	broken.Store(false)
	n := 0
	for ; n < 3*skipMax; n++ {
		appendSome(1)
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		if l.chores.wait == 0 {
			break
		}
	}
	if n == 3*skipMax || l.chores.err != nil {
		t.Errorf("no chore succeeded: %v", l.chores.err)
	}
	if got, err := verify(l, 1); got != next || err != nil {
		t.Errorf("ends at %d, not %d: %v", got, next, err)
	}
	check(t, l.Close())
}

// On a full device entries are refused, and nothing else; when there is space again they are taken,
// without anything but being asked.
func TestFullDevice(t *testing.T) {
	var full atomic.Bool
	fs := &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
		if (op == "allocate" || op == "reserve") && full.Load() {
			return runtime.ErrNoSpace
		}
		return call()
	}}
	l := open(t, fs, small())
	l.until(t, "the chores of Open", func() bool { return !l.chores.busy })
	full.Store(true)
	next := uint64(1)
	fill := func() (err error) {
		for range 2000 {
			if err = l.Append(entry(1, next, payload(1, next))); err != nil {
				return err
			}
			next++
			l.until(t, "the chores", func() bool { return !l.chores.busy })
		}
		return nil
	}
	if err := fill(); !errors.Is(err, walrus.ErrNoSpace) || errors.Is(err, walrus.ErrFailed) || next < 50 {
		t.Fatalf("%d taken, then %v", next, err)
	}
	if _, err := l.Add(1, 1, 0, payload(1, next)); !errors.Is(err, walrus.ErrNoSpace) {
		t.Errorf("added: %v", err)
	}
	var keep walrus.Batch
	keep.Set(3, []byte("value"))
	keep.TruncateFront(1, next/2)
	check(t, l.Append(&keep))
	full.Store(false)
	_ = l.Append(entry(1, next, payload(1, next))) // has the chores look
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	for range 3 {
		check(t, l.Append(entry(1, next, payload(1, next))))
		next++
	}
	check(t, fill())
	if got, err := verify(l, 1); got != next || err != nil {
		t.Errorf("ends at %d, not %d: %v", got, next, err)
	}
	check(t, l.Close())
}
