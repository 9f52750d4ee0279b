package hashi

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// The folders of an engine, in Config.Dir.
const (
	logDir      = "log"
	snapshotDir = "snapshots"
	machineDir  = "machine" // of a state machine that keeps files
)

// ErrKilled is the reason of an engine that was killed without one.
var ErrKilled = errors.New("hashi: killed")

// Engine is a running replica. Its methods may be called from any goroutine.
type Engine struct {
	cfg       Config
	files     runtime.FS
	closeDir  func() error
	store     *Store
	recovery  walrus.Verdict // the worst that was found of the log
	snapshots *Snapshots
	replica   *replica
	layer     *streamLayer
	transport network
	guard     *guard
	raft      *hraft.Raft

	calls calls
	reads reads

	started atomic.Bool // Start has returned, or is about to

	ending chan struct{} // closed when nothing more is taken in
	cut    chan struct{} // closed when calls under way are given up
	done   chan struct{}

	observing sync.WaitGroup
	observed  chan struct{} // closed when nothing changes any more

	mu       sync.Mutex
	how      how
	reason   error
	closeErr error
}

// how an engine ends. Larger is sooner.
type how int

const (
	running how = iota
	stopped     // finishes what it has taken in
	failed      // tells those who wait what became of their calls
	killed      // gives up what is under way
)

// Start opens or makes a replica in its folder, and runs it. It blocks until its log and its newest snapshot
// have been read. An error says what is wrong with the configuration, or the folder:
// runtime.ErrLocked if another process has it, walrus.ErrCorrupt if it is damaged.
func Start(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	folder, err := host.OpenFolder(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("hashi: %w", err)
	}
	return start(cfg.withDefaults(), folder, folder.Close)
}

// start starts a replica on a file system, which it gives back with closeDir.
func start(cfg Config, files runtime.FS, closeDir func() error) (*Engine, error) {
	e := &Engine{
		cfg: cfg, files: files, closeDir: closeDir,
		ending: make(chan struct{}), cut: make(chan struct{}), done: make(chan struct{}), observed: make(chan struct{}),
	}
	e.reads.engine = e
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.started.Store(true)
	e.observing.Go(e.observe)
	go e.supervise()
	return e, nil
}

// open builds the engine from the disk up.
func (e *Engine) open() (err error) {
	var report *walrus.Report
	if e.store, report, err = OpenStore(e.files, logDir, e.cfg.SegmentBytes); err != nil {
		return err
	}
	e.recovered(report)
	if e.snapshots, err = OpenSnapshots(e.files, snapshotDir, snapshotsKept); err != nil {
		return err
	}
	if err := e.checkSnapshots(); err != nil {
		return err
	}
	if err := e.bootstrap(); err != nil {
		return err
	}
	if err := e.openMachine(); err != nil {
		return err
	}
	if e.layer, err = newStreamLayer(e.cfg.Endpoint); err != nil {
		return err
	}
	library := e.cfg.library()
	e.transport = network{hraft.NewNetworkTransportWithConfig(&hraft.NetworkTransportConfig{
		Stream: e.layer, MaxPool: pooled, MaxRPCsInFlight: inFlight, Timeout: exchangeTimeout, Logger: library.Logger,
	})}
	return e.startRaft(library)
}

// checkSnapshots reads the snapshots, from the newest on, until one is whole, and makes sure that the log goes on
// where it ends: raft would start with an older one than the newest without asking.
func (e *Engine) checkSnapshots() error {
	names, err := e.snapshots.names()
	if err != nil {
		return fmt.Errorf("hashi: %w", err)
	}
	first, err := e.store.FirstIndex()
	if err != nil {
		return err
	}
	var found snapshotName
	var damage []error
	for _, name := range names {
		_, content, err := e.snapshots.Open(name.id())
		if err == nil {
			found = name
			damage = append(damage, content.Close())
			break
		}
		e.cfg.Logger.Error("damaged snapshot", "id", name.id(), "error", err)
		damage = append(damage, err)
	}
	if err := errors.Join(damage...); first > found.index+1 || first == 0 && err != nil {
		return errors.Join(fmt.Errorf("hashi: the log begins at %d and the last whole snapshot is of %d: what is between is lost",
			first, found.index), err)
	}
	return e.alignLog(found)
}

// alignLog empties a log that the newest snapshot has replaced: a crash came between the two. Raft would
// try to add to it, or vote by it.
func (e *Engine) alignLog(newest snapshotName) error {
	first, err := e.store.FirstIndex()
	if err != nil || first == 0 || first > newest.index {
		return err
	}
	last, err := e.store.LastIndex()
	if err != nil {
		return err
	}
	if last >= newest.index {
		var at hraft.Log
		if err := e.store.GetLog(newest.index, &at); err != nil || at.Term == newest.term {
			return err
		}
	}
	e.cfg.Logger.Warn("the log was replaced by a snapshot", "first", first, "last", last, "snapshot", newest.index)
	return e.store.DeleteRange(first, last)
}

// bootstrap gives a new replica its first members.
func (e *Engine) bootstrap() error {
	if len(e.cfg.Voters) == 0 {
		return nil
	}
	if names, err := e.snapshots.names(); err != nil || len(names) > 0 {
		return err
	}
	done, err := e.store.Bootstrap(e.cfg.members())
	if done {
		e.cfg.Logger.Info("new replica", "voters", e.cfg.Voters)
	}
	return err
}

// openMachine makes the state machine.
func (e *Engine) openMachine() error {
	machine := e.cfg.Machine()
	e.replica = &replica{machine: machine, fail: e.fail, compacted: e.changed}
	storer, ok := machine.(raft.Storer)
	if !ok {
		return nil
	}
	if err := errors.Join(e.files.MkdirAll(machineDir), e.files.SyncDir(".")); err != nil {
		return fmt.Errorf("hashi: %w", err)
	}
	if err := storer.Open(e.files, machineDir); err != nil {
		return fmt.Errorf("hashi: open the state machine: %w", err)
	}
	return nil
}

// startRaft starts the library, on a goroutine that the guard may unwind.
func (e *Engine) startRaft(cfg *hraft.Config) error {
	e.guard = &guard{store: e.store, snapshots: e.snapshots, fail: e.fail, changed: e.changed}
	returned := make(chan error, 1)
	go func() {
		err := ErrFailed
		defer func() { returned <- err }()
		e.raft, err = hraft.NewRaft(cfg, e.replica, e.guard, e.guard, e.snapshots, e.transport)
	}()
	if err := <-returned; err != nil {
		return fmt.Errorf("hashi: start: %w", errors.Join(err, e.why()))
	}
	e.snapshots.refuseReceived(e.refuseSnapshot)
	return nil
}

// refuseSnapshot says why a snapshot that a leader has sent is not to be installed: one of entries that are
// known to be committed is late. Raft would go back to it, and delete entries after it that it
// has acknowledged.
func (e *Engine) refuseSnapshot(index uint64) error {
	if commit := e.raft.CommitIndex(); index <= commit {
		return fmt.Errorf("hashi: late snapshot of %d, commit index is %d", index, commit)
	}
	return nil
}

// fail ends the engine. It does not block.
func (e *Engine) fail(reason error) { e.end(failed, reason) }

// Stop ends the engine: it takes nothing more in, finishes what it has taken in, for some seconds at most, lets another
// member lead, and closes the log. It blocks until Done is closed.
func (e *Engine) Stop() {
	e.end(stopped, nil)
	<-e.done
}

// Kill ends the engine at once, with the reason, and gives up what is under way: its outcome is unknown. It
// does not block. After a Stop it hurries that.
func (e *Engine) Kill(reason error) {
	if reason == nil {
		reason = ErrKilled
	}
	e.end(killed, reason)
}

// end begins the end, or makes it come sooner. The first reason stays.
func (e *Engine) end(how how, reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.how == running {
		close(e.ending)
	}
	if e.reason == nil {
		e.reason = reason
	}
	if how == killed && e.how != killed {
		close(e.cut)
	}
	e.how = max(e.how, how)
}

// why returns the reason so far.
func (e *Engine) why() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason
}

// Done is closed when nothing of the engine is left: no goroutine runs, no file is open, the folder can be
// opened again.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Wait blocks until Done is closed, and returns why the engine ended: nil after Stop, if all went well, else the reason,
// of a failure of the store for one, which matches ErrFailed.
func (e *Engine) Wait() error {
	<-e.done
	if reason := e.why(); reason != nil {
		return reason
	}
	return e.closeErr
}

// supervise ends the engine when it is to end. It is a goroutine.
func (e *Engine) supervise() {
	<-e.ending
	e.mu.Lock()
	drain := e.how == stopped
	e.mu.Unlock()
	if drain {
		e.calls.await(e.cut, drainMax)
		e.handOver()
	}
	e.closeErr = e.close()
	close(e.observed)
	e.observing.Wait()
	if reason := e.why(); reason != nil {
		e.cfg.Logger.Error("the replica has ended", "reason", reason)
	} else {
		e.cfg.Logger.Info("the replica has ended")
	}
	close(e.done)
}

// handOver lets another member lead, if this one does, so that the others need not miss it first. It gives
// that one election timeout.
func (e *Engine) handOver() {
	if e.raft.State() != hraft.Leader {
		return
	}
	e.calls.add()
	ended := make(chan error, 1)
	go func() {
		defer e.calls.leave()
		ended <- e.raft.LeadershipTransfer().Error()
	}()
	timer := time.NewTimer(e.cfg.ElectionTimeout)
	defer timer.Stop()
	select {
	case err := <-ended:
		e.cfg.Logger.Info("leadership handed over", "error", err)
	case <-e.cut:
	case <-timer.C:
	}
}

// close shuts down what is open, from the library down to the disk. The library waits for its goroutines, some of which
// wait for peers, without a limit if they are sent a snapshot: so it hangs up on those.
func (e *Engine) close() error {
	var errs []error
	if e.raft != nil {
		e.unwind()
		ended := e.raft.Shutdown()
		errs = append(errs, e.transport.Close())
		e.layer.hangUp()
		errs = append(errs, ended.Error())
		e.calls.await(nil, settleMax) // raft's end tells those whom it had not taken in
	}
	if e.transport.NetworkTransport != nil {
		errs = append(errs, e.transport.Close())
		e.transport.CloseStreams()
	}
	if e.layer != nil {
		e.layer.shut()
	}
	if e.store != nil {
		if err := e.store.Close(); !errors.Is(err, ErrFailed) { // which is the reason already
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, e.closeDir())...)
}

// unwind ends raft's main goroutine before the shutdown, if calls are under way: so it tells them what became
// of them, and what it has handed to the state machine is still executed. After a shutdown
// nobody would answer them, ever.
func (e *Engine) unwind() {
	e.guard.closing.Store(true)
	if e.calls.none() {
		return
	}
	e.calls.add()
	go func() { // the guard does not let its entry be stored
		defer e.calls.leave()
		_ = e.raft.Barrier(settleMax).Error() // fails
	}()
	e.calls.await(nil, settleMax)
}
