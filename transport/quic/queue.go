package quic

import (
	"sync"

	"github.com/quic-go/quic-go"
)

// The limits of a queue. What does not fit is dropped.
const (
	queueFrames = 4096
	queueBytes  = 16 << 20
)

// queue holds the frames for one channel of one peer. While its writer has nothing to do, small frames do not wait
// in it: see put. Its zero value is not ready: see newQueue.
type queue struct {
	ready chan struct{} // holds a token after a frame was queued

	mu     sync.Mutex
	frames [][]byte // a ring: len(frames) is a power of two
	first  int      // index of the oldest frame
	count  int
	bytes  int
	stream *quic.SendStream // of the writer, while it rests; nil: there is none, or it is at work
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1), frames: make([][]byte, 8)} }

// fate is what has become of a frame.
type fate int

const (
	dropped fate = iota // the queue was full
	queued
	handed // to the connection, already
)

// put appends the frame, unless the queue is full. A small one is handed to the connection at once if the writer
// rests and the connection takes it: to wake the writer for it costs more than to do it.
func (q *queue) put(frame []byte) fate {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stream != nil && len(frame) <= gatherBytes && q.stream.TryWriteAll(frame) == nil {
		return handed
	}
	if q.count >= queueFrames || q.bytes+len(frame) > queueBytes {
		return dropped
	}
	q.stream = nil // what comes next must not overtake this one
	if q.count == len(q.frames) {
		grown := make([][]byte, 2*len(q.frames))
		n := copy(grown, q.frames[q.first:])
		copy(grown[n:], q.frames[:q.first])
		q.frames, q.first = grown, 0
	}
	q.frames[(q.first+q.count)&(len(q.frames)-1)] = frame
	q.count++
	q.bytes += len(frame)
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return queued
}

// rest says that the writer has nothing to do, and that nothing of it is still to be written to its stream. It returns false, and
// changes nothing, if there is something after all.
func (q *queue) rest(stream *quic.SendStream) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count > 0 {
		return false
	}
	q.stream = stream
	return true
}

// part takes back what rest has said: the writer has ended.
func (q *queue) part() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream = nil
}

// take removes the oldest frame, if there is one of at most sizeMax bytes.
func (q *queue) take(sizeMax int) ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 || len(q.frames[q.first]) > sizeMax {
		return nil, false
	}
	frame := q.frames[q.first]
	q.frames[q.first] = nil
	q.first = (q.first + 1) & (len(q.frames) - 1)
	q.count--
	q.bytes -= len(frame)
	return frame, true
}

// empty reports whether nothing is queued.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count == 0
}

// clear drops everything and returns how many frames that were.
func (q *queue) clear() (gone int) {
	for {
		if _, ok := q.take(queueBytes); !ok {
			return gone
		}
		gone++
	}
}
