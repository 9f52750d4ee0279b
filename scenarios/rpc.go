package scenarios

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// rpcKind is what a client wants a node to do.
type rpcKind uint8

const (
	rpcCall   rpcKind = iota // call a peer and pass its answer on
	rpcNotify                // tell a peer, and do not wait
	rpcCancel                // call a peer, and change one's mind
	rpcBurst                 // call a peer many times at once
	rpcKindCount
)

// rpcLimits are the limits of the nodes under test: small, so that they are reached.
// One call may be beyond the bytes of answers, until it is let go.
var rpcLimits = transport.RPCConfig{
	CallsMax: 24, CallBytesMax: 96 << 10, ServeMax: 16, ServeBytesMax: 64 << 10, ReplyBytesMax: 32 << 10,
}

// rpcBurstSize is how many calls a burst makes: more than may be under way.
const rpcBurstSize = 30

// rpcCommand is what a client asks of a node.
type rpcCommand struct {
	kind   rpcKind
	target runtime.NodeID // the peer to be called
	delay  time.Duration  // of its answer; negative: there is none
	size   int            // bytes of request and answer, at least
}

const rpcCommandSize = 1 + 8 + 8 + 4

func (c *rpcCommand) encode() []byte {
	b := append(make([]byte, 0, rpcCommandSize), byte(c.kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.target))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.delay))
	return binary.LittleEndian.AppendUint32(b, uint32(c.size))
}

func decodeRPCCommand(b []byte) (rpcCommand, error) {
	if len(b) < rpcCommandSize {
		return rpcCommand{}, errors.New("scenarios: command is too short")
	}
	return rpcCommand{
		kind:   rpcKind(b[0]),
		target: runtime.NodeID(binary.LittleEndian.Uint64(b[1:])),
		delay:  time.Duration(binary.LittleEndian.Uint64(b[9:])),
		size:   int(binary.LittleEndian.Uint32(b[17:])),
	}, nil
}

// rpcService is nodes that call each other on behalf of clients.
type rpcService struct{ setup Setup }

func (s *rpcService) node(runtime.NodeID) runtime.Node { return newRPCNode(rpcLimits) }

func (s *rpcService) judge(oracle.Image) judge {
	return oracle.NewRPC(transport.RPCLoad{
		Calls: rpcLimits.CallsMax * s.setup.Nodes, CallBytes: rpcLimits.CallBytesMax * s.setup.Nodes,
		Serving: rpcLimits.ServeMax, ReplyBytes: rpcLimits.ReplyBytesMax * s.setup.Nodes,
	})
}

func (s *rpcService) command(c *client, nodes []runtime.NodeID) []byte {
	cmd := rpcCommand{target: nodes[c.choose.Below(uint64(len(nodes)))], size: int(c.choose.Below(256))}
	if c.choose.Below(16) == 0 {
		cmd.size = int(c.choose.Below(20 << 10))
	}
	switch dice := c.choose.Below(100); {
	case dice < 50:
	case dice < 65:
		cmd.delay = c.choose.Between(time.Millisecond, 2*time.Second)
	case dice < 68:
		cmd.delay = -1
	case dice < 80:
		cmd.kind = rpcNotify
	case dice < 90:
		cmd.kind = rpcCancel
		cmd.delay = c.choose.Between(0, 20*time.Millisecond)
	default:
		cmd.kind = rpcBurst
		cmd.delay = c.choose.Between(0, 60*time.Millisecond)
		cmd.size %= 1 << 10
	}
	return cmd.encode()
}

func (s *rpcService) learn(*client, []byte) {}

func (s *rpcService) hint([]byte) runtime.NodeID { return 0 }
