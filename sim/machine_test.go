package sim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

// script is a node made of functions; those that are nil do nothing.
type script struct {
	env     runtime.Env
	boot    func(env runtime.Env)
	wake    func(env runtime.Env)
	call    func(env runtime.Env, id runtime.CallID, req []byte)
	receive func(env runtime.Env, from runtime.NodeID, frame []byte)
}

func (s *script) Boot(env runtime.Env) {
	s.env = env
	if s.boot != nil {
		s.boot(env)
	}
}
func (s *script) Wake() {
	if s.wake != nil {
		s.wake(s.env)
	}
}
func (s *script) Call(id runtime.CallID, _ runtime.Instant, req []byte) {
	if s.call != nil {
		s.call(s.env, id, req)
	}
}
func (s *script) Receive(from runtime.NodeID, _ runtime.Channel, frame []byte) {
	if s.receive != nil {
		s.receive(s.env, from, frame)
	}
}
func (s *script) Cancel(runtime.CallID) {}
func (s *script) Stop()                 { s.env.Halt(nil) }

// results keeps what the driver heard.
type results struct{ got []sim.CallResult }

func (r *results) Timer(uint64)              {}
func (r *results) Reply(res *sim.CallResult) { r.got = append(r.got, *res) }

// newScripted makes a world of one node that runs what make returns.
func newScripted(t *testing.T, observe func(*runtime.Record), make func() runtime.Node) (*sim.World, *results) {
	t.Helper()
	r := &results{}
	w := sim.New(sim.Config{Seed: 1, Nodes: 1, Driver: r, Observe: observe,
		NewNode: func(runtime.NodeID) runtime.Node { return make() }})
	t.Cleanup(w.Close)
	return w, r
}

func runFor(w *sim.World, d time.Duration) { w.RunUntil(w.Now().Add(d)) }

func TestPanicIsAFindingWithItsStack(t *testing.T) {
	boots := 0
	w, _ := newScripted(t, nil, func() runtime.Node {
		boots++
		return &script{boot: func(runtime.Env) {
			if boots == 1 {
				panic("broken invariant")
			}
		}}
	})
	runFor(w, time.Second)
	found := w.Findings()
	if len(found) != 1 || found[0].Text != "broken invariant" || !strings.Contains(found[0].Stack, "machine_test.go") {
		t.Errorf("findings %+v", found)
	}
	if boots != 2 || !w.Up(1) {
		t.Errorf("%d boots, up %v: the node should be back", boots, w.Up(1))
	}
}

func TestPanicInAJobIsAFinding(t *testing.T) {
	w, _ := newScripted(t, nil, func() runtime.Node {
		return &script{boot: func(env runtime.Env) {
			env.Submit(0, func(fs runtime.FS) error { panic("in the job") }, func(error) {})
		}}
	})
	runFor(w, 10*time.Millisecond)
	runFor(w, 20*time.Millisecond)
	if found := w.Findings(); len(found) == 0 || found[0].Text != "in the job" {
		t.Errorf("findings %+v", found)
	}
}

func TestNodeThatNeverReturnsIsFound(t *testing.T) {
	w, _ := newScripted(t, nil, func() runtime.Node {
		return &script{boot: func(env runtime.Env) {
			for {
				env.Now()
			}
		}}
	})
	runFor(w, 30*time.Millisecond)
	if found := w.Findings(); len(found) == 0 || !strings.Contains(found[0].Text, "would not return") {
		t.Errorf("findings %+v", found)
	}
}

func TestNothingHappensAfterHalt(t *testing.T) {
	traced := 0
	const kind = runtime.EventKind(1)
	w, r := newScripted(t, func(rec *runtime.Record) {
		if rec.Kind == kind {
			traced++
		}
	}, func() runtime.Node {
		return &script{call: func(env runtime.Env, id runtime.CallID, _ []byte) {
			env.Halt(errors.New("enough"))
			env.Trace(runtime.Event{Kind: kind})
			env.Reply(id, runtime.Done, nil)
			env.Submit(0, func(runtime.FS) error { t.Error("a job ran after Halt"); return nil }, nil)
			env.WakeAt(0)
		}, wake: func(runtime.Env) { t.Error("woken after Halt") }}
	})
	runFor(w, 25*time.Millisecond)
	w.Call(1, 1, 1, time.Second, nil)
	runFor(w, 5*time.Millisecond)
	if traced != 0 || len(r.got) != 1 || r.got[0].Outcome != runtime.Unknown {
		t.Errorf("traced %d, results %+v, want none and one unknown", traced, r.got)
	}
}

func TestKillUnwindsJobsAndTheirDefers(t *testing.T) {
	unwound, finished := 0, 0
	w, _ := newScripted(t, nil, func() runtime.Node {
		return &script{boot: func(env runtime.Env) {
			env.Submit(0, func(fs runtime.FS) error {
				defer func() { unwound++ }()
				for {
					if _, err := fs.List("."); err != nil {
						return err
					}
				}
			}, func(error) { finished++ })
		}}
	})
	runFor(w, 50*time.Millisecond)
	w.Kill(1, true)
	if unwound != 1 || finished != 0 {
		t.Errorf("unwound %d, finished %d, want 1 and 0", unwound, finished)
	}
}

func TestCallsOfANodeThatIsDownAreRefusedAndOfOneThatDiesUnknown(t *testing.T) {
	w, r := newScripted(t, nil, func() runtime.Node { return &script{} })
	runFor(w, 25*time.Millisecond)
	w.Call(1, 1, 1, time.Second, nil)
	runFor(w, time.Millisecond)
	w.Kill(1, false)
	w.Call(1, 2, 1, time.Second, nil)
	runFor(w, 5*time.Millisecond)
	if len(r.got) != 2 || r.got[0].Outcome == r.got[1].Outcome {
		t.Fatalf("results %+v", r.got)
	}
	for _, res := range r.got {
		if want := map[uint64]runtime.Outcome{1: runtime.Unknown, 2: runtime.Refused}[res.Op]; res.Outcome != want {
			t.Errorf("call %d: %v, want %v", res.Op, res.Outcome, want)
		}
	}
}

func TestUnansweredCallIsUnknownAtItsDeadline(t *testing.T) {
	w, r := newScripted(t, nil, func() runtime.Node { return &script{} })
	runFor(w, 25*time.Millisecond)
	w.Call(1, 1, 1, 100*time.Millisecond, nil)
	w.Call(1, 2, 1, 50*time.Millisecond, nil)
	runFor(w, 200*time.Millisecond)
	if len(r.got) != 2 || r.got[0].Op != 2 || r.got[0].Outcome != runtime.Unknown || r.got[1].Outcome != runtime.Unknown {
		t.Errorf("results %+v", r.got)
	}
}

func TestPausedNodeHearsEverythingLater(t *testing.T) {
	var woken runtime.Instant
	var w *sim.World
	w, _ = newScripted(t, nil, func() runtime.Node {
		return &script{
			boot: func(env runtime.Env) { env.WakeAt(env.Now().Add(100 * time.Millisecond)) },
			wake: func(runtime.Env) { woken = w.Now() },
		}
	})
	runFor(w, 25*time.Millisecond)
	w.Pause(1, time.Second)
	runFor(w, 2*time.Second)
	if woken < runtime.Instant(time.Second) {
		t.Errorf("woken at %v, within the pause", woken)
	}
}

// What was on its way to a process that dies in a pause finds nobody, and makes
// room on its link.
func TestProcessKilledInAPauseLeavesNothingBehind(t *testing.T) {
	spec, err := faults.Parse("pause=50ms/60ms,crash=any:kill/200ms")
	if err != nil {
		t.Fatal(err)
	}
	var sent, got, lost int
	w := sim.New(sim.Config{Seed: 5, Nodes: 2, Spec: spec, Driver: &results{},
		Observe: func(r *runtime.Record) {
			switch r.Kind {
			case sim.NetDelivered:
				got++
			case sim.NetLost:
				lost++
			}
		},
		NewNode: func(id runtime.NodeID) runtime.Node {
			var env runtime.Env
			tick := func() {
				sent++
				env.Send(3-id, 0, []byte("frame"))
				env.WakeAt(env.Now().Add(time.Millisecond))
			}
			return &script{
				boot: func(e runtime.Env) { env = e; tick() },
				wake: func(runtime.Env) { tick() },
			}
		}})
	defer w.Close()
	runFor(w, 20*time.Second)
	w.Heal([]runtime.NodeID{1, 2})
	before := sent
	runFor(w, time.Second)
	fired := w.Fired()
	if fired[faults.KindPause] < 50 || fired[faults.KindKill] < 10 {
		t.Fatalf("%d pauses, %d kills", fired[faults.KindPause], fired[faults.KindKill])
	}
	if sent-before < 1500 {
		t.Errorf("%d frames in the second after the heal: somebody still stands", sent-before)
	}
	if under := sent - got - lost; under > 50 {
		t.Errorf("%d frames sent, %d arrived, %d lost: %d have vanished", sent, got, lost, under)
	}
}

func TestLagDelaysJobsAndKeepsTheirOrder(t *testing.T) {
	spec, err := faults.Parse("lag=20ms")
	if err != nil {
		t.Fatal(err)
	}
	var began, order []runtime.Instant
	var w *sim.World
	w = sim.New(sim.Config{Seed: 5, Nodes: 1, Spec: spec, Driver: &results{},
		NewNode: func(runtime.NodeID) runtime.Node {
			return &script{boot: func(env runtime.Env) {
				for i := range 10 {
					env.Submit(2, func(runtime.FS) error {
						began = append(began, w.Now())
						return nil
					}, func(error) { order = append(order, runtime.Instant(i)) })
				}
			}}
		}})
	defer w.Close()
	runFor(w, time.Second)
	fired := w.Fired()
	if len(began) != 10 || fired[faults.KindLag] != 10 || !slices.IsSorted(order) || len(order) != 10 {
		t.Fatalf("%d jobs began, %d waited, done in the order %v", len(began), fired[faults.KindLag], order)
	}
	if took := began[9].Sub(began[0]); took < 30*time.Millisecond {
		t.Errorf("ten jobs that wait up to 20 ms began within %v", took)
	}
}

// A clogged link loses nothing, and lets everything go in one burst.
func TestClogHoldsFramesAndLetsThemGo(t *testing.T) {
	spec, err := faults.Parse("clog=2s/3s")
	if err != nil {
		t.Fatal(err)
	}
	var sent, got, burst, most int
	var last runtime.Instant
	w := sim.New(sim.Config{Seed: 5, Nodes: 2, Spec: spec, Driver: &results{},
		Observe: func(r *runtime.Record) {
			if r.Kind != sim.NetDelivered || r.Node != 2 {
				return
			}
			got++
			if burst++; r.At-last > runtime.Instant(5*time.Millisecond) {
				burst = 0
			}
			last, most = r.At, max(most, burst)
		},
		NewNode: func(id runtime.NodeID) runtime.Node {
			if id == 2 {
				return &script{}
			}
			var env runtime.Env
			tick := func() {
				sent++
				env.Send(2, 0, []byte("frame"))
				env.WakeAt(env.Now().Add(100 * time.Millisecond))
			}
			return &script{
				boot: func(e runtime.Env) { env = e; tick() },
				wake: func(runtime.Env) { tick() },
			}
		}})
	defer w.Close()
	runFor(w, 60*time.Second)
	w.Heal([]runtime.NodeID{1, 2})
	runFor(w, 3*time.Second)
	if fired := w.Fired(); fired[faults.KindClog] < 10 {
		t.Fatalf("%d clogs", fired[faults.KindClog])
	}
	if sent-got > 2 || most < 5 {
		t.Errorf("%d frames sent, %d arrived, at most %d at once", sent, got, most+1)
	}
}

// A heal lets go what is held up for the core, from outside of it, too.
func TestHealLetsGoWhatOutsidersHaveSent(t *testing.T) {
	spec, err := faults.Parse("clog=60s/1s")
	if err != nil {
		t.Fatal(err)
	}
	came, late := 0, 0
	for seed := range uint64(20) {
		var healed runtime.Instant
		w := sim.New(sim.Config{Seed: seed, Nodes: 2, Spec: spec, Driver: &results{},
			Observe: func(r *runtime.Record) {
				switch {
				case r.Node != 2 || healed == 0 || r.Kind != sim.NetDelivered && r.Kind != sim.NetLost:
				case r.At-healed > runtime.Instant(time.Second):
					late++
				default:
					came++
				}
			},
			NewNode: func(id runtime.NodeID) runtime.Node {
				return &script{boot: func(env runtime.Env) {
					env.WakeAt(env.Now().Add(9 * time.Second))
				}, wake: func(env runtime.Env) {
					if id == 1 {
						env.Send(2, 0, []byte("frame"))
					}
				}}
			}})
		runFor(w, 10*time.Second)
		healed = w.Now()
		w.Heal([]runtime.NodeID{2})
		runFor(w, 100*time.Second)
		w.Close()
	}
	if came < 5 || late > 0 {
		t.Errorf("%d frames came at the heal, %d later", came, late)
	}
}

func TestClocksDriftWithinTheirBound(t *testing.T) {
	for seed := range uint64(50) {
		var first, second runtime.Instant
		var at [2]runtime.Instant
		var w *sim.World
		w = sim.New(sim.Config{Seed: seed, Nodes: 1, Driver: &results{}, NewNode: func(runtime.NodeID) runtime.Node {
			return &script{boot: func(env runtime.Env) {
				first, at[0] = env.Now(), w.Now()
				env.WakeAt(first.Add(1000 * time.Second))
			}, wake: func(env runtime.Env) { second, at[1] = env.Now(), w.Now() }}
		}})
		runFor(w, 1100*time.Second)
		w.Close()
		node, world := int64(second-first), int64(at[1]-at[0])
		if node < int64(1000*time.Second) {
			t.Errorf("seed %d: woken after %d ns of its own clock, too early", seed, node)
		}
		if drift := (node - world) * 1_000_000 / world; drift > sim.DriftMax || drift < -sim.DriftMax {
			t.Errorf("seed %d: drift of %d ppm", seed, drift)
		}
	}
}

func TestPartitionShapesCutAndMend(t *testing.T) {
	for _, shape := range []string{"single", "halves", "leader", "oneway", "flap"} {
		spec, err := faults.Parse("partition=" + shape + "/1s")
		if err != nil {
			t.Fatal(err)
		}
		cuts, mends := 0, 0
		w := sim.New(sim.Config{Seed: 3, Nodes: 5, Spec: spec, Driver: &results{},
			Observe: func(r *runtime.Record) {
				if r.Kind == sim.NetCut && r.C > 0 {
					cuts++
				} else if r.Kind == sim.NetCut {
					mends++
				}
			},
			NewNode: func(runtime.NodeID) runtime.Node { return &script{} }})
		runFor(w, 60*time.Second)
		if cuts == 0 || mends == 0 {
			t.Errorf("%s: %d cuts, %d mends", shape, cuts, mends)
		}
		w.Close()
	}
}

func TestFramesAreValidDuringTheCall(t *testing.T) {
	var during string
	var kept []byte
	w, _ := newScripted(t, nil, func() runtime.Node {
		return &script{
			boot: func(env runtime.Env) { env.Send(1, runtime.ChannelControl, []byte("a frame")) },
			receive: func(_ runtime.Env, _ runtime.NodeID, frame []byte) {
				during, kept = string(frame), frame
			},
		}
	})
	runFor(w, time.Second)
	if during != "a frame" || len(kept) != len(during) || strings.ContainsAny(string(kept), during) {
		t.Errorf("a node received %q, and what it kept of that is %q later", during, kept)
	}
}
