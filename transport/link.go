package transport

import "github.com/octopii-go/octopii/runtime"

// Receiver takes a frame that has arrived. It may be called from any
// goroutine, does not block, and owns the frame.
type Receiver func(from runtime.NodeID, ch runtime.Channel, frame []byte)

// Joiner connects a node to its peers: from here on frames for it go to receive.
type Joiner func(receive Receiver) (Link, error)

// Recycler is a Link that has a use for frames that it has delivered.
type Recycler interface {
	// Recycle takes the frame back from its Receiver, who has not used it otherwise than by looking at it, and
	// will not again. It may be called from any goroutine.
	Recycle(frame []byte)
}

// Link is a node's connection to its peers. Promises of an implementer:
//   - Route and Send are called on the node's loop, and must not block.
//   - Route with an empty address takes the route away.
//   - Send owns the frame. It may lose, delay, repeat and reorder it; to an id
//     without a route, it loses it. What arrives is what was sent, from whom it was sent.
//   - Close returns when nothing more is received. No method is called after it.
//
// And of its caller: a frame is one of this package, sealed. A link may lose anything else.
type Link interface {
	Route(id runtime.NodeID, addr string)
	Send(to runtime.NodeID, ch runtime.Channel, frame []byte)
	Close() error
}
