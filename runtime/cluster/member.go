package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/quic"
)

// ErrKilled is why a member ended that was killed without a reason.
var ErrKilled = errors.New("cluster: killed")

// Member is a running member of a cluster. Its methods may be called from any goroutine.
type Member struct {
	cfg      Config
	backend  backend
	node     *member.Node // on the host's loop only
	host     *host.Host
	endpoint *quic.Endpoint
	journal  journal
	services services
	recovery atomic.Uint32 // the walrus.Verdict of Status.Recovery
	disk     complaints    // about the folder
	links    complaints    // about connections
	release  func() bool   // takes back what waits for the context of Start
	done     chan struct{} // closed when nothing is left, and the last event is out
}

// Start runs a member. It returns when the folder is this member's, the address is bound, and the credentials are
// found in order; reading the folder and finding a leader come after. machine makes the state machine, empty; it is called
// once. When ctx is done the member drains.
//
// The error is one line. It matches runtime.ErrLocked if another process has the folder, [ErrForeign] if the folder was made
// for another member, cluster, set of peers or engine, and quic.ErrCertificate, quic.ErrNode or quic.ErrCluster if the credentials
// are not those of this member.
func Start(ctx context.Context, cfg Config, machine func() raft.StateMachine) (*Member, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Member{cfg: cfg.withDefaults(), done: make(chan struct{})}
	m.services.init(m)
	m.backend = engines[m.cfg.Engine](m, machine)
	node := m.cfg.node(m.backend)
	node.Serve, node.Abandoned = m.services.serve, m.services.abandon
	node.Shipper.Frame = func(size int) []byte { return m.endpoint.Frame(size) } // it is there before the node is
	m.node = member.New(node)
	if err := m.start(); err != nil {
		return nil, err
	}
	m.cfg.Logger.Info("member started", "cluster", m.cfg.Cluster, "id", m.cfg.ID, "addr", m.Addr(), "dir", m.cfg.Dir)
	m.release = context.AfterFunc(ctx, m.host.Stop)
	go m.bury()
	return m, nil
}

// start runs the host. The folder is looked at first, then the endpoint is made, and only then is the folder marked as this
// member's: a mistake in the config leaves nothing behind.
func (m *Member) start() (err error) {
	var files runtime.FS
	var apart error // why the member was not connected, in its own words
	fresh := false
	ready := make(chan struct{})
	defer close(ready)
	cfg := host.Config{
		ID: m.cfg.ID, Dir: m.cfg.Dir, Wrap: m.cfg.Wrap, Logger: m.cfg.Logger,
		StallAfter: m.cfg.StallAfter, Stalled: m.stalled,
		Trace: func(r *runtime.Record) {
			if r.Kind == runtime.WorldBoot { // which comes first
				<-ready // what the loop uses is there from here on
			}
			m.observe(r)
		},
		Prepare: func(locked runtime.FS) error {
			files = locked
			fresh, err = m.cfg.checkIdentity(files)
			return err
		},
		Join: func(receive transport.Receiver) (transport.Link, error) {
			if m.endpoint, apart = quic.Listen(m.cfg.endpoint(m.noticed)); apart != nil {
				return nil, apart
			}
			if apart = m.cfg.makeFiles(files); apart == nil && fresh {
				apart = m.cfg.writeIdentity(files)
			}
			var link transport.Link
			if apart == nil {
				link, apart = m.endpoint.Join(receive)
			}
			if apart != nil {
				_ = m.endpoint.Close() // of the two errors the first says what is wrong
				return nil, apart
			}
			return link, nil
		},
	}
	if m.host, err = host.Start(cfg, m.node); apart != nil {
		return apart
	}
	return err
}

// bury waits for the end of the member and says so.
func (m *Member) bury() {
	err := m.host.Wait()
	m.release()
	m.services.end()
	if p, beside := m.backend.(*proxy); beside {
		p.end()
	}
	if err == nil {
		m.cfg.Logger.Info("member ended", "id", m.cfg.ID)
	} else {
		m.cfg.Logger.Error("member ended", "id", m.cfg.ID, "err", err)
	}
	m.journal.add(Event{Kind: Ended, Err: err})
	close(m.done)
}

// Propose has the state machine of every member execute a command, and returns the response. It blocks until the command
// is applied here or at the leader, ctx is done, or the member ends. The command is the member's from here on. See the package's
// documentation for what an error says.
func (m *Member) Propose(ctx context.Context, command []byte) ([]byte, error) {
	return m.execute(ctx, raft.EntryCommand, command)
}

// ReadLevel says how fresh the answer to a question must be.
type ReadLevel uint8

// Linearizable is the level of a read that sees everything that was done before it began. It is the zero ReadLevel.
const Linearizable ReadLevel = 0

// ReadOptions say how a question is answered. The zero ReadOptions are the strictest.
type ReadOptions struct {
	Level ReadLevel
}

// Read has the state machine answer a question, which changes nothing, and returns the answer. Otherwise it is like Propose.
func (m *Member) Read(ctx context.Context, query []byte, opts ReadOptions) ([]byte, error) {
	if opts.Level != Linearizable {
		return nil, refused(fmt.Errorf("%w: read level %d", ErrInvalid, opts.Level))
	}
	return m.execute(ctx, raft.EntryQuery, query)
}

func (m *Member) execute(ctx context.Context, kind raft.EntryType, data []byte) ([]byte, error) {
	req := raft.AppendRequest(make([]byte, 0, 1+len(data)), kind, data)
	outcome, resp, err := m.host.Call(ctx, req)
	if outcome == runtime.Done {
		return resp, nil
	}
	if outcome == runtime.Unknown && err == nil {
		err = ctx.Err() // the node has seen the deadline, too
	}
	return nil, m.explain(outcome, resp, err)
}

// Snapshot takes a snapshot of what this member has applied, and returns when it is durable, or why there is none. If ctx is
// done before that it may be taken all the same.
func (m *Member) Snapshot(ctx context.Context) error {
	taken := make(chan error, 1)
	if !m.host.Post(func() { m.backend.Snapshot(func(err error) { taken <- err }) }) {
		return refused(m.stopped())
	}
	select {
	case err := <-taken:
		switch {
		case err == nil:
			return nil
		case errors.Is(err, raft.ErrNotRunning):
			return refused(ErrNotReady)
		}
		return refused(err)
	case <-ctx.Done():
		return unknown(ctx.Err())
	case <-m.host.Done():
		return unknown(m.stopped())
	}
}

// Route says where a peer is reached from now on, if not at its address of Config.Peers.
func (m *Member) Route(id runtime.NodeID, addr string) {
	m.onLoop(func() { m.endpoint.Route(id, addr) }) // after those of the config
}

// Addr returns the address that the member has bound.
func (m *Member) Addr() string { return m.endpoint.Addr() }

// ID returns the member's own id.
func (m *Member) ID() runtime.NodeID { return m.cfg.ID }

// Drain stops taking in requests, finishes those that have been, and ends the member. If ctx is done before that, the
// member ends at once. It returns why the member ended, nil if it had time.
func (m *Member) Drain(ctx context.Context) error {
	m.host.Stop()
	select {
	case <-m.done:
	case <-ctx.Done():
		m.Kill(ctx.Err())
		<-m.done
	}
	return m.Wait()
}

// Kill ends the member at once, in the middle of whatever it does. Nothing that was acknowledged is lost.
func (m *Member) Kill(reason error) {
	if reason == nil {
		reason = ErrKilled
	}
	m.host.Kill(reason)
}

// Done is closed when nothing of the member is left: its folder and its address are free.
func (m *Member) Done() <-chan struct{} { return m.done }

// Wait blocks until Done, and returns why the member has ended: nil after a drain.
func (m *Member) Wait() error {
	<-m.done
	return m.host.Wait()
}

// deadline returns that of the context, on the node's clock.
func (m *Member) deadline(ctx context.Context) runtime.Instant {
	at, ok := ctx.Deadline()
	if !ok {
		return runtime.Never
	}
	return m.host.Now().Add(time.Until(at))
}

// onLoop runs f on the node's loop and waits for its end. It returns false if the member ends before that.
func (m *Member) onLoop(f func()) bool {
	ran := make(chan struct{})
	if !m.host.Post(func() { f(); close(ran) }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-m.host.Done():
		return false
	}
}
