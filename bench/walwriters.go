package main

import (
	"errors"
	"sync"
	"time"
)

// prepareWriters has n goroutines append one entry at a time and wait until it is
// durable. The bare loop has the best there can be: it syncs n at a time.
func prepareWriters(writers int) func(workload, *lane) (operation, error) {
	return func(w workload, l *lane) (operation, error) {
		payloads := payloadsOf(writers, w.bytes)
		if b, ok := l.store.(*bareStore); ok {
			together := each(func() error { return b.append(payloads) })
			return func(n int, took *[]time.Duration) (time.Duration, error) { return together(n/writers, took) }, nil
		}
		s, ok := l.store.(shared)
		stop := func() {}
		if !ok {
			b := newBatcher(l.store)
			s, stop = b, b.stop
		}
		c := newCrowd(s, payloads)
		l.stop = func() {
			c.stop()
			stop()
		}
		return c.run, nil
	}
}

// crowd is a goroutine for each payload. They live on between rounds, so that starting them
// is not measured.
type crowd struct {
	members []*member
	working sync.WaitGroup
}

type member struct {
	start chan int // how often to append
	took  []time.Duration
	err   error
}

func newCrowd(s shared, payloads [][]byte) *crowd {
	c := &crowd{}
	for _, p := range payloads {
		m := &member{start: make(chan int)}
		c.members = append(c.members, m)
		run := each(func() error { return s.appendShared(p) })
		go func() {
			for n := range m.start {
				_, m.err = run(n, &m.took)
				c.working.Done()
			}
		}()
	}
	return c
}

// run is an operation.
func (c *crowd) run(n int, took *[]time.Duration) (time.Duration, error) {
	start := time.Now()
	c.working.Add(len(c.members))
	for _, m := range c.members {
		m.start <- n / len(c.members)
	}
	c.working.Wait()
	elapsed := time.Since(start)
	var err error
	for _, m := range c.members {
		*took = append(*took, m.took...)
		m.took = m.took[:0]
		err = errors.Join(err, m.err)
	}
	return elapsed, err
}

func (c *crowd) stop() {
	for _, m := range c.members {
		close(m.start)
	}
}

// batchMax is how many entries a batcher appends together, as hashicorp/raft's
// default for the entries of a message.
const batchMax = 64

// batcher lets many writers share a log that takes one caller at a time: a
// goroutine takes all that wait, and appends them. It is what the Raft loop in front
// of these logs does, and what a user has to write.
type batcher struct {
	store    store
	requests chan *request
	pool     sync.Pool
	done     chan struct{}
}

type request struct {
	payload []byte
	result  chan error
}

func newBatcher(s store) *batcher {
	b := &batcher{store: s, requests: make(chan *request, batchMax), done: make(chan struct{})}
	b.pool.New = func() any { return &request{result: make(chan error, 1)} }
	go b.loop()
	return b
}

func (b *batcher) appendShared(payload []byte) error {
	r := b.pool.Get().(*request)
	defer b.pool.Put(r)
	r.payload = payload
	b.requests <- r
	return <-r.result
}

func (b *batcher) loop() {
	defer close(b.done)
	var batch []*request
	var payloads [][]byte
	for r := range b.requests {
		batch = append(batch[:0], r)
		for more := true; more && len(batch) < batchMax; {
			select {
			case r, ok := <-b.requests:
				if more = ok; ok {
					batch = append(batch, r)
				}
			default:
				more = false
			}
		}
		payloads = payloads[:0]
		for _, r := range batch {
			payloads = append(payloads, r.payload)
		}
		err := b.store.append(payloads)
		for _, r := range batch {
			r.result <- err
		}
	}
}

// stop ends the goroutine.
func (b *batcher) stop() {
	close(b.requests)
	<-b.done
}
