package hashi

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// follower is a replica of three, n1, whose leader is the test, as n2 or n3.
type follower struct {
	testing.TB
	engine    *Engine
	disk      *crashFS
	endpoints map[runtime.NodeID]*quic.Endpoint
	leaders   map[runtime.NodeID]*hraft.NetworkTransport
	applied   chan string
	log       slog.Handler
}

// recorder is a state machine that tells what it executes, and answers with what it has executed last.
type recorder struct {
	kv.Machine
	applied chan string
	last    string
}

func (r *recorder) Apply(entries []raft.Entry, results [][]byte) [][]byte {
	for _, e := range entries {
		r.last = fmt.Sprint(e.Index, "/", e.Term, " ", string(e.Data))
		r.applied <- r.last
		results = append(results, []byte(r.last))
	}
	return results
}

func (r *recorder) Query([]byte) []byte { return []byte(r.last) }

// newFollower starts a follower. What it says goes to the handler, if there is one, and else to the test's output.
func newFollower(t *testing.T, log ...slog.Handler) *follower {
	t.Helper()
	f := &follower{
		TB: t, disk: newCrashFS(), endpoints: map[runtime.NodeID]*quic.Endpoint{},
		leaders: map[runtime.NodeID]*hraft.NetworkTransport{}, applied: make(chan string, 1000),
		log: append(log, slog.NewTextHandler(t.Output(), nil))[0],
	}
	authority, err := quic.CreateAuthority(t.TempDir(), "orders")
	f.check(err)
	for id := runtime.NodeID(1); id <= 3; id++ {
		credentials, err := authority.Credentials(id, quic.Validity{})
		f.check(err)
		e, err := quic.Listen(quic.Config{Cluster: "orders", ID: id, Listen: "127.0.0.1:0", Credentials: credentials.Load})
		f.check(err)
		t.Cleanup(func() { f.check(e.Close()) })
		_, err = e.Join(func(runtime.NodeID, runtime.Channel, []byte) {})
		f.check(err)
		f.endpoints[id] = e
	}
	for _, id := range []runtime.NodeID{2, 3} {
		f.endpoints[id].Route(1, f.endpoints[1].Addr())
		layer, err := newStreamLayer(f.endpoints[id])
		f.check(err)
		f.leaders[id] = hraft.NewNetworkTransportWithConfig(&hraft.NetworkTransportConfig{Stream: layer, Timeout: exchangeTimeout, Logger: newLogger(slog.New(slog.DiscardHandler))})
		t.Cleanup(func() { f.check(f.leaders[id].Close()) })
	}
	f.start()
	return f
}

func (f *follower) check(err error) {
	if err != nil {
		f.Helper()
		f.Fatal(err)
	}
}

// start starts the replica on its disk. It will not stand for election: that is the test's.
func (f *follower) start() {
	f.Helper()
	e, err := start(Config{
		ID: 1, Voters: []runtime.NodeID{1, 2, 3}, Endpoint: f.endpoints[1], ElectionTimeout: time.Hour, SegmentBytes: crashSegment,
		Machine: func() raft.StateMachine { return &recorder{applied: f.applied} },
		Logger:  slog.New(f.log),
	}.withDefaults(), f.disk, func() error { return nil })
	f.check(err)
	f.engine = e
	f.Cleanup(func() {
		e.Kill(nil)
		f.ended(e)
	})
}

// ended waits for the end of a replica, and returns why it came.
func (f *follower) ended(e *Engine) error {
	f.Helper()
	select {
	case <-e.Done():
	case <-time.After(time.Minute):
		f.Fatal("the replica does not end")
	}
	return e.Wait()
}

// header says which of the leaders speaks.
func header(from runtime.NodeID) hraft.RPCHeader {
	name := []byte(from.String())
	return hraft.RPCHeader{ProtocolVersion: 3, ID: name, Addr: name}
}

// append sends entries of a term, from an index on, after an entry of another.
func (f *follower) append(from runtime.NodeID, term, prev, prevTerm, commit uint64, data ...string) (bool, error) {
	req := &hraft.AppendEntriesRequest{
		RPCHeader: header(from), Term: term, Leader: []byte(from.String()),
		PrevLogEntry: prev, PrevLogTerm: prevTerm, LeaderCommitIndex: commit,
	}
	for i, d := range data {
		req.Entries = append(req.Entries, &hraft.Log{
			Index: prev + 1 + uint64(i), Term: term, Data: raft.AppendRequest(nil, raft.EntryCommand, []byte(d)),
		})
	}
	var resp hraft.AppendEntriesResponse
	err := f.leaders[from].AppendEntries("n1", "n1", req, &resp)
	return resp.Success, err
}

// accepts is an append that must succeed.
func (f *follower) accepts(from runtime.NodeID, term, prev, prevTerm, commit uint64, data ...string) {
	f.Helper()
	if ok, err := f.append(from, term, prev, prevTerm, commit, data...); !ok || err != nil {
		f.Fatalf("append after %d/%d: %v, %v", prev, prevTerm, ok, err)
	}
}

// executes waits until the state machine has executed these, and nothing else.
func (f *follower) executes(want ...string) {
	f.Helper()
	var got []string
	for range want {
		select {
		case a := <-f.applied:
			got = append(got, a)
		case <-time.After(time.Minute):
			f.Fatalf("executed %q, want %q", got, want)
		}
	}
	if !slices.Equal(got, want) {
		f.Fatalf("executed %q, want %q", got, want)
	}
}

// failing makes the next call of that kind fail, and all later ones too unless once. Those of chores do not count: one may be
// under way, and fails nobody.
func (d *crashFS) failing(once bool, cause error, ops ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = func(_ int, op, name string) error {
		if !slices.Contains(ops, op) || path.Base(name) == "spare.tmp" {
			return nil
		}
		if once {
			d.fail = nil
		}
		return cause
	}
}

// TestFailedStoreAfterATruncation is where the library goes wrong by itself: a follower that has deleted the end of its log, and
// then failed to store what replaces it, believes that its log still reaches as far. It must not apply what it
// was never sent, and must not panic: it ends. Its next life has the old entries or the new ones.
func TestFailedStoreAfterATruncation(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a", "b", "c", "d", "e")
	f.disk.failing(true, errInjected, "sync data")
	if ok, _ := f.append(3, 3, 3, 2, 1, "B"); ok {
		t.Error("acknowledged what was not stored")
	}
	// Whatever comes next finds nobody: not even what the library would take for a match with the end of its log.
	if ok, _ := f.append(3, 3, 6, 2, 6); ok {
		t.Error("still there")
	}
	if err := f.ended(f.engine); !errors.Is(err, ErrFailed) || !errors.Is(err, errInjected) {
		t.Errorf("ended with %v", err)
	}
	f.disk = f.disk.image(true, func() bool { return false })
	f.start()
	if s := f.engine.Status(); s.Last != 6 || s.LastTerm != 2 {
		t.Errorf("next life: %+v", s)
	}
	f.accepts(3, 3, 3, 2, 4, "B")
	f.executes("2/2 a", "3/2 b", "4/3 B")
}

// TestUnreadableEntry fails the read of an entry that is to be applied. The library would panic.
func TestUnreadableEntry(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a", "b")
	f.engine.Stop()
	f.start()
	f.disk.failing(false, errInjected, "read")
	_, _ = f.append(2, 2, 3, 2, 3)
	if err := f.ended(f.engine); !errors.Is(err, ErrFailed) || !errors.Is(err, errInjected) {
		t.Errorf("ended with %v", err)
	}
}

// TestTermThatIsNotStored fails the sync of a new term, for which the library would panic.
func TestTermThatIsNotStored(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 1, "a")
	f.disk.failing(false, errInjected, "sync data")
	if ok, _ := f.append(3, 3, 2, 2, 1); ok {
		t.Error("followed a leader whose term is not stored")
	}
	if err := f.ended(f.engine); !errors.Is(err, errInjected) {
		t.Errorf("ended with %v", err)
	}
}

// snapshotOf returns the content of a snapshot of an empty recorder.
func snapshotOf(t testing.TB, index, term uint64) []byte {
	disk := newCrashFS()
	s, err := OpenSnapshots(disk, "s", 1)
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Create(1, index, term, hraft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{machine: &recorder{}, index: raft.Index(index), term: raft.Term(term), compacted: func() {}}
	captured, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := captured.Persist(k); err != nil {
		t.Fatal(err)
	}
	meta := k.(*sink).meta
	return disk.seen["s/"+k.ID()+snapshotSuffix].data[:meta.Size]
}

// install sends a snapshot.
func (f *follower) install(from runtime.NodeID, term, index, snapshotTerm uint64, content []byte) (bool, error) {
	var resp hraft.InstallSnapshotResponse
	err := f.leaders[from].InstallSnapshot("n1", "n1", &hraft.InstallSnapshotRequest{
		RPCHeader: header(from), SnapshotVersion: 1, Term: term, Leader: []byte(from.String()), LastLogIndex: index, LastLogTerm: snapshotTerm,
		Configuration: hraft.EncodeConfiguration(f.engine.cfg.members()), ConfigurationIndex: 1, Size: int64(len(content)),
	}, &resp, bytes.NewReader(content))
	return resp.Success, err
}

// TestLateSnapshot sends a snapshot of before what is committed, as one that was long on its way. The
// library would go back to it, and delete entries that were acknowledged.
func TestLateSnapshot(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.accepts(2, 2, 1, 1, 4, "a", "b", "c", "d")
	f.executes("2/2 a", "3/2 b", "4/2 c")
	if ok, err := f.install(2, 2, 3, 2, snapshotOf(t, 3, 2)); ok || err == nil {
		t.Errorf("installed: %v, %v", ok, err)
	}
	if s := f.engine.Status(); s.First != 1 || s.Last != 5 || s.Snapshot != 0 {
		t.Errorf("%+v", s)
	}
	f.accepts(2, 2, 5, 2, 5)
	f.executes("5/2 d")
	if ok, err := f.install(2, 2, 9, 2, snapshotOf(t, 9, 2)); !ok || err != nil {
		t.Errorf("one that is not late: %v, %v", ok, err)
	}
	if s := f.engine.Status(); s.Snapshot != 9 || s.Last != 9 || s.First != 10 {
		t.Errorf("%+v", s)
	}
}

// TestEndOfTheSnapshotIsKnown has another leader compare the entry at which a snapshot ends, behind which the
// log has entries that it does not have. The library would not know that entry any more.
func TestEndOfTheSnapshotIsKnown(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	if ok, err := f.install(2, 2, 9, 2, snapshotOf(t, 9, 2)); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	f.accepts(2, 2, 9, 2, 9, "a", "b")
	f.accepts(3, 3, 9, 2, 10, "A")
	f.executes("10/3 A")
	if ok, err := f.append(3, 3, 9, 1, 10, "x"); ok || err != nil {
		t.Errorf("another term there: %v, %v", ok, err)
	}
}

// TestCrashBetweenSnapshotAndLog installs a snapshot and dies before the log that it replaces is gone. The next life must
// not go by that log.
func TestCrashBetweenSnapshotAndLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		index, term, last uint64
	}{
		"shorter":     {9, 2, 9},
		"conflicting": {3, 3, 3},
		"the same":    {3, 2, 4},
	} {
		f := newFollower(t)
		f.accepts(2, 2, 1, 1, 1, "a", "b", "c")
		f.engine.Stop()
		// What InstallSnapshot has done when it crashes before it deletes the log.
		s, err := OpenSnapshots(f.disk, snapshotDir, snapshotsKept)
		f.check(err)
		k, err := s.Create(1, c.index, c.term, f.engine.cfg.members(), 1, nil)
		f.check(err)
		_, err = k.Write(snapshotOf(t, c.index, c.term))
		f.check(errors.Join(err, k.Close()))
		f.start()
		if s := f.engine.Status(); uint64(s.Last) != c.last || uint64(s.Snapshot) != c.index {
			t.Errorf("%s: %+v", name, s)
		}
		f.accepts(3, 4, c.index, c.term, c.index+1, "A")
		f.executes(fmt.Sprintf("%d/4 A", c.index+1))
	}
}

// TestDamagedSnapshotIsNotPassedOver damages the newest snapshot. An older one serves if the log goes on where it ends; if not,
// what is between is lost, and the replica does not start.
func TestDamagedSnapshotIsNotPassedOver(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		disk := newCrashFS()
		store := mustOpen(t, disk)
		_, err := store.Bootstrap(Config{Voters: []runtime.NodeID{1, 2, 3}}.members())
		var logs []*hraft.Log
		for i := uint64(2); i <= 20; i++ {
			logs = append(logs, &hraft.Log{Index: i, Term: 1, Data: raft.AppendRequest(nil, raft.EntryCommand, nil)})
		}
		err = errors.Join(err, store.StoreLogs(logs))
		if !keep {
			err = errors.Join(err, store.DeleteRange(1, 10))
		}
		snapshots, openErr := OpenSnapshots(disk, snapshotDir, snapshotsKept)
		for _, index := range []uint64{5, 10} {
			k, createErr := snapshots.Create(1, index, 1, Config{Voters: []runtime.NodeID{1, 2, 3}}.members(), 1, nil)
			_, writeErr := k.Write(snapshotOf(t, index, 1))
			err = errors.Join(err, createErr, writeErr, k.Close())
		}
		if err := errors.Join(err, openErr, store.Close()); err != nil {
			t.Fatal(err)
		}
		disk.seen[snapshotDir+"/"+snapshots.latest.file()].data[40] ^= 1

		f := newFollower(t)
		f.engine.Stop()
		e, err := start(Config{
			ID: 1, Endpoint: f.endpoints[1], ElectionTimeout: time.Hour, SegmentBytes: crashSegment,
			Machine: func() raft.StateMachine { return &recorder{applied: f.applied} },
		}.withDefaults(), disk, func() error { return nil })
		switch {
		case keep && err != nil:
			t.Errorf("with all entries: %v", err)
		case keep:
			e.Stop()
		case err == nil:
			t.Error("started without entries 6 to 10")
			e.Stop()
		default:
			t.Log(err)
		}
	}
}
