package hashi

import (
	"errors"
	"sync/atomic"
	"testing"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// fillUp has the disk be full for what makes files longer, until space is set.
func fillUp(disk *crashFS) (space *atomic.Bool) {
	space = new(atomic.Bool)
	disk.mu.Lock()
	defer disk.mu.Unlock()
	disk.fail = func(_ int, op, _ string) error {
		if !space.Load() && (op == "create" || op == "allocate") {
			return runtime.ErrNoSpace
		}
		return nil
	}
	return space
}

// TestFullDiskIsNoFailure has the store refuse entries for which there is no space, and take them when there is.
func TestFullDiskIsNoFailure(t *testing.T) {
	disk := newCrashFS()
	s := mustOpen(t, disk)
	defer s.Close()
	next := uint64(1)
	store := func(term uint64) error {
		err := s.StoreLog(&hraft.Log{Index: next, Term: term, Data: make([]byte, 4<<10)})
		if err == nil {
			next++
		}
		return err
	}
	refusal := func(term uint64) (err error) {
		for range 20 {
			if err = store(term); err != nil {
				break
			}
		}
		return err
	}
	space := fillUp(disk)
	for range 3 {
		if err := refusal(1); !errors.Is(err, walrus.ErrNoSpace) || errors.Is(err, ErrFailed) {
			t.Fatalf("without space: %v", err)
		}
	}
	if last, err := s.LastIndex(); last != next-1 || err != nil {
		t.Errorf("ends with %d, %v", last, err)
	}
	space.Store(true)
	eventually(t, "space", func() bool { return store(1) == nil })
}

// TestFullDiskIsARefusal has a leader propose without space: nothing was done, it says so, and goes on when there is space.
func TestFullDiskIsARefusal(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.lead(forever)
	space := fillUp(f.disk)
	outcome, p, err := runtime.Done, []byte(nil), error(nil)
	for n := 0; n < 20 && outcome == runtime.Done; n++ {
		outcome, p, err = f.engine.Propose(t.Context(), make([]byte, 4<<10))
	}
	refusedAs(t, "without space", outcome, p, err, raft.Refusal{Code: raft.RefusedNoSpace})
	space.Store(true)
	if err := f.engine.store.Err(); err != nil {
		t.Errorf("the store has failed: %v", err)
	}
	f.check(f.leaders[2].TimeoutNow("n1", "n1", &hraft.TimeoutNowRequest{RPCHeader: header(2)}, &hraft.TimeoutNowResponse{}))
	eventually(t, "the lead, and space", func() bool {
		outcome, _, _ = f.engine.Propose(t.Context(), []byte("b"))
		return outcome == runtime.Done
	})
}
