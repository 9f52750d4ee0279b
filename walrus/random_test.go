package walrus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// dials are the faults of a random life.
type dials struct {
	io     int // one call in that many fails, syncs not counted; zero: none
	sync   int // one sync in that many
	reopen bool
	space  int // one life in that many has a device that is nearly full
	skip   opKind
	skips  bool
}

// live runs a log through several boots with crashes of all kinds between and
// in them, and returns the first thing that is wrong.
func live(seed uint64, f dials) (*driver, error) {
	d := newDriver(seed)
	d.eager, d.reopen, d.pinned = true, f.reopen, 1+int(seed%4)
	if f.skips {
		d.disk.skip = map[opKind]bool{f.skip: true}
	}
	for range 12 {
		d.disk.late = d.rng.chance(2)
		d.disk.fail = func(_ int, kind opKind) bool {
			if kind.syncs() {
				return d.rng.chance(f.sync)
			}
			return kind != opClose && kind != opLock && d.rng.chance(f.io)
		}
		if d.rng.chance(2) {
			d.disk.crashAt, d.disk.half = 1+d.rng.below(150), d.rng.chance(2)
		}
		nearlyFull := d.rng.chance(f.space)
		_, err := catch(func() error { return d.boot(nearlyFull) })
		if err != nil && !errors.Is(err, errHalt) && !errors.Is(err, walrus.ErrFailed) {
			return d, err
		}
		if d.rng.chance(3) {
			d.disk.kill()
		} else {
			d.disk.losePower(image(d.rng.below(int(imageCount))))
		}
	}
	return d, nil
}

// boot is one life of the process.
func (d *driver) boot(nearlyFull bool) error {
	if err := d.open(); err != nil {
		return err
	}
	if nearlyFull {
		d.disk.capacity = d.disk.used() + d.rng.below(30_000)
	}
	for range 4 + d.rng.below(20) {
		if err := d.step(); err != nil {
			return err
		}
	}
	if d.rng.chance(3) {
		return d.log.Close(d.disk)
	}
	return nil
}

func (d *driver) step() error {
	for range 1 + d.rng.below(3) {
		if err := d.stage(d.rng.below(5)); err != nil {
			return err
		}
	}
	if d.disk.capacity > 0 && d.rng.chance(6) { // more than was prepared
		s := script{model: d.next.clone()}
		s.entry(otherTopic, 1, 0, strings.Repeat("large", 3000))
		if err := d.stageScript(&s); err != nil {
			return err
		}
	}
	if err := d.flush(); err != nil {
		return err
	}
	if d.rng.chance(2) {
		if err := d.chores(); err != nil {
			return err
		}
	}
	if d.rng.chance(8) {
		got, err := read(d.disk, d.log)
		if err != nil {
			return wrong("read: %w", err)
		}
		if text := diff(d.acked, got); text != "" {
			return wrong("the open log shows something else than what was published: %s", text)
		}
	}
	return nil
}

func TestRandomLives(t *testing.T) {
	t.Parallel()
	var verdicts [walrus.Corrupt + 1]int
	refused, withdrawn, copied := 0, 0, uint64(0)
	for seed := range uint64(200) {
		f := dials{io: []int{0, 20, 7}[seed%3], sync: []int{0, 30}[seed/3%2]}
		f.space = int(seed % 2 * 3)
		d, err := live(seed, f)
		if err != nil {
			t.Fatalf("seed %d: %v\nreport: %+v", seed, err, d.report)
		}
		for i, n := range d.verdicts {
			verdicts[i] += n
		}
		refused += d.refused
		withdrawn += d.withdrawn
		copied += d.moved
	}
	for _, v := range []walrus.Verdict{walrus.Clean, walrus.Torn, walrus.Uncertain} {
		if verdicts[v] == 0 {
			t.Errorf("no recovery found %v", v)
		}
	}
	if refused == 0 || withdrawn < 10 || copied < 100 {
		t.Errorf("%d batches were refused for lack of space, %d groups taken back, %d entries copied forward", refused, withdrawn, copied)
	}
}

// A log that leaves out any of its syncs is found out.
func TestEverySyncIsMissed(t *testing.T) {
	for _, c := range []struct {
		name string
		skip opKind
	}{{"sync-data", opSyncData}, {"sync", opSync}, {"sync-dir", opSyncDir}} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(200) {
				if _, err := live(seed, dials{sync: 30, skip: c.skip, skips: true}); err != nil {
					if !strings.Contains(err.Error(), "WRONG") && !errors.Is(err, walrus.ErrCorrupt) {
						t.Fatalf("seed %d: failed otherwise: %v", seed, err)
					}
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("200 lives did not miss it")
		})
	}
}
