package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/octopii-go/octopii/runtime"
)

// The permissions of what a Folder makes: a node's log is nobody else's business.
const (
	fileMode = 0o600
	dirMode  = 0o700
)

// Folder is a folder of the operating system as a runtime.FS. It may be used
// by many goroutines. Names cannot lead out of it, not by symbolic links either.
// It assumes that no other program changes what is inside.
type Folder struct {
	root *os.Root
}

// OpenFolder opens the folder at path. It is made if it is missing, durably,
// with the folders above it.
func OpenFolder(path string) (*Folder, error) {
	if err := makeDurably(path); err != nil {
		return nil, fmt.Errorf("host: make folder: %w", mapError(err))
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("host: open folder: %w", mapError(err))
	}
	return &Folder{root: root}, nil
}

// makeDurably makes a folder and syncs the one above, from the top down.
func makeDurably(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	var missing []string
	for dir := path; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return err
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		above, err := os.Open(filepath.Dir(dir))
		if err != nil {
			return err
		}
		if err := errors.Join(syncDir(above), above.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the folder. Files that are open stay usable.
func (d *Folder) Close() error { return mapError(d.root.Close()) }

// Create implements runtime.FS.
func (d *Folder) Create(name string) (runtime.File, error) {
	return d.openFile("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open implements runtime.FS.
func (d *Folder) Open(name string) (runtime.File, error) {
	return d.openFile("open", name, os.O_RDWR)
}

func (d *Folder) openFile(op, name string, flags int) (runtime.File, error) {
	local, err := localize(op, name)
	if err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(local, flags, fileMode)
	if err != nil {
		return nil, mapError(err)
	}
	return &osFile{f: f}, nil
}

// Rename implements runtime.FS.
func (d *Folder) Rename(oldName, newName string) error {
	oldLocal, err := localize("rename", oldName)
	if err != nil {
		return err
	}
	newLocal, err := localize("rename", newName)
	if err != nil {
		return err
	}
	return mapError(d.root.Rename(oldLocal, newLocal))
}

// Remove implements runtime.FS.
func (d *Folder) Remove(name string) error {
	return d.onName("remove", name, d.root.Remove)
}

// MkdirAll implements runtime.FS.
func (d *Folder) MkdirAll(dir string) error {
	return d.onName("mkdir", dir, func(dir string) error { return d.root.MkdirAll(dir, dirMode) })
}

// List implements runtime.FS.
func (d *Folder) List(dir string) (names []string, err error) {
	err = d.onDir("list", dir, func(f *os.File) error {
		names, err = f.Readdirnames(-1)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements runtime.FS.
func (d *Folder) SyncDir(dir string) error { return d.onDir("sync", dir, syncDir) }

// Lock implements runtime.FS. The lock is on a file of that name, which is
// made if it is missing, and stays.
func (d *Folder) Lock(name string) (io.Closer, error) {
	local, err := localize("lock", name)
	if err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(local, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, mapError(err)
	}
	if err := onDescriptor(f, tryLock); err != nil {
		err = &fs.PathError{Op: "lock", Path: name, Err: mapError(err)}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d *Folder) onName(op, name string, call func(local string) error) error {
	local, err := localize(op, name)
	if err != nil {
		return err
	}
	return mapError(call(local))
}

// onDir opens a directory for one call.
func (d *Folder) onDir(op, dir string, call func(f *os.File) error) error {
	return d.onName(op, dir, func(local string) error {
		f, err := d.root.Open(local)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: op, Path: dir, Err: syscall.ENOTDIR}
		}
		if err == nil {
			err = call(f)
		}
		return errors.Join(err, f.Close())
	})
}

// localize checks a name and turns it into one of the operating system.
func localize(op, name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return local, nil
}
