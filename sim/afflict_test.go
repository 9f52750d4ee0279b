package sim

import (
	"errors"
	"testing"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// idle is a node that does nothing.
type idle struct{}

func (idle) Boot(runtime.Env)                                {}
func (idle) Wake()                                           {}
func (idle) Call(runtime.CallID, runtime.Instant, []byte)    {}
func (idle) Receive(runtime.NodeID, runtime.Channel, []byte) {}
func (idle) Cancel(runtime.CallID)                           {}
func (idle) Stop()                                           {}

// bench is a machine whose disk a test uses by hand.
type bench struct {
	*Machine
	t      *testing.T
	struck map[string]int // faults traced, by kind
}

// newBench boots a machine under the spec.
func newBench(t *testing.T, seed uint64, spec string) *bench {
	t.Helper()
	parsed, err := faults.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, struck: map[string]int{}}
	w := New(Config{Seed: seed, Nodes: 1, Spec: parsed, NewNode: func(runtime.NodeID) runtime.Node { return idle{} },
		Observe: func(r *runtime.Record) {
			if r.Kind == runtime.WorldFault {
				b.struck[string(r.Note)]++
			}
		}})
	t.Cleanup(w.Close)
	for w.machines[0].state != machineUp {
		w.Step()
	}
	b.Machine = w.machines[0]
	return b
}

// quietly lets play happen without any fault.
func (b *bench) quietly(play func()) {
	spec := b.w.spec
	b.w.spec = faults.Spec{}
	play()
	b.w.spec = spec
}

func (b *bench) op(kind opKind, op fileOp) *fileOp {
	op.kind = kind
	b.traceOp(&op, b.afflict(&op))
	return &op
}

// newFile makes a durable file that holds the bytes.
func (b *bench) newFile(name string, data []byte) (f *file) {
	b.t.Helper()
	b.quietly(func() {
		f = b.op(opCreate, fileOp{name: name}).opened
		for _, op := range []*fileOp{
			b.op(opWrite, fileOp{file: f, buf: data}), b.op(opSync, fileOp{file: f}), b.op(opSyncDir, fileOp{name: "."}),
		} {
			if op.err != nil {
				b.t.Fatal(op.err)
			}
		}
	})
	return f
}

func (b *bench) read(f *file, off, n int64) (data []byte, err error) {
	data = make([]byte, n)
	op := b.op(opRead, fileOp{file: f, buf: data, off: off})
	return data[:op.count], op.err
}

func fill(c byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = c
	}
	return b
}

// The four states after a failed sync: what reads show, and who hears of it.
func TestAfterFailedSync(t *testing.T) {
	for _, c := range []struct {
		after, fs string
		shows     string // reads of bytes that did not reach the device
		told      bool   // another handle, by its next sync
	}{
		{"new-once", "", "new", false},
		{"new-all", "", "new", true},
		{"old-once", "", "old", false},
		{"old-all", "", "old", true},
		{"any", "", "new or old", true},
		{"", "ext4", "new", false},
		{"", "xfs", "new", false},
		{"", "btrfs", "old", false},
		{"", "posix", "new or old", false},
	} {
		spec := "sync=1"
		if c.after != "" {
			spec += ",after=" + c.after
		}
		if c.fs != "" {
			spec += ",crash=any,fs=" + c.fs
		}
		shows, told := map[string]bool{}, false
		for seed := range uint64(40) {
			b := newBench(t, seed, spec)
			f := b.newFile("f", fill(1, 512))
			var other *file
			b.quietly(func() {
				other = b.op(opOpen, fileOp{name: "f"}).opened
				b.op(opWrite, fileOp{file: f, buf: fill(2, 512)})
			})
			if op := b.op(opSyncData, fileOp{file: f}); !errors.Is(op.err, runtime.ErrIO) {
				t.Fatalf("%s: the sync returned %v", spec, op.err)
			}
			b.quietly(func() {
				if op := b.op(opSyncData, fileOp{file: f}); op.err != nil {
					t.Errorf("%s: the next sync of the same handle: %v", spec, op.err)
				}
				data, _ := b.read(f, 0, 512)
				device := make([]byte, 512)
				if !f.inode.durable(device, 0) || device[0] == 1 {
					shows[map[byte]string{1: "old", 2: "new"}[data[0]]] = true
				}
				first := b.op(opSyncData, fileOp{file: other})
				told = told || first.err != nil
				if op := b.op(opSyncData, fileOp{file: other}); op.err != nil {
					t.Errorf("%s: the other handle hears of it twice: %v", spec, op.err)
				}
			})
			if c.after != "" && b.struck[c.after] == 0 && c.after != "any" {
				t.Errorf("%s: traced %v", spec, b.struck)
			}
			if c.told && told && b.struck["told-late"] == 0 && c.after != "any" {
				t.Errorf("%s: told and not traced", spec)
			}
		}
		want := map[string]bool{"new": c.shows != "old", "old": c.shows != "new"}
		if shows["new"] != want["new"] || shows["old"] != want["old"] || told != c.told {
			t.Errorf("%s: reads show %v, others told: %v; want %s, %v", spec, shows, told, c.shows, c.told)
		}
	}
}

// A Close or a release that fails releases all the same; a Lock that fails locks nothing.
func TestCloseDial(t *testing.T) {
	b := newBench(t, 1, "close=1")
	f := b.newFile("f", fill(1, 10))
	if op := b.op(opClose, fileOp{file: f}); op.err == nil || len(b.disk.open) != 0 {
		t.Errorf("close: %v, %d files open", op.err, len(b.disk.open))
	}
	if op := b.op(opLock, fileOp{name: "lock"}); op.err == nil || len(b.disk.locks) != 0 {
		t.Errorf("lock: %v, %v locked", op.err, b.disk.locks)
	}
	b.quietly(func() { b.op(opLock, fileOp{name: "lock"}) })
	if op := b.op(opUnlock, fileOp{name: "lock"}); op.err == nil || len(b.disk.locks) != 0 {
		t.Errorf("unlock: %v, %v locked", op.err, b.disk.locks)
	}
	if b.struck["close"] != 3 {
		t.Errorf("traced %v", b.struck)
	}
}

// On a liar's disk a sync succeeds and does nothing.
func TestLiarSyncsNothing(t *testing.T) {
	b := newBench(t, 1, "fs=liar")
	f := b.op(opCreate, fileOp{name: "f"}).opened
	b.op(opWrite, fileOp{file: f, buf: fill(1, 10)})
	for _, op := range []*fileOp{b.op(opSync, fileOp{file: f}), b.op(opSyncDir, fileOp{name: "."})} {
		if op.err != nil {
			t.Error(op.err)
		}
	}
	if b.w.Durable(1, "f", 0, make([]byte, 10)) {
		t.Error("the bytes are called durable")
	}
	if fired := b.w.Fired(); fired[faults.KindLie] != 2 {
		t.Errorf("counted %d lies", fired[faults.KindLie])
	}
}
