package raft

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// isChunk reports whether a frame carries a chunk of a snapshot.
func isChunk(m *Message) bool { return m.Type == shipKinds+3 }

// chunks counts those that reach a node, by their sender, and loses those for which lose says so.
func (w *testWorld) chunks(to *testHost, lose func(m *Message) bool) map[runtime.NodeID]int {
	counts := map[runtime.NodeID]int{}
	w.lose = func(m *Message) bool {
		if lose != nil && lose(m) {
			return true
		}
		if isChunk(m) && m.To == to.id {
			counts[m.From]++
		}
		return false
	}
	return counts
}

func total(counts map[runtime.NodeID]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// received returns what is in a node's folder of received files.
func (h *testHost) received() []string {
	names, _ := h.disk.List("raft/recv") // it is there
	return names
}

// caughtUp expects the node to have been given one snapshot, to have what the others have,
// and nothing to be left behind.
func (w *testWorld) caughtUp(h *testHost) {
	w.t.Helper()
	if got := h.count(SnapshotInstalled); got != 1 {
		w.t.Errorf("%d snapshots were installed, want 1", got)
	}
	w.put(1)
	w.same()
	if got := h.received(); len(got) != 0 || len(h.disk.snapshots()) != 1 {
		w.t.Errorf("left behind: %q beside %q", got, h.disk.snapshots())
	}
	for _, other := range w.hosts {
		if other.node != nil && len(other.node.shipper.shipments) > 0 {
			w.t.Errorf("node %d still offers a snapshot", other.id)
		}
	}
}

// Offers, answers, and every frame of the lane get lost; the transfer ends all the same.
func TestSnapshotTransferSurvivesLoss(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	n := uint64(0)
	w.lose = func(m *Message) bool {
		n++
		return m.Type >= MsgSnapshot && runtime.Mix(7, n)%2 == 0
	}
	w.run(time.Minute)
	w.lose = nil
	w.caughtUp(behind)
}

// Members apply in different batches, and have the same snapshots all the same: they share the work.
func TestSnapshotComesFromAllWhoHaveIt(t *testing.T) {
	w, behind := laggardAt(t, 40*defaultSnapshotChunk, 10*defaultSnapshotChunk)
	counts := w.chunks(behind, nil)
	w.run(5 * time.Second)
	w.caughtUp(behind)
	for _, h := range w.hosts {
		if got := counts[h.id]; h != behind && got < 10 {
			t.Errorf("node %d sent %d chunks of 41", h.id, got)
		}
	}
	if got := total(counts); got > 45 {
		t.Errorf("%d chunks were sent, 41 are needed", got)
	}
}

// A member that has not got that snapshot is asked in vain, and no harm is done.
func TestSnapshotComesFromTheLeaderAlone(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	leader := w.leader()
	other := w.hosts[6-int(leader.id)-int(behind.id)-1]
	other.kill()
	w.lose = nil
	w.run(20 * time.Second)
	other.boot()
	w.caughtUp(behind)
}

// Another leader offers the same snapshot: what is here already is not sent again.
func TestSnapshotTransferGoesOnWithAnotherLeader(t *testing.T) {
	w, behind := laggard(t, 20*defaultSnapshotChunk)
	first := w.leader()
	some := 0
	counts := w.chunks(behind, func(m *Message) bool {
		if isChunk(m) {
			some++
		}
		return isChunk(m) && some > 12
	})
	w.run(time.Second)
	if behind.node.fetcher.active == nil || total(counts) != 12 {
		t.Fatalf("after %d chunks no transfer is under way", total(counts))
	}
	first.kill()
	counts = w.chunks(behind, nil)
	w.run(20 * time.Second)
	if got := total(counts); got > 9+4 {
		t.Errorf("%d chunks were sent after the change of leaders, 9 are needed", got)
	}
	if got := behind.count(transport.FetchBegun); got != 1 {
		t.Errorf("%d fetches were begun, want 1", got)
	}
	first.boot()
	w.caughtUp(behind)
}

// What is on disk when the node dies is not sent again to its next life.
func TestSnapshotTransferGoesOnAfterARestart(t *testing.T) {
	w, behind := laggard(t, 40*defaultSnapshotChunk)
	sent := 0
	for life := range 4 {
		counts := w.chunks(behind, nil)
		budget := 8
		w.lose = func(m *Message) bool {
			if isChunk(m) {
				budget--
			}
			return isChunk(m) && budget < 0
		}
		w.run(time.Second)
		if got := behind.received(); len(got) != 1 || !transport.IsPart(got[0]) {
			t.Fatalf("life %d: in the folder: %q", life, got)
		}
		sent += total(counts) + 8
		behind.kill()
		behind.boot()
	}
	counts := w.chunks(behind, nil)
	w.run(5 * time.Second)
	sent += total(counts)
	if behind.count(transport.FetchResumed) == 0 {
		t.Error("nothing was found on disk")
	}
	// A few more come while they are asked for a second time.
	if sent > 41+10 {
		t.Errorf("%d chunks were sent, 41 are needed", sent)
	}
	w.caughtUp(behind)
}

// A leader that knows of another snapshot than the one that is on its way has that one fetched, and an
// offer that was overtaken by it changes nothing.
func TestAnotherSnapshotBeginsAnew(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	var offers []Message
	w.lose = func(m *Message) bool {
		if m.Type == MsgSnapshot {
			offers = append(offers, *m)
		}
		return isChunk(m)
	}
	w.run(time.Second)
	leader, old := w.leader(), behind.node.fetcher.active
	if old == nil || len(offers) == 0 {
		t.Fatal("no transfer is under way")
	}
	part := behind.received()
	// The peer says nothing until the leader gives up; meanwhile there is a newer snapshot.
	w.lose = func(m *Message) bool { return m.From == behind.id || m.To == behind.id || isChunk(m) }
	w.put(20)
	w.run(4 * time.Second)
	w.lose = isChunk
	w.run(2 * time.Second)
	next := behind.node.fetcher.active
	if next == nil || next == old || next.meta.Index <= old.meta.Index {
		t.Fatalf("still %+v", next)
	}
	if got := behind.received(); len(got) > 1 || slices.Equal(got, part) {
		t.Errorf("in the folder: %q", got)
	}
	if leader.status().Role == Leader && leader.status().Term == offers[0].Term {
		late := offers[0]
		behind.node.Receive(leader.id, runtime.ChannelControl, appendMessage(nil, &late))
		if behind.node.fetcher.active != next {
			t.Error("an old offer replaced a newer one")
		}
	}
	w.lose = nil
	w.run(5 * time.Second)
	w.caughtUp(behind)
}

// A follower that was given what it missed by other means lets the transfer go.
func TestTransferIsGivenUpWhenItIsNotNeeded(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	w.lose = isChunk
	w.run(time.Second)
	tr := behind.node.fetcher.active
	if tr == nil || len(behind.received()) == 0 {
		t.Fatal("no transfer is under way")
	}
	// As if it had the entries.
	tr.meta.Index = behind.status().Commit
	behind.node.settle()
	w.settle()
	if got := behind.received(); behind.node.fetcher.active != nil || len(got) != 0 {
		t.Errorf("still under way, with %q", got)
	}
	w.lose = nil
	w.run(5 * time.Second)
	w.caughtUp(behind)
}

// The file that is being sent goes when a newer one is there, but not before the peer has it, unless
// another member is the one who offered it.
func TestFilesAreKeptWhileTheyAreOffered(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	w.lose = isChunk
	w.run(time.Second)
	leader := w.leader()
	other := w.hosts[6-int(leader.id)-int(behind.id)-1]
	w.put(20)
	if got := len(leader.disk.snapshots()); got != 2 {
		t.Errorf("the leader has %d files, want 2", got)
	}
	for _, f := range other.node.shipper.files {
		if got := other.disk.snapshots(); len(got) != 1 || got[0] != snapshotName(f.meta) {
			t.Errorf("another member has %q and offers %+v", got, f.meta)
		}
	}
	w.lose = nil
	w.run(10 * time.Second)
	if got := behind.count(SnapshotInstalled); got == 0 || len(leader.disk.snapshots()) != 1 {
		t.Errorf("after %d installs the leader has %q", got, leader.disk.snapshots())
	}
	if got := behind.received(); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	w.put(1)
	w.same()
}

// A source reads a file again for each chunk. When that fails, or the file has changed, it says
// so, and others serve; when the leader cannot read it at all, it tries again.
func TestSourceWhoseDiskFails(t *testing.T) {
	w, behind := laggard(t, 10*defaultSnapshotChunk)
	leader, failed := w.leader(), 0
	leader.disk.fail = func(op, name string) error {
		if op == "open" && strings.HasSuffix(name, finalSuffix) && failed < 40 {
			failed++
			return runtime.ErrIO
		}
		return nil
	}
	w.lose = nil
	w.run(10 * time.Second)
	if leader.count(DiskRefused) == 0 || failed < 40 {
		t.Errorf("after %d failures %d were traced", failed, leader.count(DiskRefused))
	}
	w.caughtUp(behind)
}

// Whoever offers it, a file that is not the snapshot it was said to be is not installed.
func TestFileThatIsNotTheSnapshotIsNotInstalled(t *testing.T) {
	w, behind := laggard(t, 0)
	leader := w.leader()
	w.lose = func(m *Message) bool { return m.To == behind.id && m.Type == MsgSnapshot }
	w.run(time.Second)
	f := leader.node.shipper.files[0]
	meta := f.meta
	meta.Hash++
	behind.node.Receive(leader.id, runtime.ChannelControl, appendMessage(nil, &Message{
		Type: MsgSnapshot, From: leader.id, To: behind.id, Term: leader.status().Term, Index: meta.Index, Seq: 1,
		Snapshot: meta, Digest: f.digest.Hash,
	}))
	w.run(5 * time.Second)
	if behind.count(SnapshotInstalled) != 0 || behind.count(DiskRefused) == 0 {
		t.Errorf("%d were installed, %d refused", behind.count(SnapshotInstalled), behind.count(DiskRefused))
	}
	w.lose = nil
	w.run(5 * time.Second)
	w.caughtUp(behind)
}

func TestSnapshotRateIsKept(t *testing.T) {
	w, behind := laggardAt(t, 20*defaultSnapshotChunk, 2*defaultSnapshotChunk)
	w.lose = nil
	w.run(4 * time.Second)
	if behind.count(SnapshotInstalled) != 0 {
		t.Error("21 chunks came in 4 s, from two members at 2 a second")
	}
	w.run(5 * time.Second)
	w.caughtUp(behind)
}

// Frames of the lane come from members, on the channel for bulk, or count for nothing.
func TestForeignFramesOfTheLaneAreDropped(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{})
	h := w.leader()
	frame := transport.AppendHeader(nil, shipKinds)
	if err := transport.Seal(append(frame, make([]byte, 24)...)); err != nil {
		t.Fatal(err)
	}
	h.node.Receive(9, runtime.ChannelBulk, frame)
	h.node.Receive(h.id%3+1, runtime.ChannelBulk, frame)
	h.node.Receive(h.id%3+1, runtime.ChannelControl, frame)
	if got := h.count(FrameRefused); got != 3 {
		t.Errorf("%d frames were refused, want 3", got)
	}
}

// A leader whose snapshot has rotted offers none of it: it takes another.
func TestDamagedSnapshotIsNotOffered(t *testing.T) {
	w, behind := laggard(t, 3*defaultSnapshotChunk)
	leader := w.leader()
	file := leader.disk.files["raft/snap/"+leader.disk.snapshots()[0]]
	file.data[1000] ^= 1
	taken := leader.count(SnapshotTaken)
	w.lose = nil
	w.run(time.Second)
	if leader.count(DiskRefused) == 0 || leader.count(SnapshotTaken) != taken+1 {
		t.Errorf("%d refusals were traced, and %d snapshots taken", leader.count(DiskRefused), leader.count(SnapshotTaken)-taken)
	}
	w.caughtUp(behind)
}

// However many entries are applied together, snapshots lie where they are due: all members have the same.
func TestSnapshotsLieAtTheSameIndices(t *testing.T) {
	w := newTestWorld(t, 3, NodeConfig{SnapshotEvery: 10})
	leader := w.leader()
	for range 25 {
		w.call(leader, "all at once")
	}
	w.run(time.Second)
	for _, h := range w.hosts {
		at := slices.IndexFunc(h.trace, func(ev runtime.Event) bool { return ev.Kind == SnapshotTaken })
		if at < 0 || h.trace[at].A != 10 || h.status().Applied != 26 {
			t.Errorf("node %d has applied up to %d, its first snapshot is event %d, want it at 10", h.id, h.status().Applied, at)
		}
	}
}

// Clients go on while a snapshot is sent, for longer than until the next ones are taken. The log keeps what
// the peer needs after it: one snapshot is enough.
func TestLoadDoesNotOutrunATransfer(t *testing.T) {
	w, behind := laggardAt(t, 40*defaultSnapshotChunk, 10*defaultSnapshotChunk)
	leader := w.leader()
	first := leader.status().Snapshot
	w.lose = nil
	for range 50 {
		w.put(1)
	}
	if got := leader.status().Snapshot; got < first+20 {
		t.Errorf("the leader's snapshot is at %d, was at %d: the test shows nothing", got, first)
	}
	w.caughtUp(behind)
	// A peer that is never done does not hold the log for ever.
	w, behind = laggardAt(t, 10*defaultSnapshotChunk, 0)
	w.lose = isChunk
	for range 30 {
		w.put(10)
	}
	if s := w.leader().status(); s.Last-s.First > 13*10 || behind.count(SnapshotInstalled) > 0 {
		t.Errorf("the log has %d entries", s.Last-s.First)
	}
}

func TestNodeConfigValidate(t *testing.T) {
	good := NodeConfig{
		Core:    CoreConfig{Voters: []runtime.NodeID{1, 2, 3}},
		Machine: func() StateMachine { return &testMachine{} },
	}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*NodeConfig){
		"no state machine": func(c *NodeConfig) { c.Machine = nil },
		"folder":           func(c *NodeConfig) { c.Dir = "../raft" },
		"no voters":        func(c *NodeConfig) { c.Core.Voters = nil },
		"negative limit":   func(c *NodeConfig) { c.SnapshotRate = -1 },
		"chunks of":        func(c *NodeConfig) { c.SnapshotChunk = transport.ChunkMin - 1 },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// A round of entries to be applied, from memory or from disk, ends where the driver wants to take snapshots.
func TestRoundsEndWhereSnapshotsAreDue(t *testing.T) {
	for _, cache := range []int{0, 1} { // the default; next to nothing
		cfg := CoreConfig{ID: 1, Voters: []runtime.NodeID{1}, RoundEvery: 4, CacheBytes: cache}
		core := NewCore(cfg, InitialState{State: HardState{Incarnation: 1}}, 0, 0)
		var log []Entry
		var ends []Index
		loaded := 0
		now := runtime.Instant(0)
		for range 30 {
			now = now.Add(time.Second)
			core.Tick(now, 0)
			if core.Status().Role == Leader && core.Status().Last < 11 {
				for range 10 {
					if _, _, err := core.Propose(now, EntryCommand, []byte("x")); err != nil {
						t.Fatal(err)
					}
				}
			}
			out := core.Take(now)
			loads := append([]Load(nil), out.Loads...)
			if n := len(out.Apply); n > 0 {
				ends = append(ends, out.Apply[n-1].Index)
			}
			if out.Persist != nil {
				log = append(log, out.Persist.Entries...)
				core.Persisted(out.Persist.ID)
			}
			if n := len(ends); n > 0 {
				core.Applied(ends[n-1])
			}
			for _, l := range loads {
				core.Loaded(l.ID, log[l.Lo-1:l.Hi-1])
				loaded++
			}
		}
		if cache == 1 && loaded == 0 {
			t.Error("nothing was read from disk")
		}
		if !slices.Equal(ends, []Index{4, 8, 11}) && !slices.Equal(ends, []Index{1, 4, 8, 11}) {
			t.Errorf("cache of %d: rounds end at %d, want 4, 8 and 11", cache, ends)
		}
	}
}
