package group

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// ErrClosed means that Close has been called. What was refused with it has not
// happened and will not.
var ErrClosed = errors.New("group: log is closed")

// Log is an open log. Any goroutine may call any method at any time. Methods that wait for
// the disk say so; the others hold a lock for the time it takes to copy a batch.
type Log struct {
	fs      runtime.FS // as given, for readers
	disk    *counted   // the same, for all else
	waiters waiters
	// leadAlone leads a round that no appender waits for. It is made once, so that
	// starting it allocates nothing.
	leadAlone func()

	mu  sync.Mutex // guards all below
	log *walrus.Log

	rounds  [2]round // by the last bit of their numbers
	open    uint64   // the round that collects, from 1 on
	settled uint64   // the last round known to be durable: open-1, or open-2 while one is in flight
	leading bool     // somebody sees to it that the open round is flushed
	crowd   crowd    // who is expected in the open round
	era     *era
	reopens bool // the log goes on after a failed flush, in another segment

	queue   []*waiter // want room in the open group, first come first served
	scratch walrus.Batch
	ends    []end

	consumers map[string]*Consumer // that somebody has asked for
	grown     chan struct{}        // closed at the next flush, failure or Close; nil: nobody waits

	chores  chores
	readers readers
	failed  error // the first failed flush: final
	closing bool
	idle    sync.Cond // for Close: leading, chores.busy or readers.busy has changed
	stats   Stats
}

// Open takes the log's lock, recovers what the folder holds, and returns the log.
// It blocks, for as long as that takes. If the seed is zero, it draws one. The report is
// never nil; the errors are those of walrus.Open. The log uses fs until it is closed.
func Open(fs runtime.FS, o walrus.Options) (*Log, *walrus.Report, error) {
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	disk := &counted{FS: fs}
	log, report, err := walrus.Open(disk, o)
	if err != nil {
		return nil, report, err
	}
	l := &Log{fs: fs, disk: disk, log: log, open: 1, era: &era{}, reopens: o.Reopen}
	l.idle.L = &l.mu
	l.leadAlone = func() {
		l.mu.Lock()
		_ = l.lead() // every owner of the round is told
	}
	l.mu.Lock()
	l.tend()
	l.mu.Unlock()
	return l, report, nil
}

// Append makes a batch durable: when it returns nil, the batch is on the disk and
// visible, all of it. It blocks for one flush, or two if one has begun already. The batch may be
// reused when Append has returned. Errors match
//   - walrus.ErrGap, ErrCompacted, ErrTooLarge, ErrMirror or ErrTransaction: the batch does not
//     fit the log, and nothing has happened;
//   - walrus.ErrNoSpace: the device is full, and nothing has happened; try again when there is space.
//     What has no entries, such as truncations, is still taken, unless it shares its group with
//     more than fits;
//   - walrus.ErrFull: there is no room for another segment, and nothing has happened;
//   - walrus.ErrFailed: a flush failed, now or earlier, for good. If it was this
//     batch's, its outcome is unknown: the next Open finds out. With Options.Reopen this takes
//     another failure, in the segment that the log goes on in;
//   - ErrClosed: nothing has happened.
//
// An empty batch does nothing.
func (l *Log) Append(b *walrus.Batch) error {
	l.mu.Lock()
	owner, err := l.enter(func() error { return l.log.Stage(b) })
	if err != nil || !owner {
		l.mu.Unlock()
		return err
	}
	return l.await()
}

// Submit takes a batch in and returns before it is durable; the ticket tells when. The errors
// are those of Append, without ErrFailed for this batch; the ticket may still tell of ErrNoSpace. It blocks only while the open group
// is full. Batches of one goroutine keep their order. The batch may be reused when Submit has
// returned.
//
// A log that is submitted to has to be led by a goroutine of its own, which costs a
// switch between threads: who has nothing else to do until the batch is durable
// should call Append.
func (l *Log) Submit(b *walrus.Batch) (Ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	owner, err := l.enter(func() error { return l.log.Stage(b) })
	if err != nil {
		return Ticket{}, err
	}
	if !owner {
		return Ticket{log: l, round: l.settled, era: l.era}, nil
	}
	if !l.leading {
		l.leading = true
		go l.leadAlone()
	}
	return Ticket{log: l, round: l.open, era: l.era}, nil
}

// Bounds returns the first index of a topic and the one after its last, of what
// is durable. An empty topic has first == next; one never used has 1 and 1.
func (l *Log) Bounds(t walrus.Topic) (first, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Bounds(t)
}

// Get returns a copy of the durable value of a stable key, and whether it has one.
func (l *Log) Get(key uint16) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, found := l.log.Get(key)
	if !found {
		return nil, false
	}
	return append([]byte(nil), value...), true
}

// Prepared returns the transactions that are durably prepared and not decided.
func (l *Log) Prepared() []walrus.Transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Prepared()
}

// Close refuses what comes from now on, waits until all that was taken in is durable and all
// readers are done, and gives the lock and the files back. It must not be called from within a
// reader's visit. It returns the failure if the log has failed, and
// ErrClosed if it was closed before.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return ErrClosed
	}
	l.closing = true
	l.announce()
	l.callNext()
	for l.leading || l.chores.busy || l.readers.busy > 0 {
		l.idle.Wait()
	}
	closeReaders(l.readers.idle)
	l.readers.idle = nil
	err := l.log.Close(l.disk)
	if l.failed != nil {
		return errors.Join(l.failed, err)
	}
	return err
}

// refuse returns why nothing more is taken in, if so.
func (l *Log) refuse() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closing:
		return ErrClosed
	}
	return nil
}
