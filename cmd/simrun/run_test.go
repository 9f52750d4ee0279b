package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/scenarios"
)

func TestExitStatusOfARun(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		args  string
		code  class
		parts []string
	}{
		{"pass", "--seed 1", pass, []string{"pass  seed 1", "999 done", "digest 9e3779b97f4a7c15"}},
		{"safety", "--seed 13", safety, []string{"FAIL  seed 13", "durability/acked-lost", "at 3.412000s", "step 18231", "n2", "something is wrong"}},
		{"liveness", "--seed 14", liveness, []string{"progress/stuck"}},
		{"panic", "--seed 15", panicked, []string{"run/panic", "n2: index out of range", "raft.(*Core).Step  raft/core.go:12"}},
		{"nondeterminism", "--seed 16 --check", nondeterminism, []string{"run/diverged", "one has", "that"}},
		{"not checked", "--seed 16", pass, nil},
		{"unseen", "--seed 17", vacuous, []string{"progress/nothing-seen"}},
		{"never fired", "--seed 2 --faults corrupt=0.5", vacuous, []string{"run/never-fired", "corrupt never"}},
		{"worker exits", "--seed 19", lost, []string{"run/lost", "exit status 3"}},
		{"worker panics", "--seed 20", lost, []string{"run/lost", "panic: the simulator itself", "(*fakeRun).Finish"}},
		{"hangs", "--seed 18 --stall 1s", panicked, []string{"run/stalled", "watchdog", "spin  simrun/fake_test.go"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := simrun(t, "fake", dir, strings.Fields(c.args)...)
			s.want(t, c.code, c.parts...)
			if n := strings.Count(s.out, "\n"); n > 24 {
				t.Errorf("%d lines do not fit on a screen", n)
			}
			for line := range strings.Lines(s.out) {
				if len(line) > 130 {
					t.Errorf("a line of %d bytes: %s", len(line), line)
				}
			}
			if c.code != pass && !strings.Contains(s.out, "  replay  ") {
				t.Error("no command replays it")
			}
		})
	}
}

func TestFailureLeavesASeedFileThatReplays(t *testing.T) {
	dir := t.TempDir()
	simrun(t, "fake", dir, "--seed", "13", "--nodes", "5", "--faults", "io=0.15", "--out", "kept").want(t, safety)
	name := filepath.Join("kept", "custom-13-durability-acked-lost.seed")
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	file, err := scenarios.ParseSeed(text)
	if err != nil {
		t.Fatal(err)
	}
	if file.Setup.Nodes != 5 || file.Setup.Seed != 13 || file.Verdict != scenarios.Safety || file.Signature != "durability/acked-lost" {
		t.Errorf("got %+v", file)
	}
	simrun(t, "fake", dir, "replay", name).want(t, safety, "kept as safety durability/acked-lost: the same again")
	simrun(t, "fake", dir, "replay", "--json", name).want(t, safety, `"result":"safety"`)

	other := strings.Replace(string(text), "seed: 13", "seed: 1", 1)
	if err := os.WriteFile(filepath.Join(dir, "other.seed"), []byte(other), 0o666); err != nil {
		t.Fatal(err)
	}
	simrun(t, "fake", dir, "replay", "other.seed").want(t, pass, "not so any more")
}

// The names of the fields are an interface: what reads them must not break.
func TestJSONOfARun(t *testing.T) {
	s := simrun(t, "fake", t.TempDir(), "--seed", "13", "--faults", "io=0.15,corrupt=0.1", "--json")
	s.want(t, safety)
	var fields map[string]any
	if err := json.Unmarshal([]byte(s.out), &fields); err != nil {
		t.Fatal(err)
	}
	want := []string{"digest", "faults", "injected", "nodes", "ops", "result", "scenario", "seed", "steps", "violation", "virtual_ns", "wall_ns"}
	var got []string
	for name := range fields {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	r := rows[row](t, s)[0]
	if r.Result != "safety" || r.Seed != 13 || r.Ops.Done != 999 || r.Nodes != 3 || r.VirtualNs != 30e9 || r.Faults != "io=0.15,corrupt=0.1" {
		t.Errorf("got %+v", r)
	}
	if n, there := r.Injected["corrupt"]; r.Injected["io"] != 1 || !there || n != 0 {
		t.Errorf("injected %v: want io 1, and corrupt 0 since it was asked for", r.Injected)
	}
	if v := r.Violation; v == nil || v.Signature != "durability/acked-lost" || v.Step != 18231 || v.Node != 2 || v.SeedFile == "" || len(v.Events) != 41 {
		t.Errorf("violation %+v", v)
	}
	if !strings.Contains(s.err, "FAIL  seed 13") {
		t.Errorf("people read nothing: %q", s.err)
	}
	if r := rows[row](t, simrun(t, "fake", t.TempDir(), "--seed", "1", "--json"))[0]; r.Result != "pass" || r.Violation != nil {
		t.Errorf("a pass: %+v", r)
	}
}

func TestScenarioIsTheBaseOfASetup(t *testing.T) {
	s := simrun(t, "fake", t.TempDir(), "--seed", "2", "--scenario", "io-net-5", "--ops", "77", "--json")
	s.want(t, pass)
	if r := rows[row](t, s)[0]; r.Scenario != "io-net-5" || r.Nodes != 5 || r.Ops.Done != 76 || !strings.Contains(r.Faults, "drop=") {
		t.Errorf("got %+v", r)
	}
}

func TestSweepExitsWithTheGravestClass(t *testing.T) {
	for _, c := range []struct {
		args string
		code class
	}{
		{"--seeds 1-12", pass},
		{"--seeds 12-13", safety},
		{"--seeds 13-14", safety},
		{"--seeds 14-14", liveness},
		{"--seeds 13-15", panicked},
		{"--seeds 13-17 --check", nondeterminism},
		{"--seeds 19-20", lost},
		{"--seeds 17-17", vacuous},
		{"--seeds 13-17", panicked},
	} {
		s := simrun(t, "fake", t.TempDir(), append(strings.Fields(c.args), "--jobs", "2")...)
		if s.code != c.code {
			t.Errorf("%s: exit %d, want %d\n%s", c.args, s.code, c.code, s.out)
		}
	}
}

func TestSweepGoesOnAfterLostWorkers(t *testing.T) {
	s := simrun(t, "fake", t.TempDir(), "--seeds", "1-40", "--jobs", "2", "--stall", "1s", "--json")
	s.want(t, lost)
	results := map[uint64]string{}
	for _, r := range rows[row](t, s) {
		results[r.Seed] = r.Result
	}
	if len(results) != 40 {
		t.Errorf("%d results, want 40", len(results))
	}
	for seed := uint64(1); seed <= 40; seed++ {
		want := map[uint64]string{
			seedSafety: "safety", seedLiveness: "liveness", seedPanic: "panic", seedUnseen: "vacuous",
			seedHangs: "panic", seedExits: "lost", seedCrashes: "lost",
		}[seed]
		if want == "" {
			want = "pass"
		}
		if results[seed] != want {
			t.Errorf("seed %d: %s, want %s", seed, results[seed], want)
		}
	}
}

func TestSweepGivesUpWhenEveryRunIsLost(t *testing.T) {
	s := simrun(t, "fake", t.TempDir(), "--seeds", "1000000-1000100", "--jobs", "2")
	s.want(t, lost, "given up", "did not run")
}

// A kind of fault may be absent from a run of many, but not from all.
func TestSweepIsVacuousOnlyIfAKindNeverFired(t *testing.T) {
	s := simrun(t, "fake", t.TempDir(), "--seeds", "1-4", "--faults", "io=0.1,crash=any")
	s.want(t, pass, "in 2 of 4 seeds", "pass    4")
	s = simrun(t, "fake", t.TempDir(), "--seeds", "3-3", "--faults", "io=0.1,crash=any")
	s.want(t, vacuous, "crash was asked for and fired in no seed")
	s = simrun(t, "fake", t.TempDir(), "--seeds", "1-4", "--faults", "io=0.1,corrupt=0.1")
	s.want(t, vacuous, "corrupt was asked for and fired in no seed")
}

func TestSweepTellsASignatureOnceInFull(t *testing.T) {
	dir := t.TempDir()
	s := simrun(t, "fake", dir, "--seeds", "2000000-2000040", "--jobs", "2")
	s.want(t, safety, "FAIL    41 safety  durability/acked-lost", "seeds 2000000 2000001")
	if n := strings.Count(s.out, "something is wrong"); n != 1 {
		t.Errorf("told in full %d times", n)
	}
	kept, err := os.ReadDir(filepath.Join(dir, "simrun-failures"))
	if err != nil || len(kept) != keptMax {
		t.Errorf("%d seed files kept, want %d; %v", len(kept), keptMax, err)
	}
}

func TestInterruptEndsASweepWithWhatIsKnown(t *testing.T) {
	cmd := start(t, "fake", t.TempDir(), "--seeds", "12-18", "--jobs", "1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "FAIL  seed 17") { // 18 is under way, and hangs
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // its status is looked at below
	s := said{out: text.String(), code: class(cmd.ProcessState.ExitCode())}
	s.want(t, panicked, "interrupted: 1 runs did not end", "safety  durability/acked-lost")
}

func TestSuiteHasARowForEachScenario(t *testing.T) {
	dir := t.TempDir()
	s := simrun(t, "fake", dir, "suite", "--seeds", "4", "--ops", "100", "--only", "basic-3,io-15,chaos", "--jobs", "2")
	s.want(t, vacuous, "basic-3", "4/4", "io-15", "corrupt never (vacuous)", "12 of 12 runs passed", strconv.Itoa(12*99)+" operations done")
	s = simrun(t, "fake", dir, "suite", "--seeds", "13", "--only", "basic-3", "--json")
	s.want(t, safety)
	if got := rows[row](t, s); len(got) != 13 || got[0].Scenario != "basic-3" {
		t.Errorf("%d rows", len(got))
	}
}

func TestTraceHasARecordALine(t *testing.T) {
	dir := t.TempDir()
	simrun(t, "fake", dir, "--seed", "1", "--trace", "out.txt").want(t, pass)
	text, err := os.ReadFile(filepath.Join(dir, "out.txt"))
	if err != nil || !strings.Contains(string(text), "world.boot boot 1\n") {
		t.Errorf("got %q, %v", text, err)
	}
}
