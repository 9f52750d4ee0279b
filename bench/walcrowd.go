package main

import (
	"runtime"
	"sync"
)

// patience is how often the leader of a crowdStore yields in vain before it writes.
const patience = 64

// crowdStore is the least that lets goroutines share syncs: the bare loop behind a lock. Whoever finds nobody
// at it writes and syncs what has been collected, and wakes its owners by one broadcast.
// It has no format and no index, copies each payload once and knows no errors but one. What
// it loses to the bare loop is what the language's scheduler costs.
type crowdStore struct {
	*bareStore
	mu      sync.Mutex
	done    [2]*sync.Cond
	staged  [2][]byte
	owners  [2]int
	open    int // the round that collects
	settled int
	leading bool
	size    int // owners expected
	failed  error
}

func openCrowd(s setup) (store, error) {
	b, err := openBare(s)
	if err != nil {
		return nil, err
	}
	c := &crowdStore{bareStore: b.(*bareStore), open: 1}
	c.done = [2]*sync.Cond{sync.NewCond(&c.mu), sync.NewCond(&c.mu)}
	return c, nil
}

func (c *crowdStore) appendShared(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	round := c.open
	at := round & 1
	c.staged[at] = append(c.staged[at], payload...)
	c.owners[at]++
	for c.settled < round {
		if c.leading {
			c.done[at].Wait()
			continue
		}
		c.lead(at)
	}
	return c.failed
}

// lead makes the open round durable.
func (c *crowdStore) lead(at int) {
	c.leading = true
	for vain := 0; c.owners[at] < c.size && vain < patience; vain++ {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	c.open++
	c.mu.Unlock()
	err := c.put(c.staged[at])
	c.mu.Lock()
	if err != nil {
		c.failed = err
	}
	c.size = c.owners[at] + c.owners[1-at]
	c.staged[at], c.owners[at] = c.staged[at][:0], 0
	c.settled++
	c.leading = false
	c.done[at].Broadcast()
	c.done[1-at].Signal()
}
