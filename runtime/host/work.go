package host

import "github.com/octopii-go/octopii/runtime"

// kind says what an item is.
type kind uint8

const (
	toRun     kind = iota // run: whatever somebody wants done on the loop
	toReceive             // frame, from a peer by a channel
	toCall                // call is to begin
	toCancel              // nobody waits for call any longer
	toEnd                 // a job has ended: done, err
)

// item is something that waits for the loop. Which fields count depends on the kind.
type item struct {
	kind    kind
	channel runtime.Channel
	from    runtime.NodeID
	frame   []byte
	call    *call
	run     func()
	done    func(error)
	err     error
}

// job is something that waits for a lane, and whom to tell of its end.
type job struct {
	run  func(runtime.FS) error
	done func(error)
	// yield says that the node has sent something before it, in the same turn. A lane that the turn has woken lets that leave
	// first: a job may keep the thread, and with it all that is about to run there, for as long as the disk takes.
	yield bool
}
