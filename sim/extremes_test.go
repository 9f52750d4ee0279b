package sim

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// A failed read may give a part of its bytes: the right ones.
func TestFailedReadsAreShort(t *testing.T) {
	b := newBench(t, 1, "io=0.5")
	var f *file
	b.quietly(func() { f = b.newFile("f", fill(1, 2000)) })
	short := 0
	for range 200 {
		op := b.op(opRead, fileOp{file: f, buf: make([]byte, 2000)})
		switch {
		case op.err == nil && op.count != 2000:
			t.Fatalf("%d bytes and no error", op.count)
		case op.err == nil || op.count == 0:
		case !errors.Is(op.err, runtime.ErrIO) || op.count >= 2000 || !bytes.Equal(op.buf[:op.count], fill(1, 2000)[:op.count]):
			t.Fatalf("%d bytes, %v", op.count, op.err)
		default:
			short++
		}
	}
	if short < 20 || b.struck["short-read"] < short {
		t.Errorf("%d short reads, traced %v", short, b.struck)
	}
}

// A dead disk fails every call, once and again, and works afterwards as before.
func TestDeadDisk(t *testing.T) {
	b := newBench(t, 1, "dead=1s/2s")
	var f *file
	b.quietly(func() {
		f = b.newFile("f", fill(1, 600))
		b.op(opWrite, fileOp{file: f, buf: fill(2, 600)})
	})
	for b.struck["dead"] == 0 {
		b.w.Step()
	}
	failed := [deadParts]int{deadAll: int(opCount), deadChanges: 10, deadReads: 5}
	counted := uint64(0)
	for part, want := range failed {
		got := 0
		b.trouble.fails = deadPart(part)
		for range 3 {
			for kind := range opCount {
				if !b.trouble.fails.meets(kind) {
					continue
				}
				got++
				if op := b.op(kind, fileOp{file: f, name: "f", newName: "g", buf: make([]byte, 10)}); !errors.Is(op.err, runtime.ErrIO) {
					t.Errorf("%s: %v", opNames[kind], op.err)
				}
			}
		}
		if counted += uint64(got); got != 3*want || b.w.fired[faults.KindDeadCall] != counted {
			t.Errorf("part %d: %d calls failed, want %d, counted %d", part, got, 3*want, b.w.fired[faults.KindDeadCall])
		}
	}
	for b.trouble.dead > b.w.now {
		b.w.RunUntil(b.trouble.dead)
	}
	b.quietly(func() {
		if op := b.op(opWrite, fileOp{file: f, buf: fill(3, 600)}); op.err != nil {
			t.Errorf("afterwards: %v", op.err)
		}
	})
	for b.trouble.dead <= b.w.now {
		b.w.Step()
	}
	b.w.Heal([]runtime.NodeID{1})
	if op := b.op(opSyncData, fileOp{file: f}); op.err != nil {
		t.Errorf("after the heal: %v", op.err)
	}
}

// Two machines that got each other's disks find each other's durable bytes, and only over
// the budget.
func TestSwappedDisks(t *testing.T) {
	spec, err := faults.Parse("swap=1s,budget=over")
	if err != nil {
		t.Fatal(err)
	}
	if within := (faults.Spec{Swap: spec.Swap}); within.Conflict() == nil {
		t.Error("disks are swapped within the budget")
	}
	w := New(Config{Seed: 3, Nodes: 2, Spec: spec, NewNode: func(runtime.NodeID) runtime.Node { return idle{} }})
	defer w.Close()
	w.RunUntil(w.now.Add(50 * time.Millisecond))
	for i, m := range w.machines {
		b := &bench{Machine: m, t: t, struck: map[string]int{}}
		b.quietly(func() {
			b.newFile("f", fill(byte(i+1), 600))
			b.op(opSyncDir, fileOp{name: "."})
		})
	}
	for w.fired[faults.KindSwap] == 0 {
		w.Step()
	}
	for i, m := range w.machines {
		got := make([]byte, 600)
		if !w.Durable(m.id, "f", 0, got) || !bytes.Equal(got, fill(byte(2-i), 600)) {
			t.Errorf("%v does not have the other's file", m.id)
		}
	}
}

// Without powersafe overwrite a torn sector loses bytes that were synced long ago; with it
// they stay.
func TestRuinedSectors(t *testing.T) {
	for _, c := range []struct {
		spec  string
		ruins bool
	}{{"torn=1,crash=all", false}, {"torn=1,psow=0,crash=all", true}} {
		ruined, fired := false, false
		for seed := range uint64(40) {
			b := newBench(t, seed, c.spec)
			b.quietly(func() {
				f := b.newFile("f", fill(1, 500))
				b.op(opSyncDir, fileOp{name: "."})
				b.op(opWrite, fileOp{file: f, buf: fill(2, 12), off: 500})
			})
			b.kill(true)
			got := make([]byte, 500)
			if !b.w.Durable(1, "f", 0, got) {
				t.Fatal("the file is gone")
			}
			ruined = ruined || !bytes.Equal(got, fill(1, 500))
			fired = fired || b.w.fired[faults.KindRuined] > 0
		}
		if ruined != c.ruins || fired != c.ruins {
			t.Errorf("%s: older bytes lost: %v, said so: %v", c.spec, ruined, fired)
		}
	}
}
