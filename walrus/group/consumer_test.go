package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

const topicJobs walrus.Topic = 7

// fill adds n entries to the topic of jobs.
func fill(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		_, next := l.Bounds(topicJobs)
		check(t, l.Append(entry(topicJobs, next, payload(topicJobs, next))))
	}
}

// wantNext receives the next entry and compares its index and bytes.
func wantNext(t *testing.T, c *Consumer, index uint64) {
	t.Helper()
	e, err := c.Next(t.Context())
	if err != nil || e.Index != index || string(e.Payload) != string(payload(topicJobs, index)) {
		t.Fatalf("next is %+v, %v, want %d", e, err, index)
	}
}

func consumer(t *testing.T, l *Log, name string) *Consumer {
	t.Helper()
	c, err := l.Consumer(name, topicJobs)
	check(t, err)
	return c
}

func TestConsumersGoOnWhereTheyAcknowledged(t *testing.T) {
	fs := folder(t)
	l := open(t, fs, small())
	fill(t, l, 10)
	a, b := consumer(t, l, "a"), consumer(t, l, "b")
	if same := consumer(t, l, "a"); same != a {
		t.Error("two consumers have one name")
	}
	for i := uint64(1); i <= 4; i++ {
		if e, err := a.Peek(t.Context()); err != nil || e.Index != i {
			t.Fatalf("peek %+v, %v", e, err)
		}
		wantNext(t, a, i)
	}
	wantNext(t, b, 1)
	check(t, a.Ack(3))
	check(t, a.Ack(2)) // changes nothing
	a.Rewind()
	wantNext(t, a, 4)
	if next, pending := a.Cursor(); next != 4 || pending != 7 {
		t.Errorf("cursor %d, %d pending", next, pending)
	}
	check(t, l.Close())

	l = open(t, fs, small())
	want := []ConsumerInfo{{"a", topicJobs, 4}, {"b", topicJobs, 1}}
	if got := l.Consumers(); !slices.Equal(got, want) {
		t.Errorf("consumers %v, want %v", got, want)
	}
	wantNext(t, consumer(t, l, "a"), 4)
	wantNext(t, consumer(t, l, "b"), 1)
	check(t, l.Close())
}

// A cursor costs no sync of its own if it goes with a batch, and one if it does not.
func TestCursorRidesInABatch(t *testing.T) {
	l := open(t, folder(t), small())
	fill(t, l, 3)
	c := consumer(t, l, "rider")
	wantNext(t, c, 1)
	wantNext(t, c, 2)
	l.until(t, "the chores to be done", func() bool { return !l.chores.busy })
	before := l.Stats()
	check(t, c.AckWith(entry(8, 1, []byte("made of the first")), 1))
	after := l.Stats()
	if syncs, groups := after.Syncs-before.Syncs, after.Groups-before.Groups; syncs != 1 || groups != 1 {
		t.Errorf("an acknowledgement with an append took %d syncs, %d groups", syncs, groups)
	}
	if next, _ := c.Cursor(); next != 2 {
		t.Errorf("cursor %d", next)
	}
	if _, next := l.Bounds(8); next != 2 {
		t.Errorf("topic 8 ends at %d", next)
	}
	// A batch that is refused takes the acknowledgement with it.
	if err := c.AckWith(entry(8, 7, nil), 2); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("an entry out of its place: %v", err)
	}
	if next, _ := c.Cursor(); next != 2 {
		t.Errorf("cursor %d after a refusal", next)
	}
	check(t, c.Ack(2))
	check(t, l.Close())
}

func TestConsumersRefuse(t *testing.T) {
	l := open(t, folder(t), small())
	fill(t, l, 8)
	c := consumer(t, l, "c")
	wantNext(t, c, 1)
	_, other := l.Consumer("c", 9)
	_, empty := l.Consumer("", 9)
	_, long := l.Consumer(string(make([]byte, ConsumerNameMax+1)), 9)
	for name, err := range map[string]error{"another topic": other, "no name": empty, "a long name": long} {
		if !errors.Is(err, ErrConsumer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Ack(2); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("acknowledged before it was delivered: %v", err)
	}
	if err := c.Seek(10); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("beyond the end: %v", err)
	}
	var b walrus.Batch
	b.TruncateFront(topicJobs, 4)
	check(t, l.Append(&b))
	if _, err := c.Next(t.Context()); !errors.Is(err, walrus.ErrCompacted) {
		t.Errorf("entries that are gone: %v", err)
	}
	if err := c.Seek(3); !errors.Is(err, walrus.ErrCompacted) {
		t.Errorf("before the first: %v", err)
	}
	check(t, c.Seek(4))
	wantNext(t, c, 4)
	wantNext(t, c, 5)
	b.Reset()
	b.TruncateBack(topicJobs, 5)
	check(t, l.Append(&b))
	if _, err := c.Next(t.Context()); !errors.Is(err, walrus.ErrGap) {
		t.Errorf("cut below what was delivered: %v", err)
	}
	check(t, c.Seek(4))
	wantNext(t, c, 4)
	check(t, l.Close())
}

func TestConsumersAreLimitedAndRemoved(t *testing.T) {
	l := open(t, folder(t), small())
	fill(t, l, 1)
	var own walrus.Batch
	own.Set(ConsumerKey+3, []byte("the caller's own"))
	check(t, l.Append(&own))
	for i := range ConsumersMax - 1 {
		consumer(t, l, fmt.Sprint("c", i))
	}
	if _, err := l.Consumer("one more", topicJobs); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("one too many: %v", err)
	}
	if v, _ := l.Get(ConsumerKey + 3); string(v) != "the caller's own" {
		t.Errorf("a value that is no cursor is %q", v)
	}
	c := consumer(t, l, "c5")
	wantNext(t, c, 1)
	waiting := inBackground(1, func(int) {
		if _, err := c.Next(context.Background()); !errors.Is(err, ErrRemoved) {
			t.Errorf("waited for: %v", err)
		}
	})
	check(t, c.Remove())
	await(t, waiting, "the removal to be noticed")
	for name, err := range map[string]error{"ack": c.Ack(1), "seek": c.Seek(1), "remove": c.Remove()} {
		if !errors.Is(err, ErrRemoved) {
			t.Errorf("%s of what was removed: %v", name, err)
		}
	}
	wantNext(t, consumer(t, l, "one more"), 1)
	if n := len(l.Consumers()); n != ConsumersMax-1 {
		t.Errorf("%d consumers", n)
	}
	check(t, l.Close())
}

func TestTrimDropsWhatAllHaveAcknowledged(t *testing.T) {
	l := open(t, folder(t), small())
	fill(t, l, 10)
	if first, err := l.Trim(topicJobs); err != nil || first != 1 {
		t.Errorf("without a consumer: %d, %v", first, err)
	}
	a, b := consumer(t, l, "a"), consumer(t, l, "b")
	check(t, a.Seek(9))
	check(t, b.Seek(6))
	for range 2 {
		if first, err := l.Trim(topicJobs); err != nil || first != 6 {
			t.Errorf("trimmed to %d, %v", first, err)
		}
	}
	if s := l.TopicStats(topicJobs); s.Entries != 5 || s.First != 6 || s.Next != 11 || s.Bytes != 5*16+6+7+8+9+10 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}

// Goroutines share a consumer: every entry comes to one of them.
func TestConsumerIsSharedByGoroutines(t *testing.T) {
	const workers, jobs = 4, 200
	l := open(t, folder(t), small())
	c := consumer(t, l, "pool")
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	seen := map[uint64]int{}
	done := inBackground(workers, func(int) {
		for {
			e, err := c.Next(ctx)
			if errors.Is(err, context.Canceled) {
				return
			}
			if err == nil {
				err = c.Ack(e.Index)
			}
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if seen[e.Index]++; len(seen) == jobs {
				cancel()
			}
			mu.Unlock()
		}
	})
	for range jobs / 2 {
		_, err := l.Add(topicJobs, 1, 0, []byte("one"), []byte("two"))
		check(t, err)
	}
	await(t, done, "the workers")
	for index, times := range seen {
		if times != 1 {
			t.Errorf("entry %d came %d times", index, times)
		}
	}
	if next, pending := c.Cursor(); next != jobs+1 || pending != 0 {
		t.Errorf("cursor %d, %d pending", next, pending)
	}
	check(t, l.Close())
}

// What a process leaves behind that dies between two file calls has each cursor where it was
// acknowledged or where its acknowledgement was under way, and never apart from the batch it
// came with.
func TestKilledLogKeepsCursors(t *testing.T) {
	const images, made walrus.Topic = 5, 8
	fs := folder(t)
	var calls sync.RWMutex // held for writing: no file call is under way
	l := open(t, &hookFS{FS: fs, around: func(_, _ string, call func() error) error {
		calls.RLock()
		defer calls.RUnlock()
		return call()
	}}, small())
	c := consumer(t, l, "worker")
	var stop atomic.Bool
	var begun, acked atomic.Uint64
	done := inBackground(2, func(who int) {
		for !stop.Load() && who == 0 {
			_, err := l.Add(topicJobs, 1, 0, []byte("job"))
			if err != nil {
				t.Error(err)
			}
		}
		for i := uint64(1); !stop.Load() && who == 1; i++ {
			e, err := c.Next(t.Context())
			begun.Store(i)
			if err == nil {
				err = c.AckWith(entry(made, e.Index, e.Payload), e.Index)
			}
			if err != nil {
				t.Error(err)
				return
			}
			acked.Store(i)
		}
	})
	for n := range uint64(images) {
		l.until(t, "acknowledgements", func() bool { return acked.Load() > 40*n })
		calls.Lock()
		least, most := acked.Load(), begun.Load()
		image := copyFolder(t, fs, "log")
		calls.Unlock()

		again := open(t, image, small())
		next, _ := consumer(t, again, "worker").Cursor()
		if _, end := again.Bounds(made); next != end || next <= least || next > most+1 {
			t.Errorf("cursor %d, what it made ends at %d: %d acknowledged, %d begun", next, end, least, most)
		}
		check(t, again.Close())
	}
	stop.Store(true)
	await(t, done, "the worker")
	check(t, l.Close())
}

// Entries without a payload come one at a time like all others.
func TestConsumerTakesEmptyEntriesOneByOne(t *testing.T) {
	l := open(t, folder(t), small())
	_, err := l.Add(topicJobs, 1, 0, nil, nil, nil)
	check(t, err)
	c := consumer(t, l, "a")
	for i := uint64(1); i <= 3; i++ {
		if e, err := c.Next(t.Context()); err != nil || e.Index != i || len(e.Payload) > 0 {
			t.Fatalf("next is %+v, %v, want %d", e, err, i)
		}
		check(t, c.Ack(i))
	}
	check(t, l.Close())
}
