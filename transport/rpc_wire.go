package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The kinds of frames that an RPC sends. They share no number with those of
// package raft or of the shipping lane.
const (
	kindHello    = 0x20 + iota // may I call you? seq counts the hellos of a boot
	kindWelcome                // yes, in that session; seq is the hello's
	kindReset                  // I know of no such session
	kindRequest                // the body is for the handler
	kindPoll                   // a request again, whose body has been accepted
	kindNotify                 // the body is for the handler, who does not answer
	kindCancel                 // nobody waits for the answer any more
	kindAccepted               // the handler has the request
	kindResponse               // the status, and in the body what the handler said
	kindRPCEnd
)

// The statuses of a response.
const (
	statusOK        = iota // the body is the answer
	statusFailed           // the handler failed with the body
	statusBusy             // too much is being served: the handler never sees it
	statusForgotten        // it has been answered, and the answer is gone
	statusCount
)

// Every message of an RPC has the same layout, numbers little endian:
//
//	 0  client u64   the incarnation of the side that calls
//	 8  server u64   the incarnation of the side that answers; zero in a hello
//	16  session u64  its number, given by the server; zero in a hello
//	24  seq u64      which call; the calls of one boot to one peer count from 1
//	32  floor u64    every call below has ended, at the client; zero from the server
//	40  budget u32   how much longer the client waits, in us; zero but in requests
//	44  status u8 | zero u8 x 3
//	48  body
const rpcHeader = 48

// RequestMax is how many bytes a request, a one-way message or an answer may have.
// Larger things travel on the shipping lane.
const RequestMax = MaxPayload - rpcHeader

// errRPC is wrapped by the errors of rpcMessage.decode.
var errRPC = errors.New("transport: malformed RPC message")

// rpcMessage is one message.
type rpcMessage struct {
	kind    uint8
	status  uint8
	client  uint64
	server  uint64
	session uint64
	seq     uint64
	floor   uint64
	budget  time.Duration // multiples of a microsecond
	body    []byte        // borrowed
}

// budgetMax is the longest time that a request may be waited for, as far as
// the server is told.
const budgetMax = time.Hour

// encode returns the message as a frame.
func (m *rpcMessage) encode() []byte {
	frame := AppendHeader(make([]byte, 0, HeaderSize+rpcHeader+len(m.body)), m.kind)
	order := binary.LittleEndian
	frame = order.AppendUint64(frame, m.client)
	frame = order.AppendUint64(frame, m.server)
	frame = order.AppendUint64(frame, m.session)
	frame = order.AppendUint64(frame, m.seq)
	frame = order.AppendUint64(frame, m.floor)
	frame = order.AppendUint32(frame, uint32(min(m.budget, budgetMax)/time.Microsecond))
	frame = append(frame, m.status, 0, 0, 0)
	frame = append(frame, m.body...)
	if err := Seal(frame); err != nil {
		panic(fmt.Sprintf("transport: RPC message with a body of %d bytes: %v", len(m.body), err))
	}
	return frame
}

// decode reads a frame. The body is a part of it. Errors wrap errRPC, or are Decode's.
func (m *rpcMessage) decode(frame []byte) error {
	kind, p, err := Decode(frame)
	if err != nil {
		return err
	}
	if kind < kindHello || kind >= kindRPCEnd || len(p) < rpcHeader {
		return fmt.Errorf("%w: kind %d with %d bytes", errRPC, kind, len(p))
	}
	order := binary.LittleEndian
	*m = rpcMessage{
		kind: kind, client: order.Uint64(p), server: order.Uint64(p[8:]), session: order.Uint64(p[16:]),
		seq: order.Uint64(p[24:]), floor: order.Uint64(p[32:]),
		budget: time.Duration(order.Uint32(p[40:])) * time.Microsecond,
		status: p[44], body: p[rpcHeader:],
	}
	if p[45] != 0 || p[46] != 0 || p[47] != 0 {
		return fmt.Errorf("%w: padding %x", errRPC, p[45:rpcHeader])
	}
	return m.check()
}

// check refuses what no peer that keeps to the protocol sends.
func (m *rpcMessage) check() error {
	hello := m.kind == kindHello
	asks := m.kind >= kindRequest && m.kind <= kindCancel
	bodied := m.kind == kindRequest || m.kind == kindNotify || m.kind == kindResponse
	switch {
	case m.client == 0 || m.seq == 0 || hello != (m.server == 0) || hello != (m.session == 0):
		return fmt.Errorf("%w: kind %d of %#x to %#x in session %d, seq %d", errRPC, m.kind, m.client, m.server, m.session, m.seq)
	case asks != (m.floor != 0) || m.floor > m.seq:
		return fmt.Errorf("%w: kind %d, seq %d with floor %d", errRPC, m.kind, m.seq, m.floor)
	case m.budget > budgetMax || m.budget != 0 && !asks:
		return fmt.Errorf("%w: kind %d with budget %v", errRPC, m.kind, m.budget)
	case m.status >= statusCount || m.status != statusOK && m.kind != kindResponse:
		return fmt.Errorf("%w: kind %d with status %d", errRPC, m.kind, m.status)
	case len(m.body) > 0 && (!bodied || m.status > statusFailed):
		return fmt.Errorf("%w: kind %d, status %d with a body of %d bytes", errRPC, m.kind, m.status, len(m.body))
	}
	return nil
}
