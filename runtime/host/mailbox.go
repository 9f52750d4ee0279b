package host

import "sync"

// mailbox is a queue of work from many goroutines to one at a time.
type mailbox struct {
	ready chan struct{} // holds a token after a post, or a stir

	mu     sync.Mutex
	work   []func()
	closed bool
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// post appends f, unless the mailbox is closed or holds limit items already, and wakes the reader. It never blocks.
func (m *mailbox) post(f func(), limit int) bool {
	posted := m.put(f, limit)
	if posted {
		m.stir()
	}
	return posted
}

// put is post without waking the reader: whoever calls it sees to it that the work is done.
func (m *mailbox) put(f func(), limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.work) >= limit {
		return false
	}
	m.work = append(m.work, f)
	return true
}

// stir wakes the reader.
func (m *mailbox) stir() {
	select {
	case m.ready <- struct{}{}:
	default: // it has a token to find already
	}
}

// take returns all that is in the mailbox, in order, and leaves it the
// storage of the slice taken before.
func (m *mailbox) take(used []func()) []func() {
	clear(used)
	m.mu.Lock()
	defer m.mu.Unlock()
	work := m.work
	m.work = used[:0]
	return work
}

// length returns how much is in the mailbox.
func (m *mailbox) length() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.work)
}

// close drops what is in the mailbox and all that comes later.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.work = true, nil
}
