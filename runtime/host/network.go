package host

import (
	"fmt"
	"sync"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// Receiver takes a frame that has arrived: see transport.Receiver.
type Receiver = transport.Receiver

// Joiner connects a node to its peers: see transport.Joiner.
type Joiner = transport.Joiner

// Link is a node's connection to its peers: see transport.Link.
type Link = transport.Link

// nowhere is the link of a node without peers.
type nowhere struct{}

func (nowhere) Route(runtime.NodeID, string)                 {}
func (nowhere) Send(runtime.NodeID, runtime.Channel, []byte) {}
func (nowhere) Close() error                                 { return nil }

// Loopback connects hosts of one process. Each node is reached by its id, no
// routes are needed. Frames wait for a node in the order in which they were sent, and a goroutine of its own
// receives them: no node takes a turn within that of another. The
// zero Loopback is ready for use.
type Loopback struct {
	mu    sync.RWMutex
	nodes map[runtime.NodeID]*loopLink
}

// Join returns what connects the node of that id. An id can be joined again
// when its link has been closed.
func (l *Loopback) Join(id runtime.NodeID) Joiner {
	return func(receive Receiver) (Link, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.nodes[id] != nil {
			return nil, fmt.Errorf("host: %v has joined the loopback already", id)
		}
		if l.nodes == nil {
			l.nodes = map[runtime.NodeID]*loopLink{}
		}
		k := &loopLink{net: l, id: id, receive: receive, inbox: newMailbox[func()](), closed: make(chan struct{})}
		l.nodes[id] = k
		k.running.Go(k.run)
		return k, nil
	}
}

type loopLink struct {
	net     *Loopback
	id      runtime.NodeID
	receive Receiver
	inbox   *mailbox[func()]
	closed  chan struct{}
	running sync.WaitGroup
}

// run receives what was sent to the node, until the link is closed.
func (k *loopLink) run() {
	var work []func()
	for {
		select {
		case <-k.inbox.ready:
		case <-k.closed:
			return
		}
		work = k.inbox.take(work)
		for _, f := range work {
			f()
		}
	}
}

// Route implements Link. Everybody is in the same process.
func (*loopLink) Route(runtime.NodeID, string) {}

// Send implements Link.
func (k *loopLink) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	k.net.mu.RLock()
	there := k.net.nodes[to]
	k.net.mu.RUnlock()
	if there != nil {
		there.inbox.post(func() { there.receive(k.id, ch, frame) }, framesMax)
	}
}

// Close implements Link.
func (k *loopLink) Close() error {
	k.net.mu.Lock()
	delete(k.net.nodes, k.id)
	k.net.mu.Unlock()
	close(k.closed)
	k.running.Wait()
	return nil
}
