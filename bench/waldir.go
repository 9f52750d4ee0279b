package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// makeRoot makes a temporary folder on a real disk, and returns how to remove
// it. It goes on an interrupt as well.
func makeRoot(dir string) (root string, remove func(), err error) {
	if root, err = os.MkdirTemp(dir, "bench-wal-"); err != nil {
		return "", nil, err
	}
	remove = func() {
		if err := os.RemoveAll(root); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	if err := checkDisk(root); err != nil {
		remove()
		return "", nil, err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		remove()
		os.Exit(1)
	}()
	return root, remove, nil
}

// checkDisk refuses file systems in memory, where a sync is free.
func checkDisk(dir string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return err
	}
	switch stat.Type {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return fmt.Errorf("%s is in memory: choose a folder on a disk with --dir", dir)
	}
	return nil
}

// syncFiles syncs all files below a folder, and drops them from the page cache if asked to.
func syncFiles(dir string, drop bool) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a log may remove files meanwhile
			}
			return err
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		if err == nil && drop {
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		}
		return errors.Join(err, f.Close())
	})
}
