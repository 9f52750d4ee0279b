package proctest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder, from here.
const root = "../../.."

// build makes the server and returns where it is. overlay says which files of the module have another text.
func build(t *testing.T, name string, race bool, overlay map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", filepath.Join(dir, name)}
	if race {
		args = append(args, "-race")
	}
	if len(overlay) > 0 {
		args = append(args, "-overlay", writeOverlay(t, dir, overlay))
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./examples/kv")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return filepath.Join(dir, name)
}

// writeOverlay writes what the flag of that name needs.
func writeOverlay(t *testing.T, dir string, texts map[string]string) string {
	t.Helper()
	replace := map[string]string{}
	for name, text := range texts {
		original, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		replace[original] = filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// planted returns the text of a file of the module in which new stands in the place of old.
func planted(t *testing.T, name, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), old); n != 1 {
		t.Fatalf("%s has %d places like this, want one:\n%s", name, n, old)
	}
	return strings.Replace(string(text), old, new, 1)
}
