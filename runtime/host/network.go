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
