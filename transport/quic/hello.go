package quic

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// protocolVersion is what two endpoints must have in common.
const protocolVersion = 2

// The kinds of the two frames of the handshake.
const (
	kindHello   = 1 // the dialer's
	kindWelcome = 2 // the answer
)

// helloMax bounds a frame of the handshake: its numbers, the cluster's name, and room for later versions.
const helloMax = transport.HeaderSize + 512

// hello is what a node says of itself when it connects, and when it is connected to.
type hello struct {
	version uint16
	cluster string
	from    runtime.NodeID // who speaks
	to      runtime.NodeID // whom it takes the other for
	stamp   stamp
}

// connectionMax bounds a stamp's connection, so that there is always a greater one.
const connectionMax = 1 << 62

// stamp orders the connections of two nodes, together with who dialed and the other's incarnation: see epoch.
type stamp struct {
	incarnation uint64 // grows with each boot
	connection  uint64 // in a hello, greater than in all that the dialer knows of, or zero: there is one by now; in a welcome zero
}

// write sends the hello.
func (h hello) write(w io.Writer, kind uint8) error {
	frame := transport.AppendHeader(nil, kind)
	frame = binary.LittleEndian.AppendUint16(frame, h.version)
	frame = binary.LittleEndian.AppendUint64(frame, uint64(h.from))
	frame = binary.LittleEndian.AppendUint64(frame, uint64(h.to))
	frame = binary.LittleEndian.AppendUint64(frame, h.stamp.incarnation)
	frame = binary.LittleEndian.AppendUint64(frame, h.stamp.connection)
	frame = append(frame, h.cluster...)
	if err := transport.Seal(frame); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}

// readHello receives a hello of that kind. Its errors match ErrProtocol or ErrVersion, or are the stream's.
func readHello(r *bufio.Reader, kind uint8) (hello, error) {
	frame, err := readFrame(r, helloMax, func(size int) []byte { return make([]byte, size) })
	if err != nil {
		return hello{}, err
	}
	got, payload, err := transport.Decode(frame)
	if err != nil || got != kind {
		return hello{}, fmt.Errorf("%w: a damaged or misplaced handshake", ErrProtocol)
	}
	return decodeHello(payload)
}

func decodeHello(payload []byte) (h hello, err error) {
	const fixed = 2 + 4*8
	if len(payload) >= 2 {
		h.version = binary.LittleEndian.Uint16(payload)
		if h.version != protocolVersion { // of which we know no more than where the version stands
			return hello{}, fmt.Errorf("%w: %d, ours is %d", ErrVersion, h.version, protocolVersion)
		}
	}
	if len(payload) < fixed || len(payload) > fixed+clusterMax {
		return hello{}, fmt.Errorf("%w: a handshake of %d bytes", ErrProtocol, len(payload))
	}
	h.from = runtime.NodeID(binary.LittleEndian.Uint64(payload[2:]))
	h.to = runtime.NodeID(binary.LittleEndian.Uint64(payload[10:]))
	h.stamp.incarnation = binary.LittleEndian.Uint64(payload[18:])
	h.stamp.connection = binary.LittleEndian.Uint64(payload[26:])
	h.cluster = string(payload[fixed:])
	return h, nil
}

// check compares what a peer says of itself with its certificate and with us.
func (h hello) check(certified, own Identity) error {
	switch {
	case h.cluster != own.Cluster:
		return fmt.Errorf("%w: its is %q, ours %q", ErrCluster, h.cluster, own.Cluster)
	case h.from != certified.ID:
		return fmt.Errorf("%w: it says it is %v, its certificate is for %v", ErrNode, h.from, certified.ID)
	case h.to != own.ID:
		return fmt.Errorf("%w: it looks for %v, here is %v", ErrNode, h.to, own.ID)
	}
	return nil
}

// checkCertified compares whom a peer's certificate names with who may be there: a
// node of our cluster, not ourselves, and the wanted one unless that is zero.
func checkCertified(certified, own Identity, want runtime.NodeID) error {
	switch {
	case certified.Cluster != own.Cluster:
		return fmt.Errorf("%w: its certificate is for %q, ours for %q", ErrCluster, certified.Cluster, own.Cluster)
	case want != 0 && certified.ID != want:
		return fmt.Errorf("%w: its certificate is for %v, wanted is %v", ErrNode, certified.ID, want)
	case certified.ID == own.ID:
		return fmt.Errorf("%w: its certificate is for %v, which are we", ErrNode, certified.ID)
	}
	return nil
}

// readFrame reads one frame into memory that room returns for its size, which is known then
// to be at most sizeMax bytes. Its errors match ErrProtocol, or are the stream's.
func readFrame(r *bufio.Reader, sizeMax int, room func(size int) []byte) ([]byte, error) {
	header, err := r.Peek(transport.HeaderSize)
	if err != nil {
		return nil, err
	}
	size, err := transport.Size(header)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if size > sizeMax {
		return nil, fmt.Errorf("%w: a frame of %d bytes, limit %d", ErrProtocol, size, sizeMax)
	}
	frame := room(size)
	_, err = io.ReadFull(r, frame)
	return frame, err
}
