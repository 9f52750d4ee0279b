package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/octopii-go/octopii/runtime"
)

// ReadOnly is a folder of the operating system as a runtime.FS that changes
// nothing: for tools that look at what a node has written. Files are opened for
// reading only, so it serves folders and file systems that cannot be written
// to. All calls that would change something fail with fs.ErrPermission. It may be
// used by many goroutines.
type ReadOnly struct {
	folder Folder
}

// OpenReadOnly opens the folder at path, which must exist.
func OpenReadOnly(path string) (*ReadOnly, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("host: open folder: %w", mapError(err))
	}
	return &ReadOnly{folder: Folder{root: root}}, nil
}

// Close releases the folder. Files that are open stay usable.
func (d *ReadOnly) Close() error { return d.folder.Close() }

// Open implements runtime.FS. What would change the file fails.
func (d *ReadOnly) Open(name string) (runtime.File, error) {
	return d.folder.openFile("open", name, os.O_RDONLY)
}

// List implements runtime.FS.
func (d *ReadOnly) List(dir string) ([]string, error) { return d.folder.List(dir) }

// Lock keeps out who would take the lock with a Folder, but not others that only
// read. No file is made for it: if there is none nobody has ever taken the lock,
// and nobody is kept out.
func (d *ReadOnly) Lock(name string) (io.Closer, error) {
	local, err := localize("lock", name)
	if err != nil {
		return nil, err
	}
	f, err := d.folder.root.OpenFile(local, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, mapError(err)
	}
	if err := onDescriptor(f, tryShare); err != nil {
		err = &fs.PathError{Op: "lock", Path: name, Err: mapError(err)}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Create fails.
func (d *ReadOnly) Create(name string) (runtime.File, error) { return nil, refuse("create", name) }

// Rename fails.
func (d *ReadOnly) Rename(oldName, _ string) error { return refuse("rename", oldName) }

// Remove fails.
func (d *ReadOnly) Remove(name string) error { return refuse("remove", name) }

// MkdirAll fails.
func (d *ReadOnly) MkdirAll(dir string) error { return refuse("mkdir", dir) }

// SyncDir fails: there is nothing to make durable.
func (d *ReadOnly) SyncDir(dir string) error { return refuse("sync", dir) }

// refuse is the error of a call that would change something.
func refuse(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission} }

var _ runtime.FS = (*ReadOnly)(nil)
