package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// engineEnv makes the test binary behave as simrun, with the engine it names:
// fake or real. Workers inherit it.
const engineEnv = "SIMRUN_TEST_ENGINE"

func TestMain(m *testing.M) {
	engine := os.Getenv(engineEnv)
	if engine == "" {
		os.Exit(m.Run())
	}
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	a := &app{stdout: os.Stdout, stderr: os.Stderr, engine: simulator{}, compile: goBuild, program: program}
	if engine == "fake" {
		a.engine, a.compile = fake{}, fakeBuild
	}
	os.Exit(int(a.main(os.Args[1:])))
}

// said is what a command printed, and its exit status.
type said struct {
	out, err string
	code     class
}

// start prepares simrun with an engine in a folder.
func start(t *testing.T, engine, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), engineEnv+"="+engine)
	cmd.Dir = dir
	return cmd
}

// simrun runs a command to its end.
func simrun(t *testing.T, engine, dir string, args ...string) said {
	t.Helper()
	cmd := start(t, engine, dir, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failed := cmd.Run()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		t.Fatal(failed)
	}
	return said{out: out.String(), err: err.String(), code: class(cmd.ProcessState.ExitCode())}
}

// want checks the exit status and that the output has all of these.
func (s said) want(t *testing.T, code class, parts ...string) {
	t.Helper()
	if s.code != code {
		t.Errorf("exit status %d, want %d", s.code, code)
	}
	for _, part := range parts {
		if !strings.Contains(s.out, part) {
			t.Errorf("%q is not in the output", part)
		}
	}
	if t.Failed() {
		t.Logf("standard output:\n%s\nstandard error:\n%s", s.out, s.err)
	}
}

// rows reads standard output as objects, one a line. Unknown fields are errors.
func rows[T any](t *testing.T, s said) []T {
	t.Helper()
	var all []T
	lines := json.NewDecoder(strings.NewReader(s.out))
	lines.DisallowUnknownFields()
	for lines.More() {
		var one T
		if err := lines.Decode(&one); err != nil {
			t.Fatalf("%v in\n%s", err, s.out)
		}
		all = append(all, one)
	}
	return all
}
