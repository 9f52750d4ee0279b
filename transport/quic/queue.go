package quic

import "sync"

// The limits of a queue. What does not fit is dropped.
const (
	queueFrames = 4096
	queueBytes  = 16 << 20
)

// queue holds the frames for one channel of one peer. Its zero value is not ready: see newQueue.
type queue struct {
	ready chan struct{} // holds a token after a put

	mu     sync.Mutex
	frames [][]byte // a ring: len(frames) is a power of two
	first  int      // index of the oldest frame
	count  int
	bytes  int
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1), frames: make([][]byte, 8)} }

// put appends the frame, unless the queue is full.
func (q *queue) put(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count >= queueFrames || q.bytes+len(frame) > queueBytes {
		return false
	}
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
	return true
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
func (q *queue) clear() (dropped int) {
	for {
		if _, ok := q.take(queueBytes); !ok {
			return dropped
		}
		dropped++
	}
}
