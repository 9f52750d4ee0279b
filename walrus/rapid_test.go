package walrus_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/walrus"
)

// machine is a driver whose every choice is rapid's, so that a failure shrinks.
type machine struct {
	*driver
	up bool
}

// settle ends the life if err says so, and fails the test if it says more.
func (m *machine) settle(t *rapid.T, died bool, err error) {
	if err != nil && !errors.Is(err, errHalt) && !errors.Is(err, walrus.ErrFailed) {
		t.Fatalf("%v\nreport: %+v", err, m.report)
	}
	if died || err != nil {
		m.up = false
	}
}

// live does something in a running process.
func (m *machine) live(f func() error) func(t *rapid.T) {
	return func(t *rapid.T) {
		if !m.up {
			t.Skip("down")
		}
		died, err := catch(f)
		m.settle(t, died, err)
	}
}

func (m *machine) boot(t *rapid.T) {
	if m.up {
		t.Skip("up")
	}
	if rapid.Bool().Draw(t, "power") {
		m.disk.losePower(rapid.SampledFrom([]image{imageNone, imageAll, imageMixed, imageTorn}).Draw(t, "image"))
	} else {
		m.disk.kill()
	}
	m.arm(t)
	died, err := catch(m.open)
	m.up = !died && err == nil
	m.settle(t, died, err)
}

// arm draws the faults to come.
func (m *machine) arm(t *rapid.T) {
	m.disk.crashAt = 0
	if rapid.IntRange(0, 2).Draw(t, "arm") == 0 {
		m.disk.crashAt = m.disk.calls + rapid.IntRange(1, 60).Draw(t, "crash in")
		m.disk.half = rapid.Bool().Draw(t, "half")
	}
	failing := -1
	if rapid.IntRange(0, 3).Draw(t, "fail") == 0 {
		failing = m.disk.calls + rapid.IntRange(1, 40).Draw(t, "fail in")
	}
	m.disk.fail = func(call int, kind opKind) bool { return call == failing && kind != opClose }
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{driver: newDriver(rapid.Uint64().Draw(t, "seed"))}
		m.eager = true
		t.Repeat(map[string]func(*rapid.T){
			"boot": m.boot,
			"stage": func(t *rapid.T) {
				n := rapid.IntRange(0, 5).Draw(t, "changes")
				m.live(func() error { return m.stage(n) })(t)
			},
			"flush":  m.live(func() error { return m.flush() }),
			"chores": m.live(func() error { return m.chores() }),
			"faults": m.arm,
			"close": m.live(func() error {
				if err := m.log.Close(m.disk); err != nil {
					return err
				}
				return errHalt
			}),
			"read": m.live(func() error {
				got, err := read(m.disk, m.log)
				if err != nil {
					return err
				}
				if text := diff(m.acked, got); text != "" {
					return wrong("the open log shows something else: %s", text)
				}
				return nil
			}),
		})
	})
}
