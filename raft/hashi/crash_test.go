package hashi

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/walrus"
)

// crashSegment is the size of segments in these tests: small, so that they come and go.
const crashSegment = 16 << 10

// stores are what raft wants of a store: ours, or ours with a planted bug.
type stores interface {
	hraft.LogStore
	hraft.StableStore
}

// holding is all that a store holds.
type holding struct {
	First   uint64   // of Entries; zero if there are none
	Entries []string // term and data
	Values  map[string]string
}

// holdingOf reads a store.
func holdingOf(s stores) (holding, error) {
	c := holding{Values: map[string]string{}}
	first, err1 := s.FirstIndex()
	last, err2 := s.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return c, err
	}
	for i := first; i != 0 && i <= last; i++ {
		var l hraft.Log
		if err := s.GetLog(i, &l); err != nil {
			return c, fmt.Errorf("entry %d: %w", i, err)
		}
		if l.Index != i {
			return c, fmt.Errorf("entry %d is %d", i, l.Index)
		}
		c.Entries = append(c.Entries, fmt.Sprint(l.Term, " ", string(l.Data)))
	}
	c.First = first
	for _, name := range []string{nameTerm, nameVoteTerm, nameCandidate, "other"} {
		p, err := s.Get([]byte(name))
		if err != nil {
			return c, err
		}
		if p != nil {
			c.Values[name] = string(p)
		}
	}
	return c, nil
}

// step is one call of a life, and what it does to the content. One that is not durable need not survive its return.
type step struct {
	name    string
	call    func(s stores) error
	durable bool
}

// life is what a member does: votes and terms, entries, deletions at both ends, replacements, a snapshot that
// replaces the whole log.
func life() []step {
	var steps []step
	vote := func(term uint64, candidate string) {
		steps = append(steps,
			step{fmt.Sprintf("term %d", term), func(s stores) error { return s.SetUint64([]byte(nameTerm), term) }, true},
			step{fmt.Sprintf("vote of term %d", term), func(s stores) error { return s.SetUint64([]byte(nameVoteTerm), term) }, false},
			step{"for " + candidate, func(s stores) error { return s.Set([]byte(nameCandidate), []byte(candidate)) }, true})
	}
	store := func(first, term uint64, n int) {
		steps = append(steps, step{fmt.Sprintf("store %d from %d on", n, first), func(s stores) error {
			var logs []*hraft.Log
			for i := range n {
				data := fmt.Appendf(nil, "%d/%d %0*d", first+uint64(i), term, 100*i, i)
				logs = append(logs, &hraft.Log{Index: first + uint64(i), Term: term, Data: data})
			}
			return s.StoreLogs(logs)
		}, true})
	}
	remove := func(low, high uint64, durable bool) {
		steps = append(steps, step{fmt.Sprintf("delete %d to %d", low, high), func(s stores) error { return s.DeleteRange(low, high) }, durable})
	}
	vote(1, "n1")
	store(1, 1, 5)
	store(6, 1, 20)
	vote(2, "n2")
	remove(20, 25, false)
	store(20, 2, 3)
	remove(1, 10, false)
	store(23, 2, 10)
	vote(3, "n3")
	remove(11, 15, false)
	remove(30, 32, false)
	store(30, 3, 30)
	remove(16, 59, true)
	vote(4, "n1")
	steps = append(steps, step{"other", func(s stores) error { return s.Set([]byte("other"), []byte("value")) }, true})
	store(100, 4, 4)
	store(104, 4, 20)
	return steps
}

// lives is a history: the holdings after each step, that before the first included.
type lives struct {
	steps []step
	after []holding
}

// newLives runs the life on a disk that does not fail.
func newLives(t *testing.T) *lives {
	l := &lives{steps: life()}
	s := mustOpen(t, newCrashFS())
	for i := -1; i < len(l.steps); i++ {
		if i >= 0 {
			if err := l.steps[i].call(s); err != nil {
				t.Fatalf("%s: %v", l.steps[i].name, err)
			}
		}
		c, err := holdingOf(s)
		if err != nil {
			t.Fatal(err)
		}
		l.after = append(l.after, c)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func mustOpen(t *testing.T, disk *crashFS) *Store {
	t.Helper()
	s, _, err := OpenStore(disk, "log", crashSegment)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run lives on the disk until something fails. It returns how many steps have survived for certain, and how many may
// have; both are places in after.
func (l *lives) run(disk *crashFS, wrap func(*Store) stores) (certain, begun int, err error) {
	s, _, err := OpenStore(disk, "log", crashSegment)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	st := wrap(s)
	for i, step := range l.steps {
		begun = i + 1
		if err := step.call(st); err != nil {
			return certain, begun, err
		}
		if step.durable {
			certain = i + 1
		}
	}
	return certain, begun, nil
}

// recovers opens what is on the disk, and says what is wrong with it.
func (l *lives) recovers(disk *crashFS, wrap func(*Store) stores, certain, begun int) error {
	s, report, err := OpenStore(disk, "log", crashSegment)
	if err != nil {
		return fmt.Errorf("it does not open: %w, %+v", err, report)
	}
	defer s.Close()
	got, err := holdingOf(wrap(s))
	if err != nil {
		return err
	}
	for _, want := range l.after[certain : begun+1] {
		if cmp.Equal(want, got) {
			return nil
		}
	}
	return fmt.Errorf("after %d steps of %d for certain: %s", certain, begun, cmp.Diff(l.after[certain], got))
}

// aftermaths are what may follow a crash.
var aftermaths = map[string]func(disk *crashFS, seed int) *crashFS{
	"kill":     func(d *crashFS, _ int) *crashFS { return d.image(false, nil) },
	"all lost": func(d *crashFS, _ int) *crashFS { return d.image(true, func() bool { return false }) },
	"all kept": func(d *crashFS, _ int) *crashFS { return d.image(true, func() bool { return true }) },
	"some lost": func(d *crashFS, seed int) *crashFS {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		return d.image(true, func() bool { return r.IntN(2) == 0 })
	},
	"few lost": func(d *crashFS, seed int) *crashFS {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		return d.image(true, func() bool { return r.IntN(8) != 0 })
	},
}

func plain(s *Store) stores { return s }

// crashes dies at each file call of a life, and returns the first thing that is wrong with what the next life finds.
func (l *lives) crashes(prepare func(*crashFS), wrap func(*Store) stores) error {
	for call := 1; ; call++ {
		disk := newCrashFS()
		prepare(disk)
		disk.crashAt = call
		certain, begun, err := l.run(disk, wrap)
		if err == nil && disk.calls < call {
			return nil
		}
		for name, follow := range aftermaths {
			if err := l.recovers(follow(disk, call), wrap, certain, begun); err != nil {
				return fmt.Errorf("crash at call %d, %s: %w", call, name, err)
			}
		}
	}
}

// TestStoreCrashedAtEveryFileCall finds after each crash what was acknowledged, all or nothing of what was under way, and
// no vote that nobody cast.
func TestStoreCrashedAtEveryFileCall(t *testing.T) {
	t.Parallel()
	if err := newLives(t).crashes(func(*crashFS) {}, plain); err != nil {
		t.Error(err)
	}
}

// tornVote stores the two halves of a vote one after the other, as raft asks for it.
type tornVote struct{ *Store }

func (s tornVote) key(key []byte) []byte {
	if k := string(key); k == nameVoteTerm || k == nameCandidate {
		return []byte("torn " + k)
	}
	return key
}

func (s tornVote) Set(key, value []byte) error { return s.Store.Set(s.key(key), value) }
func (s tornVote) SetUint64(key []byte, v uint64) error {
	return s.Store.SetUint64(s.key(key), v)
}
func (s tornVote) Get(key []byte) ([]byte, error) { return s.Store.Get(s.key(key)) }

// lostDelete forgets to write down that the log was emptied.
type lostDelete struct{ *Store }

func (s lostDelete) DeleteRange(low, high uint64) error {
	if low > s.view.first || high < s.view.next-1 {
		return s.Store.DeleteRange(low, high)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = view{first: s.view.next, next: s.view.next}
	return nil
}

// TestCrashesFindPlantedBugs shows that the test above can fail.
func TestCrashesFindPlantedBugs(t *testing.T) {
	t.Parallel()
	nothing := func(*crashFS) {}
	for name, bug := range map[string]struct {
		prepare func(*crashFS)
		wrap    func(*Store) stores
	}{
		"torn vote":    {nothing, func(s *Store) stores { return tornVote{s} }},
		"sync ignored": {func(d *crashFS) { d.deaf = true }, plain},
		"delete lost":  {nothing, func(s *Store) stores { return lostDelete{s} }},
	} {
		err := newLives(t).crashes(bug.prepare, bug.wrap)
		if err == nil {
			t.Errorf("%s: not found", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// TestStoreFailsForGood fails each file call once, and from then on. Whatever fails, the store either goes on as if nothing
// had happened, or refuses everything until the next life, which finds what was acknowledged.
func TestStoreFailsForGood(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	for _, once := range []bool{true, false} {
		for call := 1; ; call++ {
			disk := newCrashFS()
			sync := false
			disk.fail = func(at int, op, _ string) error {
				if at == call || at > call && !once {
					sync = sync || isSync(op)
					return errInjected
				}
				return nil
			}
			certain, begun, err := l.run(disk, plain)
			if err == nil && disk.calls < call {
				break
			}
			disk.fail = nil
			for name, follow := range aftermaths {
				if err := l.recovers(follow(disk, call), plain, certain, begun); err != nil {
					t.Fatalf("call %d fails, once: %v, %s: %v", call, once, name, err)
				}
			}
		}
	}
}

// TestFailureSticks fails one sync. No method of the store has anything but the failure to say then, though
// the disk would take the next.
func TestFailureSticks(t *testing.T) {
	disk := newCrashFS()
	s := mustOpen(t, disk)
	store := func(first, term uint64) error {
		return s.StoreLogs([]*hraft.Log{{Index: first, Term: term}, {Index: first + 1, Term: term}})
	}
	if err := errors.Join(store(1, 1), store(3, 1), s.DeleteRange(3, 4)); err != nil {
		t.Fatal(err)
	}
	disk.failing(true, errInjected, "sync data")
	if err := store(3, 2); !errors.Is(err, ErrFailed) || !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, errInjected) {
		t.Fatalf("got %v", err)
	}
	_, err1 := s.FirstIndex()
	_, err2 := s.LastIndex()
	_, err3 := s.Get([]byte(nameTerm))
	_, err4 := s.GetUint64([]byte(nameTerm))
	_, err5 := s.Bootstrap(hraft.Configuration{})
	var l hraft.Log
	for i, err := range []error{
		err1, err2, err3, err4, err5, s.GetLog(1, &l), store(3, 2), store(5, 2), s.StoreLogs(nil), s.StoreLog(&hraft.Log{Index: 3}),
		s.DeleteRange(1, 1), s.DeleteRange(1, 4), s.Set([]byte("a"), nil), s.SetUint64([]byte(nameTerm), 7),
		s.Set([]byte(nameVoteTerm), nil), s.Err(), s.Close(),
	} {
		if !errors.Is(err, ErrFailed) || !errors.Is(err, errInjected) {
			t.Errorf("%d: got %v", i, err)
		}
	}
	for name, follow := range aftermaths {
		again := mustOpen(t, follow(disk, 1))
		got, err := holdingOf(again)
		if err != nil || len(got.Entries) != 4 || got.Entries[2] != "1 " && got.Entries[2] != "2 " || got.Entries[2] != got.Entries[3] {
			t.Errorf("%s: found %v, %v", name, got, err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRefusedReplacement has the log refuse entries, which are too many bytes. The store goes on, unless others were deleted to make
// room for them: raft has forgotten those, with the members they named, and they are still there.
func TestRefusedReplacement(t *testing.T) {
	disk := newCrashFS()
	s := mustOpen(t, disk)
	defer s.Close()
	huge := make([]byte, 64<<20)
	for i := uint64(1); i <= 5; i++ {
		if err := s.StoreLog(&hraft.Log{Index: i, Term: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		log  hraft.Log
		want error
	}{
		{hraft.Log{Index: 6, Data: huge}, walrus.ErrTooLarge}, {hraft.Log{Index: 7}, walrus.ErrGap}, {hraft.Log{Index: 5}, walrus.ErrGap},
	} {
		if err := s.StoreLog(&c.log); !errors.Is(err, c.want) || errors.Is(err, ErrFailed) {
			t.Errorf("entry %d: %v", c.log.Index, err)
		}
	}
	if err := s.Set(make([]byte, nameMax+1), nil); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("a long name: %v", err)
	}
	if err := s.DeleteRange(2, 3); err == nil {
		t.Error("deleted from the middle")
	}
	if err := errors.Join(s.StoreLog(&hraft.Log{Index: 6, Term: 1}), s.DeleteRange(4, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.StoreLog(&hraft.Log{Index: 4, Term: 2, Data: huge}); !errors.Is(err, ErrFailed) || !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	again := mustOpen(t, disk.image(false, nil))
	defer again.Close()
	if index, term := again.last(); index != 6 || term != 1 {
		t.Errorf("next life ends at %d/%d", index, term)
	}
}
