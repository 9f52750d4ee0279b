package group

import (
	"errors"
	goruntime "runtime"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// Who finds no room is let in when the group has been cut, in the order of coming, and a
// small batch does not overtake.
func TestRoomIsGivenInOrder(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	big := make([]byte, roomBytes)
	submit := func(index uint64, p []byte) Ticket {
		ticket, err := l.Submit(entry(1, index, p))
		if err != nil {
			t.Error(err)
		}
		return ticket
	}
	submit(1, nil)
	await(t, gate.arrived, "the first sync")
	submit(2, big) // fills the second group

	const more = 6
	rounds := make(chan uint64, more)
	for i := range uint64(more) {
		p := big
		if i%2 == 1 {
			p = nil
		}
		go func() { rounds <- submit(3+i, p).round }()
		l.until(t, "one more in the queue", func() bool { return len(l.queue) == int(i)+1 })
	}
	// The big ones are the last to fit into their groups.
	want := map[uint64]int{1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 1}
	got := map[uint64]int{1: 1, 2: 1}
	for round := uint64(2); round <= 6; round++ {
		l.until(t, "the next group", func() bool { return l.open == round && l.round(round).owners == want[round] })
		gate.let <- nil
	}
	gate.let <- nil
	for range more {
		got[await(t, rounds, "a submitter")]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batches by round: %s", diff)
	}
	check(t, l.Close())
	if s := l.Stats(); s.Batches != more+2 || s.Groups != 6 {
		t.Errorf("%+v", s)
	}
}

// While a batch that does not fit waits, a smaller one that would waits behind it.
func TestSmallDoesNotOvertakeLarge(t *testing.T) {
	gate := newSyncGate()
	o := small()
	o.GroupBytes = roomBytes
	l := open(t, gate.over(folder(t)), o)
	_, err := l.Submit(entry(1, 1, nil))
	check(t, err)
	await(t, gate.arrived, "the first sync")
	half := make([]byte, roomBytes/2)
	_, err = l.Submit(entry(2, 1, half))
	check(t, err)
	done := make(chan Ticket, 2)
	for i, p := range [][]byte{half, nil} {
		go func() {
			ticket, err := l.Submit(entry(walrus.Topic(3+i), 1, p))
			if err != nil {
				t.Error(err)
			}
			done <- ticket
		}()
		l.until(t, "one more in the queue", func() bool { return len(l.queue) == i+1 })
	}
	gate.let <- nil
	for range 2 {
		if ticket := await(t, done, "one without room"); ticket.round != 3 {
			t.Errorf("was let into round %d", ticket.round)
		}
	}
	gate.let <- nil
	gate.let <- nil
	check(t, l.Close())
}

// The head of the queue may be called while it is leaving. The next who uses its waiter must
// not take that for an outcome.
func TestCallThatComesTooLate(t *testing.T) {
	l := open(t, folder(t), small())
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	l.leading = true // so that somebody without room waits
	var room atomic.Bool
	done := inBackground(1, func(int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err := l.enter(func() error {
			if !room.Load() {
				return walrus.ErrFull
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	l.until(t, "the one without room", func() bool { return len(l.queue) == 1 })
	room.Store(true)
	l.mu.Lock()
	w := l.queue[0]
	l.callNext()
	for len(w.wake) > 0 {
		goruntime.Gosched()
	}
	l.callNext()
	l.leading = false
	l.mu.Unlock()
	await(t, done, "the one without room")
	if len(w.wake) > 0 {
		t.Error("a call is left in the waiter")
	}
	check(t, l.Append(entry(1, 1, nil)))
	check(t, l.Close())
}

// A batch that leaves the queue with an error of its own lets the next in.
func TestRefusedInTheQueue(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	_, err := l.Submit(entry(1, 1, nil))
	check(t, err)
	await(t, gate.arrived, "the first sync")
	_, err = l.Submit(entry(1, 2, make([]byte, roomBytes)))
	check(t, err)
	results := make(chan error, 3)
	for i, b := range []*walrus.Batch{entry(1, 9, nil), {}, entry(1, 3, nil)} {
		go func() {
			_, err := l.Submit(b)
			results <- err
		}()
		l.until(t, "one more in the queue", func() bool { return len(l.queue) == i+1 })
	}
	gate.let <- nil
	gate.let <- nil
	refused := 0
	for range 3 {
		if await(t, results, "a submitter") != nil {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d refused", refused)
	}
	gate.let <- nil
	check(t, l.Close())
}

// A segment that is full and has no successor: an append waits for the chore that is to make one, and
// is refused if that fails, with the reason. The next one has it tried again.
// (A segment is full at 8 GiB, too much for a test: full stands for it.)
func TestNoRoomWithoutASegment(t *testing.T) {
	var full, noSpace, opened atomic.Bool
	fs := &hookFS{FS: folder(t), around: func(op, name string, call func() error) error {
		if op == "allocate" && noSpace.Load() {
			return runtime.ErrNoSpace
		}
		err := call()
		if op == "sync folder" && name == "log" {
			full.Store(false)
			noSpace.Store(!opened.Swap(true)) // Open ends with that, and the chores begin
		}
		return err
	}}
	l := open(t, fs, small())
	l.until(t, "the failure of the chore", func() bool { return l.chores.err != nil })
	full.Store(true)
	appendOne := func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err := l.enter(func() error {
			if full.Load() {
				return walrus.ErrFull
			}
			return nil
		})
		return err
	}
	for range 3 {
		if err := appendOne(); !errors.Is(err, walrus.ErrFull) || !errors.Is(err, runtime.ErrNoSpace) {
			t.Errorf("got %v", err)
		}
	}
	noSpace.Store(false)
	check(t, appendOne())
	check(t, l.Append(entry(1, 1, nil)))
	check(t, l.Close())
}
