package sim

import (
	"errors"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// A full disk refuses what needs room, at the byte where it ends, and nothing else.
func TestFullDisk(t *testing.T) {
	b := newBench(t, 1, "space=1000B")
	f := b.op(opCreate, fileOp{name: "f"}).opened
	if op := b.op(opWrite, fileOp{file: f, buf: fill(1, 900)}); op.err != nil {
		t.Fatal(op.err)
	}
	if op := b.op(opWrite, fileOp{file: f, buf: fill(2, 300), off: 800}); !errors.Is(op.err, runtime.ErrNoSpace) || op.count != 200 {
		t.Errorf("over the end: %d bytes, %v", op.count, op.err)
	}
	for _, c := range []struct {
		name string
		kind opKind
		op   fileOp
		full bool
	}{
		{"over old bytes", opWrite, fileOp{file: f, buf: fill(3, 1000)}, false},
		{"one more byte", opWrite, fileOp{file: f, buf: fill(3, 1), off: 1000}, true},
		{"no bytes", opWrite, fileOp{file: f, off: 5000}, false},
		{"reserve", opAllocate, fileOp{file: f, off: 1000, n: 1}, true},
		{"reserve what is there", opAllocate, fileOp{file: f, n: 1000, zero: true}, false},
		{"create", opCreate, fileOp{name: "g"}, true},
		{"make a folder", opMkdirAll, fileOp{name: "d"}, true},
		{"rename", opRename, fileOp{name: "f", newName: "g"}, false},
		{"read", opRead, fileOp{file: f, buf: make([]byte, 10)}, false},
		{"sync", opSync, fileOp{file: f}, false},
		{"truncate", opTruncate, fileOp{file: f, n: 500}, false},
		{"create in what came free", opCreate, fileOp{name: "h"}, false},
	} {
		if op := b.op(c.kind, c.op); errors.Is(op.err, runtime.ErrNoSpace) != c.full || !c.full && op.err != nil {
			t.Errorf("%s: %v, want a full disk: %v", c.name, op.err, c.full)
		}
	}
	if op := b.op(opAllocate, fileOp{file: f, off: 500, n: 5000, zero: true}); op.err == nil || f.inode.size != 1000 {
		t.Errorf("zeros up to the end: %v, %d bytes", op.err, f.inode.size)
	}
	if b.struck["no-space"] != 6 {
		t.Errorf("traced %v", b.struck)
	}
}

// A disk filled by somebody else is empty again later, and free in the core
// once it is healed.
func TestSpaceComesBack(t *testing.T) {
	b := newBench(t, 1, "space=4KiB/1s")
	full, free := 0, 0
	for range 1000 {
		b.w.RunUntil(b.w.now.Add(20 * time.Millisecond))
		if b.trouble.limit > 0 {
			full++
		} else {
			free++
		}
	}
	if full < 100 || free < 100 || b.struck["full"] < 5 {
		t.Errorf("full %d times, free %d times, traced %v", full, free, b.struck)
	}
	for b.trouble.limit == 0 {
		b.w.Step()
	}
	b.w.Heal([]runtime.NodeID{1})
	if b.trouble.limit != 0 {
		t.Error("full after the heal")
	}
}

// latencyOf returns how long a call takes.
func latencyOf(b *bench) time.Duration {
	start := b.w.now
	done := false
	b.proc.(*native).Submit(0, func(fs runtime.FS) error {
		_, err := fs.List(".")
		done = true
		return err
	}, func(error) {})
	for !done {
		b.w.Step()
	}
	return time.Duration(b.w.now - start)
}

func TestSlowAndStalledDisks(t *testing.T) {
	usual := latencyOf(newBench(t, 1, "none"))
	if slow := latencyOf(newBench(t, 1, "slow=100")); slow != 100*usual {
		t.Errorf("a call takes %v, and %v on a disk 100 times slower", usual, slow)
	}
	b := newBench(t, 1, "stall=30s/1s")
	for b.trouble.stalled <= b.w.now {
		b.w.Step()
	}
	until := b.trouble.stalled
	if latencyOf(b); b.w.now < until {
		t.Errorf("a call ended at %v, while the disk stood still until %v", b.w.now, until)
	}
	b = newBench(t, 1, "slow=100/1s")
	slow, usually := 0, 0
	for range 1000 {
		b.w.RunUntil(b.w.now.Add(20 * time.Millisecond))
		if b.trouble.slow > 0 {
			slow++
		} else {
			usually++
		}
	}
	if slow < 100 || usually < 100 || b.struck["slow"] < 5 {
		t.Errorf("slow %d times, not slow %d times, traced %v", slow, usually, b.struck)
	}
}
