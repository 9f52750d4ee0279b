package host_test

import (
	"context"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// onWhose returns whose goroutine it is called on: that of a caller, of a lane, of the link, or the loop's own.
func onWhose() string {
	stack := string(debug.Stack())
	for name, whose := range map[string]string{
		"host.(*Host).Call": "the caller's", "host.(*Host).runLane": "a lane's", "host.(*loopLink).run": "the link's", "host.(*Host).run(": "its own",
	} {
		if strings.Contains(stack, name) {
			return whose
		}
	}
	return stack
}

// What comes while the loop's own goroutine finds that there is nothing to do must not be left lying. That it finds shortly
// after each post, so calls are made at all times after one.
func TestNothingIsLeftByAnIdleTurn(t *testing.T) {
	n := &node{}
	n.call = func(id runtime.CallID, _ runtime.Instant, _ []byte) { n.Reply(id, runtime.Done, nil) }
	h := start(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var ran atomic.Int64
	for i := range int64(30_000) {
		h.Post(func() { ran.Store(i + 1) })
		for ran.Load() <= i {
			goruntime.Gosched()
		}
		for wait := i % 128; wait > 0; wait-- {
			ran.Load()
		}
		if outcome, _, err := h.Call(ctx, nil); outcome != runtime.Done {
			t.Fatalf("call %d: %v, %v", i, outcome, err)
		}
	}
}

// While nobody is in a turn, whoever has something for the node takes one himself.
func TestTurnIsTakenByWhoeverHasSomething(t *testing.T) {
	var net host.Loopback
	n := &node{}
	booted, woken, received := make(chan string, 1), make(chan string, 1), make(chan string, 1)
	n.boot = func() { booted <- onWhose() }
	n.wake = func() { woken <- onWhose() }
	n.receive = func(runtime.NodeID, runtime.Channel, []byte) { received <- onWhose() }
	var called, done string
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		switch string(req) {
		case "call":
			called = onWhose()
			n.Reply(id, runtime.Done, nil)
		case "job":
			n.Submit(0, func(runtime.FS) error { return nil }, func(error) {
				done = onWhose()
				n.Reply(id, runtime.Done, nil)
			})
		case "alarm":
			n.WakeAt(n.Now().Add(1))
			n.Reply(id, runtime.Done, nil)
		case "send":
			n.Send(1, 0, []byte("frame"))
			n.Reply(id, runtime.Done, nil)
		}
	}
	h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, n)
	if whose := await(t, booted, "the boot"); whose != "its own" {
		t.Errorf("booted on %s goroutine", whose)
	}
	// The loop's own goroutine may be looking around just then: but not always.
	for range 1000 {
		if call(t, h, "call"); called == "the caller's" {
			break
		}
	}
	for range 1000 {
		if call(t, h, "job"); done == "a lane's" {
			break
		}
	}
	if called != "the caller's" || done != "a lane's" {
		t.Errorf("called on %s goroutine, done on %s", called, done)
	}
	var got string
	for range 1000 {
		call(t, h, "send")
		if got = await(t, received, "the frame"); got == "the link's" {
			break
		}
	}
	if got != "the link's" {
		t.Errorf("received on %s goroutine", got)
	}
	call(t, h, "alarm")
	await(t, woken, "the alarm, which is earlier than what the loop waits for")
}

// While somebody is in a turn, others do not wait for its end, and what they have is done behind it.
func TestNobodyWaitsForATurn(t *testing.T) {
	n := &node{}
	begun, let := make(chan struct{}), make(chan struct{})
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		if string(req) == "first" {
			close(begun)
			<-let
		}
		n.Reply(id, runtime.Done, req)
	}
	h := start(t, n)
	first := callAsync(t.Context(), h, "first")
	await(t, begun, "the first call")
	order := make(chan string, 3)
	for _, name := range []string{"a", "b", "c"} {
		if !h.Post(func() { order <- name }) {
			t.Fatal("the host has ended")
		}
	}
	second := callAsync(t.Context(), h, "second")
	close(let)
	for _, c := range []<-chan answer{first, second} {
		if a := await(t, c, "an answer"); a.outcome != runtime.Done {
			t.Errorf("%+v", a)
		}
	}
	if got := await(t, order, "a") + await(t, order, "b") + await(t, order, "c"); got != "abc" {
		t.Errorf("done in the order %s", got)
	}
}

// Whoever takes a turn in which the node panics goes on: it is the host that ends.
func TestPanicInATurnOfTheCallers(t *testing.T) {
	n := &node{call: func(runtime.CallID, runtime.Instant, []byte) { panic("in a call") }}
	h := start(t, n)
	if a := call(t, h, ""); a.outcome != runtime.Unknown || !strings.Contains(a.err.Error(), "panic on the loop: in a call") {
		t.Errorf("%+v", a)
	}
}
