package scenarios

import (
	"testing"
)

// On a disk that ignores every sync the oracles see that no claim is true.
func TestLiarIsSeen(t *testing.T) {
	for seed := range uint64(5) {
		res := mustRun(setupFor("fs=liar,crash=all/2s", seed, 200))
		if res.Verdict != Safety {
			t.Errorf("seed %d: %v", seed, res.Verdict)
		}
	}
}
