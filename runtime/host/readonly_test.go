package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

func TestReadOnlyChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o400); err != nil {
		t.Fatal(err)
	}
	d, err := host.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, created := d.Create("new")
	for op, err := range map[string]error{
		"create": created, "rename": d.Rename("file", "new"), "remove": d.Remove("file"),
		"mkdir": d.MkdirAll("new"), "sync": d.SyncDir("."),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", op, err)
		}
	}
	f, err := d.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("written to")
	}
	if f.Truncate(0) == nil || f.Allocate(0, 10, true) == nil {
		t.Error("resized")
	}
	p := make([]byte, 4)
	if _, err := f.ReadAt(p, 0); err != nil || string(p) != "text" {
		t.Errorf("read %q, %v", p, err)
	}
	if err := f.DropCache(); err != nil {
		t.Error(err)
	}
	lock, err := d.Lock("never.lock")
	if err != nil {
		t.Error(err)
	} else if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if names, err := d.List("."); err != nil || !slices.Equal(names, []string{"file"}) {
		t.Errorf("the folder holds %v, %v", names, err)
	}
	if _, err := host.OpenReadOnly(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := d.Lock("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a lock outside: %v", err)
	}
}

func TestReadersShareALockThatKeepsAWriterOut(t *testing.T) {
	dir := t.TempDir()
	writer, err := host.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	reader, err := host.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	held, err := writer.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Lock("lock"); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("read while it is written: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		shared, err := reader.Lock("lock")
		if err != nil {
			t.Fatal(err)
		}
		defer shared.Close()
	}
	if _, err := writer.Lock("lock"); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("written while it is read: %v", err)
	}
}
