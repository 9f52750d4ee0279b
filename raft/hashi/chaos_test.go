package hashi

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// told is what a client was told.
type told struct {
	outcome  runtime.Outcome
	response kv.Response
}

// keyValue is the key-value store to porcupine: one key.
var keyValue = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := string(op.Input.(kv.Command).Key)
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return kv.Cell{} },
	Step: func(state, input, output any) (bool, any) {
		after, want := kv.Step(state.(kv.Cell), input.(kv.Command))
		got := output.(told)
		return got.outcome == runtime.Unknown ||
			got.response.Status == want.Status && string(got.response.Value) == string(want.Value), after
	},
}

// clients work on a few keys until they are stopped, and write down what they were told. What was refused is not
// in the history: if it has taken effect, somebody has read what nobody wrote.
type clients struct {
	c    *cluster
	stop atomic.Bool
	all  sync.WaitGroup

	mu      sync.Mutex
	history []porcupine.Operation
	counts  map[runtime.Outcome]int
	reads   int
}

func (c *cluster) clients(n int) *clients {
	w := &clients{c: c, counts: map[runtime.Outcome]int{}}
	begin := time.Now()
	for id := range n {
		w.all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(id), 3))
			for seq := uint64(1); !w.stop.Load(); seq++ {
				w.work(begin, id, randomCommand(r, uint64(id), seq))
			}
		})
	}
	return w
}

// randomCommand is one on few keys.
func randomCommand(r *rand.Rand, client, seq uint64) kv.Command {
	cmd := kv.Command{Client: client, Seq: seq, Key: fmt.Appendf(nil, "key-%d", r.IntN(4))}
	switch cmd.Op = []kv.Op{kv.Get, kv.Get, kv.Put, kv.Put, kv.Delete, kv.CompareAndSwap}[r.IntN(6)]; cmd.Op {
	case kv.CompareAndSwap:
		cmd.ExpectAbsent = true
		fallthrough
	case kv.Put:
		cmd.Value = fmt.Appendf(nil, "%d.%d", client, seq)
	}
	return cmd
}

// work does one operation.
func (w *clients) work(begin time.Time, id int, cmd kv.Command) {
	call := time.Since(begin)
	outcome, response, _ := w.c.try(cmd)
	returned := int64(time.Since(begin))
	if outcome == runtime.Unknown {
		returned = math.MaxInt64
	}
	w.mu.Lock()
	w.counts[outcome]++
	if cmd.Op == kv.Get && outcome == runtime.Done {
		w.reads++
	}
	if outcome != runtime.Refused {
		w.history = append(w.history, porcupine.Operation{
			ClientId: id, Input: cmd, Call: int64(call), Output: told{outcome, response}, Return: returned,
		})
	}
	w.mu.Unlock()
	if outcome != runtime.Done {
		w.c.mu.Lock()
		changed := w.c.changed
		w.c.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// done returns how many operations were done so far.
func (w *clients) done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[runtime.Done]
}

// more waits until so many more have been done.
func (w *clients) more(n int) {
	w.c.Helper()
	until := w.done() + n
	w.c.until("more operations", func() bool { return w.done() >= until })
}

// judge stops the clients and asks porcupine.
func (w *clients) judge() porcupine.CheckResult {
	w.c.Helper()
	w.stop.Store(true)
	w.all.Wait()
	w.c.Logf("%v, %d reads done", w.counts, w.reads)
	return porcupine.CheckOperationsTimeout(keyValue, w.history, patience)
}

// blackout takes the power from all nodes, and starts them on what their disks have kept.
func (c *cluster) blackout(kept func() bool) {
	c.Helper()
	for _, id := range members {
		c.kill(id)
		c.disks[id] = c.disks[id].image(true, kept)
	}
	for _, id := range members {
		c.start(id)
	}
}

// TestHistoryIsLinearizable kills leaders and others, fails the disk of a leader, and brings all back, under many
// clients. What they were told has an order, whatever happened.
func TestHistoryIsLinearizable(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(cfg *Config) { cfg.SnapshotEvery, cfg.SnapshotKeep = 200, 50 })
	for _, id := range members {
		c.disks[id] = newCrashFS()
		c.start(id)
	}
	w := c.clients(8)
	w.more(300)
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 4 {
		victim, _ := c.led()
		switch round {
		case 0, 2: // the leader loses power
			c.kill(victim)
			c.disks[victim] = c.disks[victim].image(true, func() bool { return r.IntN(2) == 0 })
		case 1: // the leader's disk fails
			c.mu.Lock()
			e := c.engines[victim]
			c.mu.Unlock()
			c.disks[victim].failing(true, errInjected, "sync data")
			await(t, e.Done(), "the end of the replica")
			if err := e.Wait(); !errors.Is(err, ErrFailed) || !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, errInjected) {
				t.Errorf("%v ended with %v", victim, err)
			}
			c.forget(victim)
			c.disks[victim] = c.disks[victim].image(true, func() bool { return r.IntN(2) == 0 })
		case 3: // another one
			victim = victim%3 + 1
			c.kill(victim)
		}
		w.more(200)
		c.start(victim)
		w.more(200)
	}
	c.blackout(func() bool { return r.IntN(2) == 0 })
	w.more(200)
	if verdict := w.judge(); verdict != porcupine.Ok {
		t.Errorf("the history of %d operations is judged: %v", len(w.history), verdict)
	}
	c.agree()
	if w.counts[runtime.Done] < 1500 || w.reads < 300 {
		t.Errorf("only %v, %d reads", w.counts, w.reads)
	}
}

// TestHistoryFindsLostWrites shows that the test above can fail: all disks forget everything.
func TestHistoryFindsLostWrites(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	for _, id := range members {
		c.disks[id] = newCrashFS()
		c.start(id)
	}
	w, begin := c.clients(0), time.Now()
	do := func(op kv.Op, seq uint64) {
		cmd := put(seq)
		if cmd.Op = op; op == kv.Get {
			cmd.Value = nil
		}
		for before := w.done(); w.done() == before; {
			w.work(begin, 0, cmd)
		}
	}
	do(kv.Put, 1)
	for _, id := range members {
		c.kill(id)
		c.disks[id] = newCrashFS()
	}
	for _, id := range members {
		c.start(id)
	}
	do(kv.Get, 1)
	if verdict := w.judge(); verdict != porcupine.Illegal {
		t.Errorf("the history of %d operations is judged: %v", len(w.history), verdict)
	}
}

// steady makes leaders stay, also on a machine that has much else to do.
func steady(cfg *Config) { cfg.ElectionTimeout = 2 * time.Second }

// TestOthersGoOn stops the leader in the middle of the work. The others take over.
func TestOthersGoOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, steady)
	for _, id := range members {
		c.start(id)
	}
	w := c.clients(8)
	w.more(50)
	leader, e := c.led()
	e.Stop()
	check(t, e.Wait())
	c.forget(leader)
	w.more(50)
	if verdict := w.judge(); verdict != porcupine.Ok {
		t.Errorf("the history of %d operations is judged: %v", len(w.history), verdict)
	}
	c.agree()
}

// TestUnreadableEntryForAPeer fails the reads of a leader whose peer needs an old entry: raft's goroutines that send
// take an error for an answer, and must not be unwound.
func TestUnreadableEntryForAPeer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, steady)
	for _, id := range members {
		c.disks[id] = newCrashFS()
		c.start(id)
	}
	c.write(1, 20)
	c.agree()
	late, _ := c.led()
	c.kill(late)
	c.disks[late] = newCrashFS() // it will need everything
	c.write(21, 5)
	ended := make(chan *Engine, len(members))
	for id, e := range c.engines { // whoever leads
		e.store.mu.Lock()
		e.store.cache = cache{} // as after a restart
		e.store.mu.Unlock()
		c.disks[id].failing(false, errInjected, "read")
		go func() { <-e.Done(); ended <- e }()
	}
	c.start(late)
	if err := await(t, ended, "the end of the replica").Wait(); !errors.Is(err, ErrFailed) || !errors.Is(err, errInjected) {
		t.Errorf("ended with %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	c := newCluster(t, nil)
	good := c.config(1)
	for name, change := range map[string]func(*Config){
		"no id":       func(cfg *Config) { cfg.ID = 0 },
		"no folder":   func(cfg *Config) { cfg.Dir = "" },
		"no endpoint": func(cfg *Config) { cfg.Endpoint = nil },
		"no machine":  func(cfg *Config) { cfg.Machine = nil },
		"voter twice": func(cfg *Config) { cfg.Voters = []runtime.NodeID{1, 2, 1} },
		"voter zero":  func(cfg *Config) { cfg.Voters = []runtime.NodeID{1, 0} },
		"hasty":       func(cfg *Config) { cfg.ElectionTimeout = time.Millisecond },
		"huge":        func(cfg *Config) { cfg.MaxEntryBytes = raft.MaxEntryBytesCeiling + 1 },
		"many": func(cfg *Config) {
			for id := range runtime.NodeID(raft.MaxVoters + 1) {
				cfg.Voters = append(cfg.Voters, id+10)
			}
		},
	} {
		cfg := good
		change(&cfg)
		if e, err := Start(cfg); err == nil {
			t.Errorf("%s: started", name)
			e.Stop()
		}
	}
	e, err := Start(good)
	check(t, err)
	again := good
	again.Endpoint = c.listen(2)
	if _, err := Start(again); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("a second one in the folder: %v", err)
	}
	again.Dir = t.TempDir()
	again.Endpoint = good.Endpoint
	if _, err := Start(again); err == nil {
		t.Error("two at one endpoint")
	}
	e.Stop()
	e, err = Start(good) // with both free again
	check(t, err)
	e.Stop()
}
