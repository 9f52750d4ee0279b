package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFramesAreOfTheGoroutineAtWork(t *testing.T) {
	stack := "goroutine 7 [running]:\nmain.(*pulse).beatForever(0x1)\n\t/src/cmd/simrun/worker.go:1 +0x1\n\n" +
		"goroutine 1 [chan receive]:\nmain.main()\n\t/src/cmd/simrun/main.go:1 +0x1\n\n" +
		"goroutine 9 [runnable]:\nruntime.gosched()\n\t/go/proc.go:2 +0x1\n" +
		modulePath + "raft.(*Core).Step(0x1, {0x2, 0x3})\n\t/src/raft/core.go:12 +0x2\n" +
		"created by " + modulePath + "sim.x in goroutine 1\n\t/src/sim/x.go:9 +0x1\n"
	if diff := cmp.Diff([]string{"raft.(*Core).Step  raft/core.go:12"}, frames(stack)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := frames(""); got != nil {
		t.Errorf("of no stack: %v", got)
	}
}

func TestTextIsBrokenAtSpaces(t *testing.T) {
	long := strings.Repeat("word ", 40) + strings.Repeat("x", 2*columns) + "\nsecond"
	lines := wrap(long)
	for _, line := range lines {
		if len(line) > columns {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if got := strings.Join(lines, ""); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(strings.ReplaceAll(long, " ", ""), "\n", "") {
		t.Errorf("letters are missing: %q", got)
	}
	if diff := cmp.Diff([]string{"a"}, wrap("a\n")); diff != "" {
		t.Error(diff)
	}
}

func TestEqualLinesAreSqueezed(t *testing.T) {
	got := squeeze([]string{"a", "a", "a", "b", "a"})
	if diff := cmp.Diff([]string{"a (3 times)", "b", "a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGravestClassDecides(t *testing.T) {
	order := []class{nondeterminism, lost, panicked, safety, liveness, vacuous}
	for i, want := range order {
		seen := map[class]int{pass: 5, interrupted: 1}
		for _, c := range order[i:] {
			seen[c] = 1
		}
		if got := gravest(seen); got != want {
			t.Errorf("of %v: %v, want %v", order[i:], got, want)
		}
	}
	if got := gravest(map[class]int{pass: 3, safety: 0}); got != pass {
		t.Errorf("got %v, want pass", got)
	}
}
