package sim

import "github.com/octopii-go/octopii/runtime"

// eventKind says what happens when an event's time comes.
type eventKind uint8

const (
	evBoot     eventKind = iota + 1 // machine: start its process
	evWake                          // machine: the alarm may be due
	evDeliver                       // ref: a frame arrives
	evOp                            // machine, ref = lane: a file operation takes effect
	evJobDone                       // machine, ref = lane: a job without file calls has ended
	evCall                          // ref: a call arrives at its node
	evCancel                        // ref: a call that nobody waits for any more
	evStop                          // the process is asked to drain
	evReply                         // ref: an answer arrives at its client
	evDeadline                      // the earliest deadline of an open call may be due
	evTimer                         // ref: a timer of the driver
	evCrash                         // machine, ref = 1 for a loss of power: strike
	evNemesis                       // ref: which nemesis acts next
	evLink                          // ref: a partition of the flapping kind changes or ends
	evRelief                        // ref: which trouble of which disk ends
	evResume                        // machine: a pause of its process may be over
	evJobBegin                      // machine, ref = lane: a job that had to wait begins
)

// event is plain data. Events are ordered by (at, prio, seq): prio is drawn,
// so that no order among equal times is ever relied upon.
type event struct {
	at      runtime.Instant
	seq     uint64
	ref     uint64
	prio    uint32
	boot    uint32 // of the machine when scheduled; zero: holds for any boot
	machine int32  // index; -1: none
	kind    eventKind
}

func (e *event) before(f *event) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	if e.prio != f.prio {
		return e.prio < f.prio
	}
	return e.seq < f.seq
}

// queue is a 4-ary heap: half as deep as a binary one, and the four children
// share cache lines.
type queue struct {
	heap []event
	seq  uint64
}

func (q *queue) len() int { return len(q.heap) }

// push adds an event and gives it its sequence number.
func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	q.insert(e)
}

// retime lets change move every event to another time.
func (q *queue) retime(change func(*event)) {
	events := q.heap
	q.heap = make([]event, 0, len(events))
	for i := range events {
		change(&events[i])
		q.insert(events[i])
	}
}

func (q *queue) insert(e event) {
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// pop removes the first event. The queue must not be empty.
func (q *queue) pop() event {
	h := q.heap
	top := h[0]
	n := len(h) - 1
	last := h[n]
	q.heap = h[:n]
	h = q.heap
	i := 0
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	if n > 0 {
		h[i] = last
	}
	return top
}

// slab hands out slots with stable numbers for what events refer to.
type slab[T any] struct {
	slots []T
	free  []uint64
}

func (s *slab[T]) add(v T) uint64 {
	if n := len(s.free); n > 0 {
		ref := s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[ref] = v
		return ref
	}
	s.slots = append(s.slots, v)
	return uint64(len(s.slots) - 1)
}

// take returns the value of a slot and frees the slot.
func (s *slab[T]) take(ref uint64) T {
	v := s.slots[ref]
	var zero T
	s.slots[ref] = zero
	s.free = append(s.free, ref)
	return v
}
