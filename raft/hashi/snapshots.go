package hashi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/runtime"
)

const (
	snapshotSuffix = ".snap"
	writingSuffix  = ".tmp" // of a file that is being written
)

// Snapshots is a snapshot store of hashicorp/raft: a file each, in a folder of an FS. A snapshot is there when
// its file has been written, synced and renamed and the folder has been synced, or not at all; a checksum
// is verified before the first byte of it is handed out. Methods may be called from any goroutine, and block
// for the disk.
type Snapshots struct {
	fs     runtime.FS
	dir    string
	retain int

	mu       sync.Mutex
	sequence uint64       // of the newest file
	latest   snapshotName // of those that can be described
	refuse   func(index uint64) error
	verified map[string]bool // names whose content was verified in this life
}

var _ hraft.SnapshotStore = (*Snapshots)(nil)

// OpenSnapshots opens the store in a folder, or makes it, and removes what was never finished. It keeps the
// newest retain snapshots, at least one.
func OpenSnapshots(files runtime.FS, dir string, retain int) (*Snapshots, error) {
	s := &Snapshots{fs: files, dir: dir, retain: max(retain, 1), verified: map[string]bool{}}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("hashi: open snapshots: %w", err)
	}
	return s, nil
}

func (s *Snapshots) open() error {
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	for at := s.dir; at != "."; at = path.Dir(at) { // also those that were made for it
		if err := s.fs.SyncDir(path.Dir(at)); err != nil {
			return err
		}
	}
	files, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file, writingSuffix) {
			if err := s.fs.Remove(path.Join(s.dir, file)); err != nil {
				return err
			}
		}
		if name, ok := parseName(file); ok {
			s.sequence = max(s.sequence, name.sequence)
		}
	}
	all, err := s.List()
	if err == nil && len(all) > 0 {
		s.latest, _ = parseName(all[0].ID + snapshotSuffix)
	}
	return err
}

// newest returns the index and the term of the newest snapshot, zeros if there is none.
func (s *Snapshots) newest() (index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest.index, s.latest.term
}

// refuseReceived has refuse decide over snapshots that a replica did not take itself.
func (s *Snapshots) refuseReceived(refuse func(index uint64) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// Create implements hraft.SnapshotStore. First it removes those that are too many, so that there are never more
// than can be retained and two.
func (s *Snapshots) Create(version hraft.SnapshotVersion, index, term uint64, members hraft.Configuration,
	membersIndex uint64, _ hraft.Transport) (hraft.SnapshotSink, error) {
	if version != 1 {
		return nil, fmt.Errorf("hashi: snapshot version %d is not known", version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reap(); err != nil {
		return nil, fmt.Errorf("hashi: remove old snapshots: %w", err)
	}
	name := snapshotName{term: term, index: index, sequence: s.sequence + 1}
	file, err := s.fs.Create(path.Join(s.dir, name.id()+writingSuffix))
	if err != nil {
		return nil, fmt.Errorf("hashi: create snapshot: %w", err)
	}
	s.sequence++
	meta := hraft.SnapshotMeta{
		Version: version, ID: name.id(), Index: index, Term: term,
		Configuration: members.Clone(), ConfigurationIndex: membersIndex,
	}
	return &sink{store: s, file: file, meta: meta, buffer: make([]byte, 0, sinkBytes)}, nil
}

// List implements hraft.SnapshotStore: the newest first. Those whose description is damaged are left out.
func (s *Snapshots) List() ([]*hraft.SnapshotMeta, error) {
	names, err := s.names()
	if err != nil {
		return nil, fmt.Errorf("hashi: list snapshots: %w", err)
	}
	var all []*hraft.SnapshotMeta
	for _, name := range names[:min(len(names), s.retain)] {
		meta, err := s.describe(name)
		switch {
		case err == nil:
			all = append(all, meta)
		case !errors.Is(err, errSnapshot) && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return all, nil
}

// describe reads what a snapshot is of.
func (s *Snapshots) describe(name snapshotName) (*hraft.SnapshotMeta, error) {
	f, err := s.fs.Open(path.Join(s.dir, name.file()))
	if err != nil {
		return nil, err
	}
	d, err := readDescription(f, name)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("hashi: snapshot %s: %w", name.id(), err)
	}
	return &d.SnapshotMeta, nil
}

// Open implements hraft.SnapshotStore. It reads the whole content once to verify it, in each life. The reader
// belongs to the caller; it verifies what it reads again, and has an error instead of the end if that has
// changed.
func (s *Snapshots) Open(id string) (*hraft.SnapshotMeta, io.ReadCloser, error) {
	name, ok := parseName(id + snapshotSuffix)
	if !ok {
		return nil, nil, fmt.Errorf("hashi: %q is no snapshot", id)
	}
	f, err := s.fs.Open(path.Join(s.dir, name.file()))
	if err != nil {
		return nil, nil, fmt.Errorf("hashi: open snapshot: %w", err)
	}
	d, err := readDescription(f, name)
	if err == nil {
		err = s.verify(f, d)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("hashi: snapshot %s: %w", id, errors.Join(err, f.Close()))
	}
	return &d.SnapshotMeta, newContent(f, d), nil
}

// verify reads the content unless that has been done.
func (s *Snapshots) verify(f runtime.File, d *description) error {
	s.mu.Lock()
	done := s.verified[d.ID]
	s.mu.Unlock()
	if done {
		return nil
	}
	if _, err := io.Copy(io.Discard, newContent(f, d)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified[d.ID] = true
	return nil
}

// names returns the names of the snapshots there are, the newest first.
func (s *Snapshots) names() ([]snapshotName, error) {
	files, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var names []snapshotName
	for _, file := range slices.Backward(files) { // sorted by term, index, sequence
		if name, ok := parseName(file); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// reap removes the snapshots that are too many. The caller holds mu.
func (s *Snapshots) reap() error {
	names, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range names[min(len(names), s.retain):] {
		if err := s.fs.Remove(path.Join(s.dir, name.file())); err != nil {
			return err
		}
		delete(s.verified, name.id())
	}
	return nil // no need to be durable: what comes back is removed again
}

// snapshotName is what a file's name says. The files' order is that of the snapshots.
type snapshotName struct{ term, index, sequence uint64 }

func (n snapshotName) id() string {
	return fmt.Sprintf("%016x-%016x-%016x", n.term, n.index, n.sequence)
}

func (n snapshotName) file() string { return n.id() + snapshotSuffix }

// parseName is the inverse of file.
func parseName(file string) (n snapshotName, ok bool) {
	_, err := fmt.Sscanf(file, "%016x-%016x-%016x"+snapshotSuffix, &n.term, &n.index, &n.sequence)
	return n, err == nil && n.file() == file
}
