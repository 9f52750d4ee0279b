// Package host runs a node in production: on real clocks, disks and connections.
//
// [Start] runs one [runtime.Node] in a folder. The node's methods and the done
// functions of its jobs are called one at a time, in turns: that is the loop. It takes its work from a
// mailbox. It has a goroutine, but whoever puts something there when nobody is in a turn takes the next one
// himself, since what a node does in a turn is shorter than the way to another thread; each
// [runtime.Lane] is a goroutine of its own. Frames travel over a
// [Link], which is the service's choice; [Loopback] connects hosts of one process.
// [Folder] is a folder as a [runtime.FS], and of use by itself.
//
// How a host ends: the node calls Halt, or a panic in its code or in one of its jobs
// does, or the service calls [Host.Kill]. From that moment on nothing of the node has an
// effect. Its Env is inert, and jobs unwind at their next file call, or when the one
// they are in returns. Not before the last of them is gone are the open files
// closed and the locks released, and then [Host.Wait] returns with the reason. (A job
// that recovers the unwinding and goes on keeps the host from ending; the simulator finds
// such jobs.) The service decides whether to start the folder again, with a new node.
//
// What a host sees of its node it counts, for Prometheus: how long turns of the loop and jobs take, what waits, files, syncs and
// frames ([Host.Collector]). A watchdog looks at the calls that jobs make, and says when the disk
// stands still. The node's clock goes on while the machine is suspended.
//
// Files are written through the page cache, and made durable by a sync. Direct I/O was measured beside it (BenchmarkWays): for
// whole blocks of 4 KiB on ext4 it takes between 0.75 and 1.26 of the time, in the median of six runs 0.95, which is
// within what the runs differ by; and a log, whose records end anywhere, would have to write the block at its end again
// and again, padded, or pad each group. What does pay is space that was written before: see File.Allocate.
//
// Unlike the rest of the contract's worlds this package knows threads, files
// and clocks. It decides nothing: what it does is to carry out.
package host

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The limits of what may queue up for a node.
const (
	framesMax = 8192    // frames not received yet; more are dropped, as networks do
	callsMax  = 16384   // calls not begun yet; more are refused
	jobsMax   = 1 << 16 // jobs on one lane; more are a runaway node
)

var (
	// ErrStopped is the error of calls that a host could not answer because it has ended.
	ErrStopped = errors.New("host: the node has stopped")
	// ErrBusy is the error of a call refused because too many wait.
	ErrBusy = errors.New("host: too many calls")
)

// PanicError is why a host ended when code of the node panicked, or called
// runtime.Goexit, which is as bad.
type PanicError struct {
	Where string // the loop, or which lane
	Value any    // what was panicked with
	Stack []byte // at that moment
}

// Error returns the value and where it came from, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("host: panic on %s: %v", e.Where, e.Value) }

// Config says what to run and where.
type Config struct {
	// ID is the node's own name. It must not be zero.
	ID runtime.NodeID
	// Dir is the node's folder, made if it is missing. It is locked for as long as anything of the node
	// is left: two nodes cannot share one.
	Dir string
	// Prepare, if not nil, gets the folder when it is locked, and before anything of the node runs. Its error is that
	// of Start.
	Prepare func(runtime.FS) error
	// Wrap, if not nil, puts something between the folder and those who use it: limits, encryption, counters.
	Wrap func(runtime.FS) runtime.FS
	// Join connects the node with its peers. Nil: it has none, and sends go nowhere.
	Join Joiner
	// Logger is told what people who run the node may want to know. Nil: nobody is.
	Logger *slog.Logger
	// StallAfter is how long a call on a file may take before the disk is said to stand still: in the log, in the
	// metrics, and to Stalled. Default 5 s.
	StallAfter time.Duration
	// Stalled, if not nil, is told when the disk stands still, and when it goes on. It is called on a goroutine of its own,
	// and must not wait for the host's end.
	Stalled func(Stall)
	// Trace, if not nil, gets each event, on the loop. The record is valid
	// during the call. It must neither block nor panic. Times are those of Env.Now.
	Trace func(*runtime.Record)
}

// Validate reports what is wrong with the config.
func (c Config) Validate() error {
	switch {
	case c.ID == 0:
		return errors.New("host: config without an ID")
	case c.Dir == "":
		return errors.New("host: config without a Dir")
	case c.StallAfter < 0:
		return errors.New("host: config with a negative StallAfter")
	}
	return nil
}

// Host is a running node. Its methods may be called from any goroutine.
type Host struct {
	cfg      Config
	node     runtime.Node
	clock    *clock
	metrics  *metrics
	folder   *Folder
	lock     io.Closer // of the folder
	open     *openFiles
	files    [runtime.LaneCount]*mortalFS
	watches  [runtime.LaneCount]watch
	link     Link
	recycler transport.Recycler // the link, if it is one
	inbox    *mailbox[item]
	lanes    [runtime.LaneCount]*mailbox[job]
	running  sync.WaitGroup // lanes

	dead   atomic.Bool   // nothing of the node has an effect any longer
	die    sync.Once     // guards reason and dying
	reason error         // why; settled when dying is closed
	dying  chan struct{} // closed with dead
	ended  chan struct{} // closed when the loop has ended and all calls it got are answered
	done   chan struct{} // closed when nothing is left

	leftover error // what went wrong between ended and done

	lastCall atomic.Uint64

	// The loop is whoever holds the baton. What follows belongs to it.
	baton  sync.Mutex
	work   []item // memory for the turn
	alarm  runtime.Instant
	step   uint64
	sent   bool            // the node has sent something in this turn
	at     runtime.Instant // what the clock showed when the step began: the node's time for all of it
	record runtime.Record  // memory for the event at hand
	calls  map[runtime.CallID]*call

	awaited runtime.Instant // the alarm that the loop's own goroutine waits for; it alone changes that, in its turn
	earlier atomic.Bool     // the alarm is earlier than that
}

// lockName is the file in a node's folder that is locked while the node runs.
const lockName = "host.lock"

// Start runs the node. It returns when the folder is open and the peers are
// joined; Boot, and all that may fail in it, comes after. The node must be
// new: it belongs to the host from here on. The error matches runtime.ErrLocked if another process, or another
// host of this one, has the folder.
func Start(cfg Config, node runtime.Node) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	folder, err := OpenFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := folder.Lock(lockName)
	if err != nil {
		if errors.Is(err, runtime.ErrLocked) {
			err = runtime.ErrLocked // the rest of the text says no more
		}
		return nil, errors.Join(fmt.Errorf("host: folder %s: %w", cfg.Dir, err), folder.Close())
	}
	h, err := start(cfg, node, folder, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close(), folder.Close())
	}
	return h, nil
}

// start is Start with the folder locked.
func start(cfg Config, node runtime.Node, folder *Folder, lock io.Closer) (h *Host, err error) {
	var files runtime.FS = folder
	if cfg.Wrap != nil {
		files = cfg.Wrap(files)
	}
	if cfg.Prepare != nil {
		if err := cfg.Prepare(files); err != nil {
			return nil, err
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h = &Host{
		cfg:     cfg,
		node:    node,
		clock:   newClock(suspensionClock),
		metrics: newMetrics(),
		folder:  folder,
		lock:    lock,
		inbox:   newMailbox[item](),
		dying:   make(chan struct{}),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
		alarm:   runtime.Never,
		awaited: runtime.Never,
		calls:   map[runtime.CallID]*call{},
		link:    nowhere{},
	}
	// A new boot must not use call ids of an old one again.
	h.lastCall.Store(rand.Uint64() << 32 % uint64(runtime.OwnCalls))
	h.open = newOpenFiles(&h.dead)
	for i := range h.lanes {
		h.lanes[i] = newMailbox[job]()
	}
	h.baton.Lock() // until the node has booted
	if cfg.Join != nil {
		if h.link, err = cfg.Join(h.receive); err != nil {
			return nil, fmt.Errorf("host: join: %w", err)
		}
		h.recycler, _ = h.link.(transport.Recycler)
	}
	for i := range h.lanes {
		h.files[i] = &mortalFS{fs: files, open: h.open, watch: &h.watches[i], metrics: h.metrics}
		h.running.Go(func() { h.runLane(i) })
	}
	go h.run()
	go h.guardDisk()
	return h, nil
}

// Stop asks the node to finish what it has begun and then end.
func (h *Host) Stop() { h.inbox.post(item{kind: toRun, run: h.node.Stop}, math.MaxInt) }

// Kill ends the node at once, in the middle of whatever it does.
func (h *Host) Kill(reason error) { h.end(reason) }

// Post runs f on the node's loop, after what waits there already. It does not block, and returns false if f will not
// run because the host has ended; true does not say that the host lives long enough. How many functions
// wait is the caller's to bound.
func (h *Host) Post(f func()) bool { return h.inbox.post(item{kind: toRun, run: f}, math.MaxInt) }

// Now reads the node's clock, as Env.Now does.
func (h *Host) Now() runtime.Instant { return h.now() }

// Done is closed when nothing of the node is left: see Wait.
func (h *Host) Done() <-chan struct{} { return h.done }

// Wait blocks until the loop and all lanes have ended, the node's files are closed and
// its locks released. It returns why: nil after a drain, the reason of a Halt or Kill,
// a *PanicError; joined with what went wrong in clearing up.
func (h *Host) Wait() error {
	<-h.done
	if h.leftover == nil {
		return h.reason
	}
	return errors.Join(h.reason, h.leftover)
}

// end makes everything inert. The first reason counts.
func (h *Host) end(reason error) {
	h.die.Do(func() {
		h.reason = reason
		h.dead.Store(true)
		close(h.dying)
		for _, lane := range h.lanes {
			lane.stir()
		}
	})
}

// now reads the node's clock.
func (h *Host) now() runtime.Instant { return h.clock.now() }

// receive takes a frame from the link, on any goroutine, and never blocks.
func (h *Host) receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	if !h.inbox.put(item{kind: toReceive, from: from, channel: ch, frame: frame}, framesMax) {
		h.metrics.dropped.Inc()
		return
	}
	h.metrics.frame(ch, received, len(frame))
	h.hurry()
}

// deliver hands a frame to the node, and then gives it back.
func (h *Host) deliver(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	h.node.Receive(from, ch, frame)
	if h.recycler != nil {
		h.recycler.Recycle(frame)
	}
}

// trace hands an event to the sink. Only the loop calls it.
func (h *Host) trace(ev runtime.Event) {
	if h.cfg.Trace != nil {
		h.record = runtime.Record{At: h.at, Step: h.step, Node: h.cfg.ID, Event: ev}
		h.cfg.Trace(&h.record)
	}
}

// stoppedError is what callers get after the end.
func (h *Host) stoppedError() error {
	<-h.dying
	if h.reason == nil {
		return ErrStopped
	}
	return fmt.Errorf("%w: %w", ErrStopped, h.reason)
}
