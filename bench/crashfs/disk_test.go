package crashfs

import (
	"errors"
	"testing"

	"github.com/octopii-go/octopii/runtime/fstest"
)

// The disk does what any file system must, but for Truncate and very large files.
func TestDiskKeepsTheContract(t *testing.T) {
	kept := 0
	for _, c := range fstest.Cases() {
		switch err := c.Run(New(1)); {
		case err == nil:
			kept++
		case c.Name != "offsets: beyond four gigabytes" && !errors.Is(err, errors.ErrUnsupported):
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	t.Logf("%d of %d cases", kept, len(fstest.Cases()))
}

// What a power loss and a failed sync leave is what the log must be ready for.
func TestDiskLosesWhatWasNotSynced(t *testing.T) {
	d := New(1)
	f, err := d.Create("f")
	check(t, err)
	write := func(text string) {
		_, err := f.WriteAt([]byte(text), 0)
		check(t, err)
	}
	read := func() string {
		p := make([]byte, 3)
		_, err := f.ReadAt(p, 0)
		check(t, err)
		return string(p)
	}
	write("one")
	check(t, f.Sync())
	check(t, d.SyncDir("."))
	write("two")
	d.SyncFails = 1000
	if err := f.SyncData(); err == nil {
		t.Fatal("the sync did not fail")
	}
	d.SyncFails = 0
	check(t, f.SyncData())
	if got := read(); got != "two" {
		t.Errorf("the cache shows %q", got)
	}
	check(t, f.DropCache())
	if got := read(); got != "one" {
		t.Errorf("the device has %q", got)
	}
	write("six")
	d.PowerLoss(0)
	f, err = d.Open("f")
	check(t, err)
	if got := read(); got != "one" {
		t.Errorf("after a power loss there is %q", got)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
