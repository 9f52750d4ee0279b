package raft

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

func TestEventTableIsConsistent(t *testing.T) {
	if err := runtime.CheckEvents(runtime.WorldEvents, Events); err != nil {
		t.Fatal(err)
	}
}

func TestConfigValidate(t *testing.T) {
	good := CoreConfig{ID: 2, Voters: []runtime.NodeID{3, 1, 2}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	many := make([]runtime.NodeID, MaxVoters+1)
	for i := range many {
		many[i] = runtime.NodeID(i + 1)
	}
	for name, spoil := range map[string]func(*CoreConfig){
		"no voters":         func(c *CoreConfig) { c.Voters = nil },
		"at most":           func(c *CoreConfig) { c.Voters = many },
		"id 0":              func(c *CoreConfig) { c.Voters = []runtime.NodeID{0, 2} },
		"twice":             func(c *CoreConfig) { c.Voters = []runtime.NodeID{1, 2, 1} },
		"not among":         func(c *CoreConfig) { c.ID = 9 },
		"negative timeout":  func(c *CoreConfig) { c.HeartbeatInterval = -1 },
		"more than a third": func(c *CoreConfig) { c.ElectionTimeout = 299 * time.Millisecond },
		"are possible":      func(c *CoreConfig) { c.MaxEntryBytes = MaxEntryBytesCeiling + 1 },
		"negative limit":    func(c *CoreConfig) { c.Thrifty = -1 },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// terms makes an InitialState's Term from a list; the first is that of FirstIndex.
func terms(first Index, list ...Term) func(Index) Term {
	return func(i Index) Term { return list[i-first] }
}

func TestInitialStateValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		st   InitialState
		want string // in the error; empty: none
	}{
		{"new disk", InitialState{}, ""},
		{"log only", InitialState{State: HardState{Term: 2}, FirstIndex: 1, LastIndex: 2, Term: terms(1, 1, 2)}, ""},
		{"snapshot only", InitialState{State: HardState{Term: 2}, Snapshot: SnapshotMeta{Index: 4, Term: 2}, FirstIndex: 5, LastIndex: 4}, ""},
		{"ends before its beginning", InitialState{FirstIndex: 5, LastIndex: 3}, "log from 5 to 3"},
		{"gap", InitialState{State: HardState{Term: 2}, FirstIndex: 2, LastIndex: 2, Term: terms(2, 1)}, "begins at 2"},
		{"snapshot without term", InitialState{State: HardState{Term: 2}, Snapshot: SnapshotMeta{Index: 4}}, "snapshot at 4"},
		{"snapshot of the future", InitialState{State: HardState{Term: 2}, Snapshot: SnapshotMeta{Index: 4, Term: 3}}, "snapshot of term 3"},
		{"terms fall", InitialState{State: HardState{Term: 2}, FirstIndex: 1, LastIndex: 2, Term: terms(1, 2, 1)}, "after term 2"},
		{"entry of the future", InitialState{State: HardState{Term: 2}, FirstIndex: 1, LastIndex: 1, Term: terms(1, 3)}, "entry 1 of term 3"},
		{"vote without term", InitialState{State: HardState{Vote: 1}}, "vote without"},
	} {
		err := c.st.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", c.name, err, c.want)
		}
	}
}

// lone returns one member of three, booted from st, and its first output.
func lone(st InitialState) (*Core, Output) {
	c := NewCore(CoreConfig{ID: 1, Voters: []runtime.NodeID{1, 2, 3}}, st, 0, 1)
	return c, c.Take(0)
}

// A member may die after a snapshot became durable and before the log says so.
func TestBootWithLogBehindSnapshot(t *testing.T) {
	meta := SnapshotMeta{Index: 7, Term: 3}
	for _, c := range []struct {
		name  string
		st    InitialState
		reset bool
		last  Index
	}{
		{"shorter", InitialState{FirstIndex: 1, LastIndex: 3, Term: terms(1, 1, 1, 2)}, true, 7},
		{"empty", InitialState{FirstIndex: 3, LastIndex: 2}, true, 7},
		{"contradicting", InitialState{FirstIndex: 6, LastIndex: 8, Term: terms(6, 2, 2, 2)}, true, 7},
		{"agreeing", InitialState{FirstIndex: 6, LastIndex: 8, Term: terms(6, 2, 3, 3)}, false, 8},
		{"covered", InitialState{FirstIndex: 6, LastIndex: 7, Term: terms(6, 2, 3)}, false, 7},
		{"following", InitialState{FirstIndex: 8, LastIndex: 9, Term: terms(8, 3, 3)}, false, 9},
	} {
		c.st.Snapshot, c.st.State = meta, HardState{Term: 3}
		core, out := lone(c.st)
		if got := out.Persist != nil && out.Persist.Reset != nil && *out.Persist.Reset == meta; got != c.reset {
			t.Errorf("%s: resets the log: %v, want %v", c.name, got, c.reset)
		}
		if st := core.Status(); st.Last != c.last || st.Commit != 7 || st.Applied != 7 || st.Snapshot != 7 {
			t.Errorf("%s: status %+v", c.name, st)
		}
		checkCore(core)
	}
}

// Everything of one Take is one write, however many messages it answers.
func TestInstallOverEntriesNeverWritten(t *testing.T) {
	c, _ := lone(InitialState{State: HardState{Term: 1}})
	append3 := Message{Type: MsgAppend, From: 2, To: 1, Term: 1, Entries: []Entry{
		{Index: 1, Term: 1, Type: EntryCommand}, {Index: 2, Term: 1, Type: EntryCommand}, {Index: 3, Term: 1, Type: EntryCommand},
	}}
	c.Step(0, &append3)
	meta := SnapshotMeta{Index: 2, Term: 1}
	if !c.Install(meta) {
		t.Fatal("snapshot not accepted")
	}
	out := c.Take(0)
	w := out.Persist
	if w == nil || w.Reset == nil || *w.Reset != meta || len(w.Entries) != 1 || w.Entries[0].Index != 3 {
		t.Fatalf("write is %s", formatWrite(w))
	}
	if len(out.Gated) != 1 || out.Gated[0].Write != w.ID || out.Gated[0].Message.Index != 3 {
		t.Fatalf("gated are %+v", out.Gated)
	}
	c.Persisted(w.ID)
	c.Applied(2)
	checkCore(c)
	if st := c.Status(); st.First != 3 || st.Last != 3 || st.Commit != 2 {
		t.Errorf("status %+v", st)
	}
}

// Conflicting leaders within one Take leave only what the last one said.
func TestSeveralTermsInOneTake(t *testing.T) {
	c, _ := lone(InitialState{State: HardState{Term: 1}, FirstIndex: 1, LastIndex: 3, Term: terms(1, 1, 1, 1)})
	entry := func(i Index, term Term) Entry { return Entry{Index: i, Term: term, Type: EntryCommand} }
	for _, m := range []Message{
		{Type: MsgAppend, From: 2, To: 1, Term: 2, Index: 3, LogTerm: 1, Entries: []Entry{entry(4, 2), entry(5, 2)}},
		{Type: MsgAppend, From: 3, To: 1, Term: 3, Index: 4, LogTerm: 2, Entries: []Entry{entry(5, 3)}},
		{Type: MsgAppend, From: 2, To: 1, Term: 4, Index: 2, LogTerm: 1, Entries: []Entry{entry(3, 4)}},
	} {
		c.Step(0, &m)
	}
	out := c.Take(0)
	if got, want := formatWrite(out.Persist), "#1, term 4 vote none, truncate from 3, 3/4"; got != want {
		t.Errorf("write is %q, want %q", got, want)
	}
	if len(out.Gated) != 1 || out.Gated[0].Message.Term != 4 {
		t.Errorf("gated are %+v", out.Gated)
	}
	checkCore(c)
}

// What was asked from disk and what comes back need not fit the log any more.
func TestLoadedEntriesAreChecked(t *testing.T) {
	c, _ := lone(InitialState{State: HardState{Term: 2}, FirstIndex: 1, LastIndex: 3, Term: terms(1, 1, 1, 2)})
	probe := Message{Type: MsgAppend, From: 2, To: 1, Term: 2, Index: 3, LogTerm: 2, Commit: 3}
	c.Step(0, &probe)
	now := runtime.Instant(0)
	ask := func() Load {
		t.Helper()
		out := c.Take(now)
		if len(out.Loads) != 1 || out.Loads[0].Lo != 1 || out.Loads[0].Hi != 4 {
			t.Fatalf("loads are %+v", out.Loads)
		}
		return out.Loads[0]
	}
	good := []Entry{{Index: 1, Term: 1}, {Index: 2, Term: 1}, {Index: 3, Term: 2}}
	for _, bad := range [][]Entry{
		nil,
		{{Index: 2, Term: 1}},
		{{Index: 1, Term: 2}},
		{{Index: 9, Term: 1}},
	} {
		load := ask()
		c.Loaded(load.ID+1, good)
		c.Loaded(0, good)
		c.Loaded(load.ID, bad)
		if out := c.Take(now); len(out.Loads)+len(out.Apply) > 0 {
			t.Fatalf("after %v: loads %v, applies %v", bad, out.Loads, out.Apply)
		}
		now = c.Deadline()
	}
	c.Loaded(ask().ID, append(good[:2:2], Entry{Index: 3, Term: 1}))
	if out := c.Take(now); len(out.Apply) != 2 {
		t.Errorf("applies %v", out.Apply)
	}
}

// Timeouts are drawn once per reset, from [T, 2T).
func TestElectionTimeoutsAreDrawnFromTheRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	low, high := 2*time.Second, time.Duration(0)
	for range 2000 {
		c := NewCore(CoreConfig{ID: 1, Voters: []runtime.NodeID{1, 2, 3}}, InitialState{}, 50, rng.Uint64())
		wait := c.Deadline().Sub(50)
		low, high = min(low, wait), max(high, wait)
		c.Tick(c.Deadline()-1, rng.Uint64())
		if out := c.Take(c.now); len(out.Send) > 0 || c.Deadline().Sub(50) != wait {
			t.Fatal("an early look at the clock changed something")
		}
	}
	if low < time.Second || low > 1010*time.Millisecond || high >= 2*time.Second || high < 1990*time.Millisecond {
		t.Errorf("timeouts from %v to %v", low, high)
	}
}

// Frames can decode to anything; only a core's own mistakes may panic.
func TestNonsenseDoesNotPanic(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 3))
		small := func() uint64 {
			if rng.IntN(40) == 0 {
				return rng.Uint64()
			}
			return rng.Uint64N(8)
		}
		c := NewCore(CoreConfig{ID: 1, Voters: []runtime.NodeID{1, 2, 3}}, InitialState{
			State: HardState{Term: 3}, FirstIndex: 1, LastIndex: 4, Term: terms(1, 1, 1, 2, 3),
		}, 0, seed)
		now := runtime.Instant(0)
		for range 400 {
			m := Message{
				Type: MessageType(rng.IntN(12)), Reject: rng.IntN(2) == 0,
				From: runtime.NodeID(rng.IntN(4)), To: runtime.NodeID(1 + rng.IntN(8)/7),
				Term: Term(small()), Index: Index(small()), LogTerm: Term(small()), Commit: Index(small()), Seq: small(),
				Snapshot: SnapshotMeta{Index: Index(small()), Term: Term(small())},
			}
			if m.Term > 1<<60 {
				m.Term = Term(rng.Uint64N(12))
			}
			for i := range rng.IntN(4) {
				e := Entry{Index: m.Index + Index(i) + 1, Term: min(m.LogTerm+Term(rng.IntN(2)), m.Term), Type: EntryCommand}
				if rng.IntN(10) == 0 {
					e.Index, e.Term = Index(small()), Term(small())
				}
				m.Entries = append(m.Entries, e)
			}
			c.Step(now, &m)
			if rng.IntN(20) == 0 {
				now = max(now, c.Deadline())
				c.Tick(now, rng.Uint64())
			}
			if rng.IntN(20) == 0 {
				_, _, _ = c.Propose(now, EntryCommand, []byte("x"))
			}
			out := c.Take(now)
			if out.Persist != nil {
				c.Persisted(out.Persist.ID)
			}
			if n := len(out.Apply); n > 0 {
				c.Applied(out.Apply[n-1].Index)
			}
			for _, l := range out.Loads {
				c.Unreadable(l.ID)
			}
			checkCore(c)
		}
	}
}

func TestHeartbeatsDoNotAllocate(t *testing.T) {
	l := newLoop(3)
	l.elect()
	for range 20 {
		l.tick()
	}
	if n := testing.AllocsPerRun(100, l.tick); n > 0 {
		t.Errorf("%v allocations in a round of heartbeats", n)
	}
}
