package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands on the real engine, in short.

func TestRunsAreTheSameInEveryProcess(t *testing.T) {
	args := strings.Fields("--seed 42 --faults io=0.15,crash=leader --ops 200 --pace 10s --json")
	dir := t.TempDir()
	first := rows[row](t, simrun(t, "real", dir, args...))[0]
	again := rows[row](t, simrun(t, "real", dir, append(args, "--check")...))[0]
	if first.Result != "pass" || first.Ops.Done < 150 || first.Injected["io"] == 0 || first.Injected["power-loss"] == 0 {
		t.Errorf("got %+v", first)
	}
	if again.Digest != first.Digest || again.Steps != first.Steps {
		t.Errorf("digest %s of %d steps, then %s of %d", first.Digest, first.Steps, again.Digest, again.Steps)
	}
}

func TestSweepOfRealRuns(t *testing.T) {
	s := simrun(t, "real", t.TempDir(), strings.Fields("--seeds 1-6 --faults io=0.15 --ops 100 --pace 3s --jobs 2")...)
	s.want(t, pass, "pass    6", "short-write", "in 6 of 6 seeds", "seeds a second")
}

func TestSuiteOfRealRuns(t *testing.T) {
	s := simrun(t, "real", t.TempDir(), strings.Fields("suite --seeds 2 --ops 100 --only basic-3,io-15,net-loss")...)
	s.want(t, pass, "6 of 6 runs passed")
}

func TestTraceOfARealRun(t *testing.T) {
	dir := t.TempDir()
	simrun(t, "real", dir, strings.Fields("--seed 7 --ops 20 --pace 0 --trace trace.txt")...).want(t, pass)
	text, err := os.ReadFile(filepath.Join(dir, "trace.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"world.boot", "disk.sync-data", "raft.role-changed", "call.reply", "net.delivered"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %s in the trace", part)
		}
	}
}

// A bug is built in from the source tree, found, and replayed from its file.
func TestPlantedBugIsFoundAndReplayed(t *testing.T) {
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	s := simrun(t, "real", root, "mutants", "--only", "skip-sync", "--seeds", "20", "--json", "--out", out)
	s.want(t, pass)
	got := rows[catch](t, s)[0]
	if got.Result != byOracle || !got.Expected || !got.Replays || got.Control != "pass" {
		t.Errorf("got %+v", got)
	}
	kept, err := filepath.Glob(filepath.Join(out, "*.seed"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	simrun(t, "real", root, "replay", kept[0]).want(t, safety, "the same again")
}
