package cluster

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// fakeEngine leads, and answers with what it was asked.
type fakeEngine struct {
	mu     sync.Mutex
	status raft.Status
	refuse error
	hold   chan struct{} // not nil: wait for it, or the context
	held   chan struct{} // gets a token when that begins
	reason error
	die    sync.Once
	done   chan struct{}
}

func (e *fakeEngine) answer(ctx context.Context, p []byte) (runtime.Outcome, []byte, error) {
	e.mu.Lock()
	refuse, hold := e.refuse, e.hold
	e.mu.Unlock()
	if refuse != nil {
		return runtime.Refused, nil, refuse
	}
	if hold != nil {
		e.held <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
			return runtime.Unknown, nil, ctx.Err()
		}
	}
	return runtime.Done, p, nil
}

func (e *fakeEngine) Propose(ctx context.Context, p []byte) (runtime.Outcome, []byte, error) {
	return e.answer(ctx, append([]byte("did "), p...))
}

func (e *fakeEngine) Query(ctx context.Context, p []byte) (runtime.Outcome, []byte, error) {
	return e.answer(ctx, append([]byte("saw "), p...))
}

func (e *fakeEngine) Snapshot(context.Context) error { return errors.New("no snapshot") }

func (e *fakeEngine) Status() raft.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

func (e *fakeEngine) end(reason error) {
	e.die.Do(func() { e.reason = reason; close(e.done) })
}

func (e *fakeEngine) Stop()                 { e.end(nil) }
func (e *fakeEngine) Kill(reason error)     { e.end(reason) }
func (e *fakeEngine) Done() <-chan struct{} { return e.done }
func (e *fakeEngine) Wait() error           { <-e.done; return e.reason }

// startFake runs a member on a fakeEngine.
func startFake(t *testing.T, failing error) (*Member, *fakeEngine) {
	t.Helper()
	const name Engine = "fake"
	e := &fakeEngine{done: make(chan struct{}), held: make(chan struct{}, 2), status: raft.Status{Role: raft.Leader, Term: 3, Leader: 1}}
	engines[name] = func(m *Member, _ func() raft.StateMachine) backend {
		return m.beside(func(func()) (engine, error) { return e, failing })
	}
	t.Cleanup(func() { delete(engines, name) })
	dir := t.TempDir()
	authority, err := quic.CreateAuthority(filepath.Join(dir, "authority"), "orders")
	if err == nil {
		err = authority.Issue(filepath.Join(dir, "tls"), 1, quic.Validity{})
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := Start(t.Context(), Config{
		Cluster: "orders", ID: 1, Dir: filepath.Join(dir, "data"), TLSDir: filepath.Join(dir, "tls"),
		Peers: []Peer{{ID: 1}}, Listen: "127.0.0.1:0", Engine: name,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Kill(nil); <-m.Done() })
	return m, e
}

func TestAnotherEngine(t *testing.T) {
	m, e := startFake(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := m.Propose(ctx, []byte("x")); err != nil || string(got) != "did x" {
		t.Errorf("proposed: %q, %v", got, err)
	}
	if got, err := m.Read(ctx, []byte("x"), ReadOptions{}); err != nil || string(got) != "saw x" {
		t.Errorf("read: %q, %v", got, err)
	}
	if s := m.Status(); s.Raft.Term != 3 || s.Leader.ID != 1 {
		t.Errorf("status %+v", s)
	}
	if err := m.Snapshot(ctx); OutcomeOf(err) != runtime.Refused {
		t.Errorf("snapshot: %v", err)
	}
	e.mu.Lock()
	e.refuse = raft.Refusal{Code: raft.RefusedBusy}
	e.mu.Unlock()
	if _, err := m.Propose(ctx, nil); !errors.Is(err, ErrBusy) || OutcomeOf(err) != runtime.Refused {
		t.Errorf("refused: %v", err)
	}
	e.mu.Lock()
	e.refuse, e.hold = nil, make(chan struct{})
	e.mu.Unlock()
	given, giveUp := context.WithCancel(ctx)
	go func() {
		<-e.held
		giveUp()
	}()
	if _, err := m.Propose(given, nil); OutcomeOf(err) != runtime.Unknown {
		t.Errorf("given up: %v", err)
	}
	short, cancelShort := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancelShort()
	want := runtime.Unknown
	_, err := m.Propose(short, nil)
	if OutcomeOf(err) == runtime.Refused && len(e.held) == 0 { // its time was over before it began
		want = runtime.Refused
	}
	if OutcomeOf(err) != want {
		t.Errorf("out of time: %v", err)
	}
	if err := m.Drain(ctx); err != nil {
		t.Errorf("drained: %v", err)
	}
	select {
	case <-e.done:
	default:
		t.Error("the engine goes on")
	}
}

func TestEngineThatFailsEndsTheMember(t *testing.T) {
	reason := errors.New("its disk is full")
	m, e := startFake(t, nil)
	e.Kill(reason)
	<-m.Done()
	if err := m.Wait(); !errors.Is(err, reason) {
		t.Errorf("ended with %v", err)
	}
	m, e = startFake(t, reason)
	<-m.Done()
	if err := m.Wait(); !errors.Is(err, reason) {
		t.Errorf("not started, ended with %v", err)
	}
	e.end(nil)
	m, e = startFake(t, nil)
	m.Kill(nil)
	<-m.Done()
	if e.Wait() == nil {
		t.Error("the engine of a killed member was not killed")
	}
}
