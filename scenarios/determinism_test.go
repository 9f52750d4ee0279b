package scenarios

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// chaosSpec is everything at once, as in the suite's row chaos.
const chaosSpec = "io=0.10,torn=0.5,sync=0.01,crash=any,partition=flap,drop=0.05,dup=0.02"

// digestsEnv tells the test binary to print digests, and nothing else.
const digestsEnv = "SCENARIOS_PRINT_DIGESTS"

// digestSeeds is how many seeds are compared across processes.
const digestSeeds = 10

func TestMain(m *testing.M) {
	if os.Getenv(digestsEnv) != "" {
		fmt.Println(digests())
		return
	}
	os.Exit(m.Run())
}

// digests runs seeds of chaos and returns their digests in a line.
func digests() string {
	var b strings.Builder
	for seed := range uint64(digestSeeds) {
		res := mustRun(setupFor(chaosSpec, seed, 200))
		fmt.Fprintf(&b, "%016x/%d ", res.Digest, res.Steps)
	}
	return b.String()
}

// The same seeds give the same digests again, in another process, whatever
// GOMAXPROCS and the address space of that process are.
func TestDigestsAreTheSameEverywhere(t *testing.T) {
	want := digests()
	if again := digests(); again != want {
		t.Fatalf("in one process:\n%s\n%s", want, again)
	}
	for _, procs := range []string{"1", "2"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), digestsEnv+"=1", "GOMAXPROCS="+procs)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(string(out), "\n"); got != want {
			t.Errorf("GOMAXPROCS=%s in another process:\n%s\nhere:\n%s", procs, got, want)
		}
	}
}
