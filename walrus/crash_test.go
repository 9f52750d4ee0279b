package walrus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// fork copies a driver with its disk, as it is after a crash.
func (d *driver) fork() *driver {
	c := *d
	c.disk, c.log, c.acked = d.disk.clone(), nil, d.acked.clone()
	return &c
}

// workload is a short life that touches everything: a new log, groups of one and
// of many, hard state, truncations of both ends, a rebase, rotations, the removal of
// segments, and a close.
func (d *driver) workload() error {
	if err := d.open(); err != nil {
		return err
	}
	for round := range 12 {
		s := script{model: d.next.clone()}
		main := s.model.topic(mainTopic)
		switch round {
		case 4:
			s.truncateBack(mainTopic, main.next()-2)
		case 6:
			s.truncateFront(mainTopic, main.next()-1)
		case 9:
			s.rebase(mainTopic, main.next()+10)
		}
		for i := range 1 + round%3 {
			s.entry(mainTopic, uint64(1+round/4), uint8(i), strings.Repeat(fmt.Sprint(round, i, "."), 150))
		}
		s.set(stateKey, fmt.Sprint("term", round))
		if round%5 == 0 {
			s.entry(otherTopic, 1, 0, "other")
		}
		if round == 8 {
			s.truncateFront(otherTopic, s.model.topic(otherTopic).next())
		}
		if err := d.stageScript(&s); err != nil {
			return err
		}
		if err := d.flush(); err != nil {
			return err
		}
		if err := d.chores(); err != nil {
			return err
		}
	}
	return d.log.Close(d.disk)
}

// calls returns how many file calls the workload makes.
func calls(t *testing.T) int {
	t.Helper()
	d := newDriver(1)
	if err := d.workload(); err != nil {
		t.Fatal(err)
	}
	return d.disk.calls
}

// afterwards lists what may follow a crash.
var afterwards = []struct {
	name  string
	power bool
	image image
}{
	{"kill", false, 0}, {"none", true, imageNone}, {"all", true, imageAll},
	{"mixed", true, imageMixed}, {"mixed again", true, imageMixed},
	{"torn", true, imageTorn}, {"torn again", true, imageTorn},
}

// follow turns a crashed driver into one of the possible aftermaths.
func (d *driver) follow(i int, salt uint64) *driver {
	c := d.fork()
	c.disk.rng.state ^= salt * 77
	if a := afterwards[i]; a.power {
		c.disk.losePower(a.image)
	} else {
		c.disk.kill()
	}
	return c
}

// crashAt runs the workload until it dies at a call, or returns nil if it
// makes fewer.
func crashAt(t *testing.T, call int, half bool) *driver {
	t.Helper()
	d := newDriver(uint64(call))
	d.disk.crashAt, d.disk.half = call, half
	died, err := catch(d.workload)
	if err != nil {
		t.Fatalf("call %d: %v", call, err)
	}
	if !died {
		return nil
	}
	return d
}

func TestCrashAtEveryCall(t *testing.T) {
	n := calls(t)
	for call := 1; call <= n; call++ {
		for _, half := range []bool{false, true} {
			d := crashAt(t, call, half)
			if d == nil {
				continue
			}
			for i, a := range afterwards {
				c := d.follow(i, uint64(call))
				if err := c.open(); err != nil {
					t.Fatalf("crash at call %d (half %v), %s: %v\n%+v", call, half, a.name, err, c.report)
				}
			}
		}
	}
}

// A crash at any call of a recovery, and what follows it, leaves a log that
// recovers to the same.
func TestCrashInRecovery(t *testing.T) {
	t.Parallel()
	n := calls(t)
	for call := 1; call <= n; call++ {
		d := crashAt(t, call, call%2 == 0)
		if d == nil {
			continue
		}
		first := d.follow(call%len(afterwards), uint64(call))
		for again := 1; ; again++ {
			c := first.fork()
			c.disk.crashAt, c.disk.half = again, again%2 == 0
			died, err := catch(c.open)
			if err != nil {
				t.Fatalf("crash at call %d, then at %d: %v", call, again, err)
			}
			if !died {
				break
			}
			e := c.follow((call/2+again)%len(afterwards), uint64(again))
			if err := e.open(); err != nil {
				t.Fatalf("crash at call %d, then at call %d of the recovery: %v\n%+v", call, again, err, e.report)
			}
		}
	}
}

// What one recovery showed is durable: any loss of power after it, and any
// number of recoveries, show the same.
func TestRecoveringTwiceIsRecoveringOnce(t *testing.T) {
	n := calls(t)
	for call := 1; call <= n; call++ {
		d := crashAt(t, call, false)
		for i := range afterwards {
			c := d.follow(i, uint64(call))
			if err := c.open(); err != nil {
				t.Fatal(err)
			}
			segments := c.report.Segments
			for j := range 3 {
				c.disk.losePower(image((call + j) % int(imageCount)))
				if err := c.open(); err != nil { // c.flight is nil: only the same will do
					t.Fatalf("crash at call %d, recovery %d: %v", call, j+2, err)
				}
				if c.report.Segments > segments+1 {
					t.Fatalf("crash at call %d: recoveries alone grew the log to %d segments", call, c.report.Segments)
				}
			}
		}
	}
}

// allowed reports whether an error of the workload is one that faults explain.
func allowed(err error) bool {
	return err == nil || errors.Is(err, errHalt) || errors.Is(err, walrus.ErrFailed) || errors.Is(err, runtime.ErrIO)
}

// loop runs the workload with faults from call 1, 2, 3... on until it makes no
// call that fails, and checks what a next life finds each time.
func loop(t *testing.T, fails func(n, call int, kind opKind) bool, passes func(n int, d *driver, err error)) {
	t.Helper()
	for n := 1; ; n++ {
		d := newDriver(uint64(n))
		d.disk.late = n%2 == 0
		hit := false
		d.disk.fail = func(call int, kind opKind) bool {
			if fails(n, call, kind) {
				hit = true
				return true
			}
			return false
		}
		err := d.workload()
		if !hit {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if !allowed(err) || errors.Is(err, walrus.ErrCorrupt) {
			t.Fatalf("failing call %d: %v", n, err)
		}
		passes(n, d, err)
		for i, a := range afterwards {
			c := d.follow(i, uint64(n))
			if err := c.open(); err != nil {
				t.Fatalf("failing call %d, then %s: %v\n%+v", n, a.name, err, c.report)
			}
		}
	}
}

// The file is made, renamed or removed, and the call says that it failed.
func TestFailedCallsThatTookEffect(t *testing.T) {
	for call := 1; call <= calls(t); call++ {
		d := newDriver(1)
		d.disk.late = true
		d.disk.fail = func(n int, kind opKind) bool { return n == call && !kind.syncs() }
		if err := d.workload(); err != nil {
			t.Fatalf("call %d: %v", call, err)
		}
	}
}

func TestOneFailedCall(t *testing.T) {
	synced := 0
	var kind opKind
	fails := func(n, call int, k opKind) bool {
		if call == n {
			kind = k
		}
		return call == n
	}
	loop(t, fails, func(n int, _ *driver, err error) {
		if !kind.syncs() && err != nil {
			t.Fatalf("call %d, which may be repeated, failed once, and it was not: %v", n, err)
		}
		if kind.syncs() && err != nil {
			synced++
		}
	})
	if synced == 0 {
		t.Error("no failed sync ended a life")
	}
}

func TestEveryCallFailsFromOneOn(t *testing.T) {
	loop(t, func(n, call int, _ opKind) bool { return call >= n }, func(n int, d *driver, err error) {
		if err == nil && d.disk.calls < n {
			t.Fatalf("calls from %d on failed and nobody noticed", n)
		}
	})
}

// Seven failures in a row are survived, eight are not.
func TestAttemptsAreBounded(t *testing.T) {
	for _, c := range []struct {
		failures int
		dies     bool
	}{{7, false}, {8, true}} {
		d := newDriver(1)
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		if err := d.stage(3); err != nil {
			t.Fatal(err)
		}
		writes := 0
		d.disk.fail = func(_ int, kind opKind) bool {
			if kind == opWrite {
				writes++
			}
			return kind == opWrite && writes <= c.failures
		}
		if err := d.flush(); (err != nil) != c.dies || writes != 8 {
			t.Errorf("%d failures: %v after %d writes", c.failures, err, writes)
		}
	}
}

// After a failed sync nothing is tried again, and the log takes nothing more.
func TestFailedSyncIsFinal(t *testing.T) {
	d := newDriver(1)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if err := d.stage(3); err != nil {
		t.Fatal(err)
	}
	syncs := 0
	d.disk.fail = func(_ int, kind opKind) bool {
		if kind.syncs() {
			syncs++
		}
		return kind.syncs()
	}
	if err := d.flush(); !errors.Is(err, errHalt) || syncs != 1 {
		t.Errorf("%v after %d syncs", err, syncs)
	}
	var b walrus.Batch
	b.Set(1, nil)
	if err := d.log.Stage(&b); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, runtime.ErrIO) {
		t.Errorf("stage after a failed sync: %v", err)
	}
	if job, _ := d.log.Chore(); job != nil {
		t.Error("a failed log has chores")
	}
}
