package host_test

import (
	goruntime "runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// inTurnOfACaller starts a host and makes calls until one begins in a turn of its caller's: not in one of the loop's own goroutine,
// which may be looking around just then. The node does what it is given there, in the turn.
func inTurnOfACaller(t *testing.T, n *node, do func()) (h *host.Host, taken <-chan answer) {
	t.Helper()
	begun := make(chan bool, 1)
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		if string(req) == "first" {
			callers := onWhose() == "the caller's"
			begun <- callers
			if callers {
				do()
			}
		}
		n.Reply(id, runtime.Done, req)
	}
	h = start(t, n)
	for range 1000 {
		taken = callAsync(t.Context(), h, "first")
		if await(t, begun, "the call") {
			return h, taken
		}
		await(t, taken, "the answer")
	}
	t.Fatal("no caller has taken a turn")
	return nil, nil
}

// A call that comes while another caller is in a turn wakes nobody: the other must not forget it.
func TestCallersTurnLeavesNothingBehind(t *testing.T) {
	let := make(chan struct{})
	n := &node{}
	h, first := inTurnOfACaller(t, n, func() { <-let })
	r := prometheus.NewRegistry()
	if err := r.Register(h.Collector()); err != nil {
		t.Fatal(err)
	}
	second := callAsync(t.Context(), h, "second")
	for value(t, r, "octopii_loop_queue") == 0 {
		goruntime.Gosched()
	}
	close(let)
	for _, c := range []<-chan answer{first, second} {
		if a := await(t, c, "an answer"); a.outcome != runtime.Done {
			t.Errorf("%+v", a)
		}
	}
}

// An alarm that is set in a caller's turn rings, though the loop's own goroutine waits for a later one, or for none. It may be
// looking around during some of the calls: not during all. The alarm is not so near that it could ring in the turn.
func TestAlarmOfACallersTurnRings(t *testing.T) {
	n, woken := &node{}, make(chan struct{}, 1)
	n.wake = func() { woken <- struct{}{} }
	n.call = func(id runtime.CallID, _ runtime.Instant, _ []byte) {
		n.WakeAt(n.Now().Add(5 * time.Millisecond))
		n.Reply(id, runtime.Done, nil)
	}
	h := start(t, n)
	for range 20 {
		call(t, h, "")
		await(t, woken, "the alarm")
	}
}

// What is posted in a turn runs after it, and not within it.
func TestPostFromATurn(t *testing.T) {
	var h *host.Host
	n, known, ran := &node{}, make(chan struct{}), make(chan bool, 1)
	inTurn := false // belongs to the loop
	h, first := inTurnOfACaller(t, n, func() {
		<-known
		inTurn = true
		h.Post(func() { ran <- inTurn })
		inTurn = false
	})
	close(known)
	if await(t, ran, "what was posted") {
		t.Error("it ran within the turn")
	}
	await(t, first, "the answer")
}

// A host that is killed while a caller is in a turn ends when that has left it, and the caller with it.
func TestKillDuringACallersTurn(t *testing.T) {
	let := make(chan struct{})
	h, first := inTurnOfACaller(t, &node{}, func() { <-let })
	h.Kill(errReason)
	select {
	case <-h.Done():
		t.Error("it has ended within the turn")
	default:
	}
	close(let)
	if a := await(t, first, "an answer"); a.outcome != runtime.Unknown {
		t.Errorf("%+v", a)
	}
	if err := wait(t, h); err != errReason {
		t.Errorf("ended with %v", err)
	}
}
