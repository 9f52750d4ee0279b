package proctest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

var (
	minutes = flag.Float64("minutes", 0, "how long each engine is tried; 0 is as long as it takes to do everything once")
	seed    = flag.Uint64("schedule", 0, "seed of the schedule; 0 draws one")
	clients = flag.Int("clients", 12, "how many clients there are")
)

// answersMin is how many answers clients must have got, at least.
const answersMin = 300

// judgeWithin is how long porcupine may take for the whole history.
const judgeWithin = 2 * time.Minute

// known reports whether this build has the engine.
func known(engine cluster.Engine) bool {
	cfg := cluster.Config{
		Cluster: "kv", ID: 1, Dir: "data", Engine: engine, Peers: []cluster.Peer{{ID: 1, Addr: "127.0.0.1:0"}},
		Credentials: func() (*quic.Credentials, error) { return nil, nil },
	}
	return cfg.Validate() == nil
}

func TestProcesses(t *testing.T) {
	binary := build(t, "kv-race", true, nil)
	for _, engine := range []cluster.Engine{cluster.Octopii, cluster.Hashicorp} {
		if engine == cluster.Octopii || known(engine) {
			t.Run(string(engine), func(t *testing.T) { try(t, binary, engine) })
		}
	}
}

// try has a cluster serve while everything goes wrong, and judges what the clients were told.
func try(t *testing.T, binary string, engine cluster.Engine) {
	drawn := *seed
	for drawn == 0 {
		drawn = rand.Uint64N(1 << 32)
	}
	t.Logf("schedule %d", drawn)
	p := startProcesses(t, binary, engine)
	s := newSchedule(p, drawn)
	longest := 600 * time.Millisecond
	if *minutes > 0 {
		longest = 3 * time.Second
	}
	until := time.Now().Add(time.Duration(*minutes * float64(time.Minute)))
	h, keys := newHistory(), &keyring{}
	firstRead(t, p, h)
	serveWhile(t, p, h, keys, func(ctx context.Context) {
		s.run(ctx, until, longest)
		h.await(ctx, answersMin)
	})
	readAll(t, p, h)
	p.drain()
	p.inspect()

	if err := h.judge(judgeWithin); err != nil {
		t.Fatal(err)
	}
	s.report(h, keys)
	s.wantEverything(h)
	falsify(t, h)
}

// serveWhile runs clients for as long as f takes. An answer that makes no sense ends it early.
func serveWhile(t *testing.T, p *processes, h *history, keys *keyring, f func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range *clients {
		all.Go(func() {
			if err := newClient(i, p.https, h, keys).run(ctx); err != nil {
				t.Error(err)
				cancel()
			}
		})
	}
	defer all.Wait()
	defer cancel()
	f(ctx)
}

// firstRead waits until the cluster serves.
func firstRead(t *testing.T, p *processes, h *history) {
	t.Helper()
	c := newClient(*clients, p.https, h, nil)
	for i := range size {
		c.insist(t, p, i, "key-0")
	}
}

// readAll reads each key by each server, now that everything is well: what was acknowledged must be there.
func readAll(t *testing.T, p *processes, h *history) {
	t.Helper()
	var all sync.WaitGroup
	keys := h.keys()
	for i := range size {
		all.Go(func() {
			c := newClient(*clients+1+i, p.https, h, nil)
			for _, key := range keys {
				c.insist(t, p, i, key)
			}
		})
	}
	all.Wait()
}

// insist reads a key by a server that must answer in the end.
func (c *client) insist(t *testing.T, p *processes, server int, key string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r, err := c.ask(server, request{method: http.MethodGet, key: key})
		if err != nil || time.Now().After(deadline) {
			t.Errorf("server %d does not serve %s: %v %v\n%s", server+1, key, r, err, p.logOf(server))
			return
		}
		if r.outcome == done {
			return
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}

// report tells what has happened.
func (s *schedule) report(h *history, keys *keyring) {
	s.Helper()
	n := s.network
	s.Logf("%v: %d done, %d refused, %d unknown on %d keys; %d starts, %d kills, %d stops, %d cuts; "+
		"datagrams: %d passed, %d cut, %d dropped, %d duplicated, %d reordered, %d delayed",
		time.Since(h.began).Round(time.Second), h.counts[done], h.counts[refused], h.counts[unknown], keys.made,
		s.count.starts, s.count.kills, s.count.stops, s.cuts,
		n.passed.Load(), n.verdicts.cut.Load(), n.dropped.Load(), n.duplicated.Load(), n.reordered.Load(), n.delayed.Load())
	var lines []string
	for name, count := range s.counts {
		lines = append(lines, fmt.Sprintf("%d times: %s", count, name))
	}
	slices.Sort(lines)
	s.Log(strings.Join(lines, "\n"))
}

// wantEverything fails the test if it has shown less than it should.
func (s *schedule) wantEverything(h *history) {
	s.Helper()
	n := s.network
	for what, count := range map[string]int64{
		"answers": int64(h.counts[done]) + 1 - answersMin, "outcomes not known": int64(h.counts[unknown]),
		"kills": int64(s.count.kills), "cuts": int64(s.cuts), "stops": int64(s.count.stops + 1 - min(1, len(pauses))),
		"datagrams cut": n.verdicts.cut.Load(), "datagrams dropped": n.dropped.Load(), "datagrams duplicated": n.duplicated.Load(),
		"datagrams reordered": n.reordered.Load(), "datagrams delayed": n.delayed.Load(),
	} {
		if count <= 0 {
			s.Errorf("there were too few %s", what)
		}
	}
}

// falsify has clients lie about what they were told, in one answer, and wants that to be noticed.
func falsify(t *testing.T, h *history) {
	t.Helper()
	lies := map[string]func(ops []operation, i int) bool{
		"a value that was never written": func(ops []operation, i int) bool {
			ops[i].reply.value = "never"
			return true
		},
		"a value from before the last change that was acknowledged": func(ops []operation, i int) bool {
			put := lastBefore(ops, ops[i].call)
			if put < 0 {
				return false
			}
			stale := lastBefore(ops, ops[put].call)
			if stale < 0 {
				return false // else it cannot be seen again: no value is written twice
			}
			ops[i].reply.value = ops[stale].request.value
			return true
		},
	}
	for name, lie := range lies {
		if !h.caught(lie) {
			t.Errorf("%s: no answer could be falsified so, or nobody noticed", name)
		}
	}
}

// caught falsifies the first answer to a read that the lie can be told about, and reports whether the check finds it.
func (h *history) caught(lie func(ops []operation, i int) bool) bool {
	for _, key := range h.keys() {
		ops := slices.Clone(h.byKey[key])
		for i, o := range ops {
			if o.request.method == http.MethodGet && o.reply.code == http.StatusOK && lie(ops, i) {
				return check(ops, judgeWithin) == porcupine.Illegal
			}
		}
	}
	return false
}

// lastBefore returns the acknowledged PUT that ended last before a time, -1 if there is none.
func lastBefore(ops []operation, at int64) int {
	last := -1
	for i, o := range ops {
		if o.request.method == http.MethodPut && o.reply.outcome == done && o.end < at && (last < 0 || o.end > ops[last].end) {
			last = i
		}
	}
	return last
}

// staleRead makes every server answer reads from its own state, without asking anybody whether that is the newest.
const staleRead = `	if kind == EntryQuery {
		var response []byte
		ask := func(runtime.FS) error { response = n.applier.replica.machine.Query(data); return nil }
		n.env.Submit(laneApply, ask, func(error) { n.env.Reply(id, runtime.Done, response) })
		return
	}
`

func TestStaleReadsAreFound(t *testing.T) {
	const place = "	index, term, err := n.core.Propose(now, kind, data)\n"
	binary := build(t, "kv-stale", false, map[string]string{
		"raft/node_client.go": planted(t, "raft/node_client.go", place, staleRead+place),
	})
	p := startProcesses(t, binary, cluster.Octopii)
	h, keys := newHistory(), &keyring{}
	var found error
	for deadline := time.Now().Add(patience); found == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("%d answers of servers that read their own state were found in order", h.counts[done])
		}
		serveWhile(t, p, h, keys, func(ctx context.Context) { pause(ctx, 500*time.Millisecond) })
		found = h.judge(judgeWithin)
	}
	if !strings.Contains(found.Error(), string(porcupine.Illegal)) {
		t.Fatal(found)
	}
}

func TestSpecification(t *testing.T) {
	a, b := cell{present: true, value: "a"}, cell{present: true, value: "b"}
	swap := func(old, new string) request { return request{method: http.MethodPost, old: old, value: new} }
	create := request{method: http.MethodPost, absent: true, value: "b"}
	for _, c := range []struct {
		before cell
		q      request
		after  cell
		code   int
	}{
		{cell{}, request{method: http.MethodGet}, cell{}, 404},
		{a, request{method: http.MethodGet}, a, 200},
		{cell{}, request{method: http.MethodPut, value: "b"}, b, 200},
		{a, request{method: http.MethodPut, value: "b"}, b, 200},
		{cell{}, request{method: http.MethodDelete}, cell{}, 404},
		{a, request{method: http.MethodDelete}, cell{}, 200},
		{cell{}, create, b, 200},
		{a, create, a, 409},
		{cell{}, swap("a", "b"), cell{}, 404},
		{cell{}, swap("", "b"), cell{}, 404},
		{a, swap("a", "b"), b, 200},
		{a, swap("b", "b"), a, 409},
	} {
		if after, code := step(c.before, c.q); after != c.after || code != c.code {
			t.Errorf("%v of %v: %v, %d, want %v, %d", c.q, c.before, after, code, c.after, c.code)
		}
	}
}

// Two writers, and what a reader may then see.
func TestOutcomesAreKeptApart(t *testing.T) {
	op := func(q request, r reply, call, end int64) operation {
		return operation{request: q, reply: r, call: call, end: end}
	}
	put := func(v string) request { return request{method: http.MethodPut, value: v} }
	get, ok := request{method: http.MethodGet}, reply{outcome: done, code: 200}
	saw := func(v string) reply { return reply{outcome: done, code: 200, value: v} }
	for name, c := range map[string]struct {
		ops  []operation
		want porcupine.CheckResult
	}{
		"an unknown takes effect late":      {[]operation{op(put("a"), reply{outcome: unknown}, 0, 1), op(put("b"), ok, 2, 3), op(get, saw("b"), 4, 5), op(get, saw("a"), 6, 7)}, porcupine.Ok},
		"an unknown never takes effect":     {[]operation{op(put("b"), ok, 0, 1), op(put("a"), reply{outcome: unknown}, 2, 3), op(get, saw("b"), 4, 5)}, porcupine.Ok},
		"an unknown takes effect only once": {[]operation{op(put("a"), reply{outcome: unknown}, 0, 1), op(get, saw("a"), 2, 3), op(put("b"), ok, 4, 5), op(get, saw("a"), 6, 7)}, porcupine.Illegal},
		"no unknown takes effect early":     {[]operation{op(get, saw("a"), 0, 1), op(put("a"), reply{outcome: unknown}, 2, 3)}, porcupine.Illegal},
		"the acknowledged is not lost":      {[]operation{op(put("a"), ok, 0, 1), op(put("b"), ok, 2, 3), op(get, saw("a"), 4, 5)}, porcupine.Illegal},
	} {
		if got := check(c.ops, judgeWithin); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	h := newHistory()
	h.add(op(put("a"), reply{outcome: refused, code: 503}, 0, 1))
	h.add(op(get, saw("a"), 2, 3))
	if err := h.judge(judgeWithin); err == nil {
		t.Error("what was refused took effect, and nobody noticed")
	}
}
