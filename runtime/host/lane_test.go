package host_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

func TestLanesAreInOrderAndSideBySide(t *testing.T) {
	n := &node{}
	let, order := make(chan struct{}), make(chan []int, 1)
	n.boot = func() {
		var dones []int
		inBoot := true
		n.Submit(0, func(runtime.FS) error { <-let; return nil }, func(error) { dones = append(dones, 0) })
		for i := 1; i <= 5; i++ {
			n.Submit(0, func(runtime.FS) error { return nil }, func(error) { dones = append(dones, i) })
		}
		n.Submit(0, func(runtime.FS) error { return nil }, func(error) { order <- dones })
		n.Submit(1, func(runtime.FS) error { return errReason }, func(err error) {
			if err != errReason || inBoot {
				t.Errorf("done with %v, in boot: %v", err, inBoot)
			}
			close(let) // lane 0 stands still until lane 1 is done
		})
		inBoot = false
	}
	start(t, n)
	if got := await(t, order, "the last job"); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("done in the order %v", got)
	}
}

// TestJobOfADeadNodeUnwinds halts a node while one of its jobs runs.
func TestJobOfADeadNodeUnwinds(t *testing.T) {
	dir := t.TempDir()
	n := &node{}
	working, let, unwound := make(chan struct{}), make(chan struct{}), make(chan string, 1)
	n.boot = func() {
		n.Submit(2, func(fs runtime.FS) error {
			steps := []string{}
			defer func() { unwound <- strings.Join(steps, " ") }()
			if _, err := fs.Lock("lock"); err != nil {
				t.Error(err)
			}
			f, err := fs.Create("f")
			if err != nil {
				t.Error(err)
			}
			defer func() {
				defer func() { steps = append(steps, "deferred") }()
				f.Close()
				steps = append(steps, "closed")
			}()
			close(working)
			<-let
			steps = append(steps, "on")
			f.WriteAt([]byte("x"), 0)
			steps = append(steps, "written")
			return nil
		}, func(error) { t.Error("done") })
		n.Submit(2, func(runtime.FS) error { t.Error("the next job ran"); return nil }, func(error) {})
		n.Submit(1, func(runtime.FS) error { <-working; return nil }, func(error) { n.Halt(errReason) })
	}
	ended := make(chan struct{})
	h := startWith(t, host.Config{ID: 1, Dir: dir, Trace: func(r *runtime.Record) {
		if r.Kind == runtime.WorldHalt {
			close(ended)
		}
	}}, n)
	await(t, ended, "the halt")

	// The folder stays locked as long as the job could write to it.
	folder := openFolder(t, dir)
	if _, err := folder.Lock("lock"); !errors.Is(err, runtime.ErrLocked) {
		t.Errorf("locking a folder in use: %v", err)
	}
	select {
	case <-h.Done():
		t.Error("done while a job runs")
	default:
	}
	close(let)
	if err := wait(t, h); err != errReason {
		t.Errorf("ended with %v", err)
	}
	if got := await(t, unwound, "the job's end"); got != "on deferred" {
		t.Errorf("the job's steps: %q", got)
	}
	lock, err := folder.Lock("lock")
	if err != nil {
		t.Fatalf("locking a folder left behind: %v", err)
	}
	lock.Close()
	f, err := folder.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size, err := f.Size(); size != 0 || err != nil {
		t.Errorf("a dead node's job wrote %d bytes, %v", size, err)
	}
}

// TestNoFurtherJobAfterHalt has a second job wait behind one that outlives
// the node without a file call.
func TestNoFurtherJobAfterHalt(t *testing.T) {
	for range 10 { // the lane may find the jobs together or one by one
		n := &node{}
		working, let := make(chan struct{}), make(chan struct{})
		ran := false
		n.boot = func() {
			n.Submit(0, func(runtime.FS) error { close(working); <-let; return nil }, func(error) {})
			n.Submit(0, func(runtime.FS) error { ran = true; return nil }, func(error) {})
		}
		h := start(t, n)
		await(t, working, "the job")
		h.Kill(nil)
		close(let)
		if err := wait(t, h); err != nil || ran {
			t.Fatalf("ended with %v, the second job ran: %v", err, ran)
		}
	}
}

// TestEveryFileCallOfADeadNodeUnwinds makes each call after the halt.
func TestEveryFileCallOfADeadNodeUnwinds(t *testing.T) {
	type open struct {
		fs   runtime.FS
		file runtime.File
		lock io.Closer
	}
	calls := []struct {
		name string
		call func(o open)
	}{
		{"create", func(o open) { o.fs.Create("g") }},
		{"open", func(o open) { o.fs.Open("f") }},
		{"rename", func(o open) { o.fs.Rename("f", "g") }},
		{"remove", func(o open) { o.fs.Remove("f") }},
		{"list", func(o open) { o.fs.List(".") }},
		{"mkdirall", func(o open) { o.fs.MkdirAll("g") }},
		{"syncdir", func(o open) { o.fs.SyncDir(".") }},
		{"lock", func(o open) { o.fs.Lock("g") }},
		{"unlock", func(o open) { o.lock.Close() }},
		{"readat", func(o open) { o.file.ReadAt(make([]byte, 1), 0) }},
		{"writeat", func(o open) { o.file.WriteAt([]byte("x"), 0) }},
		{"allocate", func(o open) { o.file.Allocate(0, 1, true) }},
		{"size", func(o open) { o.file.Size() }},
		{"truncate", func(o open) { o.file.Truncate(1) }},
		{"syncdata", func(o open) { o.file.SyncData() }},
		{"sync", func(o open) { o.file.Sync() }},
		{"dropcache", func(o open) { o.file.DropCache() }},
		{"close", func(o open) { o.file.Close() }},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			n := &node{}
			opened, let := make(chan struct{}), make(chan struct{})
			returned := false
			n.boot = func() {
				n.Submit(0, func(fs runtime.FS) error {
					f, fileErr := fs.Create("f")
					l, lockErr := fs.Lock("l")
					if err := errors.Join(fileErr, lockErr); err != nil {
						t.Error(err)
					}
					close(opened)
					<-let
					c.call(open{fs, f, l})
					returned = true
					return nil
				}, func(error) {})
			}
			h := startWith(t, host.Config{ID: 1, Dir: dir}, n)
			await(t, opened, "the job")
			h.Kill(nil)
			close(let)
			if err := wait(t, h); err != nil || returned {
				t.Errorf("the call returned: %v; ended with %v", returned, err)
			}
			names, err := openFolder(t, dir).List(".")
			if err != nil || !slices.Equal(names, []string{"f", "host.lock", "l"}) {
				t.Errorf("left behind %q, %v", names, err)
			}
		})
	}
}

// newRegister returns a node that keeps one value of 8 bytes in a file and
// answers when it is durable.
func newRegister() runtime.Node {
	n := &node{}
	var file runtime.File // belongs to lane 0
	submit := func(job func(fs runtime.FS) error, done func()) {
		n.Submit(0, job, func(err error) {
			if err != nil {
				n.Halt(err)
				return
			}
			done()
		})
	}
	n.boot = func() {
		submit(func(fs runtime.FS) (err error) {
			if _, err = fs.Lock("lock"); err != nil {
				return err
			}
			if file, err = fs.Open("value"); err != nil {
				file, err = fs.Create("value")
			}
			return errors.Join(err, fs.SyncDir("."))
		}, func() {})
	}
	n.call = func(id runtime.CallID, _ runtime.Instant, req []byte) {
		resp := make([]byte, 8)
		submit(func(runtime.FS) error {
			if string(req) == "get" {
				if _, err := file.ReadAt(resp, 0); err != io.EOF {
					return err
				}
				return nil
			}
			_, err := file.WriteAt(req, 0)
			return errors.Join(err, file.SyncData())
		}, func() { n.Reply(id, runtime.Done, resp) })
	}
	return n
}

func TestRegisterSurvivesKills(t *testing.T) {
	dir := t.TempDir()
	want := ""
	for _, value := range []string{"one 1111", "two 2222", "three 33"} {
		h := startWith(t, host.Config{ID: 1, Dir: dir}, newRegister())
		if a := call(t, h, "get"); a.outcome != runtime.Done || strings.Trim(a.resp, "\x00") != want {
			t.Errorf("got %+v, want %q", a, want)
		}
		if a := call(t, h, value); a.outcome != runtime.Done {
			t.Errorf("set: %+v", a)
		}
		want = value
		h.Kill(errReason)
		if err := wait(t, h); err != errReason {
			t.Errorf("ended with %v", err)
		}
	}
}
