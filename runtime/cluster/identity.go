package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// The files of a member's folder, beside those of its parts.
const (
	identityFile = "member"     // whose folder it is
	identityTemp = "member.tmp" // the same, being written
	filesDir     = "files"      // what the service ships
	identityMax  = 4 << 10      // bytes of the file
	identityHead = "octopii member, version 1"
)

// ErrForeign means that a folder was made for another member or cluster, for other peers, or for another engine.
var ErrForeign = errors.New("the folder was made for another config")

// identity is whose folder it is, as lines of text. It is written once, before anything else that counts.
//
//	octopii member, version 1
//	cluster orders
//	member n1
//	of n1 n2 n3
//	engine octopii
func (c *Config) identity() string {
	return fmt.Sprintf("%s\ncluster %s\nmember %v\nof %s\nengine %s\n",
		identityHead, c.Cluster, c.ID, strings.Trim(fmt.Sprint(c.ids()), "[]"), c.Engine)
}

// checkIdentity looks whose folder it is. fresh means that it is nobody's yet.
func (c *Config) checkIdentity(files runtime.FS) (fresh bool, err error) {
	f, err := files.Open(identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("cluster: folder %s: %w", c.Dir, err)
	}
	defer f.Close()
	text := make([]byte, identityMax)
	n, err := f.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("cluster: folder %s: %w", c.Dir, err)
	}
	return false, c.compareIdentity(string(text[:n]))
}

// compareIdentity names the first line in which the folder and the config differ.
func (c *Config) compareIdentity(found string) error {
	have, want := strings.Split(found, "\n"), strings.Split(c.identity(), "\n")
	line := func(lines []string, i int) string {
		if i < len(lines) {
			return lines[i]
		}
		return ""
	}
	for i := range max(len(have), len(want)) {
		if got, own := line(have, i), line(want, i); got != own || (i < len(have)) != (i < len(want)) {
			return fmt.Errorf("cluster: folder %s: %w: it says %q, this one %q", c.Dir, ErrForeign, got, own)
		}
	}
	return nil
}

// writeIdentity makes the folder this member's, durably.
func (c *Config) writeIdentity(files runtime.FS) error {
	err := func() error {
		if err := files.Remove(identityTemp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := files.Create(identityTemp)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte(c.identity()), 0)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if err := files.Rename(identityTemp, identityFile); err != nil {
			return err
		}
		return files.SyncDir(".")
	}()
	if err != nil {
		return fmt.Errorf("cluster: folder %s: %w", c.Dir, err)
	}
	return nil
}

// makeFiles makes the folder of what the service ships, durably.
func (c *Config) makeFiles(files runtime.FS) error {
	err := files.MkdirAll(filesDir)
	if err == nil {
		err = files.SyncDir(".")
	}
	if err != nil {
		return fmt.Errorf("cluster: folder %s: %w", c.Dir, err)
	}
	return nil
}
