package scenarios

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// shipLimits are the limits of the nodes under test: small, so that they are reached.
var shipLimits = transport.ShipperConfig{
	ReadLane: 1, WriteLane: 2, SyncLane: 3, SyncBytes: 32 << 10, ChunkBytes: 4 << 10, SizeMax: shipSizeMax, MemoryMax: 256 << 10,
	Window: 8, FetchesMax: 8, QueueMax: 24, ReadsMax: 4, Rate: 4 << 20, Patience: 4 * time.Second,
	Frame: usedFrame,
}

// usedFrame returns memory that something was in before.
func usedFrame(size int) []byte { return bytes.Repeat([]byte{0xee}, size) }

// shipSizeMax is how large objects may be, in bytes.
const shipSizeMax = 160 << 10

// The names of files: those fetched, and those that are offered.
const (
	shipFinal  = "in-"
	shipSource = "src-"
)

// shipContent returns the bytes of an object: a function of its number.
func shipContent(object int) []byte {
	draw := runtime.Mix(0x73686970, uint64(object))
	size := int(draw % shipSizeMax)
	if object%4 == 0 {
		size %= 5 << 10 // less than two chunks
	}
	if object == 0 {
		size = 0
	}
	b := make([]byte, 0, size+8)
	for len(b) < size {
		draw = runtime.Mix(draw, uint64(len(b)))
		b = binary.LittleEndian.AppendUint64(b, draw)
	}
	return b[:size]
}

// shipObject returns which object a file with that final name must hold: in-OBJECT-...
func shipObject(name string) (int, bool) {
	rest, final := strings.CutPrefix(name, shipFinal)
	number, _, _ := strings.Cut(rest, "-")
	object, err := strconv.Atoi(number)
	return object, final && err == nil
}

// shipSources returns the nodes that offer an object: enough that every quorum has one.
func shipSources(object, nodes int) []runtime.NodeID {
	var ids []runtime.NodeID
	for i := range nodes/2 + 1 {
		ids = append(ids, runtime.NodeID((object+i)%nodes+1))
	}
	return ids
}

// shipKind is what a client wants a node to do.
type shipKind uint8

const (
	shipToFile   shipKind = iota // fetch an object into a file
	shipToMemory                 // fetch it into memory
	shipDamage                   // damage the own copy of it, if there may be a better one
)

// shipCommand is what a client asks of a node.
type shipCommand struct {
	kind shipKind
	name string // final, or how it is called in the trace
}

func (c *shipCommand) encode() []byte { return append([]byte{byte(c.kind)}, c.name...) }

func decodeShipCommand(b []byte) (shipCommand, error) {
	if len(b) == 0 {
		return shipCommand{}, errors.New("scenarios: empty command")
	}
	return shipCommand{kind: shipKind(b[0]), name: string(b[1:])}, nil
}

// shipService is nodes that fetch objects from each other on behalf of clients.
type shipService struct{ setup Setup }

func (s *shipService) node(runtime.NodeID) runtime.Node {
	return newShipNode(shipLimits, s.setup.Nodes, s.setup.Keys)
}

func (s *shipService) judge(image oracle.Image) judge {
	limit := transport.ShipperLoad{Fetches: shipLimits.FetchesMax, Queue: shipLimits.QueueMax + shipLimits.ReadsMax}
	limit.Bytes = shipLimits.MemoryMax + int64(2*shipLimits.Window*shipLimits.ChunkBytes*shipLimits.FetchesMax)
	return oracle.NewShip(oracle.ShipConfig{Image: image, Limit: limit, Content: func(name string) []byte {
		object, known := shipObject(name)
		if !known {
			return nil
		}
		return shipContent(object)
	}})
}

func (s *shipService) command(c *client, _ []runtime.NodeID) []byte {
	dice := c.choose.Below(100)
	if dice < 25 && c.key != nil {
		return bytes.Clone(c.key) // once more: it goes on from what is there
	}
	cmd := shipCommand{name: fmt.Sprintf("%s%d-%d-%d", shipFinal, c.choose.Below(uint64(s.setup.Keys)), c.id, c.seq)}
	switch {
	case dice >= 95:
		cmd.kind = shipDamage
		return cmd.encode()
	case dice >= 80:
		cmd.kind = shipToMemory
	}
	c.key = cmd.encode()
	return cmd.encode()
}

func (s *shipService) learn(*client, []byte) {}

func (s *shipService) hint([]byte) runtime.NodeID { return 0 }
