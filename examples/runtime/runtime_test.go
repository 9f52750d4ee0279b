package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
)

func TestForReal(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), 0, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "n3 counts to 10 in its life 2") {
		t.Errorf("it says:\n%s", &out)
	}
}

func TestSimulated(t *testing.T) {
	for seed := range uint64(2) {
		var first, second bytes.Buffer
		if err := run(t.Context(), seed+1, &first); err != nil {
			t.Errorf("%v%v", &first, err)
		}
		if err := run(t.Context(), seed+1, &second); err != nil || first.String() != second.String() {
			t.Errorf("not the same twice: %v and %v", &first, &second)
		}
	}
}

// lyingFS says that all is durable, and syncs nothing.
type lyingFS struct{ runtime.FS }

type lyingFile struct{ runtime.File }

func (lyingFile) Sync() error { return nil }

func (l lyingFS) Open(name string) (runtime.File, error) { return lie(l.FS.Open(name)) }

func (l lyingFS) Create(name string) (runtime.File, error) { return lie(l.FS.Create(name)) }

func lie(f runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	return lyingFile{f}, nil
}

// careless is a counter whose jobs do not sync.
type careless struct{ *counter }

type carelessEnv struct{ runtime.Env }

func (c careless) Boot(env runtime.Env) { c.counter.Boot(carelessEnv{env}) }

func (e carelessEnv) Submit(lane runtime.Lane, job func(runtime.FS) error, done func(error)) {
	e.Env.Submit(lane, func(files runtime.FS) error { return job(lyingFS{files}) }, done)
}

func TestTheSimulatorFindsAMissingSync(t *testing.T) {
	careless := func(peers []runtime.NodeID) runtime.Node { return careless{newCounter(peers)} }
	for seed := range uint64(20) {
		if err := simulate(seed+1, careless, io.Discard); err != nil {
			t.Logf("seed %d: %v", seed+1, err)
			return
		}
	}
	t.Error("nobody noticed")
}
