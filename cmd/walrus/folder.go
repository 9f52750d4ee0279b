package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// folder is a log's folder opened for reading, with its locks.
type folder struct {
	fs    *host.ReadOnly // the folder above
	name  string         // of the log's folder in fs
	path  string         // as people know it
	locks []io.Closer
}

// openFolder opens the folder of a log for reading.
func openFolder(path string) (*folder, error) {
	full, err := filepath.Abs(path)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, err
	}
	if full == filepath.Dir(full) {
		return nil, fmt.Errorf("%s is not the folder of a log", path)
	}
	f := &folder{name: filepath.Base(full), path: path}
	if f.fs, err = host.OpenReadOnly(filepath.Dir(full)); err != nil {
		return nil, err
	}
	if err := f.lock(full); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// lock takes every lock that the log's owner may hold. The lock of a log lies beside it under the
// root of the owner's file system, which may be any folder above, and has the way from there to the
// log as its name: that of a/b is a-b.lock.
func (f *folder) lock(full string) error {
	name := ""
	for dir := full; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		name = strings.TrimSuffix(filepath.Base(dir)+"-"+name, "-")
		above, err := host.OpenReadOnly(filepath.Dir(dir))
		if errors.Is(err, fs.ErrPermission) {
			continue // cannot be looked into
		}
		if err != nil {
			return err
		}
		lock, err := above.Lock(name + ".lock")
		_ = above.Close() // the lock stays
		switch {
		case errors.Is(err, runtime.ErrLocked):
			return fmt.Errorf("%s is in use: end the process that has it open, or look at a copy", f.path)
		case err != nil && !errors.Is(err, fs.ErrPermission):
			return err
		case err == nil:
			f.locks = append(f.locks, lock)
		}
	}
	return nil
}

// close gives everything back.
func (f *folder) close() {
	for _, l := range f.locks {
		_ = l.Close() // nothing was written under it
	}
	_ = f.fs.Close()
}

// inspect reads the whole log.
func (f *folder) inspect(v walrus.Visitor) (*walrus.Report, error) {
	report, err := walrus.Inspect(f.fs, f.name, v)
	if errors.Is(err, fs.ErrNotExist) {
		return report, f.noLog()
	}
	return report, err
}

// noLog says that the folder holds no log, and which one below it does: people know the folder of a node, of which the log
// is a part.
func (f *folder) noLog() error {
	below := ""
	_ = filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error { // what cannot be read is not named
		rest, _ := filepath.Rel(f.path, path)
		switch {
		case err != nil:
			return fs.SkipDir
		case entry.IsDir() && strings.Count(rest, string(filepath.Separator)) >= levelsBelow:
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ".seg"):
			below = filepath.Dir(path)
			return fs.SkipAll
		}
		return nil
	})
	if below != "" {
		return fmt.Errorf("%s holds no log, but %s seems to", f.path, below)
	}
	return fmt.Errorf("%s holds no log", f.path)
}

// levelsBelow is how deep below a folder a log is looked for.
const levelsBelow = 3

// short is the name of a segment file within its folder.
func short(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }
