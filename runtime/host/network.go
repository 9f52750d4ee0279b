package host

import (
	"fmt"
	"sync"

	"github.com/octopii-go/octopii/runtime"
)

// Receiver takes a frame that has arrived. It may be called from any
// goroutine, does not block, and owns the frame.
type Receiver func(from runtime.NodeID, ch runtime.Channel, frame []byte)

// Joiner connects a node to its peers: from here on frames for it go to receive.
type Joiner func(receive Receiver) (Link, error)

// Link is a node's connection to its peers. Promises of an implementer:
//   - Route and Send are called on the node's loop, and must not block.
//   - Send owns the frame. It may lose, delay, repeat and reorder it; to an id
//     without a route, it loses it.
//   - Close returns when nothing more is received. No method is called after it.
type Link interface {
	Route(id runtime.NodeID, addr string)
	Send(to runtime.NodeID, ch runtime.Channel, frame []byte)
	Close() error
}

// nowhere is the link of a node without peers.
type nowhere struct{}

func (nowhere) Route(runtime.NodeID, string)                 {}
func (nowhere) Send(runtime.NodeID, runtime.Channel, []byte) {}
func (nowhere) Close() error                                 { return nil }

// Loopback connects hosts of one process. Each node is reached by its id, no
// routes are needed. A frame is in the other node's mailbox when Send returns. The
// zero Loopback is ready for use.
type Loopback struct {
	mu    sync.RWMutex
	nodes map[runtime.NodeID]Receiver
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
			l.nodes = map[runtime.NodeID]Receiver{}
		}
		l.nodes[id] = receive
		return &loopLink{net: l, id: id}, nil
	}
}

type loopLink struct {
	net *Loopback
	id  runtime.NodeID
}

// Route implements Link. Everybody is in the same process.
func (*loopLink) Route(runtime.NodeID, string) {}

// Send implements Link.
func (k *loopLink) Send(to runtime.NodeID, ch runtime.Channel, frame []byte) {
	k.net.mu.RLock()
	defer k.net.mu.RUnlock()
	if receive := k.net.nodes[to]; receive != nil {
		receive(k.id, ch, frame)
	}
}

// Close implements Link.
func (k *loopLink) Close() error {
	k.net.mu.Lock()
	defer k.net.mu.Unlock()
	delete(k.net.nodes, k.id)
	return nil
}
