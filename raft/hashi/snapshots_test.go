package hashi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/runtime"
)

// snapshotsRetained is how many the stores of these tests keep.
const snapshotsRetained = 2

var voters = hraft.Configuration{Servers: []hraft.Server{
	{Suffrage: hraft.Voter, ID: "n1", Address: "n1"}, {Suffrage: hraft.Nonvoter, ID: "n2", Address: "n2"},
}}

// stateAt is the content of the snapshot at that index: more than a buffer of it for each third.
func stateAt(index uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "state %d,", index), 100+int(index%3)*20_000)
}

// take writes a snapshot as raft does.
func take(s *Snapshots, index uint64) error {
	k, err := s.Create(1, index, index/10+1, voters, 1, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(k, bytes.NewReader(stateAt(index))); err != nil {
		return errors.Join(err, k.Cancel())
	}
	return errors.Join(k.Close(), k.Close())
}

// checkSnapshots reads all snapshots, and returns the newest index. All must be whole.
func checkSnapshots(s *Snapshots) (newest uint64, err error) {
	all, err := s.List()
	if err != nil {
		return 0, err
	}
	for i, meta := range all {
		if i > 0 && meta.Index >= all[i-1].Index {
			return 0, fmt.Errorf("%d is listed after %d", meta.Index, all[i-1].Index)
		}
		if err := checkSnapshot(s, meta); err != nil {
			return 0, err
		}
		newest = max(newest, meta.Index)
	}
	if index, _ := s.newest(); index != newest {
		return 0, fmt.Errorf("newest is %d, listed %d", index, newest)
	}
	return newest, nil
}

func checkSnapshot(s *Snapshots, listed *hraft.SnapshotMeta) error {
	meta, content, err := s.Open(listed.ID)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(content)
	if err := errors.Join(err, content.Close()); err != nil {
		return err
	}
	want := &hraft.SnapshotMeta{
		Version: 1, ID: listed.ID, Index: listed.Index, Term: listed.Index/10 + 1,
		Configuration: voters, ConfigurationIndex: 1, Size: int64(len(got)),
	}
	if diff := cmp.Diff(want, meta) + cmp.Diff(want, listed); diff != "" {
		return errors.New(diff)
	}
	if !bytes.Equal(got, stateAt(meta.Index)) {
		return fmt.Errorf("snapshot %d has %d bytes of something else", meta.Index, len(got))
	}
	return nil
}

func TestSnapshots(t *testing.T) {
	disk := newCrashFS()
	s, err := OpenSnapshots(disk, "state/snapshots", snapshotsRetained)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 30; i++ {
		if err := take(s, i); err != nil {
			t.Fatal(err)
		}
		newest, err := checkSnapshots(s)
		if all, _ := s.List(); err != nil || newest != i || len(all) != min(int(i), snapshotsRetained) {
			t.Fatalf("after %d: %d, newest is %d: %v", i, len(all), newest, err)
		}
	}
	cancelled, err := s.Create(1, 31, 4, voters, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cancelled.Cancel(), cancelled.Cancel(), cancelled.Close()); err != nil {
		t.Error(err)
	}
	if _, err := cancelled.Write([]byte("x")); err == nil {
		t.Error("wrote to a snapshot that was cancelled")
	}
	if err := take(s, 30); err != nil { // again: the newer one counts
		t.Error(err)
	}
	names, err := disk.List("state/snapshots")
	if err != nil || len(names) != snapshotsRetained {
		t.Errorf("%v, %v", names, err)
	}
	if _, _, err := s.Open("../log"); err == nil {
		t.Error("opened what is no snapshot")
	}
	if _, err := s.Create(0, 31, 4, voters, 1, nil); err == nil {
		t.Error("made a snapshot of another version")
	}
}

// snapshotCrashes dies at each file call of a life that takes snapshots, and says what is wrong with what is found then.
func snapshotCrashes(prepare func(*crashFS), wrap func(runtime.FS) runtime.FS) error {
	for call := 1; ; call++ {
		disk := newCrashFS()
		prepare(disk)
		disk.crashAt = call
		acked, err := uint64(0), error(nil)
		s, err := OpenSnapshots(wrap(disk), "snapshots", snapshotsRetained)
		for i := uint64(1); i <= 5 && err == nil; i++ {
			if err = take(s, i); err == nil {
				acked = i
			}
		}
		if err == nil && disk.calls < call {
			return nil
		}
		for name, follow := range aftermaths {
			if err := snapshotsRecover(follow(disk, call), acked); err != nil {
				return fmt.Errorf("crash at call %d, %s: %w", call, name, err)
			}
		}
	}
}

func snapshotsRecover(disk *crashFS, acked uint64) error {
	s, err := OpenSnapshots(disk, "snapshots", snapshotsRetained)
	if err != nil {
		return err
	}
	newest, err := checkSnapshots(s)
	if err != nil || newest < acked {
		return fmt.Errorf("newest is %d, %d was acknowledged: %w", newest, acked, err)
	}
	names, err := disk.List("snapshots")
	if err != nil || len(names) > snapshotsRetained+2 || strings.Contains(strings.Join(names, " "), writingSuffix) {
		return fmt.Errorf("files %v, %w", names, err)
	}
	return take(s, newest+1)
}

func TestSnapshotsCrashedAtEveryFileCall(t *testing.T) {
	t.Parallel()
	if err := snapshotCrashes(func(*crashFS) {}, func(fs runtime.FS) runtime.FS { return fs }); err != nil {
		t.Error(err)
	}
}

// deafDirs is a file system whose folders are not synced.
type deafDirs struct{ runtime.FS }

func (deafDirs) SyncDir(string) error { return nil }

func TestSnapshotCrashesFindPlantedBugs(t *testing.T) {
	t.Parallel()
	same := func(fs runtime.FS) runtime.FS { return fs }
	for name, bug := range map[string]struct {
		prepare func(*crashFS)
		wrap    func(runtime.FS) runtime.FS
	}{
		"sync ignored":      {func(d *crashFS) { d.deaf = true }, same},
		"folder not synced": {func(*crashFS) {}, func(fs runtime.FS) runtime.FS { return deafDirs{fs} }},
	} {
		err := snapshotCrashes(bug.prepare, bug.wrap)
		if err == nil {
			t.Errorf("%s: not found", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// TestSnapshotsWithFailingCalls fails each file call once: a snapshot is taken or it is not, and the next one is.
func TestSnapshotsWithFailingCalls(t *testing.T) {
	t.Parallel()
	for call := 1; ; call++ {
		disk := newCrashFS()
		disk.fail = func(at int, _, _ string) error {
			if at == call {
				return errInjected
			}
			return nil
		}
		s, err := OpenSnapshots(disk, "snapshots", snapshotsRetained)
		acked := uint64(0)
		for i := uint64(1); i <= 4 && err == nil; i++ {
			if takeErr := take(s, i); takeErr == nil {
				acked = i
			} else if !errors.Is(takeErr, errInjected) {
				t.Fatalf("call %d fails: %v", call, takeErr)
			}
		}
		if disk.calls < call {
			return
		}
		disk.fail = nil
		for name, follow := range aftermaths {
			if err := snapshotsRecover(follow(disk, call), acked); err != nil {
				t.Fatalf("call %d fails, %s: %v", call, name, err)
			}
		}
	}
}

// TestDamagedSnapshotsAreNoticed flips a bit in every byte of a snapshot, and cuts it everywhere.
func TestDamagedSnapshotsAreNoticed(t *testing.T) {
	t.Parallel()
	disk := newCrashFS()
	s, err := OpenSnapshots(disk, "snapshots", snapshotsRetained)
	if err != nil {
		t.Fatal(err)
	}
	if err := take(s, 3); err != nil {
		t.Fatal(err)
	}
	names, _ := disk.List("snapshots")
	node := disk.seen["snapshots/"+names[0]]
	whole := bytes.Clone(node.data)
	noticed := func(what string, at int) {
		t.Helper()
		again, err := OpenSnapshots(disk, "snapshots", snapshotsRetained)
		if err != nil {
			t.Fatal(err)
		}
		if _, content, err := again.Open(strings.TrimSuffix(names[0], snapshotSuffix)); !errors.Is(err, errSnapshot) {
			t.Errorf("%s at %d: %v, %v", what, at, content, err)
		}
	}
	for at := range whole {
		node.data = bytes.Clone(whole)
		node.data[at] ^= 1 << (at % 8)
		noticed("flipped", at)
		node.data = whole[:at]
		noticed("cut", at)
	}
	node.data = whole

	// One that rots while it is read has an error in place of its end.
	_, content, err := s.Open(strings.TrimSuffix(names[0], snapshotSuffix))
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	node.data = bytes.Clone(whole)
	node.data[len(whole)/3] ^= 1
	if _, err := io.ReadAll(content); !errors.Is(err, errSnapshot) {
		t.Errorf("damaged while it is read: %v", err)
	}
}

func FuzzReadDescription(f *testing.F) {
	disk := newCrashFS()
	s, err := OpenSnapshots(disk, "snapshots", 1)
	if err == nil {
		err = take(s, 3)
	}
	if err != nil {
		f.Fatal(err)
	}
	name := s.latest
	f.Add(disk.seen["snapshots/"+name.file()].data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		file := &crashFile{fs: newCrashFS(), node: &crashNode{data: p}}
		d, err := readDescription(file, name)
		if err != nil {
			return
		}
		if d.Size > int64(len(p)) || d.Index != name.index {
			t.Errorf("described as %+v", d)
		}
		_, _ = io.ReadAll(newContent(file, d)) // ends, whatever it says
	})
}
