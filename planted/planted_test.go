package planted

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	// What is tested: with it the result counts as long as it is the same.
	_ "github.com/octopii-go/octopii/raft"
	_ "github.com/octopii-go/octopii/raft/hashi"
	_ "github.com/octopii-go/octopii/runtime/host"
	_ "github.com/octopii-go/octopii/walrus"
	_ "github.com/octopii-go/octopii/walrus/group"
)

var all = flag.Bool("all", false, "plant every bug, not only the first of each list")

// bug is planted in a file of the module. Old is whole lines of it, there only once, and new
// the lines in their place. The test is one of the file's package, and must fail with it.
type bug struct {
	name, test string
	file       string
	old, new   string
}

func bugs() []bug { return slices.Concat(inWalrus, inGroup, inRaft) }

// text returns the file with the bug in it.
func (b *bug) text(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", b.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count("\n"+string(source), "\n"+b.old+"\n"); n != 1 {
		t.Errorf("%s: the anchor is in %s %d times, want once", b.name, b.file, n)
	}
	return strings.Replace("\n"+string(source), "\n"+b.old+"\n", "\n"+b.new+"\n", 1)
}

func TestBugsApply(t *testing.T) {
	for _, b := range bugs() {
		b.text(t)
	}
}

func TestBugsAreFound(t *testing.T) {
	list := []bug{inWalrus[0], inGroup[0], inRaft[0]}
	if *all {
		list = bugs()
	}
	for _, b := range list {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel() // one is built while another runs
			path, dir := filepath.Join("..", b.file), t.TempDir()
			here, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			mutant, overlay := filepath.Join(dir, filepath.Base(b.file)), filepath.Join(dir, "overlay.json")
			replace, err := json.Marshal(map[string]map[string]string{"Replace": {here: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{mutant: []byte(b.text(t)), overlay: replace} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			said, err := exec.Command("go", "test", "-vet=off", "-count=1", "-overlay", overlay, "-run", "^"+b.test+"$", filepath.Dir(path)).CombinedOutput()
			if err == nil || !strings.Contains(string(said), b.test) || strings.Contains(string(said), "[build failed]") {
				t.Errorf("%s: %v\n%s", b.test, err, said)
			}
		})
	}
}
