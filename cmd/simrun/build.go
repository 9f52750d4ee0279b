package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compiler builds simrun from the module at root into the file output, with the
// files that the overlay names replaced. No overlay: as the source is.
type compiler func(ctx context.Context, root, overlay, output string) error

// buildLines bounds what is shown of a compiler's complaint.
const buildLines = 6

// goBuild is the compiler that compiles.
func goBuild(ctx context.Context, root, overlay, output string) error {
	args := []string{"build", "-o", output}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/simrun")...)
	cmd.Dir = root
	said, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		return fmt.Errorf("go build: %w\n%s", err, strings.Join(lines[:min(len(lines), buildLines)], "\n"))
	}
	return nil
}

// sourceRoot returns the root of the module's source, which must be the current
// folder or one above it.
func sourceRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	want := []byte("module " + strings.TrimSuffix(modulePath, "/") + "\n")
	for {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(text, want) {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("planted bugs are built from source: run this in the source tree of " + strings.TrimSuffix(modulePath, "/"))
		}
		dir = up
	}
}

// buildMutant builds simrun with a planted bug in the folder dir and returns the
// binary. The source tree stays as it is.
func (a *app) buildMutant(ctx context.Context, root, dir string, m *mutant) (string, error) {
	changed, err := m.apply(root)
	if err != nil {
		return "", err
	}
	work := filepath.Join(dir, m.name)
	if err := os.MkdirAll(work, 0o777); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range changed {
		copied := filepath.Join(work, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(copied, text, 0o666); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = copied
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o666); err != nil {
		return "", err
	}
	program := filepath.Join(work, "simrun")
	if err := a.compile(ctx, root, overlay, program); err != nil {
		return "", fmt.Errorf("planted bug %s: %w", m.name, err)
	}
	return program, nil
}
