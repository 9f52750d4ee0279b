package sim_test

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

func TestEventsAreNamedAndUnique(t *testing.T) {
	if err := runtime.CheckEvents(runtime.WorldEvents, sim.Events); err != nil {
		t.Fatal(err)
	}
}

const wild = "io=0.02,sync=0.01,torn=0.3,crash=any/300ms,partition=flap/1s,drop=0.05,dup=0.05,corrupt=0.01,delay=5ms"

func TestSameSeedSameDigest(t *testing.T) {
	for seed := range uint64(20) {
		a, _ := runRegister(seed, wild, 5*time.Second, false, nil)
		b, _ := runRegister(seed, wild, 5*time.Second, false, nil)
		if a.Digest() != b.Digest() || a.Steps() != b.Steps() {
			t.Errorf("seed %d: digests %x and %x after %d and %d steps", seed, a.Digest(), b.Digest(), a.Steps(), b.Steps())
		}
		c, _ := runRegister(seed+1, wild, 5*time.Second, false, nil)
		if a.Digest() == c.Digest() {
			t.Errorf("seeds %d and %d gave the same run", seed, seed+1)
		}
		a.Close()
		b.Close()
		c.Close()
	}
}

func TestWorldsSideBySideDoNotTouch(t *testing.T) {
	alone, _ := runRegister(7, wild, 2*time.Second, false, nil)
	defer alone.Close()
	done := make(chan uint64)
	for range 4 {
		go func() {
			w, _ := runRegister(7, wild, 2*time.Second, false, nil)
			defer w.Close()
			done <- w.Digest()
		}()
	}
	for range 4 {
		if got := <-done; got != alone.Digest() {
			t.Errorf("digest %x beside other worlds, %x alone", got, alone.Digest())
		}
	}
}

func TestSyncedRegisterSurvivesEverything(t *testing.T) {
	var fired faults.Counts
	for seed := range uint64(100) {
		w, c := runRegister(seed, wild, 5*time.Second, false, nil)
		if c.lost > 0 {
			t.Errorf("seed %d: %d reads without an acknowledged value", seed, c.lost)
		}
		if c.outcomes[runtime.Done] == 0 {
			t.Errorf("seed %d: nothing was done", seed)
		}
		for _, f := range w.Findings() {
			t.Errorf("seed %d: %v: %s\n%s", seed, f.Node, f.Text, f.Stack)
		}
		fired.Merge(w.Fired())
		w.Close()
	}
	spec, _ := faults.Parse(wild)
	if missing := fired.Missing(spec); len(missing) > 0 {
		t.Errorf("never fired: %v", missing)
	}
}

func TestRegisterWithoutSyncIsFound(t *testing.T) {
	for seed := range uint64(100) {
		w, c := runRegister(seed, wild, 5*time.Second, true, nil)
		w.Close()
		if c.lost > 0 {
			return
		}
	}
	t.Error("a register that never syncs survived 100 seeds")
}

func BenchmarkIdleRegisters(b *testing.B) {
	w, _ := runRegister(1, "none", time.Second, false, nil)
	defer w.Close()
	b.ReportAllocs()
	for b.Loop() {
		w.Step()
	}
}
