package sim

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// claimed makes a file of ten claims of 600 bytes, claim i holding bytes i+1, each
// written over zeros and synced by itself, and declares them.
func (b *bench) claimed() *file {
	f := b.newFile("log", make([]byte, 16<<10))
	b.quietly(func() {
		for i := range 10 {
			off := int64(i) * 600
			b.op(opWrite, fileOp{file: f, buf: fill(byte(i+1), 600), off: off})
			b.op(opSyncData, fileOp{file: f})
			b.w.ledger.Declare(faults.Claim{Node: b.id, Group: faults.Group{ID: uint64(i)}, File: "log", Off: off, Len: 600, Log: true, Step: uint64(i + 1)})
		}
		b.w.ledger.Declare(faults.Claim{Node: b.id, Group: faults.Group{ID: 10}, File: "log", Off: 15 << 10, Len: 10, Log: true, Step: 11})
	})
	return f
}

func intact() []byte {
	var all []byte
	for i := range 10 {
		all = append(all, fill(byte(i+1), 600)...)
	}
	return all
}

// Each kind of damage at rest changes claimed bytes, shows the same at every read
// and after a loss of power, and goes when the bytes are written anew.
func TestDamageAtRest(t *testing.T) {
	for _, kind := range []string{"rot", "latent", "phantom", "misdirect"} {
		for seed := range uint64(20) {
			b := newBench(t, seed, kind+"=100ms,budget=over")
			f := b.claimed()
			for b.struck[kind] == 0 {
				b.w.Step()
			}
			b.w.spec = faults.Spec{}
			b.w.nemesis.over = true
			first, err := b.read(f, 0, 6000)
			again, errAgain := b.read(f, 0, 6000)
			if kind == "latent" {
				if !errors.Is(err, runtime.ErrIO) || !errors.Is(errAgain, runtime.ErrIO) || len(first) == 6000 || len(again) != len(first) {
					t.Errorf("latent, seed %d: read %d bytes, %v, then %d, %v", seed, len(first), err, len(again), errAgain)
				}
			} else if err != nil || bytes.Equal(first, intact()) || !bytes.Equal(first, again) {
				t.Errorf("%s, seed %d: %v, or nothing is wrong, or not the same at every read", kind, seed, err)
			}
			if b.w.Durable(1, "log", 0, make([]byte, 6000)) && kind == "latent" {
				t.Errorf("latent, seed %d: unreadable and called durable", seed)
			}
			b.op(opWrite, fileOp{file: f, buf: intact()})
			b.op(opWrite, fileOp{file: f, buf: make([]byte, 10<<10), off: 6000})
			if healed, err := b.read(f, 0, 6000); err != nil || !bytes.Equal(healed, intact()) {
				t.Errorf("%s, seed %d: still wrong after it was written anew: %v", kind, seed, err)
			}
			if !b.w.ledger.Damaged(1) {
				t.Errorf("%s, seed %d: the ledger does not know", kind, seed)
			}
		}
	}
}

// A misread shows something else once, and the truth at the next read.
func TestMisreads(t *testing.T) {
	for _, kind := range []string{"stale", "astray"} {
		b := newBench(t, 3, kind+"=1")
		f := b.claimed()
		wrong, err := b.read(f, 0, 6000)
		if err != nil || bytes.Equal(wrong, intact()) || b.struck[kind] != 1 {
			t.Errorf("%s: %v, traced %v, or nothing is wrong", kind, err, b.struck)
		}
		b.quietly(func() {
			if right, _ := b.read(f, 0, 6000); !bytes.Equal(right, intact()) {
				t.Errorf("%s: wrong when read again", kind)
			}
		})
		if tail, _ := b.read(f, 15<<10, 10); !bytes.Equal(tail, make([]byte, 10)) || b.struck[kind] != 1 {
			t.Errorf("%s: the newest claim was struck", kind)
		}
	}
}

// A file of less than a sector has no other place that could be read instead.
func TestShortFileIsNotMisread(t *testing.T) {
	b := newBench(t, 3, "astray=1")
	f := b.newFile("short", nil)
	b.quietly(func() {
		b.op(opWrite, fileOp{file: f, buf: fill(1, 300)})
		b.op(opSync, fileOp{file: f})
		for i := range 2 {
			claim := faults.Claim{Node: b.id, Group: faults.Group{ID: uint64(i)}, File: "short", Off: int64(i) * 150, Len: 150, Step: uint64(i + 1)}
			b.w.ledger.Declare(claim)
		}
	})
	if got, err := b.read(f, 0, 300); err != nil || !bytes.Equal(got, fill(1, 300)) || b.struck["astray"] != 0 {
		t.Errorf("%v, traced %v, or something is wrong", err, b.struck)
	}
}

// Damage spares what a budget does not cover: here all, as one node has no copies to lose.
func TestDamageAsksTheLedger(t *testing.T) {
	b := newBench(t, 1, "rot=100ms,latent=100ms,phantom=100ms,misdirect=100ms,wipe=100ms")
	f := b.claimed()
	b.w.RunUntil(b.w.now.Add(20 * time.Second))
	if got, err := b.read(f, 0, 6000); err != nil || !bytes.Equal(got, intact()) {
		t.Errorf("changed, or %v; traced %v", err, b.struck)
	}
}

// Over the budget a wiped node boots on an empty disk.
func TestWipedNodeBootsOnAnEmptyDisk(t *testing.T) {
	b := newBench(t, 1, "wipe=100ms,budget=over")
	b.claimed()
	for b.struck["wipe"] == 0 {
		b.w.Step()
	}
	b.w.nemesis.over = true
	b.w.RunUntil(b.w.now.Add(2 * time.Second))
	if b.state != machineUp || len(b.disk.names.seen.sorted) != 0 {
		t.Errorf("state %v, names %v", b.state, b.disk.names.seen.sorted)
	}
}

// A restored disk holds what was durable when it was copied, and nothing newer.
func TestRestoredDiskIsTheOldOne(t *testing.T) {
	b := newBench(t, 1, "restore=100ms,budget=over")
	f := b.claimed()
	b.quietly(func() { b.op(opWrite, fileOp{file: f, buf: fill(99, 600)}) }) // not synced
	for b.image == nil {
		b.w.Step()
	}
	b.quietly(func() {
		b.op(opWrite, fileOp{file: f, buf: fill(77, 600)})
		b.op(opSyncData, fileOp{file: f})
		b.op(opCreate, fileOp{name: "new"})
		b.op(opSyncDir, fileOp{name: "."})
	})
	for b.struck["restore"] == 0 {
		b.w.Step()
	}
	got := make([]byte, 6000)
	if !b.w.Durable(1, "log", 0, got) || !bytes.Equal(got, intact()) || b.disk.names.seen.lookup("new") != nil {
		t.Errorf("the disk holds something else: %d, names %v", got[0], b.disk.names.seen.sorted)
	}
}
