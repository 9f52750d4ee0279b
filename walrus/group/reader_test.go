package group

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// openFS knows which segments are open under the name they were opened with.
type openFS struct {
	runtime.FS
	mu    sync.Mutex
	files []string
}

type openFile struct {
	runtime.File
	fs   *openFS
	name string
}

func (o *openFS) Open(name string) (runtime.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = append(o.files, name)
	return &openFile{File: f, fs: o, name: name}, nil
}

func (f *openFile) Close() error {
	f.fs.mu.Lock()
	at := slices.Index(f.fs.files, f.name)
	f.fs.files = slices.Delete(f.fs.files, at, at+1)
	f.fs.mu.Unlock()
	return f.File.Close()
}

// gone returns the open files that are not in the log's folder any more.
func (o *openFS) gone(t *testing.T) (names []string) {
	there, err := o.List("log")
	check(t, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range o.files {
		if _, base, _ := strings.Cut(name, "/"); strings.HasSuffix(base, ".seg") && !slices.Contains(there, base) {
			names = append(names, name)
		}
	}
	return names
}

// fillSegments appends entries from an index on until the log has had n segments more. It waits for the
// chores: a segment grows while it has no successor.
func fillSegments(t *testing.T, l *Log, next uint64, n int) uint64 {
	t.Helper()
	for range n * int(small().SegmentBytes) / (8 << 10) {
		check(t, l.Append(entry(1, next, bigPayload(next))))
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		next++
	}
	return next
}

func bigPayload(index uint64) []byte { return []byte(strings.Repeat(fmt.Sprintf("%8d", index), 1<<10)) }

// A read allocates its payload and nothing else, and a scan nothing for each entry.
func TestReadAllocatesOnce(t *testing.T) {
	l := open(t, folder(t), walrus.Options{Dir: "log"})
	const entries = 2000
	for next := uint64(1); next <= entries; {
		var b walrus.Batch
		for range 100 {
			b.Entry(1, next, 1, 0, make([]byte, 1<<10))
			next++
		}
		check(t, l.Append(&b))
	}
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	index, n := uint64(0), 0
	visit := func(e Entry) error {
		n += len(e.Payload)
		return nil
	}
	if allocs := testing.AllocsPerRun(200, func() {
		index = index%entries + 1
		if _, err := l.Read(1, index, index+1, 0, visit); err != nil {
			t.Error(err)
		}
	}); allocs > 1 {
		t.Errorf("%v allocations a read", allocs)
	}
	if allocs := testing.AllocsPerRun(5, func() {
		if next, err := l.Scan(1, 1, visit); err != nil || next != entries+1 {
			t.Errorf("scan to %d: %v", next, err)
		}
	}); allocs > 10 {
		t.Errorf("%v allocations a scan of %d entries", allocs, entries)
	}
	if n == 0 {
		t.Error("nothing was read")
	}
	check(t, l.Close())
}

// All of a topic is truncated and the log goes on through many segments, while a reader stands in the
// middle of the oldest. It sees its entries to the end; then the segment goes, and no reader keeps it.
func TestReaderOutlivesTruncation(t *testing.T) {
	for _, owned := range []bool{true, false} {
		fs := &openFS{FS: folder(t)}
		l := open(t, fs, small())
		next := fillSegments(t, l, 1, 2)
		if n := l.log.Stats().Segments; n < 3 {
			t.Fatalf("%d segments", n)
		}
		last := next
		at := uint64(1)
		visit := func(e Entry) error {
			if e.Index != at || string(e.Payload) != string(bigPayload(at)) {
				t.Errorf("entry %d begins %.16q, want %d", e.Index, e.Payload, at)
			}
			if at++; at > 2 {
				return nil
			}
			var b walrus.Batch
			b.TruncateFront(1, last)
			check(t, l.Append(&b))
			next = fillSegments(t, l, next, 8)
			l.until(t, "the chores", func() bool { return !l.chores.busy })
			return nil
		}
		var err error
		if owned {
			_, err = l.Read(1, 1, last, 1<<30, visit)
		} else {
			_, err = l.Scan(1, 1, func(e Entry) error {
				if e.Index == last {
					return errStop // the next part
				}
				return visit(e)
			})
		}
		if err != nil && err != errStop || at != last {
			t.Errorf("owned %v: read to %d, want %d: %v", owned, at, last, err)
		}
		var b walrus.Batch
		b.TruncateFront(1, next)
		check(t, l.Append(&b))
		next = fillSegments(t, l, next, 8)
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		if names := fs.gone(t); len(names) > 0 {
			t.Errorf("owned %v: open though removed: %v", owned, names)
		}
		check(t, l.Close())
		if len(fs.files) > 0 {
			t.Errorf("owned %v: open after Close: %v", owned, fs.files)
		}
	}
}

// Readers that nobody uses give the segments back that are removed.
func TestIdleReadersKeepNoRemovedSegment(t *testing.T) {
	fs := &openFS{FS: folder(t)}
	l := open(t, fs, small())
	next := uint64(1)
	for range 6 {
		first := next
		next = fillSegments(t, l, next, 4)
		var deep func(left int) // so many readers at a time
		deep = func(left int) {
			_, err := l.Read(1, first, next, 1<<30, func(e Entry) error {
				if e.Index == first && left > 0 {
					deep(left - 1)
				}
				return nil
			})
			check(t, err)
		}
		deep(readersKept + 3)
		var b walrus.Batch
		b.TruncateFront(1, next)
		check(t, l.Append(&b))
	}
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	check(t, l.Append(entry(1, next, nil))) // the chores that this leaves due
	l.until(t, "the chores", func() bool { return !l.chores.busy })
	if names := fs.gone(t); len(names) > 0 {
		t.Errorf("open though removed: %v", names)
	}
	if n := len(l.readers.idle); n > readersKept {
		t.Errorf("%d readers are kept", n)
	}
	_, err := l.Read(1, next, next+1, 0, func(Entry) error { return nil })
	check(t, err)
	check(t, l.Close())
	if len(fs.files) > 0 {
		t.Errorf("open after Close: %v", fs.files)
	}
}

// A reader has the oldest segments open from an earlier read, and is at work elsewhere when they are removed.
func TestReaderAtWorkKeepsNoRemovedSegment(t *testing.T) {
	fs := &openFS{FS: folder(t)}
	l := open(t, fs, small())
	next := fillSegments(t, l, 1, 8)
	_, err := l.Read(1, 1, next, 1<<30, func(Entry) error { return nil })
	check(t, err)
	_, err = l.Read(1, next-1, next, 0, func(Entry) error {
		var b walrus.Batch
		b.TruncateFront(1, next-1)
		check(t, l.Append(&b))
		check(t, l.Append(entry(1, next, nil)))
		l.until(t, "the chores", func() bool { return !l.chores.busy })
		return nil
	})
	check(t, err)
	if names := fs.gone(t); len(names) > 0 {
		t.Errorf("open though removed: %v", names)
	}
	check(t, l.Close())
}

// What Read hands out stays as it is when others read.
func TestOwnedPayloadsStay(t *testing.T) {
	l := open(t, folder(t), small())
	next := fillSegments(t, l, 1, 4)
	kept := map[uint64][]byte{}
	for index := uint64(1); index < next; index++ {
		_, err := l.Read(1, index, index+1, 0, func(e Entry) error {
			kept[e.Index] = e.Payload
			return nil
		})
		check(t, err)
	}
	for e, err := range l.Entries(1, 1) {
		check(t, err)
		kept[e.Index+next] = e.Payload
	}
	_, err := l.Scan(1, 1, func(Entry) error { return nil })
	check(t, err)
	for index := uint64(1); index < next; index++ {
		for _, p := range [][]byte{kept[index], kept[index+next]} {
			if string(p) != string(bigPayload(index)) {
				t.Errorf("entry %d has become %.16q", index, p)
			}
		}
	}
	check(t, l.Close())
}
