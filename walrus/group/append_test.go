package group

import (
	"errors"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/fstest"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

func TestCountingChangesNothing(t *testing.T) {
	err := fstest.Check(func() (runtime.FS, error) {
		fs, err := host.OpenFolder(t.TempDir())
		return &counted{FS: fs}, err
	})
	if err != nil {
		t.Error(err)
	}
}

// Every writer has a topic of its own and a stable key, and all add to one that
// they share. What they were told is durable is what the next life finds.
func TestWritersThenReopen(t *testing.T) {
	const writers, records = 8, 150
	fs := folder(t)
	l := open(t, fs, small())
	shared := walrus.Topic(100)
	var firsts [writers][]uint64
	done := inBackground(writers, func(w int) {
		var b walrus.Batch
		topic := walrus.Topic(w + 1)
		for i := range uint64(records) {
			b.Reset()
			b.Entry(topic, i+1, 1, 0, payload(topic, i+1))
			b.Set(uint16(w), payload(topic, i))
			if err := l.Append(&b); err != nil {
				t.Error(err)
				return
			}
			if _, next := l.Bounds(topic); next != i+2 {
				t.Errorf("topic %d ends at %d after entry %d is durable", topic, next, i+1)
			}
			first, err := l.Add(shared, 1, uint8(w), []byte{byte(w)}, []byte{byte(w)})
			if err != nil {
				t.Error(err)
				return
			}
			firsts[w] = append(firsts[w], first)
		}
	})
	await(t, done, "the writers")
	s := l.Stats()
	if want := uint64(writers * records * 2); s.Batches != want || s.Records < 2*want || s.Groups > want || s.Syncs < s.Groups {
		t.Errorf("%+v, want %d batches", s, want)
	}
	check(t, l.Close())

	l, report, err := Open(fs, small())
	check(t, err)
	if report.Verdict != walrus.Clean {
		t.Errorf("report of a closed log: %v", report)
	}
	for w := range writers {
		topic := walrus.Topic(w + 1)
		if next, err := verify(l, topic); err != nil || next != records+1 {
			t.Errorf("topic %d ends at %d: %v", topic, next, err)
		}
		if v, ok := l.Get(uint16(w)); !ok || !slices.Equal(v, payload(topic, records-1)) {
			t.Errorf("key %d has %x", w, v)
		}
		if !slices.IsSorted(firsts[w]) {
			t.Errorf("writer %d was given the indexes %v", w, firsts[w])
		}
	}
	count := uint64(1)
	for e, err := range l.Entries(shared, 1) {
		check(t, err)
		first := e.Index - (e.Index-1)%2
		if e.Index != count || e.Payload[0] != e.Flags || !slices.Contains(firsts[e.Flags], first) {
			t.Fatalf("entry %d is %+v", count, e)
		}
		count++
	}
	if count != 2*writers*records+1 {
		t.Errorf("shared topic ends at %d", count)
	}
	check(t, l.Close())
}

// Who comes while a group is in flight shares the next.
func TestLatecomersShareOneGroup(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	const late = 10
	done := inBackground(late+1, func(i int) {
		if i > 0 {
			l.until(t, "the first group in flight", func() bool { return l.open == 2 })
		}
		if err := l.Append(entry(walrus.Topic(i+1), 1, nil)); err != nil {
			t.Error(err)
		}
	})
	await(t, gate.arrived, "the first sync")
	l.until(t, "the others", func() bool { return l.round(2).owners == late })
	if _, next := l.Bounds(1); next != 1 {
		t.Errorf("visible before it is durable")
	}
	gate.let <- nil
	gate.let <- nil
	await(t, done, "the appenders")
	if s := l.Stats(); s.Groups != 2 || s.Batches != late+1 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}

func TestRefusedBatchesHarmNobody(t *testing.T) {
	l := open(t, folder(t), small())
	check(t, l.Append(entry(1, 1, []byte("x"))))
	check(t, l.Append(&walrus.Batch{}))
	front := &walrus.Batch{}
	front.TruncateBack(1, 0)
	for _, c := range []struct {
		batch *walrus.Batch
		want  error
	}{
		{entry(1, 5, nil), walrus.ErrGap}, {entry(0, 1, nil), walrus.ErrTooLarge}, {front, walrus.ErrCompacted},
	} {
		if err := l.Append(c.batch); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
		if _, err := l.Submit(c.batch); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	check(t, l.Append(entry(1, 2, []byte("y"))))
	if s := l.Stats(); s.Batches != 2 || s.Groups != 2 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}

func TestGetCopies(t *testing.T) {
	l := open(t, folder(t), small())
	var b walrus.Batch
	b.Set(3, []byte("old"))
	check(t, l.Append(&b))
	old, _ := l.Get(3)
	b.Reset()
	b.Set(3, []byte("new"))
	check(t, l.Append(&b))
	if value, ok := l.Get(3); !ok || string(value) != "new" || string(old) != "old" {
		t.Errorf("%q, before that %q", value, old)
	}
	if value, ok := l.Get(4); ok {
		t.Errorf("%q of a key never set", value)
	}
	check(t, l.Close())
}

// Nobody flushes for appenders but appenders, each on its own stack.
func TestAppendersFlushThemselves(t *testing.T) {
	l := open(t, &hookFS{FS: folder(t), around: func(op, _ string, call func() error) error {
		if op == "sync data" && !strings.Contains(stack(), "(*Log).Append(") {
			t.Errorf("flush by somebody else:\n%s", stack())
		}
		return call()
	}}, small())
	await(t, inBackground(4, func(w int) {
		for i := range uint64(30) {
			if err := l.Append(entry(walrus.Topic(w+1), i+1, nil)); err != nil {
				t.Error(err)
			}
		}
	}), "the writers")
	check(t, l.Close())
}

// A leader that was one of several lets the others come back first.
func TestLeaderLetsOthersJoin(t *testing.T) {
	l := open(t, folder(t), small())
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1))
	l.crowd.size = 3
	done := inBackground(2, func(w int) {
		if err := l.Append(entry(walrus.Topic(w+2), 1, nil)); err != nil {
			t.Error(err)
		}
	})
	check(t, l.Append(entry(1, 1, nil)))
	await(t, done, "the others")
	if s := l.Stats(); s.Groups != 1 {
		t.Errorf("%+v", s)
	}
	check(t, l.Close())
}

func TestSecondOpenerIsRefused(t *testing.T) {
	fs := folder(t)
	l := open(t, fs, small())
	if _, _, err := Open(fs, small()); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("got %v", err)
	}
	check(t, l.Close())
	check(t, open(t, fs, small()).Close())
}

// Batches that move the end of a topic make those who add to it look again.
func TestAddFollowsWhatOthersDo(t *testing.T) {
	l := open(t, folder(t), small())
	if first, err := l.Add(1, 1, 0, []byte("a"), []byte("b"), []byte("c")); first != 1 || err != nil {
		t.Errorf("first is %d: %v", first, err)
	}
	move := func(set func(b *walrus.Batch)) {
		var b walrus.Batch
		set(&b)
		if _, err := l.Submit(&b); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		name string
		set  func(b *walrus.Batch)
		want uint64
	}{
		{"truncated at the back", func(b *walrus.Batch) { b.TruncateBack(1, 3) }, 3},
		{"appended to", func(b *walrus.Batch) { b.Entry(1, 4, 1, 0, nil) }, 5},
		{"rebased", func(b *walrus.Batch) { b.Rebase(1, 1000) }, 1000},
	} {
		move(c.set)
		if first, err := l.Add(1, 1, 0, []byte("d")); first != c.want || err != nil {
			t.Errorf("%s: first is %d: %v", c.name, first, err)
		}
	}
	check(t, l.Close())
}

// Adders in flight at the same time number their entries one after the other.
func TestAddWhileOneIsInFlight(t *testing.T) {
	gate := newSyncGate()
	l := open(t, gate.over(folder(t)), small())
	const adders = 12
	var seen [adders + 2]atomic.Bool
	done := inBackground(adders, func(int) {
		first, err := l.Add(7, 1, 0, nil)
		if err != nil || seen[first].Swap(true) {
			t.Errorf("given %d: %v", first, err)
		}
	})
	await(t, gate.arrived, "the first sync")
	l.until(t, "the others", func() bool { return l.round(2).owners+l.round(1).owners == adders })
	gate.let <- nil
	gate.let <- nil
	await(t, done, "the adders")
	if _, next := l.Bounds(7); next != adders+1 {
		t.Errorf("ends at %d", next)
	}
	check(t, l.Close())
}

func TestOpenReportsWhatIsWrong(t *testing.T) {
	if _, report, err := Open(folder(t), walrus.Options{}); err == nil || report == nil {
		t.Errorf("options without a folder: %v, %v", report, err)
	}
}
