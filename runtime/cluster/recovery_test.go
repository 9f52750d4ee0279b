package cluster_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/walrus"
)

// TestDamageFoundAtBootIsSaid damages a write of a member's log: the last one, with which nothing shows that it was ever
// acknowledged, and one that a later one vouches for.
func TestDamageFoundAtBootIsSaid(t *testing.T) {
	for engine, folder := range map[cluster.Engine]string{cluster.Octopii: "raft/log", cluster.Hashicorp: "hashi/log"} {
		for struck, want := range map[string]walrus.Verdict{"second": walrus.Uncertain, "first": walrus.Corrupt} {
			t.Run(string(engine)+" "+want.String(), func(t *testing.T) {
				r := newRig(t, 1)
				cfg := r.config(1)
				cfg.Engine = engine
				m := r.start(cfg)
				r.leader(m)
				r.put(m, "a", strings.Repeat("first", 40))
				r.put(m, "b", strings.Repeat("second", 40))
				if got := m.Status().Recovery; got != walrus.Clean {
					t.Errorf("a new log is %v", got)
				}
				folder := filepath.Join(cfg.Dir, folder)
				files := contents(t, folder) // what a crash leaves: an end in good order closes the log
				r.kill(1)
				scramble(t, folder, files, strings.Repeat(struck, 20))

				log := &book{said: make(chan struct{})}
				cfg.Logger = slog.New(log)
				back := r.start(cfg)
				if want == walrus.Corrupt {
					r.await(back.Done(), "the end of the member")
					if err := back.Wait(); !errors.Is(err, walrus.ErrCorrupt) {
						t.Errorf("ended with %v", err)
					}
				} else {
					r.leader(back)
					log.await(t, "WARN recovery of the log", "verdict=uncertain", "wal-0000000000000001.seg")
					r.get(back, "a", strings.Repeat("first", 40))
				}
				if got := back.Status().Recovery; got != want {
					t.Errorf("the status says %v, want %v", got, want)
				}
			})
		}
	}
}

// contents returns the files of a folder, by path.
func contents(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		switch {
		case err == nil:
			files[name] = content
		case !errors.Is(err, fs.ErrNotExist): // what the log was just making has another name by now
			t.Fatal(err)
		}
	}
	return files
}

// scramble makes noise of the text, wherever it is in the files, and makes them the content of the folder.
func scramble(t *testing.T, folder string, files map[string][]byte, text string) {
	t.Helper()
	struck := 0
	for _, content := range files {
		for at := bytes.Index(content, []byte(text)); at >= 0; at = bytes.Index(content, []byte(text)) {
			for i := range text {
				content[at+i] ^= 0x55
			}
			struck++
		}
	}
	if struck == 0 {
		t.Fatalf("struck %d times in %d files", struck, len(files))
	}
	if err := errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
