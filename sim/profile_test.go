package sim

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/faults"
)

// after plays a history on a fresh disk of that file system, cuts the power, and
// returns the disk.
func after(seed uint64, fs faults.Profile, play func(h *history)) *disk {
	h := newHistory(seed, fs)
	play(h)
	h.d.endProcess()
	h.d.losePower(0, new(faults.Counts))
	return h.d
}

// Which sets of names may be left of three files made one after another.
func TestDirectoryOperationsLeftByProfile(t *testing.T) {
	inOrder := []string{"", "a", "a b", "a b c"}
	for fs, wantAll := range map[faults.Profile]bool{
		faults.ProfilePOSIX: true, faults.ProfileBtrfs: true, faults.ProfileExt4: false, faults.ProfileXFS: false,
	} {
		got := map[string]bool{}
		for seed := range uint64(200) {
			d := after(seed, fs, func(h *history) {
				for _, name := range []string{"a", "b", "c"} {
					h.op(opCreate, fileOp{name: name})
				}
			})
			got[strings.Join(d.names.seen.sorted, " ")] = true
		}
		for names := range got {
			if !wantAll && !slices.Contains(inOrder, names) {
				t.Errorf("fs %d: left %q", fs, names)
			}
		}
		if want := map[bool]int{true: 8, false: 4}[wantAll]; len(got) != want {
			t.Errorf("fs %d: left %v, want %d different sets", fs, got, want)
		}
	}
}

// Which of two new files are there for certain when the second was synced, and
// no directory.
func TestSyncMakesNamesDurableByProfile(t *testing.T) {
	play := func(h *history) {
		h.op(opCreate, fileOp{name: "a"})
		h.op(opMkdirAll, fileOp{name: "d"})
		b := h.op(opCreate, fileOp{name: "d/b"}).opened
		h.op(opWrite, fileOp{file: b, buf: []byte("new")})
		h.op(opSyncData, fileOp{file: b})
	}
	for fs, want := range map[faults.Profile]string{
		faults.NoProfile: "", faults.ProfilePOSIX: "", faults.ProfileExt4: "a d/b", faults.ProfileXFS: "a d/b", faults.ProfileBtrfs: "d/b",
	} {
		h := newHistory(1, fs)
		play(h)
		var certain []string
		for _, name := range []string{"a", "d/b"} {
			if h.d.names.durableInode(name) != nil {
				certain = append(certain, name)
			}
		}
		if got := strings.Join(certain, " "); got != want {
			t.Errorf("fs %d: certain are %q, want %q", fs, got, want)
		}
		for seed := range uint64(50) {
			d := after(seed, fs, play)
			for _, name := range certain {
				if d.names.seen.lookup(name) == nil {
					t.Errorf("fs %d, seed %d: %s was certain, and is gone", fs, seed, name)
				}
			}
		}
	}
}

// What may be left of blocks by which a file grew, and of blocks written over.
func TestBytesLeftByProfile(t *testing.T) {
	const blocks = 4
	old, fresh := bytes.Repeat([]byte{1}, blockSize), bytes.Repeat([]byte{2}, blocks*blockSize)
	type left struct{ grownHole, grownMixed, overMixed, between bool }
	for fs, want := range map[faults.Profile]left{
		faults.ProfilePOSIX: {grownHole: true, grownMixed: true, overMixed: true, between: true},
		faults.ProfileExt4:  {overMixed: true, between: true},
		faults.ProfileXFS:   {grownHole: true, overMixed: true, between: true},
		faults.ProfileBtrfs: {between: true},
	} {
		var got left
		for seed := range uint64(300) {
			d := after(seed, fs, func(h *history) {
				f := h.op(opCreate, fileOp{name: "f"}).opened
				h.op(opWrite, fileOp{file: f, buf: old})
				h.op(opSync, fileOp{file: f})
				h.op(opSyncDir, fileOp{name: "."})
				h.op(opWrite, fileOp{file: f, buf: fresh})
			})
			f := d.names.seen.lookup("f")
			data := make([]byte, f.size)
			f.read(data, 0)
			for at := int64(0); at+blockSize <= f.size; at += blockSize {
				block := data[at : at+blockSize]
				mixed := bytes.Count(block, []byte{2}) % blockSize
				switch {
				case at == 0 && mixed != 0:
					got.overMixed = true
				case at > 0 && mixed != 0:
					got.grownMixed = true
				case at > 0 && block[0] == 0:
					got.grownHole = true
				}
			}
			got.between = got.between || f.size > blockSize && f.size < blocks*blockSize
		}
		if got != want {
			t.Errorf("fs %d: got %+v, want %+v", fs, got, want)
		}
	}
}
