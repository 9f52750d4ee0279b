package scenarios

import (
	"strings"
	"testing"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// On a disk that ignores every sync the oracles see that no claim is true.
func TestLiarIsSeen(t *testing.T) {
	for seed := range uint64(5) {
		if res := mustRun(setupFor("fs=liar,crash=all/5s", seed, 400)); res.Verdict != Safety {
			t.Errorf("seed %d: %v", seed, res.Verdict)
		}
	}
}

// When every disk is damaged and majorities crash, nothing goes on and nothing is
// answered wrongly.
func TestEverybodyDamagedAnswersNothingWrongly(t *testing.T) {
	passes(t, setupFor("rot=200ms,latent=1s,budget=over,torn=0.9,crash=majority/500ms", 0, 60), 4)
}

// What no cluster survives today, the oracles see: a node on an empty disk or on an
// old one, and damage to the newest claims, which passes for a torn write.
func TestWhatGoesWrongOverTheBudgetIsSeen(t *testing.T) {
	for _, spec := range []string{
		"wipe=2s,budget=over", "restore=1s,budget=over", "swap=2s,budget=over",
		"phantom=500ms,budget=tail,crash=any/1s", "rot=200ms,budget=tail,crash=any/500ms", "stale=0.3,budget=tail,crash=any/1s",
	} {
		seen := 0
		for seed := range uint64(40) {
			res := mustRun(setupFor(spec, seed, 300))
			if res.Verdict == Safety {
				seen++
			} else if res.Verdict != Pass && res.Verdict != Vacuous {
				report(t, res)
			}
		}
		if seen == 0 {
			t.Errorf("%s: nothing was seen in 40 seeds", spec)
		}
		t.Logf("%s: seen in %d of 40 seeds", spec, seen)
	}
}

// Every kind of fault strikes in some run, those without a dial of their own included, and is
// counted. Only told-late does not: no node of ours has two handles of a file on which a sync has
// failed, and then syncs the second; package sim tests it.
func TestEveryKindStrikes(t *testing.T) {
	var fired faults.Counts
	for _, spec := range []string{
		"io=0.05,sync=0.02,after=any,close=0.02,torn=0.5,fs=posix,space=16KiB/1s,slow=50/2s,stall=1s/2s,dead=1s/2s,lag=5ms,crash=any/1s",
		"rot=500ms,latent=500ms,phantom=500ms,misdirect=500ms,stale=0.1,astray=0.1,budget=over,crash=any:kill/1s",
		"wipe=2s,budget=over", "restore=300ms,budget=over", "swap=2s,budget=over",
		"torn=1,psow=0,crash=all/300ms",
		"fs=liar,crash=all/2s",
		"pause=1s/2s,partition=flap/2s,clog=1s/2s,drop=0.05,dup=0.05,corrupt=0.02,delay=10ms",
	} {
		for seed := range uint64(3) {
			for _, service := range []Service{KV, Wal} {
				s := setupFor(spec, seed, 300)
				s.Service = service
				fired.Merge(mustRun(s).Fired)
			}
		}
	}
	for k := faults.KindNone + 1; k < faults.KindCount; k++ {
		if never := k == faults.KindToldLate; never != (fired[k] == 0) {
			t.Errorf("%v struck %d times", k, fired[k])
		}
	}
}

// Runs with every dial of the disk are the same when run again.
func TestDiskDialsAreDeterministic(t *testing.T) {
	const spec = "io=0.02,sync=0.003,after=any,close=0.02,torn=0.5,fs=ext4,space=32KiB/3s,slow=50/5s,stall=1s,rot=2s," +
		"latent=3s,phantom=3s,misdirect=3s,stale=0.05,astray=0.05,wipe=20s,crash=any/1s"
	for seed := range uint64(3) {
		s := setupFor(spec, seed, 2000)
		s.Nodes = 5
		res, err := Check(s)
		if err != nil {
			t.Fatal(err)
		}
		if res.Verdict != Pass {
			report(t, res)
		}
	}
}

// A node that finds damage ends, and never takes part again: nobody gives it back
// what it lost. The others go on without it.
func TestDamagedNodeStaysDown(t *testing.T) {
	ends := 0
	for seed := range uint64(20) {
		refused := map[runtime.NodeID]bool{}
		run, err := New(setupFor("rot=1s,crash=any:kill/2s", seed, 500), func(r *runtime.Record) {
			switch r.Kind {
			case runtime.WorldHalt:
				if strings.Contains(string(r.Note), "corrupt") {
					refused[r.Node] = true
				}
			case raft.Started:
				if refused[r.Node] {
					t.Errorf("seed %d: %v takes part again", seed, r.Node)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		res := run.Finish()
		if res.Verdict != Pass {
			report(t, res)
		}
		ends += len(refused)
		if len(refused) > 1 {
			t.Errorf("seed %d: %d of 3 nodes were damaged", seed, len(refused))
		}
	}
	if ends < 10 {
		t.Errorf("in 20 runs %d nodes met damage", ends)
	}
}
