package raft

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// loop is the cheapest driver there can be: disks are instant, messages pass at
// once, nothing is checked.
type loop struct {
	now     runtime.Instant
	cores   []*Core
	queue   []loopMessage
	head    int
	applied []Index
	writes  []WriteID
	pools   [][]Entry // of entry slices for messages in flight
}

type loopMessage struct {
	m Message
}

func newLoop(voters int) *loop {
	l := &loop{applied: make([]Index, voters)}
	var cfg CoreConfig
	for i := range voters {
		cfg.Voters = append(cfg.Voters, runtime.NodeID(i+1))
	}
	cfg.CacheBytes = 256 << 10
	for i := range voters {
		cfg.ID = runtime.NodeID(i + 1)
		l.cores = append(l.cores, NewCore(cfg, InitialState{}, 0, uint64(i)<<62))
	}
	return l
}

func (l *loop) send(m *Message) {
	if len(m.Entries) > 0 {
		var pooled []Entry
		if n := len(l.pools); n > 0 {
			pooled, l.pools = l.pools[n-1], l.pools[:n-1]
		}
		m.Entries = append(pooled[:0], m.Entries...)
	}
	l.queue = append(l.queue, loopMessage{*m})
}

func (l *loop) drain(i int) {
	c := l.cores[i]
	for {
		out := c.Take(l.now)
		for k := range out.Send {
			l.send(&out.Send[k])
		}
		for k := range out.Gated {
			l.send(&out.Gated[k].Message)
		}
		written, applied := WriteID(0), Index(0)
		if out.Persist != nil {
			written = out.Persist.ID
		}
		if n := len(out.Apply); n > 0 {
			applied = out.Apply[n-1].Index
		}
		if written == 0 && applied == 0 {
			return
		}
		if written != 0 {
			c.Persisted(written)
		}
		if applied != 0 {
			c.Applied(applied)
			l.applied[i] = applied
		}
	}
}

func (l *loop) settle() {
	for ; l.head < len(l.queue); l.head++ {
		m := &l.queue[l.head].m
		i := int(m.To) - 1
		l.cores[i].Step(l.now, m)
		if cap(m.Entries) > 0 {
			l.pools = append(l.pools, m.Entries)
		}
		l.drain(i)
	}
	l.queue, l.head = l.queue[:0], 0
}

// tick lets the cores look at the clock at their next deadline.
func (l *loop) tick() {
	due := runtime.Never
	for _, c := range l.cores {
		due = min(due, c.Deadline())
	}
	l.now = due
	for i, c := range l.cores {
		if c.Deadline() <= l.now {
			c.Tick(l.now, uint64(l.now))
			l.drain(i)
		}
	}
	l.settle()
}

func (l *loop) elect() int {
	for {
		for i, c := range l.cores {
			if c.role == Leader && c.commit > 0 {
				return i
			}
		}
		l.tick()
	}
}

// BenchmarkPut commits one 128-byte command at a time on three members, driver
// included.
func BenchmarkPut(b *testing.B) {
	l := newLoop(3)
	leader := l.elect()
	data := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		index, _, err := l.cores[leader].Propose(l.now, EntryCommand, data)
		if err != nil {
			b.Fatal(err)
		}
		l.drain(leader)
		l.settle()
		if l.applied[leader] != index {
			b.Fatal("not applied")
		}
	}
}

// BenchmarkIdle lets three members exchange heartbeats: one round an
// operation, which is 100 ms.
func BenchmarkIdle(b *testing.B) {
	l := newLoop(3)
	l.elect()
	start := l.now
	b.ReportAllocs()
	for b.Loop() {
		l.tick()
	}
	rounds := float64(l.now.Sub(start)) / float64(100*time.Millisecond)
	b.ReportMetric(rounds/float64(b.N), "rounds/op")
}
