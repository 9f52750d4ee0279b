package host

import "sync"

// mailbox is a queue of work from many goroutines to one at a time.
type mailbox[T any] struct {
	ready chan struct{} // holds a token after a post, or a stir

	mu     sync.Mutex
	work   []T
	closed bool
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{ready: make(chan struct{}, 1)} }

// post appends to the mailbox, unless it is closed or holds limit items already, and wakes the reader. It never blocks.
func (m *mailbox[T]) post(x T, limit int) bool {
	posted := m.put(x, limit)
	if posted {
		m.stir()
	}
	return posted
}

// put is post without waking the reader: whoever calls it sees to it that the work is done.
func (m *mailbox[T]) put(x T, limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.work) >= limit {
		return false
	}
	m.work = append(m.work, x)
	return true
}

// stir wakes the reader.
func (m *mailbox[T]) stir() {
	select {
	case m.ready <- struct{}{}:
	default: // it has a token to find already
	}
}

// await blocks the reader until it is woken. It returns whether that took time.
func (m *mailbox[T]) await() (slept bool) {
	select {
	case <-m.ready:
	default:
		slept = true
		<-m.ready
	}
	return slept
}

// take returns all that is in the mailbox, in order, and leaves it the
// storage of the slice taken before.
func (m *mailbox[T]) take(used []T) []T {
	clear(used)
	m.mu.Lock()
	defer m.mu.Unlock()
	work := m.work
	m.work = used[:0]
	return work
}

// length returns how much is in the mailbox.
func (m *mailbox[T]) length() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.work)
}

// close drops what is in the mailbox and all that comes later.
func (m *mailbox[T]) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.work = true, nil
}
