package host_test

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

var errReason = errors.New("the reason")

func TestConfigIsValidated(t *testing.T) {
	for _, cfg := range []host.Config{{Dir: t.TempDir()}, {ID: 1}} {
		if _, err := host.Start(cfg, &node{}); err == nil {
			t.Errorf("%+v was started", cfg)
		}
	}
}

func TestCallIsAnswered(t *testing.T) {
	n := &node{}
	n.call = func(id runtime.CallID, deadline runtime.Instant, req []byte) {
		outcome := runtime.Done
		if string(req) == "no" {
			outcome = runtime.Refused
		}
		n.Reply(id, outcome, append([]byte("re: "), req...))
		n.Reply(id, runtime.Unknown, nil) // is dropped
	}
	h := start(t, n)
	if got := call(t, h, "hello"); got != (answer{runtime.Done, "re: hello", nil}) {
		t.Errorf("got %+v", got)
	}
	if got := call(t, h, "no"); got != (answer{runtime.Refused, "re: no", nil}) {
		t.Errorf("got %+v", got)
	}
}

func TestCallGivenUpIsUnknownAndCancelled(t *testing.T) {
	begun, cancelled := make(chan runtime.CallID, 1), make(chan runtime.CallID, 1)
	n := &node{cancel: func(id runtime.CallID) { cancelled <- id }}
	n.call = func(id runtime.CallID, deadline runtime.Instant, req []byte) { begun <- id }
	h := start(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	got := callAsync(ctx, h, "x")
	id := await(t, begun, "the call")
	cancel()
	if a := await(t, got, "the answer"); a.outcome != runtime.Unknown || !errors.Is(a.err, context.Canceled) {
		t.Errorf("got %+v", a)
	}
	if other := await(t, cancelled, "the cancel"); other != id {
		t.Errorf("call %d was cancelled, not %d", other, id)
	}
	if a := await(t, callAsync(ctx, h, "x"), "the refusal"); a.outcome != runtime.Refused {
		t.Errorf("a call that was given up before it began: %+v", a)
	}
}

func TestDeadlineIsOnTheNodesClock(t *testing.T) {
	n := &node{}
	n.call = func(id runtime.CallID, deadline runtime.Instant, req []byte) {
		left := deadline.Sub(n.Now())
		if deadline == runtime.Never {
			left = 0
		}
		n.Reply(id, runtime.Done, []byte(left.Truncate(time.Hour).String()))
	}
	h := start(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
	defer cancel()
	if a := await(t, callAsync(ctx, h, ""), "the answer"); a.resp != "1h0m0s" {
		t.Errorf("with a deadline: %+v", a)
	}
	if a := await(t, callAsync(t.Context(), h, ""), "the answer"); a.resp != "0s" {
		t.Errorf("without: %+v", a)
	}
}

func TestOutcomesAtTheEnd(t *testing.T) {
	begun, let := make(chan struct{}), make(chan struct{})
	n := &node{call: func(runtime.CallID, runtime.Instant, []byte) { begun <- struct{}{}; <-let }}
	h := start(t, n)
	seen := callAsync(t.Context(), h, "seen by the node")
	await(t, begun, "the call")
	unseen := callAsync(t.Context(), h, "never seen")
	h.Kill(errReason)
	close(let)
	if a := await(t, seen, "the answer"); a.outcome != runtime.Unknown || !errors.Is(a.err, host.ErrStopped) || !errors.Is(a.err, errReason) {
		t.Errorf("pending call: %+v", a)
	}
	if a := await(t, unseen, "the answer"); a.outcome != runtime.Refused || !errors.Is(a.err, host.ErrStopped) {
		t.Errorf("call not begun: %+v", a)
	}
	if a := call(t, h, "after"); a.outcome != runtime.Refused || !errors.Is(a.err, host.ErrStopped) {
		t.Errorf("call after the end: %+v", a)
	}
	if err := wait(t, h); err != errReason {
		t.Errorf("ended with %v", err)
	}
}

func TestClock(t *testing.T) {
	n := &node{}
	type reading struct{ self, now, later, wall int64 }
	got := make(chan reading, 1)
	n.boot = func() {
		now := n.Now()
		got <- reading{int64(n.Self()), int64(now), int64(n.Now()), int64(n.Wall())}
	}
	before := time.Now()
	start(t, n)
	r := await(t, got, "the boot")
	wall := time.Unix(0, r.wall)
	if r.self != 1 || r.now < 0 || r.later != r.now || wall.Before(before.Add(-time.Minute)) || wall.After(before.Add(time.Minute)) {
		t.Errorf("%+v", r)
	}
}

func TestDrawsDiffer(t *testing.T) {
	n := &node{}
	got := make(chan [2]uint64, 1)
	n.boot = func() { got <- [2]uint64{n.Uint64(1), n.Uint64(1)} }
	start(t, n)
	if v := await(t, got, "the boot"); v[0] == v[1] {
		t.Errorf("the same twice: %#x", v[0])
	}
}

func TestAlarm(t *testing.T) {
	n := &node{}
	woken := make(chan time.Duration, 1)
	var at runtime.Instant
	var early int
	n.boot = func() {
		n.WakeAt(n.Now().Add(-time.Second)) // replaced: must not ring
		at = n.Now().Add(3 * time.Millisecond)
		n.WakeAt(at)
	}
	n.wake = func() {
		if late := n.Now().Sub(at); late < 0 {
			early++
		} else {
			woken <- late
		}
	}
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		switch string(req) {
		case "past":
			at = n.Now().Add(-time.Second)
			n.WakeAt(at)
			if len(woken) > 0 {
				early++ // not within the call
			}
		case "cancel":
			n.WakeAt(n.Now())
			n.WakeAt(runtime.Never)
		}
		n.Reply(id, runtime.Done, nil)
	}
	h := start(t, n)
	await(t, woken, "the alarm")
	call(t, h, "past")
	await(t, woken, "the alarm of the past")
	for range 100 {
		call(t, h, "cancel")
	}
	h.Kill(nil)
	if err := wait(t, h); err != nil || early > 0 || len(woken) > 0 {
		t.Errorf("%v, %d early wakes, %d too many", err, early, len(woken))
	}
}

func TestStopIsADrain(t *testing.T) {
	n := &node{}
	n.stop = func() {
		n.Submit(0, func(fs runtime.FS) error { return fs.MkdirAll("drained") }, func(err error) { n.Halt(err) })
	}
	h := start(t, n)
	h.Stop()
	if err := wait(t, h); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestNothingHappensAfterHalt halts in the middle of a call and goes on.
func TestNothingHappensAfterHalt(t *testing.T) {
	var net host.Loopback
	arrived := make(chan string, 10)
	other := &node{receive: func(_ runtime.NodeID, _ runtime.Channel, frame []byte) { arrived <- string(frame) }}
	startWith(t, host.Config{ID: 2, Dir: t.TempDir(), Join: net.Join(2)}, other)
	third := &node{}
	third.call = func(id runtime.CallID, _ runtime.Instant, _ []byte) {
		third.Send(2, 0, []byte("last")) // which comes behind all other frames
		third.Reply(id, runtime.Done, nil)
	}
	thirdHost := startWith(t, host.Config{ID: 3, Dir: t.TempDir(), Join: net.Join(3)}, third)
	n := &node{}
	var effects []string
	n.call = func(id runtime.CallID, _ runtime.Instant, _ []byte) {
		n.Send(2, 0, []byte("before"))
		n.Halt(errReason)
		n.Halt(errors.New("another reason"))
		n.Send(2, 0, []byte("after"))
		n.Reply(id, runtime.Done, nil)
		n.Submit(0, func(runtime.FS) error { effects = append(effects, "job"); return nil }, func(error) {})
		n.WakeAt(0)
		n.Trace(runtime.Event{Kind: runtime.WorldHeal})
		if n.Now() != 0 || n.Wall() != 0 || n.Self() != 0 || n.Uint64(0) != 0 {
			effects = append(effects, "reading")
		}
	}
	n.wake = func() { effects = append(effects, "wake") }
	var traced []runtime.EventKind
	h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1), Trace: func(r *runtime.Record) {
		traced = append(traced, r.Kind)
	}}, n)
	if a := call(t, h, ""); a.outcome != runtime.Unknown || !errors.Is(a.err, errReason) {
		t.Errorf("the call: %+v", a)
	}
	if err := wait(t, h); err != errReason {
		t.Errorf("ended with %v", err)
	}
	if len(effects) > 0 || len(traced) != 2 || traced[0] != runtime.WorldBoot || traced[1] != runtime.WorldHalt {
		t.Errorf("effects %q, traced %#x", effects, traced)
	}
	call(t, thirdHost, "")
	if one, two := await(t, arrived, "the frame"), await(t, arrived, "the last frame"); one != "before" || two != "last" {
		t.Errorf("%q and %q arrived", one, two)
	}
}

func TestTraceIsInOrder(t *testing.T) {
	n := &node{}
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		n.Trace(runtime.Event{Kind: runtime.WorldHeal, A: 7, Note: req})
		n.Reply(id, runtime.Done, nil)
	}
	var lines []string
	var last runtime.Record
	h := startWith(t, host.Config{ID: 3, Dir: t.TempDir(), Trace: func(r *runtime.Record) {
		if r.Node != 3 || r.At < last.At || r.Step < last.Step {
			t.Errorf("record %+v after %+v", *r, last)
		}
		last = *r
		for _, info := range runtime.WorldEvents {
			if info.Kind == r.Kind {
				lines = append(lines, info.Render(r.Event))
			}
		}
	}}, n)
	call(t, h, "x")
	h.Kill(errReason)
	_ = wait(t, h) // errReason
	want := `world.boot boot 1|world.heal core of 7, 0 stay as they are|world.halt "the reason"`
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func detonate()    { panic("boom") }
func leaveRudely() { goruntime.Goexit() }

func TestPanicsAreFindings(t *testing.T) {
	noFS := func(runtime.FS) error { return nil }
	places := []struct {
		name  string
		where string
		plant func(n *node, f func())
	}{
		{"boot", "the loop", func(n *node, f func()) { n.boot = f }},
		{"wake", "the loop", func(n *node, f func()) { n.boot = func() { n.WakeAt(0) }; n.wake = f }},
		{"done", "the loop", func(n *node, f func()) { n.boot = func() { n.Submit(0, noFS, func(error) { f() }) } }},
		{"job", "lane 5", func(n *node, f func()) {
			n.boot = func() { n.Submit(5, func(runtime.FS) error { f(); return nil }, func(error) {}) }
		}},
	}
	for _, place := range places {
		for _, c := range []struct {
			name, value, frame string
			f                  func()
		}{
			{"panic", "boom", "host_test.detonate", detonate},
			{"goexit", "runtime.Goexit was called", "host_test.leaveRudely", leaveRudely},
		} {
			t.Run(place.name+" "+c.name, func(t *testing.T) {
				n := &node{}
				place.plant(n, c.f)
				var last runtime.EventKind
				h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Trace: func(r *runtime.Record) { last = r.Kind }}, n)
				var crash *host.PanicError
				if err := wait(t, h); !errors.As(err, &crash) {
					t.Fatalf("ended with %v", err)
				}
				if crash.Where != place.where || !strings.Contains(crash.Error(), c.value) || !strings.Contains(string(crash.Stack), c.frame) {
					t.Errorf("%v on %s, stack:\n%s", crash, crash.Where, crash.Stack)
				}
				if last != runtime.WorldPanic {
					t.Errorf("last event %#x", last)
				}
			})
		}
	}
}

func TestLaneOutOfRangeIsAnAssertion(t *testing.T) {
	n := &node{}
	n.boot = func() { n.Submit(runtime.LaneCount, func(runtime.FS) error { return nil }, func(error) {}) }
	var crash *host.PanicError
	if err := wait(t, start(t, n)); !errors.As(err, &crash) {
		t.Errorf("ended with %v", err)
	}
}

func TestStartFailsCleanly(t *testing.T) {
	cfg := host.Config{ID: 1, Dir: t.TempDir(), Join: func(host.Receiver) (host.Link, error) { return nil, io.ErrUnexpectedEOF }}
	if _, err := host.Start(cfg, &node{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}
