package scenarios

import (
	"os"
	"path/filepath"
	"testing"
)

// Every seed that is kept passes on the source as it is: what it found once is
// fixed, or was planted.
func TestKeptSeedsPass(t *testing.T) {
	names, err := filepath.Glob("../seeds/*.seed")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatal("no seed is kept")
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := ParseSeed(text)
			if err != nil {
				t.Fatal(err)
			}
			if file.Note == "" {
				t.Error("no note says why it is kept")
			}
			run, err := New(file.Setup, nil)
			if err != nil {
				t.Fatal(err)
			}
			// A run that once ended early may be too short for every fault to strike.
			if res := run.Finish(); res.Violation != nil || len(res.Findings) > 0 {
				t.Errorf("%v: %v", res.Verdict, res.Violation)
			}
		})
	}
}
