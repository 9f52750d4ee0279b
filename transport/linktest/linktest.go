// Package linktest says what any [transport.Link] must do.
//
// [Run] is a suite of tests against a network that the caller makes. It expects no
// more than a link promises: a frame may be lost, late, repeated or out of order, so the
// suite sends what is missing again until it has arrived. But what arrives
// must be what was sent, on the channel and from the node that sent it; what has no
// route must go nowhere, and must hold up nothing; and a node that comes back, be it at
// another address, must be reached again.
//
// Nothing here waits for time to pass, only for frames, with a limit at which the test fails.
package linktest

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

const (
	patience = 30 * time.Second       // after which what must happen counts as failed
	again    = 250 * time.Millisecond // after which what has not arrived is sent again
	inboxMax = 1 << 14                // frames not looked at yet; more are lost, as networks do
)

// Network is what the links of a test belong to. Join makes a link for the node and returns the
// address at which the others reach it, which need not be that of an earlier link. A node
// has one link at a time. Join runs on the test's goroutine, and may fail the test.
type Network struct {
	Join func(id runtime.NodeID, receive transport.Receiver) (link transport.Link, addr string)
}

// Run runs the suite, each test on a network of its own.
func Run(t *testing.T, open func(t *testing.T) Network) {
	for _, tc := range []struct {
		name string
		run  func(*world)
	}{
		{"every channel delivers, both ways", channels},
		{"a frame of any size", sizes},
		{"many frames between many nodes", crowd},
		{"a receiver owns its frame", ownership},
		{"a peer without a route", unknownPeer},
		{"a route taken away", routeAway},
		{"a peer restarted elsewhere", restart},
		{"both speak first", fresh},
		{"nothing after close", closed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &world{T: t, net: open(t), nodes: map[runtime.NodeID]*node{}, sent: map[label]parcel{}}
			t.Cleanup(w.close)
			tc.run(w)
		})
	}
}

// world is the nodes of one test.
type world struct {
	*testing.T
	net   Network
	nodes map[runtime.NodeID]*node
	sent  map[label]parcel // all that may arrive
}

// node is a link and what came from it.
type node struct {
	w     *world
	id    runtime.NodeID
	addr  string
	link  transport.Link
	inbox chan delivery

	mu     sync.Mutex
	closed bool // nothing may be received any longer
}

// delivery is a frame that arrived.
type delivery struct {
	from  runtime.NodeID
	ch    runtime.Channel
	frame []byte
}

// join adds nodes and routes between all there are.
func (w *world) join(ids ...runtime.NodeID) {
	w.Helper()
	for _, id := range ids {
		n := &node{w: w, id: id, inbox: make(chan delivery, inboxMax)}
		n.link, n.addr = w.net.Join(id, n.receive)
		w.nodes[id] = n
	}
	for _, n := range w.nodes {
		for _, to := range w.nodes {
			if n != to {
				n.link.Route(to.id, to.addr)
			}
		}
	}
}

// close ends what the test has left open.
func (w *world) close() {
	for id := range w.nodes {
		w.leave(id)
	}
}

// leave closes the node's link.
func (w *world) leave(id runtime.NodeID) {
	n := w.nodes[id]
	delete(w.nodes, id)
	if err := n.link.Close(); err != nil {
		w.Errorf("%v: close: %v", id, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// receive is the node's Receiver.
func (n *node) receive(from runtime.NodeID, ch runtime.Channel, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		n.w.Errorf("%v: a frame from %v after the link was closed", n.id, from)
	}
	select {
	case n.inbox <- delivery{from, ch, frame}:
	default:
	}
}

// parcel is a frame to be sent, and told from all others by its number.
type parcel struct {
	from, to runtime.NodeID
	ch       runtime.Channel
	number   uint64
	payload  int // bytes
}

// frame returns new bytes for the parcel, its number inside as far as there is room.
func (p parcel) frame() []byte {
	payload := make([]byte, p.payload)
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], p.number)
	for i := range payload {
		payload[i] = number[i%8] + byte(i>>3)
	}
	frame := append(transport.AppendHeader(nil, uint8(p.number)), payload...)
	if err := transport.Seal(frame); err != nil {
		panic(err)
	}
	return frame
}

// label tells parcels apart by what their receivers see.
type label struct {
	from, to runtime.NodeID
	ch       runtime.Channel
	size     int
	checksum [4]byte // the frame's own
}

func labelOf(to runtime.NodeID, d delivery) (l label) {
	l = label{from: d.from, to: to, ch: d.ch, size: len(d.frame)}
	if len(d.frame) >= transport.HeaderSize {
		copy(l.checksum[:], d.frame[transport.HeaderSize-4:])
	}
	return l
}

// send sends the parcel, once.
func (w *world) send(p parcel) {
	frame := p.frame()
	w.sent[labelOf(p.to, delivery{p.from, p.ch, frame})] = p
	w.nodes[p.from].link.Send(p.to, p.ch, frame)
}

// deliver sends the parcels, and those that have not arrived again, until all have. All
// are for one node. It returns them as they arrived. A frame that was never sent is an error.
func (w *world) deliver(parcels ...parcel) (arrived []delivery) {
	w.Helper()
	to := w.nodes[parcels[0].to]
	missing := map[parcel]bool{}
	for _, p := range parcels {
		missing[p] = true
		w.send(p)
	}
	resend := time.NewTicker(again)
	defer resend.Stop()
	over := time.After(patience)
	for len(missing) > 0 {
		select {
		case d := <-to.inbox:
			p, known := w.sent[labelOf(to.id, d)]
			if !known || !bytes.Equal(d.frame, p.frame()) {
				w.Fatalf("%v got a frame of %d bytes from %v on %d that nobody sent", to.id, len(d.frame), d.from, d.ch)
			}
			if missing[p] {
				delete(missing, p)
				arrived = append(arrived, d)
			}
		case <-resend.C:
			for p := range missing {
				w.send(p)
			}
		case <-over:
			w.Fatalf("%d of %d frames for %v did not arrive", len(missing), len(parcels), to.id)
		}
	}
	return arrived
}
