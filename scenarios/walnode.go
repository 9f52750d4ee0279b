package scenarios

import (
	"errors"
	"time"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// What a walNode draws random numbers for.
const (
	purposeWalSeed runtime.Purpose = 1 + iota
	purposeWalBoot
)

// The lanes of a walNode.
const (
	walLogLane runtime.Lane = iota
	walReadLane
)

// Times of a walNode: within which a recovery that it cuts short itself ends, and how long
// it waits before it tries again a chore that has failed, or to open a log that would not, and between two pieces of a scrub.
const (
	walBootEndMax = 8 * time.Millisecond
	walChorePause = 50 * time.Millisecond
	walOpenPause  = 500 * time.Millisecond // twice as long each time, up to the most
	walOpenMost   = 8 * time.Second
	walScrubPause = 20 * time.Millisecond
)

// walPhase is what a walNode is doing.
type walPhase uint8

const (
	walBooting walPhase = iota
	walServing
	walClosing // as soon as nothing is under way, the log is closed and opened again
	walStopping
)

// errWalEnd ends a node that was to end while it recovers, or just after.
var errWalEnd = errors.New("the end of a process, at a time of its own")

// walNode serves a log to clients: it drives a walrus.Log as a service would, and says
// what it does.
type walNode struct {
	env     runtime.Env
	options walrus.Options
	phase   walPhase
	log     *walrus.Log
	batch   walrus.Batch
	ends    walEnds // with what is staged
	peer    *walPeer
	news    []walNews // of the batch

	queue   []walPart // batches to be staged, in order
	staged  []walPart
	flight  []walPart
	group   *walrus.Group // in flight
	mends   []walPlace    // entries that cannot be read
	repairs int           // staged
	// takesBack: a group that finds no room is taken back.
	takesBack bool
	spoiled   bool // the flush of the group has failed, and it is to be written elsewhere
	reads     int  // under way
	choring   bool
	choreAt   runtime.Instant
	flushAt   runtime.Instant // when to write the group in flight again
	scrubs    bool            // it looks for damage by itself
	scrubAt   runtime.Instant
	reopen    []runtime.CallID
	endAt     runtime.Instant // when the node ends while it boots
	retryAt   runtime.Instant // when it tries again to open the log
	pause     time.Duration   // that it made before it tries again
	endOpen   bool            // it ends when its log is open
}

// walErrand is a write of a client.
type walErrand struct {
	call    runtime.CallID
	batches [][]oracle.WalChange
	left    int
	refused bool
	answer  []byte
}

// walPart is a batch of a write.
type walPart struct {
	errand *walErrand
	at     int
}

func newWalNode(options walrus.Options, peer *walPeer) *walNode {
	return &walNode{
		options: options, peer: peer, endAt: runtime.Never, retryAt: runtime.Never, choreAt: runtime.Never, scrubAt: runtime.Never,
		flushAt: runtime.Never,
	}
}

// Boot implements runtime.Node. Some boots end in the midst of the recovery, or right after
// it; others recover twice. Some verify all when they open, some do as they go along; half
// of them go on after a failed flush, half take back what finds no room, and most open although
// entries cannot be read.
func (n *walNode) Boot(env runtime.Env) {
	n.env = env
	draw := env.Uint64(purposeWalBoot)
	job := &walBoot{inspect: draw%4 == 0, again: draw>>2%4 == 0}
	n.options.Reopen, n.options.VerifyOnOpen, n.scrubs = draw>>40%2 == 0, draw>>41%4 == 0, draw>>43%2 == 0
	n.options.Holes, n.takesBack = draw>>44%4 > 0, draw>>46%2 == 0
	n.options.RefuseUncertain = true
	switch draw >> 4 % 8 {
	case 0:
		n.endAt = env.Now().Add(time.Duration(draw >> 8 % uint64(walBootEndMax)))
	case 1:
		n.endOpen = true
	}
	n.arm()
	n.open(job)
}

// open opens the log, once the one that is open is closed.
func (n *walNode) open(job *walBoot) {
	n.phase = walBooting
	if n.log != nil {
		n.env.Trace(runtime.Event{Kind: oracle.WalClosed})
	}
	job.options, job.close = n.options, n.log
	n.log = nil
	job.options.Seed = n.env.Uint64(purposeWalSeed)
	n.env.Submit(walLogLane, job.execute, func(err error) { n.opened(job, err) })
}

func (n *walNode) opened(job *walBoot, err error) {
	n.log = job.log
	switch {
	case errors.Is(err, walrus.ErrFailed):
		n.env.Halt(err)
		return
	case errors.Is(err, walrus.ErrUncertain): // once that is said, let it be lost
		n.tell(job)
		n.options.RefuseUncertain = false
		n.open(&walBoot{again: job.again})
		return
	case err != nil: // it is open, perhaps, and could not be read
		n.options.Holes = n.options.Holes || errors.Is(err, walrus.ErrCorrupt)
		n.pause = min(max(2*n.pause, walOpenPause), walOpenMost)
		n.retryAt = n.env.Now().Add(n.pause)
		n.arm()
		return
	}
	n.tell(job)
	switch {
	case n.endOpen:
		n.env.Halt(errWalEnd)
		return
	case job.again:
		n.open(&walBoot{})
		return
	}
	n.phase, n.endAt, n.pause, n.options.RefuseUncertain = walServing, runtime.Never, 0, true
	n.ends, n.mends = endsOf(n.log), job.holes
	for _, call := range n.reopen {
		n.env.Reply(call, runtime.Done, nil)
	}
	n.reopen, n.choreAt = nil, n.env.Now()
	if n.scrubs {
		n.scrubAt = n.choreAt
	}
	n.settle()
}

// tell says what the job has found.
func (n *walNode) tell(job *walBoot) {
	for _, ev := range job.events {
		n.env.Trace(ev)
	}
}

// Receive implements runtime.Node. Nobody sends anything.
func (n *walNode) Receive(runtime.NodeID, runtime.Channel, []byte) {}

// Wake implements runtime.Node.
func (n *walNode) Wake() {
	switch now := n.env.Now(); {
	case n.phase != walBooting:
		n.settle()
	case now >= n.endAt:
		n.env.Halt(errWalEnd)
	case now >= n.retryAt:
		n.retryAt = runtime.Never
		n.open(&walBoot{})
	}
}

// Call implements runtime.Node.
func (n *walNode) Call(id runtime.CallID, _ runtime.Instant, req []byte) {
	q, err := oracle.DecodeWalRequest(req)
	if err != nil || n.phase != walServing {
		n.env.Reply(id, runtime.Refused, nil)
		return
	}
	switch q.Ask {
	case oracle.WalWrite:
		errand := &walErrand{call: id, batches: q.Batches, left: len(q.Batches)}
		for i := range q.Batches {
			n.queue = append(n.queue, walPart{errand, i})
		}
	case oracle.WalRead:
		_, next := n.log.Bounds(walrus.Topic(q.At))
		lo := next - min(uint64(q.Back), next)
		n.read(&walReading{call: id, topic: walrus.Topic(q.At), lo: lo, hi: lo + uint64(q.Count)})
	case oracle.WalScan:
		first, next := n.log.Bounds(walrus.Topic(q.At))
		n.read(&walReading{call: id, topic: walrus.Topic(q.At), lo: first, hi: next})
	case oracle.WalGet:
		ev := runtime.Event{Kind: oracle.WalValueRead, A: uint64(id), B: uint64(q.At)}
		if value, found := n.log.Get(q.At); found {
			ev.C, ev.D = 1, oracle.HashWalEntry(0, 0, value)
		}
		n.env.Trace(ev)
		n.env.Reply(id, runtime.Done, nil)
	case oracle.WalReopen:
		n.reopen = append(n.reopen, id)
		n.phase = walClosing
	}
	n.settle()
}

// Cancel implements runtime.Node. What was begun goes on.
func (n *walNode) Cancel(runtime.CallID) {}

// Stop implements runtime.Node.
func (n *walNode) Stop() {
	if n.phase == walBooting {
		n.env.Halt(nil)
		return
	}
	n.phase = walStopping
	n.settle()
}

// settle does all that can be done now.
func (n *walNode) settle() {
	if n.phase == walBooting {
		return
	}
	if n.env.Now() >= n.flushAt {
		n.flush()
	}
	n.mend()
	n.stage()
	n.elsewhere()
	n.chore()
	n.scrub()
	n.cut()
	idle := n.group == nil && len(n.queue)+len(n.staged)+n.repairs+n.reads == 0 && !n.choring
	switch {
	case idle && n.phase == walClosing:
		n.choreAt = runtime.Never
		n.open(&walBoot{})
	case idle && n.phase == walStopping:
		log := n.log
		n.phase = walBooting
		n.env.Submit(walLogLane, log.Close, func(error) { n.env.Halt(nil) })
	}
	n.arm()
}

// arm sets the alarm. A chore waits for the one under way, and is nothing for a log about
// to be closed.
func (n *walNode) arm() {
	at := min(n.endAt, n.retryAt, n.flushAt)
	if n.phase == walServing {
		at = min(at, n.scrubAt)
		if !n.choring {
			at = min(at, n.choreAt)
		}
	}
	n.env.WakeAt(at)
}
