package host_test

import (
	"context"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// patience is how long a test waits for what must happen. It is never waited out in full by
// a test that passes.
const patience = 20 * time.Second

// node is a runtime.Node made of functions. Those that are nil do nothing.
type node struct {
	runtime.Env
	boot    func()
	receive func(from runtime.NodeID, ch runtime.Channel, frame []byte)
	wake    func()
	call    func(id runtime.CallID, deadline runtime.Instant, req []byte)
	cancel  func(id runtime.CallID)
	stop    func()
}

func (n *node) Boot(env runtime.Env) {
	n.Env = env
	if n.boot != nil {
		n.boot()
	}
}

func (n *node) Receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	if n.receive != nil {
		n.receive(from, ch, frame)
	}
}

func (n *node) Wake() {
	if n.wake != nil {
		n.wake()
	}
}

func (n *node) Call(id runtime.CallID, deadline runtime.Instant, req []byte) {
	if n.call != nil {
		n.call(id, deadline, req)
	}
}

func (n *node) Cancel(id runtime.CallID) {
	if n.cancel != nil {
		n.cancel(id)
	}
}

func (n *node) Stop() {
	if n.stop != nil {
		n.stop()
	}
}

// start runs a node in a folder of its own, and sees to it that it ends with the test.
func start(t *testing.T, n runtime.Node) *host.Host {
	t.Helper()
	return startWith(t, host.Config{ID: 1, Dir: t.TempDir()}, n)
}

func startWith(t *testing.T, cfg host.Config, n runtime.Node) *host.Host {
	t.Helper()
	h, err := host.Start(cfg, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Kill(nil)
		await(t, h.Done(), "the end of the host")
	})
	return h
}

// await receives from the channel, or fails the test.
func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// wait returns the reason for which the host ended.
func wait(t *testing.T, h *host.Host) error {
	t.Helper()
	await(t, h.Done(), "the end of the host")
	return h.Wait()
}

// answer is what Call returned.
type answer struct {
	outcome runtime.Outcome
	resp    string
	err     error
}

func call(t *testing.T, h *host.Host, req string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, resp, err := h.Call(ctx, []byte(req))
	return answer{outcome, string(resp), err}
}

// callAsync makes the call on another goroutine.
func callAsync(ctx context.Context, h *host.Host, req string) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		outcome, resp, err := h.Call(ctx, []byte(req))
		ch <- answer{outcome, string(resp), err}
	}()
	return ch
}
