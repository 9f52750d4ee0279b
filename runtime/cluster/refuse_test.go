package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// oneLine expects an error that is one line, has these words, and matches the target.
func oneLine(t *testing.T, err, target error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("%q does not match %q", err, target)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not have %q", err, w)
		}
	}
}

func TestConfigIsValidated(t *testing.T) {
	r := newRig(t, 3)
	good := r.config(1)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for words, change := range map[string]func(*cluster.Config){
		"without ID":         func(c *cluster.Config) { c.ID = 0 },
		"without Dir":        func(c *cluster.Config) { c.Dir = "" },
		"without Peers":      func(c *cluster.Config) { c.Peers = nil },
		"without TLSDir":     func(c *cluster.Config) { c.TLSDir = "" },
		"n4 is not among":    func(c *cluster.Config) { c.ID = 4 },
		"n2 has no address":  func(c *cluster.Config) { c.Peers = []cluster.Peer{{ID: 1}, {ID: 2}} },
		"twice":              func(c *cluster.Config) { c.Peers = append(c.Peers, c.Peers[0]) },
		"cluster name":       func(c *cluster.Config) { c.Cluster = "Orders!" },
		`engine "steam"`:     func(c *cluster.Config) { c.Engine = "steam" },
		"heartbeat interval": func(c *cluster.Config) { c.HeartbeatInterval = time.Hour },
		"RPC with CallsMax":  func(c *cluster.Config) { c.RPC.CallsMax = -1 },
		"shipper":            func(c *cluster.Config) { c.Shipper.ChunkBytes = 1 },
	} {
		bad := good
		change(&bad)
		oneLine(t, bad.Validate(), nil, words)
		if _, err := cluster.Start(t.Context(), bad, newMachine); err == nil {
			t.Errorf("%s: started", words)
		}
	}
}

func TestFoldersAreKeptApart(t *testing.T) {
	r := newRig(t, 3)
	start := func(change func(*cluster.Config)) error {
		cfg := r.config(1)
		change(&cfg)
		m, err := cluster.Start(t.Context(), cfg, newMachine)
		if err == nil {
			m.Kill(errKilled)
			t.Error("started")
		}
		return err
	}
	// A mistake in the first config leaves nothing behind.
	oneLine(t, start(func(c *cluster.Config) { c.ID = 2 }), quic.ErrNode, "our certificate is for n1, the config says n2")

	m := r.start(r.config(1))
	oneLine(t, start(func(*cluster.Config) {}), runtime.ErrLocked, r.config(1).Dir, "locked by another process")
	m.Kill(errKilled)
	r.await(m.Done(), "the end of the member")

	oneLine(t, start(func(c *cluster.Config) { c.Cluster = "billing" }), cluster.ErrForeign, `"cluster orders"`, `"cluster billing"`)
	oneLine(t, start(func(c *cluster.Config) { c.ID = 2 }), cluster.ErrForeign, `"member n1"`, `"member n2"`)
	oneLine(t, start(func(c *cluster.Config) { c.Peers = c.Peers[:2] }), cluster.ErrForeign, `"of n1 n2 n3"`, `"of n1 n2"`)

	oneLine(t, start(func(c *cluster.Config) { c.Engine = cluster.Hashicorp }), cluster.ErrForeign, `"engine octopii"`)

	r.peers[1].Addr = "127.0.0.1:10" // addresses may change
	again := r.start(r.config(1))
	if err := again.Drain(r.within()); err != nil {
		t.Errorf("drained with %v", err)
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	r := newRig(t, 1)
	cfg := r.config(1)
	cfg.TLSDir = t.TempDir()
	_, err := cluster.Start(t.Context(), cfg, newMachine)
	oneLine(t, err, nil, "credentials", "node.pem")

	expired := quic.Validity{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	if err := r.authority.Issue(r.tls(1), 1, expired); err != nil {
		t.Fatal(err)
	}
	_, err = cluster.Start(t.Context(), r.config(1), newMachine)
	oneLine(t, err, quic.ErrCertificate, "expired")
}

func TestTakenAddressIsSaid(t *testing.T) {
	r := newRig(t, 1)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	cfg := r.config(1)
	cfg.Listen = socket.LocalAddr().String()
	_, err = cluster.Start(t.Context(), cfg, newMachine)
	oneLine(t, err, nil, cfg.Listen, "in use")
	if err != nil && strings.Count(err.Error(), cfg.Listen) != 1 {
		t.Errorf("%q says the address more than once", err)
	}
}

// book is a log handler that keeps what is said.
type book struct {
	mu    sync.Mutex
	lines []string
	said  chan struct{} // closed and made anew with each line
}

func (b *book) Enabled(context.Context, slog.Level) bool { return true }
func (b *book) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *book) WithGroup(string) slog.Handler            { return b }

func (b *book) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	close(b.said)
	b.said = make(chan struct{})
	return nil
}

// count returns how many lines have the words.
func (b *book) count(words string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}

// await waits for a line with these words.
func (b *book) await(t *testing.T, words ...string) {
	t.Helper()
	late := time.After(patience)
	for {
		b.mu.Lock()
		lines, said := b.lines, b.said
		b.mu.Unlock()
	next:
		for _, line := range lines {
			for _, w := range words {
				if !strings.Contains(line, w) {
					continue next
				}
			}
			if strings.Contains(line, "\n") {
				t.Errorf("%q is more than one line", line)
			}
			return
		}
		select {
		case <-said:
		case <-late:
			t.Fatalf("nobody says %q:\n%s", words, strings.Join(lines, "\n"))
		}
	}
}

// TestStrangersAreRefused lets a node connect that has a certificate of the cluster and is none of its members, and one of
// another cluster's authority.
func TestStrangersAreRefused(t *testing.T) {
	r := newRig(t, 3)
	log := &book{said: make(chan struct{})}
	cfg := r.config(1)
	cfg.Logger = slog.New(log)
	cfg.Peers = r.peers[:2]
	m := r.start(cfg)

	stranger := r.start(r.config(3))
	stranger.Route(1, m.Addr())
	log.await(t, "WARN", "n3", "refused", "n3 is not expected here")

	other, err := quic.CreateAuthority(t.TempDir(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Issue(r.tls(2), 2, quic.Validity{}); err != nil {
		t.Fatal(err)
	}
	forged := r.start(r.config(2))
	forged.Route(1, m.Addr())
	log.await(t, "WARN", "certificate not accepted", "signed by another authority")
	m.Kill(errKilled)
	log.await(t, "ERROR", "member ended", "killed by the test")
}

// fullFS is a disk that is full once somebody says so.
type fullFS struct {
	runtime.FS
	full *atomic.Bool
}

type fullFile struct {
	runtime.File
	full *atomic.Bool
}

func (f fullFS) wrap(file runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	return fullFile{file, f.full}, nil
}

func (f fullFS) Open(name string) (runtime.File, error)   { return f.wrap(f.FS.Open(name)) }
func (f fullFS) Create(name string) (runtime.File, error) { return f.wrap(f.FS.Create(name)) }

func (f fullFile) WriteAt(p []byte, off int64) (int, error) {
	if f.full.Load() {
		return 0, runtime.ErrNoSpace
	}
	return f.File.WriteAt(p, off)
}

// TestFullDiskIsSaidAndWaitedFor fills the disk under a member: it says so, acknowledges nothing, and goes on when there is space.
func TestFullDiskIsSaidAndWaitedFor(t *testing.T) {
	r := newRig(t, 1)
	log := &book{said: make(chan struct{})}
	var full atomic.Bool
	cfg := r.config(1)
	cfg.Logger = slog.New(log)
	cfg.Wrap = func(files runtime.FS) runtime.FS { return fullFS{files, &full} }
	m := r.start(cfg)
	r.leader(m)
	r.put(m, "a", "b")
	full.Store(true)
	cmd := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte("c")}
	ctx, cancel := context.WithCancel(r.within())
	defer cancel()
	given := make(chan error, 1)
	go func() {
		_, err := m.Propose(ctx, cmd.Append(nil))
		given <- err
	}()
	log.await(t, "WARN", "the disk", "no space left on device")
	cmd.Value = make([]byte, kv.ValueMax)
	refusals := make(chan error, 1<<7)
	for range cap(refusals) {
		go func() {
			if _, err := m.Propose(ctx, cmd.Append(nil)); cluster.OutcomeOf(err) == runtime.Refused {
				refusals <- err
			}
		}()
	}
	select {
	case err := <-refusals: // of those that find no room behind the first
		oneLine(t, err, cluster.ErrNoSpace, "disk is full")
	case <-r.within().Done():
		t.Error("nothing is refused")
	}
	cancel()
	if err := <-given; cluster.OutcomeOf(err) != runtime.Unknown {
		t.Errorf("the write that did not fit: %v", err)
	}
	if n := log.count("no space left on device"); n > 3 {
		t.Errorf("it was said %d times", n)
	}
	full.Store(false)
	r.put(m, "d", "e")
	r.get(m, "a", "b")
}

// TestFailedDiskEndsTheMemberInOneLine has a disk that fails all syncs from some moment on.
func TestFailedDiskEndsTheMemberInOneLine(t *testing.T) {
	r := newRig(t, 1)
	log := &book{said: make(chan struct{})}
	var failed atomic.Bool
	cfg := r.config(1)
	cfg.Logger = slog.New(log)
	cfg.Wrap = func(files runtime.FS) runtime.FS { return failedFS{files, &failed} }
	m := r.start(cfg)
	r.leader(m)
	r.put(m, "a", "b")
	failed.Store(true)
	cmd := kv.Command{Op: kv.Put, Client: 1, Seq: 1, Key: []byte("c")}
	if _, err := m.Propose(r.within(), cmd.Append(nil)); cluster.OutcomeOf(err) != runtime.Unknown {
		t.Errorf("the write that failed: %v", err)
	}
	r.await(m.Done(), "the end of the member")
	oneLine(t, m.Wait(), runtime.ErrIO, "input/output error")
	log.await(t, "ERROR", "member ended", "input/output error")
	if _, err := m.Propose(r.within(), cmd.Append(nil)); cluster.OutcomeOf(err) != runtime.Refused || !errors.Is(err, cluster.ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
	failed.Store(false)
	back := r.start(cfg)
	r.leader(back)
	r.get(back, "a", "b")
}

// failedFS is a disk whose syncs fail once somebody says so.
type failedFS struct {
	runtime.FS
	failed *atomic.Bool
}

type failedFile struct {
	runtime.File
	failed *atomic.Bool
}

func (f failedFS) wrap(file runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	return failedFile{file, f.failed}, nil
}

func (f failedFS) Open(name string) (runtime.File, error)   { return f.wrap(f.FS.Open(name)) }
func (f failedFS) Create(name string) (runtime.File, error) { return f.wrap(f.FS.Create(name)) }

func (f failedFile) SyncData() error {
	if f.failed.Load() {
		return runtime.ErrIO
	}
	return f.File.SyncData()
}
