package walrus

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// Errors that callers branch on, matched with errors.Is.
var (
	// ErrFailed means that a flush failed: what the last group left on the disk
	// is unknown, and the log takes nothing more. The caller halts; the next Open
	// finds out.
	ErrFailed = errors.New("log failed, outcome of the last group unknown")
	// ErrCorrupt means that bytes which were durable are damaged or gone. The
	// error is a *CorruptError.
	ErrCorrupt = errors.New("log is corrupt")
	// ErrUncertain means that the last group does not verify, and that whether it was torn or has rotted
	// cannot be decided on this disk alone; only with Options.RefuseUncertain.
	ErrUncertain = errors.New("the last group may have been acknowledged")
	// ErrCompacted means that entries asked for lie before the topic's first.
	ErrCompacted = errors.New("entries are no longer in the log")
	// ErrGap means that an index does not follow the topic's last, or that
	// entries asked for are not there yet.
	ErrGap = errors.New("index beyond the end of the topic")
	// ErrTooLarge means that a batch, a value or a number of topics or keys is
	// above a limit, now and always.
	ErrTooLarge = errors.New("above a limit of the log")
	// ErrFull means that the open group has no room for the batch until it has
	// been cut, or the segment none until a chore has prepared the next.
	ErrFull = errors.New("open group is full")
	// ErrNoSpace means that the device has no room for what was given. It matches
	// runtime.ErrNoSpace. The log goes on when there is room again.
	ErrNoSpace = fmt.Errorf("no room for the log: %w", runtime.ErrNoSpace)
	// ErrTransaction means that a transaction to be decided is not prepared, one to be prepared
	// is already, or that it holds what cannot be prepared.
	ErrTransaction = errors.New("not a transaction in that state")
	// ErrDiffers means that what is to take an entry's place is not that entry.
	ErrDiffers = errors.New("not what the log knows of the entry")
	// ErrVersion means that the log was written in a format this code does not read.
	ErrVersion = errors.New("unknown version of the format")
	// ErrMirror means that the log's recovery topics are not those of the options.
	ErrMirror = errors.New("mirrored topics differ from the log's")
)

// CorruptError says which durable bytes are damaged. It matches ErrCorrupt.
type CorruptError struct {
	File   string // path under the FS root; empty if a whole file is missing
	Offset int64  // where in the file
	Topic  Topic  // of the first entry known to be affected; zero: not known
	Index  uint64 // of that entry
	Term   uint64 // of that entry; zero: not known
	What   string // what is wrong, for people
}

// Error renders all that is known.
func (e *CorruptError) Error() string {
	s := fmt.Sprintf("walrus: %v: %s", ErrCorrupt, e.What)
	if e.File != "" {
		s += fmt.Sprintf(" in %s at %d", e.File, e.Offset)
	}
	if e.Topic != 0 {
		s += fmt.Sprintf(" (topic %d index %d term %d)", e.Topic, e.Index, e.Term)
	}
	return s
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// failed wraps the cause of a failed flush.
func failed(what string, cause error) error {
	return fmt.Errorf("walrus: %w: %s: %w", ErrFailed, what, cause)
}
