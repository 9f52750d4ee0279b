package oracle

import "github.com/octopii-go/octopii/runtime"

// Image is what the disks would hold after a power loss.
type Image interface {
	// Durable fills buf with the bytes at off of the node's file, as every power
	// loss that could happen now would leave them. It returns false if any of
	// them could differ, be missing, or have no name to be found by. With an
	// empty buf it says whether the file would be there.
	Durable(node runtime.NodeID, file string, off int64, buf []byte) bool
}

// Model says what the replicated service should answer: the state machine's
// specification, written a second time, as plainly as possible. It must not
// share code with what it judges, but for the codec of commands and responses.
//
// A Model may also be a [Partitioner], a [Reader] or a [Restorer].
type Model interface {
	// Apply executes the command and returns the response, which is valid until
	// the next call. The model does not keep command.
	Apply(command []byte) (response []byte)
	// Clone returns an independent copy.
	Clone() Model
	// Hash returns a hash of the state. Equal states have equal hashes, however
	// they came about. It is asked after every command: keep it up to date.
	Hash() uint64
}

// Partitioner is a Model of parts that have nothing to do with each other,
// such as keys. Histories are judged part by part, which is much faster.
type Partitioner interface {
	// Partition returns the part that the command reads and writes.
	Partition(command []byte) uint64
}

// Reader is a Model that knows commands which change nothing. Only those may
// be answered without an entry in the log.
type Reader interface {
	ReadOnly(command []byte) bool
}

// Restorer is a Model that can read the state machine's image, so that
// snapshots can be compared with what the commands make.
type Restorer interface {
	// Restore replaces the state by that of a snapshot's content.
	Restore(content []byte) error
}

// partition returns the command's part; models without parts have one.
func partition(m Model, command []byte) uint64 {
	if p, ok := m.(Partitioner); ok {
		return p.Partition(command)
	}
	return 0
}

func readOnly(m Model, command []byte) bool {
	r, ok := m.(Reader)
	return ok && r.ReadOnly(command)
}
