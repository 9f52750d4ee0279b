package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// program is what is under test, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "walrus-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "walrus")
	if said, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, said))
	}
	// Anyone may run it: one test is somebody who may not write.
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(program, 0o755)); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// said is what the program printed and how it ended.
type said struct {
	code     status
	out, err string
}

func run(t *testing.T, args ...string) said {
	t.Helper()
	return runAs(t, nil, args...)
}

func runAs(t *testing.T, who *syscall.SysProcAttr, args ...string) said {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if who != nil {
		cmd.SysProcAttr = who
		cmd.Dir = "/"
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s := said{code: status(cmd.ProcessState.ExitCode()), out: out.String(), err: stderr.String()}
	for line := range strings.Lines(s.out) {
		if strings.HasPrefix(line, "{") {
			continue
		}
		if len(strings.ReplaceAll(strings.TrimRight(line, "\n"), t.TempDir(), "")) > 160 {
			t.Errorf("%v: a line of %d bytes: %s", args, len(line), line)
		}
	}
	return s
}

const (
	mainTopic     walrus.Topic = 1
	recoveryTopic walrus.Topic = 2
	otherTopic    walrus.Topic = 7
)

// fixture is a log on disk with what it holds.
type fixture struct {
	dir     string // of the log
	entries map[walrus.Topic]map[uint64]string
	next    map[walrus.Topic]uint64
	keys    map[uint16]string
}

// payload is that of an entry: no two are alike.
func payload(t walrus.Topic, index uint64) string {
	return strings.Repeat(fmt.Sprintf("topic %d entry %d, ", t, index), 8)
}

// open opens the log in a folder as its owner does.
func open(t *testing.T, dir string) (*host.Folder, *walrus.Log, *walrus.Report, error) {
	t.Helper()
	folder, err := host.OpenFolder(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	l, report, err := walrus.Open(folder, walrus.Options{
		Dir: filepath.Base(dir), Seed: 5, SegmentBytes: 12 << 10,
		Mirror: []walrus.Mirror{{Main: mainTopic, Recovery: recoveryTopic}},
	})
	return folder, l, report, err
}

// original is the fixture that all others are copies of: making it takes many syncs.
var original struct {
	once sync.Once
	*fixture
}

// newFixture returns a log of several segments, every group acknowledged, that belongs to the test.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	original.once.Do(func() { original.fixture = makeFixture(t) })
	f := *original.fixture
	f.dir = filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(f.dir, os.DirFS(original.dir)); err != nil {
		t.Fatal(err)
	}
	return &f
}

func makeFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		dir: filepath.Join(filepath.Dir(program), "log"), keys: map[uint16]string{},
		entries: map[walrus.Topic]map[uint64]string{mainTopic: {}, otherTopic: {}},
		next:    map[walrus.Topic]uint64{mainTopic: 1, otherTopic: 1},
	}
	folder, l, _, err := open(t, f.dir)
	if err != nil {
		t.Fatal(err)
	}
	w := writer{fs: folder, log: l}
	for i := range 40 {
		for _, id := range []walrus.Topic{mainTopic, mainTopic, otherTopic} {
			index := f.next[id]
			f.entries[id][index] = payload(id, index)
			w.batch.Entry(id, index, uint64(1+i/10), 3, []byte(f.entries[id][index]))
			f.next[id]++
		}
		f.keys[uint16(i%3)] = fmt.Sprint("value ", i)
		w.batch.Set(uint16(i%3), []byte(f.keys[uint16(i%3)]))
		if i == 20 {
			w.batch.TruncateFront(mainTopic, 5)
			w.batch.TruncateBack(otherTopic, 20)
			for index := uint64(1); index < 5; index++ {
				delete(f.entries[mainTopic], index)
			}
			for index := uint64(20); index < f.next[otherTopic]; index++ {
				delete(f.entries[otherTopic], index)
			}
			f.next[otherTopic] = 20
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		if err := w.chores(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Close(folder), folder.Close()); err != nil {
		t.Fatal(err)
	}
	return f
}

// segments returns the files of the log that hold something, oldest first.
func (f *fixture) segments(t *testing.T) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(f.dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.Trim(data, "\x00")) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// damage changes the n-th segment, negative n from the end.
func (f *fixture) damage(t *testing.T, n int, change func(data []byte) []byte) {
	t.Helper()
	names := f.segments(t)
	if n < 0 {
		n += len(names)
	}
	data, err := os.ReadFile(names[n])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names[n], change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds opens a log as its owner does and compares: the entries of each topic that are there must
// be as written, and be those from lo to below hi; keys likewise.
func (f *fixture) holds(t *testing.T, dir string, want map[walrus.Topic][2]uint64, keys map[uint16]string) {
	t.Helper()
	folder, l, report, err := open(t, dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	defer folder.Close()
	defer l.Close(folder)
	if report.Verdict != walrus.Clean {
		t.Errorf("%s: %+v", dir, report)
	}
	for id, bounds := range want {
		lo, hi := l.Bounds(id)
		if lo != bounds[0] || hi != bounds[1] {
			t.Errorf("topic %d: holds [%d,%d), want %v", id, lo, hi, bounds)
		}
		for lo < hi {
			extents, err := l.Locate(id, lo, hi, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			err = walrus.ReadExtents(folder, extents, func(index, _ uint64, flags uint8, p []byte) error {
				if string(p) != f.entries[id][index] || flags != 3 {
					t.Errorf("topic %d entry %d: flags %d, %q", id, index, flags, p)
				}
				lo = index + 1
				return nil
			})
			l.Release(extents)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for key := range uint16(4) {
		got, ok := l.Get(key)
		if value, there := keys[key]; string(got) != value || ok != there {
			t.Errorf("key %d: %q, want %q", key, got, value)
		}
	}
}

// all are the bounds of a whole fixture.
func (f *fixture) all() map[walrus.Topic][2]uint64 {
	return map[walrus.Topic][2]uint64{mainTopic: {5, f.next[mainTopic]}, otherTopic: {1, f.next[otherTopic]}}
}

// fingerprint is everything about the files below a folder.
func fingerprint(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.ModTime().UnixNano())
		if !d.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%d %x\n", len(data), sha256.Sum256(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMistakesAreALineAndTheUsage(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"", "nothing to do"},
		{"dance", `unknown command "dance"`},
		{"help dance", `unknown command "dance"`},
		{"dump", "DIR is missing"},
		{"dump a b", `unexpected argument "b"`},
		{"dump a --colour", "flag provided but not defined: -colour"},
		{"dump a --topic x", "want a whole number"},
		{"dump a --topic 70000", "the largest is 65535"},
		{"dump a --from -1", "want a whole number"},
		{"dump --from 5 --to 4 a", "--from 5 is above --to 4"},
		{"verify", "DIR is missing"},
		{"verify --json", "DIR is missing"},
		{"repair a", "--into NEWDIR is missing"},
		{"repair a --into " + full, "the folder is not empty"},
		{"repair " + full + " --into " + full, "the folder is not empty"},
		{"bench", "DIR is missing"},
		{"bench " + filepath.Join(full, "file"), "is not a folder"},
	} {
		s := run(t, strings.Fields(c.args)...)
		first, rest, _ := strings.Cut(s.err, "\n")
		if s.code != usage || s.out != "" || !strings.HasPrefix(first, "walrus: ") || !strings.Contains(first, c.want) {
			t.Errorf("%q: exit %d, out %q, error %q; want 2, nothing, and %q", c.args, s.code, s.out, first, c.want)
		}
		if !strings.HasPrefix(rest, "usage:") {
			t.Errorf("%q: no usage but %q", c.args, rest)
		}
	}
	for _, args := range []string{"help", "-h", "--help", "help dump", "dump -h", "verify --help", "repair -h", "bench -help"} {
		if s := run(t, strings.Fields(args)...); s.code != clean || s.err != "" || !strings.HasPrefix(s.out, "usage:") {
			t.Errorf("%q: %+v", args, s)
		} else if n := strings.Count(s.out, "\n"); n > 24 {
			t.Errorf("%q: %d lines", args, n)
		}
	}
}

func TestWhatCannotBeReadIsALine(t *testing.T) {
	empty := t.TempDir()
	f, other := newFixture(t), otherVersion(t)
	for _, command := range []string{"dump", "verify", "repair"} {
		for name, c := range map[string]struct{ dir, want string }{
			"not there":       {filepath.Join(empty, "nowhere"), "no such file or directory"},
			"not a log":       {empty, "holds no log"},
			"not a folder":    {f.segments(t)[0], "not a directory"},
			"the root":        {"/", "not the folder of a log"},
			"another version": {other, "unknown version of the format: 9"},
		} {
			args := []string{command, c.dir}
			if command == "repair" {
				args = append(args, "--into", filepath.Join(t.TempDir(), "new"))
			}
			s := run(t, args...)
			if s.code != unreadable || !strings.Contains(s.err, c.want) || strings.Count(s.err, "\n") != 1 {
				t.Errorf("%s, %s: exit %d, %q; want 3 and %q", command, name, s.code, s.err, c.want)
			}
		}
	}
	node := filepath.Dir(filepath.Dir(f.dir))
	if s := run(t, "verify", node); s.code != unreadable || !strings.Contains(s.err, "no log, but "+f.dir+" seems to") {
		t.Errorf("the folder of a node: exit %d, %q; want 3, and its log named", s.code, s.err)
	}
	if s := run(t, "bench", filepath.Join(empty, "nowhere")); s.code != unreadable || strings.Count(s.err, "\n") != 1 {
		t.Errorf("bench: %+v", s)
	}
}

// otherVersion returns a log whose headers are of a version to come.
func otherVersion(t *testing.T) string {
	f := newFixture(t)
	for i := range f.segments(t) {
		f.damage(t, i, func(data []byte) []byte { return reseal(data, func(header []byte) { header[4] = 9 }) })
	}
	return f.dir
}

func TestALogInUseIsRefused(t *testing.T) {
	root := t.TempDir()
	folder, err := host.OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	l, _, err := walrus.Open(folder, walrus.Options{Dir: "data/log", Seed: 1, SegmentBytes: 12 << 10})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "data", "log")
	for _, args := range [][]string{{"dump", dir}, {"verify", dir}, {"repair", dir, "--into", filepath.Join(root, "new")}} {
		if s := run(t, args...); s.code != unreadable || !strings.Contains(s.err, "is in use") || strings.Count(s.err, "\n") != 1 {
			t.Errorf("%v: %+v", args, s)
		}
	}
	if err := l.Close(folder); err != nil {
		t.Fatal(err)
	}
	if s := run(t, "verify", dir); s.code != clean {
		t.Errorf("after it was closed: %+v", s)
	}
}

// Nothing is changed, neither by looking nor by repairing, and nothing needs to be writable.
func TestReadingChangesNothing(t *testing.T) {
	f := newFixture(t)
	root := filepath.Dir(f.dir)
	who := nobody()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			return errors.Join(err, os.Chmod(path, 0o555))
		}
		return errors.Join(err, os.Chmod(path, 0o444))
	})
	if err := errors.Join(err, os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(root, 0o755); os.Chmod(f.dir, 0o755) })
	before := fingerprint(t, root)
	into := filepath.Join(t.TempDir(), "sub", "new")
	if err := os.Mkdir(filepath.Dir(into), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(filepath.Dir(into), 0o777), os.Chmod(filepath.Dir(filepath.Dir(filepath.Dir(into))), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"dump", f.dir}, {"dump", "--json", f.dir}, {"verify", f.dir}, {"verify", f.dir, "--json"}, {"repair", f.dir, "--into", into},
	} {
		if s := runAs(t, who, args...); s.code != clean || s.err != "" {
			t.Errorf("%v: %+v", args, s)
		}
		if after := fingerprint(t, root); after != before {
			t.Fatalf("%v changed something:\n%s\n%s", args, before, after)
		}
	}
}

func TestBench(t *testing.T) {
	dir := t.TempDir()
	s := run(t, "bench", dir, "--quick", "--json")
	if s.code != clean || strings.Count(s.out, "\n") != 2*len(workloads) || !strings.Contains(s.out, `"ratio":1}`) {
		t.Errorf("%+v", s)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
