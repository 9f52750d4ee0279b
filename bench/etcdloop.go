package main

import (
	"container/heap"
	"time"

	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// etcdLoop is the peer of the simulation benchmark: three nodes of etcd/raft
// in one loop, on its memory storage, with one proposal in flight and random
// latency on every message. It has no disk, no faults and no checks.
type etcdLoop struct {
	nodes   []*etcd.RawNode
	stores  []*etcd.MemoryStorage
	now     int64
	queue   arrivals
	random  uint64
	applied int
}

// arrival is a message on its way.
type arrival struct {
	at  int64
	seq int
	msg *raftpb.Message
}

type arrivals []arrival

func (q arrivals) Len() int { return len(q) }
func (q arrivals) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q arrivals) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *arrivals) Push(x any)   { *q = append(*q, x.(arrival)) }
func (q *arrivals) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// newEtcdLoop returns a loop with a leader, node 1.
func newEtcdLoop(seed uint64) (*etcdLoop, error) {
	l := &etcdLoop{random: seed | 1}
	voters := []uint64{1, 2, 3}
	for _, id := range voters {
		store := etcd.NewMemoryStorage()
		if err := store.ApplySnapshot(&raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			ConfState: &raftpb.ConfState{Voters: voters}, Index: ptr(uint64(1)), Term: ptr(uint64(1)),
		}}); err != nil {
			return nil, err
		}
		node, err := etcd.NewRawNode(&etcd.Config{
			ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: store, Applied: 1,
			MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, Logger: quiet{},
		})
		if err != nil {
			return nil, err
		}
		l.nodes, l.stores = append(l.nodes, node), append(l.stores, store)
	}
	if err := l.nodes[0].Campaign(); err != nil {
		return nil, err
	}
	return l, l.settle(func() bool { return l.nodes[0].BasicStatus().RaftState == etcd.StateLeader })
}

func ptr[T any](v T) *T { return &v }

// put proposes once and runs the loop until the leader has applied it.
func (l *etcdLoop) put(data []byte) error {
	want := l.applied + 1
	if err := l.nodes[0].Propose(data); err != nil {
		return err
	}
	return l.settle(func() bool { return l.applied >= want })
}

// settle drains what the nodes have ready and delivers messages until done.
func (l *etcdLoop) settle(done func() bool) error {
	for {
		for i := range l.nodes {
			if err := l.drain(i); err != nil {
				return err
			}
		}
		if done() {
			return nil
		}
		a := heap.Pop(&l.queue).(arrival)
		l.now = a.at
		if err := l.nodes[a.msg.GetTo()-1].Step(a.msg); err != nil {
			return err
		}
	}
}

func (l *etcdLoop) drain(i int) error {
	node, store := l.nodes[i], l.stores[i]
	for node.HasReady() {
		rd := node.Ready()
		if rd.HardState != nil {
			if err := store.SetHardState(rd.HardState); err != nil {
				return err
			}
		}
		if err := store.Append(rd.Entries); err != nil {
			return err
		}
		for _, m := range rd.Messages {
			l.random ^= l.random << 13
			l.random ^= l.random >> 7
			l.random ^= l.random << 17
			latency := int64(100*time.Microsecond) + int64(l.random%uint64(500*time.Microsecond))
			heap.Push(&l.queue, arrival{at: l.now + latency, seq: len(l.queue), msg: m})
		}
		if i == 0 {
			for _, e := range rd.CommittedEntries {
				if len(e.GetData()) > 0 {
					l.applied++
				}
			}
			if n := len(rd.CommittedEntries); n > 0 && l.applied%10_000 == 0 {
				if err := store.Compact(rd.CommittedEntries[n-1].GetIndex() - 1); err != nil && err != etcd.ErrCompacted {
					return err
				}
			}
		}
		node.Advance(rd)
	}
	return nil
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Debug(...any)            {}
func (quiet) Debugf(string, ...any)   {}
func (quiet) Error(...any)            {}
func (quiet) Errorf(string, ...any)   {}
func (quiet) Info(...any)             {}
func (quiet) Infof(string, ...any)    {}
func (quiet) Warning(...any)          {}
func (quiet) Warningf(string, ...any) {}
func (quiet) Fatal(v ...any)          { panic(v) }
func (quiet) Fatalf(f string, v ...any) {
	panic(f)
}
func (quiet) Panic(v ...any)            { panic(v) }
func (quiet) Panicf(f string, v ...any) { panic(f) }
