package fstest_test

import (
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/fstest"
)

// bugs are the ways in which a memFS can break the contract.
var bugs = []bug{
	"allocate: does nothing",
	"allocate: keeps the size",
	"allocate: nothing grows the file",
	"allocate: sets the size",
	"allocate: zeroes the range",
	"close: does nothing",
	"close: loses the file",
	"create: another error",
	"create: not empty",
	"create: parent not checked",
	"create: truncates",
	"dropcache: drops unsynced bytes",
	"list: missing is empty",
	"list: not sorted",
	"list: the whole tree",
	"list: with itself",
	"lock: always",
	"lock: another error",
	"lock: directories",
	"lock: for ever",
	"lock: one for all",
	"lock: trying releases it",
	"mkdirall: must be new",
	"mkdirall: over a file",
	"names: not checked",
	"offsets: 32 bits",
	"offsets: another error",
	"offsets: no limit",
	"open: a copy",
	"open: another error",
	"open: creates",
	"open: directories",
	"open: few files",
	"read: nothing at the end",
	"read: short without an error",
	"read: skips holes",
	"read: unexpected end",
	"remove: cuts handles off",
	"remove: does nothing",
	"remove: missing is fine",
	"remove: no directories",
	"remove: whole trees",
	"rename: cuts handles off",
	"rename: keeps the old name",
	"rename: loses itself",
	"rename: missing is fine",
	"rename: not over a file",
	"rename: over a directory",
	"rename: writes into the old file",
	"size: in blocks",
	"sync: empties the file",
	"syncdir: checks nothing",
	"syncdir: not the root",
	"truncate: keeps the bytes",
	"truncate: only grows",
	"truncate: only shrinks",
	"write: appends",
	"write: cuts the file",
	"write: keeps the buffer",
	"write: nothing grows the file",
	"write: one less",
	"write: stops at a block",
}

func TestCorrectFSPasses(t *testing.T) {
	if err := fstest.Check(func() (runtime.FS, error) { return newMemFS(""), nil }); err != nil {
		t.Error(err)
	}
}

// TestEachBugIsCaught also sees to it that each case can fail, and that the
// each bug fails a case about its subject.
func TestEachBugIsCaught(t *testing.T) {
	caught := map[string]bool{}
	for _, b := range bugs {
		t.Run(string(b), func(t *testing.T) {
			subject, _, _ := strings.Cut(string(b), ":")
			found, fitting := false, false
			for _, c := range fstest.Cases() {
				err := c.Run(newMemFS(b))
				if err == nil {
					continue
				}
				found, caught[c.Name] = true, true
				fitting = fitting || strings.HasPrefix(c.Name, subject) || subject == "size"
			}
			if !found {
				t.Error("no case failed")
			} else if !fitting {
				t.Errorf("no case about %s failed", subject)
			}
		})
	}
	for _, c := range fstest.Cases() {
		if !caught[c.Name] {
			t.Errorf("no bug makes %q fail", c.Name)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range fstest.Cases() {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestCheckNamesTheCase(t *testing.T) {
	err := fstest.Check(func() (runtime.FS, error) { return newMemFS("rename: keeps the old name"), nil })
	if err == nil || !strings.Contains(err.Error(), `rename: to a new name: Open("a") succeeded`) {
		t.Errorf("got %v", err)
	}
}
