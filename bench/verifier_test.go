package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	hraft "github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metrics"
	"github.com/hashicorp/raft-wal/verifier"

	"github.com/octopii-go/octopii/raft/hashi"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus/group"
)

const (
	verifyPatience = 60 * time.Second
	checkpoint     = "checkpoint"
)

// blankFSM has no state.
type blankFSM struct{}

func (blankFSM) Apply(*hraft.Log) any                  { return nil }
func (blankFSM) Snapshot() (hraft.FSMSnapshot, error)  { return blankFSM{}, nil }
func (blankFSM) Restore(r io.ReadCloser) error         { return r.Close() }
func (blankFSM) Persist(sink hraft.SnapshotSink) error { return sink.Close() }
func (blankFSM) Release()                              {}

// verified is three members of hashicorp/raft on our stores, each behind raft-wal's verifier, which compares what a
// leader has written with what every member reads back.
type verified struct {
	*testing.T
	dirs       map[hraft.ServerID]string
	transports map[hraft.ServerID]*hraft.InmemTransport
	rafts      map[hraft.ServerID]*hraft.Raft
	stops      map[hraft.ServerID]func()
	damage     func(hraft.LogStore) hraft.LogStore

	mu      sync.Mutex
	reports []verifier.VerificationReport
}

func newVerified(t *testing.T, damage func(hraft.LogStore) hraft.LogStore) *verified {
	v := &verified{
		T: t, damage: damage, dirs: map[hraft.ServerID]string{}, transports: map[hraft.ServerID]*hraft.InmemTransport{},
		rafts: map[hraft.ServerID]*hraft.Raft{}, stops: map[hraft.ServerID]func(){},
	}
	for _, id := range []hraft.ServerID{"n1", "n2", "n3"} {
		v.dirs[id] = t.TempDir()
		_, v.transports[id] = hraft.NewInmemTransport(hraft.ServerAddress(id))
	}
	for id := range v.dirs {
		for other, at := range v.transports {
			v.transports[id].Connect(hraft.ServerAddress(other), at)
		}
		v.start(id)
	}
	return v
}

func (v *verified) check(err error) {
	if err != nil {
		v.Helper()
		v.Fatal(err)
	}
}

func (v *verified) start(id hraft.ServerID) {
	v.Helper()
	folder, err := host.OpenFolder(v.dirs[id])
	v.check(err)
	store, _, err := hashi.OpenStore(folder, "log", 1<<20)
	v.check(err)
	snapshots, err := hashi.OpenSnapshots(folder, "snapshots", 2)
	v.check(err)
	var members hraft.Configuration
	for _, other := range []hraft.ServerID{"n1", "n2", "n3"} {
		members.Servers = append(members.Servers, hraft.Server{ID: other, Address: hraft.ServerAddress(other)})
	}
	_, err = store.Bootstrap(members)
	v.check(err)
	logs := verifier.NewLogStore(v.damage(store), func(l *hraft.Log) (bool, error) { return string(l.Data) == checkpoint, nil },
		func(r verifier.VerificationReport) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.reports = append(v.reports, r)
		}, &metrics.NoOpCollector{})
	cfg := hraft.DefaultConfig()
	cfg.LocalID = id
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	cfg.Logger = hclog.NewNullLogger()
	cfg.SnapshotInterval, cfg.SnapshotThreshold, cfg.TrailingLogs = 50*time.Millisecond, 300, 150
	r, err := hraft.NewRaft(cfg, blankFSM{}, logs, store, snapshots, v.transports[id])
	v.check(err)
	v.rafts[id] = r
	v.stops[id] = sync.OnceFunc(func() {
		v.check(r.Shutdown().Error())
		v.check(errors.Join(logs.Close(), folder.Close())) // the verifier closes the store, if nothing is in between
	})
	v.Cleanup(v.stops[id])
}

// do commits a command, again until it is.
func (v *verified) do(data []byte) {
	v.Helper()
	for over := time.After(verifyPatience); ; {
		for _, r := range v.rafts {
			if r.State() == hraft.Leader && r.Apply(data, time.Second).Error() == nil {
				return
			}
		}
		select {
		case <-over:
			v.Fatal("nothing is committed")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// write commits commands of many sizes, some too large for the store's cache, with checkpoints between.
func (v *verified) write(n int) {
	v.Helper()
	for i := range n {
		size := 100
		if i%3 == 0 {
			size = 17 << 10
		}
		v.do(bytes.Repeat([]byte{byte(i)}, size))
		if i%25 == 24 {
			v.do([]byte(checkpoint))
		}
	}
}

// writeUntil goes on until enough is verified: that is done beside the work, and may be late, or left out if leaders change.
func (v *verified) writeUntil(enough func(good int, bad []string) bool) (good int, bad []string) {
	v.Helper()
	for over := time.Now().Add(verifyPatience); ; v.write(25) {
		if good, bad = v.verdict(); enough(good, bad) || time.Now().After(over) {
			return good, bad
		}
	}
}

// verdict returns how many ranges were verified, and those that were not what the leader wrote. That a member has too few
// entries for a range, because it has changed its leader, or compacted, is none.
func (v *verified) verdict() (good int, bad []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.reports {
		switch {
		case r.Err == nil:
			good++
		case errors.Is(r.Err, verifier.ErrRangeMismatch), errors.Is(r.Err, group.ErrClosed): // or was stopped meanwhile
		default:
			bad = append(bad, fmt.Sprint(r.Range, r.Err))
		}
	}
	return good, bad
}

// TestVerifierFindsNothing has raft-wal's verifier watch our log store, over elections, restarts, compaction and
// snapshots.
func TestVerifierFindsNothing(t *testing.T) {
	v := newVerified(t, func(s hraft.LogStore) hraft.LogStore { return s })
	for range 3 {
		v.write(150)
		for id, r := range v.rafts {
			if r.State() == hraft.Leader {
				v.stops[id]()
				delete(v.rafts, id)
				v.write(150)
				_, v.transports[id] = hraft.NewInmemTransport(hraft.ServerAddress(id))
				for other, at := range v.transports {
					v.transports[id].Connect(hraft.ServerAddress(other), at)
					at.Connect(hraft.ServerAddress(id), v.transports[id])
				}
				v.start(id)
				break
			}
		}
	}
	v.write(100)
	good, bad := v.writeUntil(func(good int, bad []string) bool { return good >= 50 || len(bad) > 0 })
	if len(bad) > 0 || good < 50 {
		t.Errorf("%d ranges are as written, these are not: %s", good, strings.Join(bad, "\n"))
	}
}

// forgetful is a store that returns another entry than was stored, now and then.
type forgetful struct{ *hashi.Store }

func (s forgetful) GetLog(index uint64, log *hraft.Log) error {
	err := s.Store.GetLog(index, log)
	if index%100 == 50 && len(log.Data) > 0 {
		log.Data = bytes.Clone(log.Data)
		log.Data[0] ^= 1
	}
	return err
}

// TestVerifierFindsAPlantedBug shows that the test above can fail.
func TestVerifierFindsAPlantedBug(t *testing.T) {
	v := newVerified(t, func(s hraft.LogStore) hraft.LogStore { return forgetful{s.(*hashi.Store)} })
	v.write(150)
	if good, bad := v.writeUntil(func(_ int, bad []string) bool { return len(bad) > 0 }); len(bad) == 0 {
		t.Errorf("not found, in %d ranges", good)
	}
}
