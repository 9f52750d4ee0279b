package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// patience is how long a test waits for what must happen before it says that it does not.
const patience = 2 * time.Minute

// await receives from ch, which must not take for ever.
func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		stacks := make([]byte, 1<<16)
		t.Fatalf("waited in vain for %s\n%s", what, stacks[:goruntime.Stack(stacks, true)])
		panic("unreachable")
	}
}

// until yields until a condition of the log's holds.
func (l *Log) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); ; goruntime.Gosched() {
		l.mu.Lock()
		ok := holds()
		l.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// inBackground runs each function in a goroutine, and returns a channel that is
// closed when all have returned.
func inBackground(n int, run func(i int)) <-chan struct{} {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { run(i) })
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	return done
}

func check(tb testing.TB, err error) {
	if err != nil {
		tb.Helper()
		tb.Fatal(err)
	}
}

// folder returns an empty folder of the real file system.
func folder(tb testing.TB) *host.Folder {
	fs, err := host.OpenFolder(tb.TempDir())
	check(tb, err)
	tb.Cleanup(func() { _ = fs.Close() })
	return fs
}

// small has segments small enough for many of them in one test.
func small() walrus.Options {
	return walrus.Options{Dir: "log", SegmentBytes: 32 << 10}
}

func open(tb testing.TB, fs runtime.FS, o walrus.Options) *Log {
	tb.Helper()
	l, _, err := Open(fs, o)
	check(tb, err)
	return l
}

func entry(t walrus.Topic, index uint64, payload []byte) *walrus.Batch {
	b := &walrus.Batch{}
	b.Entry(t, index, 1, 0, payload)
	return b
}

// payload is what the entry of that topic and index holds in these tests.
func payload(t walrus.Topic, index uint64) []byte {
	p := make([]byte, 16+index%200)
	binary.LittleEndian.PutUint64(p, uint64(t))
	binary.LittleEndian.PutUint64(p[8:], index)
	return p
}

// verify reads a topic, and returns its end, or what is wrong with it.
func verify(l *Log, t walrus.Topic) (next uint64, err error) {
	lo, _ := l.Bounds(t)
	for e, err := range l.Entries(t, lo) {
		if err != nil {
			return lo, err
		}
		if e.Index != lo || string(e.Payload) != string(payload(t, lo)) {
			return lo, fmt.Errorf("topic %d has %d %x at %d", t, e.Index, e.Payload, lo)
		}
		lo++
	}
	if _, next := l.Bounds(t); lo != next {
		return lo, fmt.Errorf("topic %d ends at %d, not %d", t, lo, next)
	}
	return lo, nil
}

// syncGate holds back the syncs of groups until they are let through, each with its outcome.
type syncGate struct {
	arrived chan struct{}
	let     chan error
}

func newSyncGate() *syncGate {
	return &syncGate{arrived: make(chan struct{}, 1<<10), let: make(chan error)}
}

// over puts the gate in front of a file system.
func (g *syncGate) over(fs runtime.FS) runtime.FS {
	return &hookFS{FS: fs, around: func(op, _ string, call func() error) error {
		if op == "sync data" {
			g.arrived <- struct{}{}
			if err := <-g.let; err != nil {
				return err
			}
		}
		return call()
	}}
}

var errSync = errors.New("sync failed in the test")
