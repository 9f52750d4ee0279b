package host_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/fstest"
	"github.com/octopii-go/octopii/runtime/host"
)

func openFolder(t *testing.T, path string) *host.Folder {
	t.Helper()
	folder, err := host.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder
}

func TestFolderConforms(t *testing.T) {
	for _, c := range fstest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(openFolder(t, t.TempDir())); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFolderIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	openFolder(t, path)
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	openFolder(t, path) // is fine when it exists
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := host.OpenFolder(file); err == nil {
		t.Error("a file was opened as a folder")
	}
}

func TestNoWayOut(t *testing.T) {
	outside, inside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	folder := openFolder(t, inside)
	for _, name := range []string{"link/secret", "nul\x00byte"} {
		if f, err := folder.Open(name); err == nil {
			f.Close()
			t.Errorf("%q was opened", name)
		}
	}
	if _, err := folder.Create("nul\x00byte"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v, want fs.ErrInvalid", err)
	}
}

// TestFileIsSharedByLanes writes and reads disjoint parts of one file from
// several goroutines. The race detector watches.
func TestFileIsSharedByLanes(t *testing.T) {
	f, err := openFolder(t, t.TempDir()).Create("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const part = 10_000
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			want := bytes.Repeat([]byte{byte(i + 1)}, part)
			got := make([]byte, part)
			_, writeErr := f.WriteAt(want, int64(i*part))
			syncErr := f.SyncData()
			_, readErr := f.ReadAt(got, int64(i*part))
			if err := errors.Join(writeErr, syncErr, readErr); err != nil || !bytes.Equal(got, want) {
				t.Errorf("part %d: %v", i, err)
			}
		})
	}
	group.Wait()
	if size, err := f.Size(); size != 4*part || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
}

func TestLockIsBetweenFolders(t *testing.T) {
	path := t.TempDir()
	held, err := openFolder(t, path).Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	other := openFolder(t, path)
	if _, err := other.Lock("lock"); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := other.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
