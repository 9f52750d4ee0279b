package host_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

func TestFolderIsLockedWhileAnythingRuns(t *testing.T) {
	dir := t.TempDir()
	h := startWith(t, host.Config{ID: 1, Dir: dir}, &node{})
	_, err := host.Start(host.Config{ID: 2, Dir: dir}, &node{})
	if !errors.Is(err, runtime.ErrLocked) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the second host: %v", err)
	}
	h.Kill(errReason)
	if err := wait(t, h); err != errReason {
		t.Errorf("the first ended with %v", err)
	}
	startWith(t, host.Config{ID: 2, Dir: dir}, &node{})
}

func TestFolderIsPreparedFirst(t *testing.T) {
	dir, refused := t.TempDir(), errors.New("not this one")
	if _, err := host.Start(host.Config{ID: 1, Dir: dir, Prepare: func(runtime.FS) error { return refused }}, &node{}); !errors.Is(err, refused) {
		t.Errorf("refused with %v", err)
	}
	names := make(chan []string, 1)
	n := &node{}
	n.boot = func() {
		n.Submit(0, func(files runtime.FS) error {
			list, err := files.List(".")
			names <- list
			return err
		}, func(error) {})
	}
	startWith(t, host.Config{ID: 1, Dir: dir, Prepare: func(files runtime.FS) error { return files.MkdirAll("made") }}, n)
	if got := await(t, names, "a list"); strings.Join(got, " ") != "host.lock made" {
		t.Errorf("the node finds %q", got)
	}
}

// brokenFS cannot list.
type brokenFS struct{ runtime.FS }

func (brokenFS) List(string) ([]string, error) { return nil, errReason }

func TestFolderIsWrapped(t *testing.T) {
	ended := make(chan error, 1)
	n := &node{}
	n.boot = func() {
		n.Submit(0, func(files runtime.FS) error { _, err := files.List("."); return err }, func(err error) { ended <- err })
	}
	startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Wrap: func(files runtime.FS) runtime.FS { return brokenFS{files} }}, n)
	if err := await(t, ended, "the end of the job"); err != errReason {
		t.Errorf("the job ended with %v", err)
	}
}

func TestPostRunsOnTheLoop(t *testing.T) {
	n := &node{}
	h := start(t, n)
	ran := make(chan runtime.Instant, 1)
	if !h.Post(func() { ran <- n.Now() }) {
		t.Error("not posted")
	}
	if at := await(t, ran, "what was posted"); at > h.Now() {
		t.Errorf("it ran at %v, now is %v", at, h.Now())
	}
	h.Kill(nil)
	if err := wait(t, h); err != nil || h.Post(func() { t.Error("ran") }) {
		t.Errorf("posted to a host that has ended: %v", err)
	}
}
