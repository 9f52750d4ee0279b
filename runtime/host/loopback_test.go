package host_test

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/linktest"
)

func TestLoopbackIsALink(t *testing.T) {
	linktest.Run(t, func(t *testing.T) linktest.Network {
		var net host.Loopback
		return linktest.Network{Join: func(id runtime.NodeID, receive transport.Receiver) (transport.Link, string) {
			link, err := net.Join(id)(receive)
			if err != nil {
				t.Fatal(err)
			}
			return link, "here"
		}}
	})
}

// TestPingPong sends a frame to and fro between two nodes.
func TestPingPong(t *testing.T) {
	var net host.Loopback
	const rounds = 100
	over := make(chan int, 1)
	player := func(id, other runtime.NodeID) *node {
		n := &node{}
		n.boot = func() {
			n.Route(other, "nearby")
			if id == 2 { // whose peer has joined
				n.Send(other, runtime.ChannelRPC, []byte{0})
			}
		}
		n.receive = func(from runtime.NodeID, ch runtime.Channel, frame []byte) {
			if from != other || ch != runtime.ChannelRPC || len(frame) != 1 {
				t.Errorf("frame %x from %v on %d", frame, from, ch)
			}
			if frame[0] == rounds {
				over <- int(frame[0])
				return
			}
			n.Send(from, ch, []byte{frame[0] + 1})
		}
		return n
	}
	startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, player(1, 2))
	startWith(t, host.Config{ID: 2, Dir: t.TempDir(), Join: net.Join(2)}, player(2, 1))
	await(t, over, "the last frame")
}

// TestNoFurtherFrameAfterHalt has frames wait behind one that ends the node.
func TestNoFurtherFrameAfterHalt(t *testing.T) {
	var net host.Loopback
	begun, let := make(chan struct{}), make(chan struct{})
	n := &node{}
	var got []byte
	n.receive = func(_ runtime.NodeID, _ runtime.Channel, frame []byte) {
		got = append(got, frame[0])
		switch frame[0] {
		case 0:
			close(begun)
			<-let // until the others are in the mailbox
		case 1:
			n.Halt(errReason)
		}
	}
	h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, n)
	peer := &node{}
	peer.boot = func() {
		peer.Send(1, 0, []byte{0})
		<-begun
		for i := range byte(3) {
			peer.Send(1, 0, []byte{i + 1})
		}
		close(let)
	}
	startWith(t, host.Config{ID: 2, Dir: t.TempDir(), Join: net.Join(2)}, peer)
	if err := wait(t, h); err != errReason || len(got) != 2 {
		t.Errorf("ended with %v, received %v", err, got)
	}
}

func TestJoinTwice(t *testing.T) {
	var net host.Loopback
	h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, &node{})
	if _, err := host.Start(host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, &node{}); err == nil {
		t.Error("two nodes of the same id")
	}
	h.Kill(nil)
	if err := wait(t, h); err != nil {
		t.Error(err)
	}
	startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: net.Join(1)}, &node{})
}

func TestSendToNobody(t *testing.T) {
	n := &node{}
	n.call = func(id runtime.CallID, _ runtime.Instant, _ []byte) {
		n.Send(9, 0, []byte("lost"))
		n.Route(9, "nowhere")
		n.Reply(id, runtime.Done, nil)
	}
	var net host.Loopback
	for _, join := range []host.Joiner{nil, net.Join(1)} {
		h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: join}, n)
		if a := call(t, h, ""); a.outcome != runtime.Done {
			t.Errorf("%+v", a)
		}
	}
}

// thriftyLink takes frames back.
type thriftyLink struct {
	voidLink
	back chan string
}

func (l thriftyLink) Recycle(frame []byte) { l.back <- string(frame) }

// TestFramesAreGivenBack has a link get its frames back, when the node has looked at them.
func TestFramesAreGivenBack(t *testing.T) {
	link := thriftyLink{back: make(chan string, 1)}
	looked := false
	n := &node{receive: func(runtime.NodeID, runtime.Channel, []byte) { looked = true }}
	var receive host.Receiver
	startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: func(to host.Receiver) (host.Link, error) {
		receive = to
		return link, nil
	}}, n)
	receive(2, runtime.ChannelFiles, []byte("a frame"))
	if got := await(t, link.back, "the frame"); got != "a frame" || !looked {
		t.Errorf("%q came back; looked at: %v", got, looked)
	}
}
