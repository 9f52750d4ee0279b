package group

import "sync"

// waitersMax is how many unused waiters are kept: about 128 bytes each.
const waitersMax = 1 << 12

// waiter is a goroutine that waits. News and err are set before it is woken.
type waiter struct {
	wake chan struct{} // capacity 1: who wakes never waits
	next *waiter       // in a list
	news news
	err  error // the outcome
}

// news is why a waiter has been woken.
type news uint8

const (
	none    news = iota // to look again: only in the queue for room
	lead                // its round has no outcome yet, and it is to lead
	outcome             // its round is settled
)

// push puts a waiter at the head of a list.
func push(list **waiter, w *waiter) { w.next, *list = *list, w }

// pop takes the head from a list that is not empty.
func pop(list **waiter) *waiter {
	w := *list
	*list, w.next = w.next, nil
	return w
}

// wakeAll wakes a list of waiters, which is theirs from then on.
func wakeAll(list *waiter) {
	for list != nil {
		pop(&list).wake <- struct{}{}
	}
}

// remove takes a waiter out of a list and reports whether it was there.
func remove(list **waiter, w *waiter) bool {
	for at := list; *at != nil; at = &(*at).next {
		if *at == w {
			pop(at)
			return true
		}
	}
	return false
}

// waiters are those that nobody uses. A sync.Pool would do, but for its forgetting them at every
// collection of garbage.
type waiters struct {
	mu   sync.Mutex
	free []*waiter
}

// take returns a waiter that nobody else knows.
func (p *waiters) take() *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return &waiter{wake: make(chan struct{}, 1)}
	}
	w := p.free[n-1]
	p.free = p.free[:n-1]
	return w
}

// give ends the use of a waiter that nobody will wake any more.
func (p *waiters) give(w *waiter) {
	w.news, w.err = none, nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < waitersMax {
		p.free = append(p.free, w)
	}
}
