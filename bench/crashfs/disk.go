// Package crashfs makes a disk out of pebble's crashable file system in memory, for package
// walrus to be tried on. It is a second opinion: that file system was written by others, for
// another log, and shares no code and no idea with the simulated disk of package sim. At a
// crash it keeps, of what was not synced, any subset of blocks of 4 KiB and of names.
//
// What it does not have is added here: one crash at any file call, before it or after it; a
// sync that fails, after which the pages count as clean, so that reads show what no later sync
// writes; and locks that die with the process.
package crashfs

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/octopii-go/octopii/runtime"
)

// Crash is what a file call panics with when the process dies in it.
type Crash struct{}

// Faults says what goes wrong on a Disk.
type Faults struct {
	// CrashIn is the number of the file call, from 1 on, in which the process dies; 0: none.
	CrashIn int
	// SyncFails is how many of 1000 syncs fail, of files and folders.
	SyncFails int
	// Lies names the calls that say they are done and do nothing: "sync", "syncdir". It is for
	// tests of the tests.
	Lies []string
}

// Disk is a runtime.FS on a crashable file system. It belongs to one goroutine.
type Disk struct {
	Faults
	mem   *vfs.MemFS
	rng   *rand.Rand
	calls int
	locks map[string]bool
	files map[string]*node // by name
}

// node is a file under whatever name.
type node struct {
	name  string
	stale bool // a sync of it has failed: its unsynced bytes are on clean pages
}

// New returns an empty disk.
func New(seed uint64) *Disk {
	d := &Disk{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 1))}
	d.Restart()
	return d
}

// Restart ends the process that used the disk: its locks are free, its page cache stays.
func (d *Disk) Restart() {
	d.locks, d.calls, d.Faults = map[string]bool{}, 0, Faults{Lies: d.Lies}
	if d.files == nil {
		d.files = map[string]*node{}
	}
}

// PowerLoss keeps each block and name that was not synced with that probability, and all that was.
func (d *Disk) PowerLoss(percent int) {
	d.mem = d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: d.rng})
	d.files = nil
	d.Restart()
}

// call counts a file call. Half of the crashes come before its effect and half after.
func (d *Disk) call(effect func() error) error {
	d.calls++
	crash := d.calls == d.CrashIn
	if crash && d.rng.IntN(2) == 0 {
		panic(Crash{})
	}
	err := effect()
	if crash {
		panic(Crash{})
	}
	return err
}

func (d *Disk) lies(op string) bool { return slices.Contains(d.Lies, op) }

// node returns the file with that name.
func (d *Disk) node(name string) *node {
	n := d.files[name]
	if n == nil {
		n = &node{name: name}
		d.files[name] = n
	}
	return n
}

// stat returns what a name is.
func (d *Disk) stat(name string) (vfs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	return d.mem.Stat(name)
}

// isDir returns nil if the name is a folder.
func (d *Disk) isDir(name string) error {
	info, err := d.stat(name)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	return err
}

// Create implements runtime.FS.
func (d *Disk) Create(name string) (f runtime.File, err error) {
	err = d.call(func() error {
		if _, err := d.stat(name); err == nil {
			return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
		} else if !fs.ValidPath(name) {
			return err
		}
		file, err := d.mem.Create(name, vfs.WriteCategoryUnspecified)
		if err == nil {
			delete(d.files, name)
			f = &File{d: d, f: file, n: d.node(name)}
		}
		return err
	})
	return f, err
}

// Open implements runtime.FS.
func (d *Disk) Open(name string) (f runtime.File, err error) {
	err = d.call(func() error {
		info, err := d.stat(name)
		if err == nil && info.IsDir() {
			err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
		}
		if err != nil {
			return err
		}
		file, err := d.mem.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err == nil {
			f = &File{d: d, f: file, n: d.node(name)}
		}
		return err
	})
	return f, err
}

// Rename implements runtime.FS.
func (d *Disk) Rename(from, to string) error {
	return d.call(func() error {
		if _, err := d.stat(from); err != nil {
			return err
		}
		if info, err := d.stat(to); err == nil && info.IsDir() || !fs.ValidPath(to) {
			return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrInvalid}
		}
		if err := d.isDir(path.Dir(to)); err != nil {
			return err // pebble's file system would lose the file
		}
		if err := d.mem.Rename(from, to); err != nil || from == to {
			return err
		}
		n := d.node(from)
		delete(d.files, from)
		n.name, d.files[to] = to, n
		return nil
	})
}

// Remove implements runtime.FS.
func (d *Disk) Remove(name string) error {
	return d.call(func() error {
		if _, err := d.stat(name); err != nil {
			return err
		}
		if err := d.mem.Remove(name); err != nil {
			return err
		}
		delete(d.files, name)
		return nil
	})
}

// List implements runtime.FS.
func (d *Disk) List(dir string) (names []string, err error) {
	err = d.call(func() error {
		if _, err := d.stat(dir); err != nil {
			return err
		}
		if names, err = d.mem.List(strings.TrimPrefix(dir, ".")); err != nil {
			return err
		}
		slices.Sort(names)
		return nil
	})
	return names, err
}

// MkdirAll implements runtime.FS.
func (d *Disk) MkdirAll(dir string) error {
	return d.call(func() error {
		if !fs.ValidPath(dir) {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrInvalid}
		}
		return d.mem.MkdirAll(dir, 0o777)
	})
}

// SyncDir implements runtime.FS. One that fails leaves the names as they are: a crash keeps
// any of them.
func (d *Disk) SyncDir(dir string) error {
	return d.call(func() error {
		if err := d.isDir(dir); err != nil {
			return err
		}
		if d.lies("syncdir") {
			return nil
		}
		if d.rng.IntN(1000) < d.SyncFails {
			return fmt.Errorf("sync of folder %s: %w", dir, runtime.ErrIO)
		}
		f, err := d.mem.OpenDir(dir)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}

// lock is a lock of a process.
type lock struct {
	d    *Disk
	name string
}

// Lock implements runtime.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	if d.locks[name] {
		return nil, runtime.ErrLocked
	}
	if !fs.ValidPath(name) || d.isDir(name) == nil {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: fs.ErrInvalid}
	}
	if err := d.isDir(path.Dir(name)); err != nil {
		return nil, err
	}
	d.locks[name] = true
	return &lock{d, name}, nil
}

// Close implements io.Closer.
func (l *lock) Close() error {
	if l.d == nil {
		return fs.ErrClosed
	}
	delete(l.d.locks, l.name)
	l.d = nil
	return nil
}
