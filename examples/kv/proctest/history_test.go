package proctest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// request is what a client asks of a server.
type request struct {
	method  string // GET, PUT, DELETE; POST is compare and swap
	key     string
	value   string
	old     string // of POST
	absent  bool   // of POST: there must be no such key
	attempt int    // the client's own count, so that none is like another
}

func (q request) String() string {
	switch {
	case q.method == http.MethodPut:
		return fmt.Sprintf("PUT %q", q.value)
	case q.method == http.MethodPost && q.absent:
		return fmt.Sprintf("CAS absent to %q", q.value)
	case q.method == http.MethodPost:
		return fmt.Sprintf("CAS %q to %q", q.old, q.value)
	}
	return q.method
}

// outcome is what a client knows of its request in the end.
type outcome int

const (
	done    outcome = iota // it was answered
	refused                // it was not done and never will be
	unknown                // it may take effect, or may have
)

// reply is what came back.
type reply struct {
	outcome outcome
	code    int
	value   string // of a GET
}

func (r reply) String() string {
	if r.outcome == unknown {
		return "?"
	}
	if r.value != "" {
		return fmt.Sprintf("%d %q", r.code, r.value)
	}
	return fmt.Sprint(r.code)
}

// operation is a request and what came of it. Times are ns since the history began.
type operation struct {
	client, server int
	request        request
	reply          reply
	call, end      int64
}

func (o operation) String() string {
	end := "         ..."
	if o.reply.outcome == done {
		end = fmt.Sprintf("%12.6f", time.Duration(o.end).Seconds())
	}
	return fmt.Sprintf("%12.6f %s  client %2d at %d  %v: %v", time.Duration(o.call).Seconds(), end, o.client, o.server+1, o.request, o.reply)
}

// history is what clients were told, by key.
type history struct {
	began time.Time

	mu     sync.Mutex
	byKey  map[string][]operation
	counts [3]int // by outcome
}

func newHistory() *history { return &history{began: time.Now(), byKey: map[string][]operation{}} }

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add notes an operation, but for one that had no effect.
func (h *history) add(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[o.reply.outcome]++
	if o.reply.outcome == done || o.reply.outcome == unknown && o.request.method != http.MethodGet {
		h.byKey[o.request.key] = append(h.byKey[o.request.key], o)
	}
}

// await waits until there are so many answers, though not beyond patience.
func (h *history) await(ctx context.Context, answers int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		h.mu.Lock()
		enough := h.counts[done] >= answers
		h.mu.Unlock()
		if enough {
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// keys returns all keys that were asked for, sorted.
func (h *history) keys() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []string
	for key := range h.byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// cell is the state of a key.
type cell struct {
	present bool
	value   string
}

// step is the specification: what a request does to a key, and the code of the answer.
func step(before cell, q request) (after cell, code int) {
	switch q.method {
	case http.MethodPut:
		return cell{present: true, value: q.value}, http.StatusOK
	case http.MethodPost:
		if q.absent == !before.present && (q.absent || q.old == before.value) {
			return cell{present: true, value: q.value}, http.StatusOK
		}
		if before.present {
			return before, http.StatusConflict
		}
	case http.MethodDelete:
		if before.present {
			return cell{}, http.StatusOK
		}
	case http.MethodGet:
		if before.present {
			return before, http.StatusOK
		}
	}
	return before, http.StatusNotFound
}

// model is the specification for porcupine.
var model = porcupine.Model{
	Init: func() any { return cell{} },
	Step: func(state, input, output any) (bool, any) {
		before, q, r := state.(cell), input.(request), output.(reply)
		after, code := step(before, q)
		if r.outcome == unknown {
			return true, after
		}
		return r.code == code && (q.method != http.MethodGet || r.value == after.value), after
	},
}

// check looks for an order of the operations of one key that explains all answers.
func check(ops []operation, within time.Duration) porcupine.CheckResult {
	history := make([]porcupine.Operation, len(ops))
	for i, o := range ops {
		history[i] = porcupine.Operation{ClientId: o.client, Input: o.request, Output: o.reply, Call: o.call, Return: o.end}
		if o.reply.outcome == unknown {
			history[i].Return = math.MaxInt64
		}
	}
	return porcupine.CheckOperationsTimeout(model, history, within)
}

// judge checks all keys and returns what is wrong, with the operations of the first key that is.
func (h *history) judge(within time.Duration) error {
	deadline := time.Now().Add(within)
	for _, key := range h.keys() {
		if result := check(h.byKey[key], max(time.Until(deadline), time.Millisecond)); result != porcupine.Ok {
			return fmt.Errorf("key %s: %s\n%s", key, result, listing(h.byKey[key]))
		}
	}
	return nil
}

// listing shows operations in the order of their calls.
func listing(ops []operation) string {
	ops = slices.SortedFunc(slices.Values(ops), func(a, b operation) int { return cmp.Compare(a.call, b.call) })
	lines := make([]string, len(ops))
	for i, o := range ops {
		lines[i] = o.String()
	}
	return strings.Join(lines, "\n")
}
