package walrus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// After a failed flush, of a group in the midst of a segment or the first of one, the log
// goes on in a new segment, and loses nothing, whatever comes then.
func TestReopen(t *testing.T) {
	for failing := range 12 {
		d := newDriver(uint64(failing))
		d.reopen = true
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		syncs := 0
		for i := range 12 {
			if err := d.chores(); err != nil {
				t.Fatal(err)
			}
			d.disk.fail = func(_ int, kind opKind) bool {
				if kind == opSyncData {
					syncs++
				}
				return kind == opSyncData && syncs == failing+1
			}
			d.put(t, func(s *script) {
				s.entry(mainTopic, 1, 0, strings.Repeat(fmt.Sprint(i%10), 700))
				s.set(stateKey, fmt.Sprint("vote", i))
			})
			d.disk.fail = nil
			for j, a := range afterwards {
				c := d.follow(j, uint64(i))
				if err := c.open(); err != nil {
					t.Fatalf("sync %d failed, group %d, then %s: %v\n%+v", failing+1, i, a.name, err, c.report)
				}
			}
		}
		checkLSNs(t, d)
		if d.reopened != 1 || d.log.Stats().Reopened != 1 {
			t.Errorf("sync %d failed: reopened %d times", failing+1, d.reopened)
		}
	}
}

// checkLSNs holds the segment after a failed file to LSNs that the file did not use.
func checkLSNs(t *testing.T, d *driver) {
	t.Helper()
	names := d.segments()
	base := func(name string) uint64 { return binary.LittleEndian.Uint64(d.disk.seen[name].data[40:]) }
	for i, name := range names {
		if n := d.disk.seen[name]; n.tainted {
			end := base(name) + uint64(len(bytes.TrimRight(n.data, "\x00"))-8192)
			if next := base(names[i+1]); next < end {
				t.Errorf("%s used LSNs up to %d, and the segment after it begins at %d", name, end, next)
			}
		}
	}
}

// A crash at any call of a reopen, or a call that fails in it, leaves a log that recovers.
func TestCrashInReopen(t *testing.T) {
	for group := range 8 {
		for crash := 1; ; crash++ {
			d := newDriver(uint64(crash))
			d.reopen = true
			reopening, calls := false, 0
			died, err := catch(func() error {
				if err := d.open(); err != nil {
					return err
				}
				for i := range group + 1 {
					if err := d.chores(); err != nil {
						return err
					}
					d.disk.fail = func(call int, kind opKind) bool {
						if !reopening && i == group && kind == opSyncData {
							reopening, calls = true, call
							d.disk.crashAt = call + crash
							return true
						}
						return reopening && crash%2 == 0 && call == calls+crash-1 && kind.syncs()
					}
					s := script{model: d.next.clone()}
					s.entry(mainTopic, 1, 0, strings.Repeat(fmt.Sprint(i%10), 700))
					if err := d.stageScript(&s); err != nil {
						return err
					}
					if err := d.flush(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil && !errors.Is(err, errHalt) {
				t.Fatal(err)
			}
			for j, a := range afterwards {
				c := d.follow(j, uint64(crash))
				if err := c.open(); err != nil {
					t.Fatalf("group %d, crash at call %d of the reopen, then %s: %v\n%+v", group, crash, a.name, err, c.report)
				}
			}
			if !died && err == nil {
				break
			}
		}
	}
}

func TestRandomLivesReopened(t *testing.T) {
	t.Parallel()
	reopened := 0
	for seed := range uint64(200) {
		f := dials{io: []int{0, 20}[seed%2], sync: []int{12, 40}[seed/2%2], space: int(seed % 3), reopen: true}
		d, err := live(seed+1000, f)
		if err != nil {
			t.Fatalf("seed %d: %v\nreport: %+v", seed, err, d.report)
		}
		reopened += d.reopened
	}
	if reopened < 100 {
		t.Errorf("reopened only %d times", reopened)
	}
}

func TestReopenIsAnOption(t *testing.T) {
	d := opened(t)
	if err := d.stage(3); err != nil {
		t.Fatal(err)
	}
	g := d.log.Cut()
	d.disk.fail = func(_ int, kind opKind) bool { return kind.syncs() }
	if err := walrus.Flush(d.disk, g); !errors.Is(err, walrus.ErrFailed) {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("reopened without the option")
		}
	}()
	d.log.Reopen(g)
}

// The file whose sync failed is never written to again, in later lives neither: it gets no
// seal, and when nothing needs it any more it is removed, not recycled.
func TestSpoiledFileIsLeftAlone(t *testing.T) {
	d := newDriver(4)
	d.reopen, d.pinned = true, 1000
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	grow := func() {
		t.Helper()
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		grow()
	}
	failed := false
	d.disk.fail = func(_ int, kind opKind) bool {
		fails := kind == opSyncData && !failed
		failed = failed || fails
		return fails
	}
	grow()
	d.disk.fail = nil
	var spoiled *memNode
	for _, name := range d.segments() {
		if n := d.disk.seen[name]; n.tainted {
			spoiled = n
		}
	}
	was := slices.Clone(spoiled.data)
	look := func(when string) (there bool) {
		t.Helper()
		for name, n := range d.disk.seen {
			if n == spoiled {
				there = true
				if !strings.HasSuffix(name, ".seg") || !bytes.Equal(n.data, was) {
					t.Fatalf("%s: %s was written to, or is to be", when, name)
				}
			}
		}
		return there
	}
	for life, verify := range []bool{false, true, false} {
		for range 10 {
			grow()
		}
		if !look(fmt.Sprint("life ", life)) {
			t.Fatal("it is gone, and still needed")
		}
		d.disk.kill()
		d.verify = verify
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
	}

	for range 20 {
		d.put(t, func(s *script) { s.truncateFront(mainTopic, s.model.topic(mainTopic).next()) })
		grow()
		look("at the end")
	}
	if look("at the end") || d.log.Stats().Recycled == 0 {
		t.Error("it is still there, or no segment was recycled")
	}
}
