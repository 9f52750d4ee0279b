package sim

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/octopii-go/octopii/faults"
)

// history plays a random history of file operations on a disk.
type history struct {
	d    *disk
	pick *faults.Site
	open []*file
	next byte
}

func newHistory(seed uint64, fs faults.Profile) *history {
	sites := faults.NewSites(seed, nil)
	h := &history{d: newDisk(1, sites, &pool{}), pick: sites.Site("test.pick", 0, 0)}
	h.d.rules = profiles[fs]
	return h
}

func (h *history) op(kind opKind, op fileOp) *fileOp {
	op.kind = kind
	h.d.do(&op)
	return &op
}

func (h *history) name() string { return fmt.Sprintf("f%d", h.pick.Below(4)) }

func (h *history) step() {
	var f *file
	if len(h.open) > 0 {
		f = h.open[h.pick.Below(uint64(len(h.open)))]
	}
	switch h.pick.Below(12) {
	case 0:
		if op := h.op(opCreate, fileOp{name: h.name()}); op.err == nil {
			h.open = append(h.open, op.opened)
		}
	case 1:
		h.op(opRename, fileOp{name: h.name(), newName: h.name()})
	case 2:
		if h.pick.Below(4) == 0 {
			h.op(opRemove, fileOp{name: h.name()})
		}
	case 3:
		h.op(opSyncDir, fileOp{name: "."})
	case 4:
		if h.pick.Below(4) == 0 {
			h.d.failSyncDir(".")
		}
	case 5, 6, 7, 8:
		if f != nil {
			h.next++
			b := bytes.Repeat([]byte{h.next}, int(1+h.pick.Below(1500)))
			h.op(opWrite, fileOp{file: f, buf: b, off: int64(h.pick.Below(6000))})
		}
	case 9:
		if f != nil {
			h.op(opSyncData, fileOp{file: f})
		}
	case 10:
		if f != nil && h.pick.Below(3) == 0 {
			h.d.failSync(f.inode, h.d.showsNew())
		}
	case 11:
		if f != nil && h.pick.Below(3) == 0 {
			h.op(opTruncate, fileOp{file: f, n: int64(h.pick.Below(6000))})
		}
	}
}

// claim is a range that the disk calls durable, or not.
type claim struct {
	name    string
	off     int64
	bytes   []byte
	durable bool
}

func (h *history) claims() (all []claim) {
	for i := range 4 {
		name := fmt.Sprintf("f%d", i)
		f := h.d.names.durableInode(name)
		seen := h.d.names.seen.lookup(name)
		for off := int64(0); seen != nil && off+100 <= seen.size; off += 100 {
			b := make([]byte, 100)
			seen.read(b, off)
			got := make([]byte, 100)
			ok := f != nil && f.durable(got, off)
			if ok {
				b = got
			}
			all = append(all, claim{name, off, b, ok})
		}
	}
	return all
}

// holds reports whether the bytes are still there.
func (h *history) holds(c claim) bool {
	f := h.d.names.seen.lookup(c.name)
	if f == nil || f.size < c.off+int64(len(c.bytes)) {
		return false
	}
	b := make([]byte, len(c.bytes))
	f.read(b, c.off)
	return bytes.Equal(b, c.bytes)
}

// What Durable says survives must survive every loss of power, and what it
// does not say must now and then be lost: else it says too little.
func TestDurableMeansSurvivesEveryPowerLoss(t *testing.T) {
	for fs := faults.NoProfile; fs <= faults.ProfileLiar; fs++ {
		kept, lost := 0, 0
		for seed := range uint64(400) {
			h := newHistory(seed, fs)
			for range 20 + h.pick.Below(60) {
				h.step()
			}
			claims := h.claims()
			h.d.endProcess()
			h.d.losePower(400_000, new(faults.Counts))
			for _, c := range claims {
				switch held := h.holds(c); {
				case c.durable && !held:
					t.Errorf("fs %d, seed %d: %s at %d was called durable and is gone", fs, seed, c.name, c.off)
				case c.durable:
					kept++
				case !held:
					lost++
				}
			}
		}
		if fs == faults.ProfileLiar && kept > 0 {
			t.Errorf("on a liar's disk %d ranges were called durable", kept)
		}
		if fs != faults.ProfileLiar && kept < 1000 || lost < 1000 {
			t.Errorf("fs %d: %d ranges kept and %d lost: the test shows too little", fs, kept, lost)
		}
	}
}

// A process that ends without a loss of power finds all it wrote.
func TestKillKeepsThePageCache(t *testing.T) {
	for seed := range uint64(50) {
		h := newHistory(seed, faults.NoProfile)
		for range 60 {
			h.step()
		}
		claims := h.claims()
		h.d.endProcess()
		for _, c := range claims {
			if seen := h.d.names.seen.lookup(c.name); seen == nil || !c.durable && !h.holds(c) {
				t.Errorf("seed %d: %s at %d changed by a kill", seed, c.name, c.off)
			}
		}
	}
}

// After a failed sync a second one succeeds, and what the first one lost stays
// lost, though reads showed it.
func TestFailedSyncLosesForGood(t *testing.T) {
	shown, gone := 0, 0
	for seed := range uint64(200) {
		h := newHistory(seed, faults.NoProfile)
		f := h.op(opCreate, fileOp{name: "f0"}).opened
		h.op(opSyncDir, fileOp{name: "."})
		h.op(opWrite, fileOp{file: f, buf: bytes.Repeat([]byte{7}, 512)})
		h.d.failSync(f.inode, h.d.showsNew())
		b := make([]byte, 512)
		h.op(opRead, fileOp{file: f, buf: b})
		saw := b[0] == 7
		h.op(opSyncData, fileOp{file: f})
		if f.inode.durable(b, 0) && b[0] == 7 {
			continue // these bytes had reached the device
		}
		gone++
		if saw {
			shown++
			h.op(opDropCache, fileOp{file: f})
			if h.op(opRead, fileOp{file: f, buf: b}); b[0] == 7 {
				t.Errorf("seed %d: the cache still shows lost bytes after it was dropped", seed)
			}
		}
		h.d.endProcess()
		h.d.losePower(0, new(faults.Counts))
		if h.holds(claim{name: "f0", bytes: bytes.Repeat([]byte{7}, 512)}) {
			t.Errorf("seed %d: bytes that a failed sync lost came back", seed)
		}
	}
	if gone < 20 || shown < 10 {
		t.Errorf("lost %d times, shown nevertheless %d times: the test shows too little", gone, shown)
	}
}
