package raft

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

func TestEventsAreNamedAndUnique(t *testing.T) {
	if err := runtime.CheckEvents(runtime.WorldEvents, Events); err != nil {
		t.Fatal(err)
	}
}

func TestClusterElectsALeaderAndCommits(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(100)
	w.same()
	for _, h := range w.hosts {
		if got := h.status().Applied; got != 101 {
			t.Errorf("node %d applied up to %d, want 101", h.id, got)
		}
		if h.count(EntryPlaced) != 101 || h.count(StatePlaced) == 0 {
			t.Errorf("node %d placed %d entries and %d states", h.id, h.count(EntryPlaced), h.count(StatePlaced))
		}
	}
	if got := w.replies[100].data[0]; got != 100 {
		t.Errorf("the last response is %d, want 100", got)
	}
}

func TestSingleNodeCommitsAlone(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{})
	w.put(3)
}

// What a node has acknowledged, or voted for, comes back with it.
func TestRestartedNodeGoesOnWhereItWas(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(10)
	for _, h := range w.hosts {
		before := h.status()
		h.kill()
		h.boot()
		w.settle()
		after := h.status()
		if after.Term != before.Term || after.Vote != before.Vote || after.Last != before.Last {
			t.Errorf("node %d comes back with %+v, was %+v", h.id, after, before)
		}
		if got := h.count(Recovered); got != 11 {
			t.Errorf("node %d recovered %d entries, want 11", h.id, got)
		}
	}
	w.put(10)
	w.same()
}

func TestSnapshotsAreTakenAndOldOnesRemoved(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{SnapshotEvery: 10, SnapshotKeep: 5})
	w.put(34)
	for _, h := range w.hosts {
		s := h.status()
		if s.Snapshot != 30 || s.First != 26 {
			t.Errorf("node %d has its snapshot at %d and its log from %d, want 30 and 26", h.id, s.Snapshot, s.First)
		}
		if got := h.disk.snapshots(); len(got) != 1 {
			t.Errorf("node %d has %q, want one file", h.id, got)
		}
		if h.count(SnapshotTaken) != 3 || h.count(SnapshotPlaced) != 3 {
			t.Errorf("node %d took %d snapshots, placed %d", h.id, h.count(SnapshotTaken), h.count(SnapshotPlaced))
		}
	}
	if a, b := w.hosts[0].disk, w.hosts[1].disk; true {
		name := "raft/snap/" + a.snapshots()[0]
		if !slices.Equal(a.files[name].data, b.files[name].data) {
			t.Errorf("%s differs between nodes", name)
		}
		meta, content, err := CheckSnapshot(a.files[name].data)
		if err != nil || meta.Index != 30 || meta.Hash != SnapshotHash(meta, content) {
			t.Errorf("%s holds %+v, %v", name, meta, err)
		}
	}
	for _, h := range w.hosts {
		h.kill()
	}
	for _, h := range w.hosts {
		h.boot()
	}
	w.put(10)
	w.same()
	for _, h := range w.hosts {
		if h.count(SnapshotInstalled) != 1 {
			t.Errorf("node %d restored %d snapshots at boot, want 1", h.id, h.count(SnapshotInstalled))
		}
	}
}

// laggard returns a world in which one node missed so much that the log no
// longer has it, and that node, which is cut off.
func laggard(t *testing.T, padding int) (*testWorld, *testHost) {
	return laggardAt(t, padding, 0)
}

// laggardAt is laggard with nodes that send snapshots at that rate.
func laggardAt(t *testing.T, padding int, rate int64) (*testWorld, *testHost) {
	w := newTestWorld(t, 3, NodeConfig{
		SnapshotEvery: 10, SnapshotKeep: 2, SnapshotRate: rate,
		Machine: func() StateMachine { return &testMachine{padding: padding} },
	})
	w.put(5)
	behind := w.hosts[2]
	if w.leader() == behind {
		behind = w.hosts[0]
	}
	w.lose = func(m *Message) bool { return m.To == behind.id || m.From == behind.id }
	w.put(40)
	return w, behind
}

func TestLaggingNodeIsSentASnapshot(t *testing.T) {
	for _, padding := range []int{0, 20 * defaultSnapshotChunk} {
		w, behind := laggard(t, padding)
		w.lose = nil
		w.run(5 * time.Second)
		if behind.count(SnapshotInstalled) != 1 {
			t.Errorf("%d snapshots were installed, want 1", behind.count(SnapshotInstalled))
		}
		w.put(3)
		w.same()
		behind.kill()
		behind.boot()
		w.put(3)
		w.same()
	}
}

func TestReceivedSnapshotThatFailsToSyncIsFetchedAgain(t *testing.T) {
	for _, op := range []string{"sync", "syncdir", "rename", "write", "open"} {
		w, behind := laggard(t, 3*defaultSnapshotChunk)
		failed := 0
		behind.disk.fail = func(got, name string) error {
			files := strings.HasPrefix(name, "raft/snap") || strings.HasPrefix(name, "raft/recv")
			if got == op && files && failed < 2 {
				failed++
				return runtime.ErrIO
			}
			return nil
		}
		w.lose = nil
		w.run(10 * time.Second)
		if failed != 2 || behind.count(SnapshotInstalled) != 1 || behind.halted {
			t.Errorf("%s: after %d failures %d snapshots were installed, halted %v", op, failed, behind.count(SnapshotInstalled), behind.reason)
			continue
		}
		w.put(1)
		w.same()
	}
}

func TestCallsAreRefusedForAReason(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{Core: CoreConfig{MaxEntryBytes: 1000}})
	early := w.call(w.hosts[0], "too early")
	if got := w.refusal(early); got.Code != RefusedNotReady {
		t.Errorf("before recovery: %v", got)
	}
	leader := w.leader()
	follower := w.hosts[leader.id%3]
	if got := w.refusal(w.call(follower, "elsewhere")); got != (Refusal{RefusedNotLeader, leader.id}) {
		t.Errorf("by a follower: %v", got)
	}
	if got := w.refusal(w.call(leader, strings.Repeat("x", 1001))); got.Code != RefusedTooLarge {
		t.Errorf("a large command: %v", got)
	}
	w.calls++
	leader.node.Call(w.calls, w.now, []byte("late"))
	if got := w.refusal(w.calls); got.Code != RefusedExpired {
		t.Errorf("a late command: %v", got)
	}
	leader.node.Stop()
	if got := w.refusal(w.call(leader, "stopping")); got.Code != RefusedStopping {
		t.Errorf("after Stop: %v", got)
	}
}

// Losing the lead decides nothing about a call; what is applied in its place does.
func TestCallsOfADeposedLeader(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(1)
	old := w.leader()
	cut := func(m *Message) bool { return m.From == old.id || m.To == old.id }
	w.lose = cut
	replaced := []runtime.CallID{w.call(old, "a"), w.call(old, "b"), w.call(old, "c")}
	w.run(5 * time.Second)
	if old.status().Role == Leader {
		t.Fatal("a leader without a quorum still leads")
	}
	for _, id := range replaced {
		if reply, ok := w.replies[id]; ok {
			t.Errorf("call %d was answered %v before anybody could know", id, reply.outcome)
		}
	}
	w.lose = nil
	w.put(1)
	for _, id := range replaced {
		if got := w.refusal(id); got.Code != RefusedReplaced {
			t.Errorf("call %d: %v, want replaced", id, got)
		}
	}
	old = w.leader()
	w.lose = cut
	unknown, cancelled := w.call(old, "d"), w.call(old, "e")
	old.node.Cancel(cancelled)
	w.run(11 * time.Second)
	if got := w.replies[unknown]; got.outcome != runtime.Unknown {
		t.Errorf("at its deadline the call was answered %v, want unknown", got.outcome)
	}
	if got, ok := w.replies[cancelled]; ok {
		t.Errorf("a cancelled call was answered %v", got.outcome)
	}
}

// The answer to a call of a deposed leader does not wait until more is committed.
func TestCallOfADeposedLeaderHurries(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{Core: CoreConfig{ApplyTogether: 100}})
	w.put(1)
	old := w.leader()
	w.lose = func(m *Message) bool { return m.From == old.id || m.To == old.id }
	id := w.call(old, "a")
	st := old.status()
	heir, term := old.id%3+1, st.Term+1
	follow := func(m Message) { // what a leader of a later term says
		m.Type, m.From, m.To, m.Term, m.Seq = MsgAppend, heir, old.id, term, 1
		old.node.Receive(heir, runtime.ChannelControl, appendMessage(nil, &m))
		w.settle()
	}
	first, second := Entry{Index: st.Last + 1, Term: term, Type: EntryNoop}, Entry{Index: st.Last + 2, Term: term, Type: EntryNoop}
	follow(Message{Index: st.Last, LogTerm: st.LastTerm, Entries: []Entry{first}})
	follow(Message{Index: first.Index, LogTerm: term, Commit: first.Index})
	if got := w.replies[id]; got.outcome != runtime.Done {
		t.Errorf("when its entry was committed the call was answered %v, want done", got.outcome)
	}
	follow(Message{Index: first.Index, LogTerm: term, Commit: second.Index, Entries: []Entry{second}})
	if got := old.status(); got.Commit != second.Index || got.Applied != first.Index {
		t.Errorf("committed to %d, nobody waiting: %+v, want it applied to %d", second.Index, got, first.Index)
	}
}

// A snapshot that covers a call's place does not say what was in that place.
func TestCallsUnderASnapshotAreUnknown(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{SnapshotEvery: 10, SnapshotKeep: 2})
	w.put(5)
	old := w.leader()
	w.lose = func(m *Message) bool { return m.From == old.id || m.To == old.id }
	id := w.call(old, "lost")
	w.run(5 * time.Second)
	w.put(30)
	w.lose = nil
	w.run(2 * time.Second)
	if got := w.replies[id]; got.outcome != runtime.Unknown || old.count(SnapshotInstalled) != 1 {
		t.Errorf("the call was answered %v after %d installs, want unknown after 1", got.outcome, old.count(SnapshotInstalled))
	}
}

func TestFailedSyncOfTheLogHaltsAtOnce(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(1)
	follower := w.hosts[w.leader().id%3]
	acked := follower.count(Acked)
	follower.disk.fail = func(op, name string) error {
		if op == "sync" {
			return runtime.ErrIO
		}
		return nil
	}
	w.put(1)
	if !follower.halted || !errors.Is(follower.reason, walrus.ErrFailed) || follower.count(Acked) != acked {
		t.Fatalf("halted %v for %v, with %d acknowledgements more", follower.halted, follower.reason, follower.count(Acked)-acked)
	}
	follower.disk.fail = nil
	follower.boot()
	w.put(1)
	w.same()
}

// What recovery has to say of the log is in the trace, before what it holds: that the end was left out, or why the node halts.
func TestBootSaysWhatRecoveryFound(t *testing.T) {
	for _, c := range []struct {
		verdict walrus.Verdict
		entry   int // of those placed, from the end
	}{
		{walrus.Uncertain, 1}, // nothing that was written later vouches for the last one
		{walrus.Corrupt, 3},
	} {
		w := newTestWorld(t, 3, NodeConfig{})
		w.put(10)
		h := w.hosts[w.leader().id%3]
		placed := slices.DeleteFunc(slices.Clone(h.trace), func(ev runtime.Event) bool { return ev.Kind != EntryPlaced })
		struck := placed[len(placed)-c.entry]
		h.kill()
		bytes := h.disk.files[string(struck.Note)].data[struck.C:][:struck.D]
		for i := range bytes {
			bytes[i] ^= 0xff
		}
		h.boot()
		w.settle()
		at := slices.IndexFunc(h.trace, func(ev runtime.Event) bool { return ev.Kind == BootFinding })
		if at < 0 || h.count(BootFinding) != 1 {
			t.Fatalf("%v: said %d times", c.verdict, h.count(BootFinding))
		}
		said := h.trace[at]
		if walrus.Verdict(said.A) != c.verdict || said.B == 0 || said.B > struck.C || string(said.Note) != string(struck.Note) {
			t.Errorf("%s was struck at %d, and said is verdict %d at %d of %s, want %v", struck.Note, struck.C, said.A, said.B, said.Note, c.verdict)
		}
		after := slices.ContainsFunc(h.trace[at:], func(ev runtime.Event) bool { return ev.Kind == Recovered })
		before := len(placed) // entries it recovers when nothing is wrong
		if got := h.count(Recovered); h.halted != (c.verdict == walrus.Corrupt) || after == h.halted || !h.halted && got != before-1 {
			t.Errorf("%v: halted %v with %v, recovered %d entries of %d", c.verdict, h.halted, h.reason, got, before)
		}
	}
}

// A full disk halts nobody: the node acknowledges nothing, and goes on when there is space.
func TestFullDiskIsWaitedFor(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(1)
	follower := w.hosts[w.leader().id%3]
	acked := follower.count(Acked)
	tried := 0
	follower.disk.fail = func(op, name string) error {
		if op == "write" || op == "allocate" {
			tried++
			return runtime.ErrNoSpace
		}
		return nil
	}
	w.put(3)
	w.run(time.Second)
	if follower.halted || follower.count(Acked) != acked || tried < 3 {
		t.Fatalf("halted %v for %v after %d attempts, with %d acknowledgements more",
			follower.halted, follower.reason, tried, follower.count(Acked)-acked)
	}
	follower.disk.fail = nil
	w.put(1)
	w.run(time.Second)
	if follower.count(Acked) == acked {
		t.Error("nothing was acknowledged when there was space again")
	}
	w.same()
}

// A leader whose disk takes nothing lets another lead, and does not stand itself until it does.
func TestLeaderWithAStalledDiskStepsDown(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	w.put(1)
	old := w.leader()
	stuck := true
	old.disk.fail = func(op, name string) error {
		if stuck && (op == "write" || op == "allocate") {
			return runtime.ErrNoSpace
		}
		return nil
	}
	w.put(1) // the other two are a majority
	began := w.now
	for old.status().Role == Leader && w.now.Sub(began) < 10*time.Second {
		w.run(50 * time.Millisecond)
	}
	if took := w.now.Sub(began); took < 2*time.Second || took > 4*time.Second {
		t.Fatalf("it gives up after %v; halted %v", took, old.reason)
	}
	asked := old.count(VoteAsked)
	next := w.leader()
	if next == old {
		t.Fatal("it leads on")
	}
	w.put(3)
	next.kill() // without it there is no majority that can write
	w.run(10 * time.Second)
	if n := old.count(VoteAsked) - asked; n > 0 || old.status().Role == Leader {
		t.Errorf("it asks for votes %d times, and is %v", n, old.status().Role)
	}
	stuck = false
	w.put(3)
	next.boot()
	w.run(time.Second)
	w.same()
}

// A snapshot whose file cannot be written, synced or named is dropped, and
// another is taken later; what is on disk under the final name was claimed.
func TestFailedSnapshotIsTakenAgain(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir"} {
		w := newTestWorld(t, 1, NodeConfig{SnapshotEvery: 10})
		w.put(5)
		h := w.hosts[0]
		failed := false
		h.disk.fail = func(got, name string) error {
			if got == op && strings.HasPrefix(name, "raft/snap") && !failed {
				failed = true
				return runtime.ErrIO
			}
			return nil
		}
		w.put(10)
		if !failed || h.halted || h.count(SnapshotTaken) != 0 || h.count(DiskRefused) != 1 || len(h.disk.snapshots()) != 0 {
			t.Errorf("%s: failed %v, halted %v, took %d, refused %d, files %q", op,
				failed, h.reason, h.count(SnapshotTaken), h.count(DiskRefused), h.disk.snapshots())
			continue
		}
		w.run(time.Second)
		w.put(1)
		if h.count(SnapshotTaken) != 1 || h.status().Snapshot != 17 || len(h.disk.snapshots()) != 1 {
			t.Errorf("%s: then took %d, at %d, files %q", op, h.count(SnapshotTaken), h.status().Snapshot, h.disk.snapshots())
		}
	}
}

func TestDamagedOrMissingSnapshotHaltsTheBoot(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{SnapshotEvery: 10})
	w.put(15)
	h := w.hosts[0]
	name := "raft/snap/" + h.disk.snapshots()[0]
	file := h.disk.files[name]
	for what, damage := range map[string]func(){
		"flipped": func() { file.data[100] ^= 1 },
		"cut":     func() { file.data = file.data[:len(file.data)-1] },
		"missing": func() { delete(h.disk.files, name) },
	} {
		good := slices.Clone(file.data)
		h.kill()
		damage()
		h.boot()
		w.settle()
		if !h.halted || !errors.Is(h.reason, ErrSnapshot) {
			t.Errorf("%s: halted %v for %v", what, h.halted, h.reason)
		}
		file.data = good
		h.disk.files[name] = file
	}
	h.kill()
	h.boot()
	w.put(1)
}

// Leftovers of an unfinished snapshot go at boot; the one the log names stays.
func TestBootRemovesUnfinishedSnapshots(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{SnapshotEvery: 10})
	h := w.hosts[0]
	for _, rounds := range []int{2, 20} { // before and after the first snapshot
		w.put(rounds)
		h.kill()
		for _, name := range []string{"1.tmp", "snap-ffff.snap"} {
			if _, err := h.disk.Create("raft/snap/" + name); err != nil {
				t.Fatal(err)
			}
		}
		before := len(h.disk.snapshots())
		h.boot()
		w.settle()
		if got := h.disk.snapshots(); len(got) != before-2 {
			t.Errorf("left: %q", got)
		}
	}
}

func TestStopFinishesWhatWasTakenIn(t *testing.T) {
	w := newTestWorld(t, 1, NodeConfig{})
	w.put(1)
	h := w.hosts[0]
	id := w.call(h, "the last one")
	h.node.Stop()
	w.settle()
	if !h.halted || h.reason != nil || w.replies[id].outcome != runtime.Done || h.disk.lock != nil {
		t.Errorf("halted %v for %v, the call %v", h.halted, h.reason, w.replies[id].outcome)
	}
	h.boot()
	h.node.Stop()
	w.settle()
	if !h.halted || h.reason != nil {
		t.Errorf("stopped while recovering: halted %v for %v", h.halted, h.reason)
	}
}

func TestForeignFramesAreTracedAndDropped(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	h := w.leader()
	good := appendMessage(nil, &Message{Type: MsgVote, From: 2, To: h.id, Term: 99})
	for i, c := range []struct {
		from  runtime.NodeID
		frame []byte
	}{
		{1, []byte("noise")},
		{3, good}, // says it is from 2
		{2, appendMessage(nil, &Message{Type: MsgVote, From: 2, To: h.id + 1, Term: 99})},
	} {
		h.node.Receive(c.from, runtime.ChannelControl, c.frame)
		if got := h.count(FrameRefused); got != i+1 {
			t.Errorf("frame %d: %d refused, want %d", i, got, i+1)
		}
	}
	if h.status().Term >= 99 {
		t.Error("a frame that was refused had an effect")
	}
}

// Every single file call fails once, and in other runs is the last one of its
// node's life. A node that is gone is booted again. What a client was told is done
// stays done, and nothing happens twice.
func TestEveryFileCallMayFailOrBeTheLast(t *testing.T) {
	for _, kill := range []bool{false, true} {
		for at := 1; ; at++ {
			w := newTestWorld(t, 1, NodeConfig{SnapshotEvery: 4, SnapshotKeep: 1})
			h, calls := w.hosts[0], 0
			h.disk.fail = func(op, name string) error {
				if calls++; calls != at {
					return nil
				}
				if kill {
					panic(errKilled)
				}
				return runtime.ErrIO
			}
			asked, done := 0, 0
			for done < 10 {
				if h.node == nil || h.halted {
					h.boot()
				}
				if w.run(2 * time.Second); h.status().Role != Leader {
					continue
				}
				id := w.call(h, "count")
				asked++
				w.run(time.Second)
				reply := w.replies[id]
				if reply.outcome != runtime.Done {
					continue
				}
				done++
				if count := int(reply.data[0]); count < done || count > asked {
					t.Fatalf("call %d, kill %v: %d commands were executed, %d done, %d asked for", at, kill, count, done, asked)
				}
			}
			w.same()
			if calls < at {
				break
			}
		}
	}
}

func BenchmarkNodes(b *testing.B) {
	w := newTestWorld(b, 3, NodeConfig{})
	leader := w.leader()
	for _, h := range w.hosts {
		h.quiet = true
	}
	command := strings.Repeat("x", 128)
	b.ReportAllocs()
	for b.Loop() {
		w.call(leader, command)
		w.settle()
		w.now += 1000
	}
}
