package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

func TestEventsAreNamedAndUnique(t *testing.T) {
	if err := runtime.CheckEvents(runtime.WorldEvents, transport.Events); err != nil {
		t.Fatal(err)
	}
}

// side is a node of a rig: an RPC and all that came out of it.
type side struct {
	*transport.RPC
	id        runtime.NodeID
	served    []transport.Request
	abandoned []transport.Ticket
	results   []transport.RPCResult
	events    []runtime.EventKind
}

// rpcRig is two nodes and the frames between them, which a test delivers as it likes.
type rpcRig struct {
	t     *testing.T
	now   runtime.Instant
	a, b  *side
	wire  []transport.Outgoing // to be delivered, oldest first
	boots uint64
	cfg   transport.RPCConfig
}

func newRPCRig(t *testing.T, cfg transport.RPCConfig) *rpcRig {
	r := &rpcRig{t: t, cfg: cfg}
	r.a, r.b = r.boot(1), r.boot(2)
	return r
}

func (r *rpcRig) boot(id runtime.NodeID) *side {
	r.boots++
	cfg := r.cfg
	cfg.Incarnation = r.boots
	return &side{RPC: transport.NewRPC(cfg), id: id}
}

// collect takes what a side has to do.
func (r *rpcRig) collect(s *side) {
	out := s.Take()
	r.wire = append(r.wire, out.Send...)
	s.served = append(s.served, out.Serve...)
	s.abandoned = append(s.abandoned, out.Abandoned...)
	s.results = append(s.results, out.Results...)
	for _, ev := range out.Events {
		s.events = append(s.events, ev.Kind)
	}
}

// deliver hands a frame over.
func (r *rpcRig) deliver(f transport.Outgoing) {
	to, from := r.a, r.b
	if f.To == r.b.id {
		to, from = r.b, r.a
	}
	if err := to.Receive(r.now, from.id, f.Frame); err != nil {
		r.t.Fatal(err)
	}
	r.collect(to)
}

// flow delivers frames until there are none.
func (r *rpcRig) flow() {
	r.collect(r.a)
	r.collect(r.b)
	for len(r.wire) > 0 {
		f := r.wire[0]
		r.wire = r.wire[1:]
		r.deliver(f)
	}
}

// frames takes those that are on their way, without delivering them.
func (r *rpcRig) frames() []transport.Outgoing {
	r.collect(r.a)
	r.collect(r.b)
	f := r.wire
	r.wire = nil
	return f
}

// pass lets time go by.
func (r *rpcRig) pass(d time.Duration) {
	for end := r.now.Add(d); ; {
		next := min(r.a.Deadline(), r.b.Deadline())
		if next > end {
			r.now = end
			return
		}
		r.now = max(r.now, next)
		r.a.Tick(r.now)
		r.b.Tick(r.now)
		r.flow()
	}
}

func (r *rpcRig) call(body string, timeout time.Duration) transport.RequestID {
	id, err := r.a.Call(r.now, 2, r.now.Add(timeout), []byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// want checks the results of the calling side, and forgets them.
func (r *rpcRig) want(want ...string) {
	r.t.Helper()
	var got []string
	for _, x := range r.a.results {
		text := fmt.Sprintf("%d %v %s", x.ID, x.Outcome, x.Body)
		if x.Err != nil {
			text = fmt.Sprintf("%d %v %v", x.ID, x.Outcome, x.Err)
		}
		got = append(got, text)
	}
	r.a.results = nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("results\ngot  %q\nwant %q", got, want)
	}
}

func (r *rpcRig) respond(i int, body string) {
	if err := r.b.Respond(r.b.served[i].Ticket, []byte(body)); err != nil {
		r.t.Fatal(err)
	}
}

func TestCallsAreAnsweredInAnyOrder(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	r.call("one", time.Second)
	r.call("two", time.Second)
	r.call("three", time.Second)
	r.flow()
	r.respond(2, "III")
	r.respond(0, "I")
	r.b.Fail(r.b.served[1].Ticket, []byte("no"))
	r.flow()
	r.want("3 done III", "1 done I", "2 done transport: the peer failed: no")
	if load := r.a.Load(); load.Calls != 0 || load.CallBytes != 0 {
		t.Errorf("the caller still holds %+v", load)
	}
	if load := r.b.Load(); load.Serving != 0 || load.ServedBytes != 0 {
		t.Errorf("the server still holds %+v", load)
	}
}

func TestLostFramesAreSentAgainAndHandledOnce(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	r.call("x", time.Minute)
	r.frames() // the hello
	r.pass(time.Second)
	if len(r.b.served) != 1 {
		t.Fatalf("served %d times", len(r.b.served))
	}
	r.respond(0, "y")
	r.frames() // the answer
	r.pass(2 * time.Second)
	r.want("1 done y")
	if len(r.b.served) != 1 {
		t.Errorf("served %d times", len(r.b.served))
	}
}

func TestEveryFrameTwiceIsHandledOnce(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	for i := range 50 {
		r.call(fmt.Sprint(i), time.Minute)
		if err := r.a.Notify(r.now, 2, r.now.Add(time.Minute), []byte("tell")); err != nil {
			t.Fatal(err)
		}
	}
	answered := 0
	for frames := r.frames(); len(frames) > 0; frames = r.frames() {
		for _, f := range frames {
			r.deliver(f)
			r.deliver(f)
		}
		for ; answered < len(r.b.served); answered++ {
			if !r.b.served[answered].OneWay {
				r.respond(answered, "ok")
			}
		}
	}
	if len(r.b.served) != 100 || len(r.a.results) != 50 {
		t.Errorf("%d served, %d results", len(r.b.served), len(r.a.results))
	}
}

func TestSlowHandlerIsAskedAgainWithoutTheBody(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	r.call(string(make([]byte, 10_000)), time.Minute)
	r.flow()
	r.pass(150 * time.Millisecond) // the first repetition is accepted
	r.now = r.a.Deadline()
	r.a.Tick(r.now)
	for _, f := range r.frames() {
		if len(f.Frame) > 100 {
			t.Errorf("a poll of %d bytes", len(f.Frame))
		}
		r.deliver(f)
	}
	r.respond(0, "late")
	r.flow()
	r.want("1 done late")
}

func TestOutcomesAreHonest(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		r := newRPCRig(t, transport.RPCConfig{})
		r.call("x", time.Second)
		r.frames()
		r.now = r.now.Add(time.Second)
		r.a.Tick(r.now)
		r.flow()
		r.want("1 refused " + transport.ErrUnreachable.Error())
	})
	t.Run("no answer", func(t *testing.T) {
		r := newRPCRig(t, transport.RPCConfig{})
		r.call("x", time.Second)
		r.flow()
		r.pass(time.Second)
		r.want("1 unknown " + transport.ErrTimeout.Error())
		r.respond(0, "too late")
		r.flow()
		r.want()
	})
	t.Run("overloaded", func(t *testing.T) {
		r := newRPCRig(t, transport.RPCConfig{ServeMax: 1})
		r.call("x", time.Second)
		r.call("y", time.Second)
		r.flow()
		r.want("2 refused " + transport.ErrOverloaded.Error())
		r.respond(0, "X")
		r.flow()
		r.want("1 done X")
	})
	t.Run("busy", func(t *testing.T) {
		r := newRPCRig(t, transport.RPCConfig{CallsMax: 2, CallBytesMax: 10})
		r.call("12345", time.Second)
		if _, err := r.a.Call(r.now, 2, r.now.Add(time.Second), []byte("123456")); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("too many bytes: %v", err)
		}
		r.call("1", time.Second)
		if _, err := r.a.Call(r.now, 2, r.now.Add(time.Second), nil); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("too many calls: %v", err)
		}
		if _, err := r.a.Call(r.now, 2, r.now, make([]byte, transport.RequestMax+1)); !errors.Is(err, transport.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
	})
	t.Run("restarted", func(t *testing.T) {
		r := newRPCRig(t, transport.RPCConfig{})
		r.call("x", time.Minute)
		r.flow()
		r.b = r.boot(2)
		r.call("y", time.Minute)
		r.pass(time.Second)
		r.want("1 unknown "+transport.ErrLost.Error(), "2 unknown "+transport.ErrLost.Error())
		r.call("z", time.Minute)
		r.pass(time.Second)
		if len(r.b.served) != 1 || string(r.b.served[0].Body) != "z" {
			t.Errorf("served %+v", r.b.served)
		}
	})
}

func TestLateFramesOfAnEarlierLifeMatchNothing(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	r.call("old", time.Minute)
	hello := r.frames()
	r.deliver(hello[0])
	welcome := r.frames()
	r.deliver(welcome[0])
	request := r.frames()
	r.deliver(request[0])
	r.respond(0, "old answer")
	answer := r.frames()

	// The caller restarts, and calls with the same number.
	r.a = r.boot(1)
	r.call("new", time.Minute)
	fresh := r.frames()
	for _, late := range [][]transport.Outgoing{hello, welcome, request, answer} {
		r.deliver(late[0])
	}
	r.deliver(fresh[0])
	r.flow()
	for _, late := range [][]transport.Outgoing{hello, welcome, request, answer} {
		r.deliver(late[0])
	}
	r.flow()
	r.want()
	if len(r.b.served) != 2 || string(r.b.served[1].Body) != "new" {
		t.Fatalf("served %+v", r.b.served)
	}
	r.respond(1, "new answer")
	r.flow()
	r.want("1 done new answer")
}

// A late hello of a dead boot must not take the session of the living one away.
func TestLateHelloDisturbsNobody(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	r.call("x", time.Minute)
	hello := r.frames()
	r.a = r.boot(1)
	r.call("y", time.Minute)
	r.flow()
	r.deliver(hello[0])
	r.flow()
	r.respond(0, "Y")
	r.flow()
	r.want("1 done Y")
}

func TestCancelledCallHasNoResult(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{})
	id := r.call("unsent", time.Minute)
	if r.a.Sent(id) || r.a.Sent(id+1) {
		t.Error("sent before there is a session")
	}
	if o, found := r.a.Cancel(id); !found || o != runtime.Refused {
		t.Errorf("unsent: %v %v", o, found)
	}
	id = r.call("x", time.Minute)
	r.flow()
	if !r.a.Sent(id) {
		t.Error("not sent")
	}
	if o, found := r.a.Cancel(id); !found || o != runtime.Unknown {
		t.Errorf("sent: %v %v", o, found)
	}
	if _, found := r.a.Cancel(id); found {
		t.Error("cancelled twice")
	}
	r.flow()
	if len(r.b.abandoned) != 1 || r.b.abandoned[0] != r.b.served[0].Ticket {
		t.Errorf("abandoned %v", r.b.abandoned)
	}
	r.respond(0, "nobody hears")
	r.flow()
	r.want()
}

// One call that takes for ever does not hold up those behind it, nor does what is
// remembered of them grow.
func TestSlowCallHoldsUpNobody(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{ReplyBytesMax: 1000})
	slow := r.call("slow", time.Hour)
	r.flow()
	for i := range 400 {
		r.call("quick", time.Second)
		r.flow()
		r.respond(i+1, string(bytes.Repeat([]byte("y"), 100)))
		r.flow()
		if len(r.a.results) != 1 || r.a.results[0].Outcome != runtime.Done {
			t.Fatalf("call %d: %+v", i, r.a.results)
		}
		r.a.results = nil
		if kept := r.b.Load().ReplyBytes; kept > 1000 {
			t.Fatalf("%d bytes of answers are kept", kept)
		}
	}
	r.respond(0, "at last")
	r.flow()
	r.want(fmt.Sprintf("%d done at last", slow))
}

// When the answer to a repeated request has been let go, the caller learns that.
func TestForgottenAnswerIsUnknown(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{ReplyBytesMax: 10})
	r.call("x", time.Minute)
	r.flow()
	r.respond(0, "more than ten bytes")
	r.frames() // the answer is lost
	r.pass(time.Second)
	r.want("1 unknown " + transport.ErrLost.Error())
}

// The window may slide by any number of calls, and never mixes two up.
func TestWindowSlides(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{CallsMax: 512})
	var replay []transport.Outgoing
	for round := range 8 {
		first := len(r.b.served)
		for range 500 {
			r.call("x", time.Minute)
		}
		for frames := r.frames(); len(frames) > 0; frames = r.frames() {
			for i := range frames { // the last comes first
				r.deliver(frames[len(frames)-1-i])
			}
			replay = append(replay, frames[0])
		}
		if len(r.b.served)-first != 500 {
			t.Fatalf("round %d: %d served", round, len(r.b.served)-first)
		}
		for i := first; i < len(r.b.served); i++ {
			r.respond(i, "y")
		}
		r.flow()
		if len(r.a.results) != 500 {
			t.Fatalf("round %d: %d results", round, len(r.a.results))
		}
		r.a.results = nil
	}
	served := len(r.b.served)
	for _, f := range replay {
		r.deliver(f)
	}
	r.flow()
	if len(r.b.served) != served || len(r.a.results) > 0 {
		t.Error("old frames had an effect")
	}
}

func TestPeersAreLimited(t *testing.T) {
	r := newRPCRig(t, transport.RPCConfig{PeersMax: 3})
	for id := range runtime.NodeID(5) {
		_, err := r.a.Call(0, id+2, 1, nil)
		if busy := errors.Is(err, transport.ErrBusy); busy != (id >= 3) {
			t.Errorf("peer %d: %v", id, err)
		}
	}
	if n := r.a.Load().Peers; n != 3 {
		t.Errorf("%d peers are known", n)
	}
}
