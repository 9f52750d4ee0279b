package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	hraft "github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/hashi"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// putter is one call of a client of a cluster.
type putter func(command []byte) error

// startHashi starts three replicas of raft/hashi over loopback, and returns how to put something.
func startHashi(b *testing.B, dir string) putter {
	authority, err := quic.CreateAuthority(b.TempDir(), "bench")
	checkErr(b, err)
	ids := []runtime.NodeID{1, 2, 3}
	var endpoints []*quic.Endpoint
	for _, id := range ids {
		credentials, err := authority.Credentials(id, quic.Validity{})
		checkErr(b, err)
		e, err := quic.Listen(quic.Config{Cluster: "bench", ID: id, Listen: "127.0.0.1:0", Credentials: credentials.Load})
		checkErr(b, err)
		b.Cleanup(func() { checkErr(b, e.Close()) })
		_, err = e.Join(func(runtime.NodeID, runtime.Channel, []byte) {})
		checkErr(b, err)
		endpoints = append(endpoints, e)
	}
	for _, e := range endpoints {
		for i, id := range ids {
			e.Route(id, endpoints[i].Addr())
		}
	}
	var engines []*hashi.Engine
	changed := make(chan struct{}, 1)
	for i, id := range ids {
		e, err := hashi.Start(hashi.Config{
			ID: id, Voters: ids, Dir: fmt.Sprintf("%s/hashi-%d", dir, id), Endpoint: endpoints[i],
			Machine: func() raft.StateMachine { return kv.NewMachine() },
			Changed: func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			},
		})
		checkErr(b, err)
		b.Cleanup(e.Stop)
		engines = append(engines, e)
	}
	var leader *hashi.Engine
	for leader == nil {
		<-changed
		for _, e := range engines {
			if e.Status().Role == raft.Leader {
				leader = e
			}
		}
	}
	return func(command []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		outcome, _, err := leader.Propose(ctx, command)
		if outcome != runtime.Done {
			return fmt.Errorf("%v: %w", outcome, err)
		}
		return nil
	}
}

// plainFSM is the same state machine for the library's own users.
type plainFSM struct{ machine *kv.Machine }

func (f plainFSM) Apply(l *hraft.Log) any {
	return f.machine.Apply([]raft.Entry{{Index: raft.Index(l.Index), Term: raft.Term(l.Term), Type: raft.EntryCommand, Data: l.Data}}, nil)[0]
}
func (f plainFSM) Restore(r io.ReadCloser) error { return errors.Join(f.machine.Restore(r), r.Close()) }
func (f plainFSM) Snapshot() (hraft.FSMSnapshot, error) {
	image, err := f.machine.Snapshot()
	return plainImage{image}, err
}

type plainImage struct{ raft.Image }

func (m plainImage) Persist(to hraft.SnapshotSink) error {
	_, err := m.WriteTo(to)
	return errors.Join(err, to.Close())
}

// startPlain starts three members of hashicorp/raft as its users do: TCP, raft-wal behind a cache of 512 entries, snapshots in files.
func startPlain(b *testing.B, dir string) putter {
	var members hraft.Configuration
	var transports []*hraft.NetworkTransport
	for i := range 3 {
		t, err := hraft.NewTCPTransport("127.0.0.1:0", nil, 3, 10*time.Second, io.Discard)
		checkErr(b, err)
		transports = append(transports, t)
		members.Servers = append(members.Servers, hraft.Server{ID: hraft.ServerID(fmt.Sprint(i)), Address: t.LocalAddr()})
	}
	led := make(chan *hraft.Raft, 3)
	for i, t := range transports {
		at := fmt.Sprintf("%s/plain-%d", dir, i)
		checkErr(b, os.MkdirAll(at, 0o700))
		wal, err := raftwal.Open(at)
		checkErr(b, err)
		cached, err := hraft.NewLogCache(512, wal)
		checkErr(b, err)
		snapshots, err := hraft.NewFileSnapshotStore(at, 2, io.Discard)
		checkErr(b, err)
		cfg := hraft.DefaultConfig()
		cfg.LocalID = members.Servers[i].ID
		cfg.Logger = hclog.NewNullLogger()
		checkErr(b, hraft.BootstrapCluster(cfg, cached, wal, snapshots, t, members))
		r, err := hraft.NewRaft(cfg, plainFSM{kv.NewMachine()}, cached, wal, snapshots, t)
		checkErr(b, err)
		b.Cleanup(func() {
			checkErr(b, r.Shutdown().Error())
			checkErr(b, errors.Join(t.Close(), wal.Close()))
		})
		go func() {
			if <-r.LeaderCh() {
				led <- r
			}
		}()
	}
	leader := <-led
	return func(command []byte) error { return leader.Apply(command, time.Minute).Error() }
}

func checkErr(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// turn has clients put n values together, and returns how long each took.
func turn(b *testing.B, put putter, clients, n int, seq *atomic.Uint64) []time.Duration {
	times := make([][]time.Duration, clients)
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for c := range clients {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				cmd := kv.Command{Op: kv.Put, Client: uint64(c), Seq: seq.Add(1), Key: fmt.Appendf(nil, "key-%d", c), Value: make([]byte, 128)}
				start := time.Now()
				if err := put(cmd.Append(nil)); err != nil {
					b.Error(err)
					return
				}
				times[c] = append(times[c], time.Since(start))
			}
		})
	}
	all.Wait()
	return slices.Concat(times...)
}

// BenchmarkEngines puts values of 128 bytes into three replicas in this process, with real syncs: raft/hashi over
// QUIC and walrus beside the library over TCP and raft-wal. The two take turns. BENCH_DIR says on which disk.
func BenchmarkEngines(b *testing.B) {
	only := os.Getenv("BENCH_ONLY")
	for _, clients := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			dir, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "engines")
			checkErr(b, err)
			b.Cleanup(func() { checkErr(b, os.RemoveAll(dir)) })
			systems := []putter{startHashi(b, dir), startPlain(b, dir)}
			var seq atomic.Uint64
			for _, put := range systems {
				turn(b, put, clients, 2*clients, &seq)
			}
			const turns = 8
			var took [2]time.Duration
			var times [2][]time.Duration
			b.ResetTimer()
			for i := range turns {
				n := max(b.N*(i+1)/turns-b.N*i/turns, 1)
				for s, put := range systems {
					if only != "" && !strings.HasPrefix([]string{"hashi", "plain"}[s], only) {
						continue
					}
					start := time.Now()
					times[s] = append(times[s], turn(b, put, clients, n, &seq)...)
					took[s] += time.Since(start)
				}
			}
			b.StopTimer()
			for s, name := range []string{"hashi", "plain"} {
				if len(times[s]) == 0 {
					continue
				}
				slices.Sort(times[s])
				b.ReportMetric(float64(len(times[s]))/took[s].Seconds(), name+"-ops/s")
				b.ReportMetric(float64(times[s][len(times[s])/2].Microseconds()), name+"-p50-us")
				b.ReportMetric(float64(times[s][len(times[s])*99/100].Microseconds()), name+"-p99-us")
			}
			b.ReportMetric(float64(took[1])/float64(max(took[0], 1)), "ratio")
		})
	}
}
