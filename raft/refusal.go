package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// RefusalCode says why a call was refused. The values are on the wire.
type RefusalCode uint8

// The reasons. After any of them the request has not taken effect and never will.
const (
	RefusedNotReady  RefusalCode = iota + 1 // the node is still recovering
	RefusedNotLeader                        // ask the leader, if it is known
	RefusedBusy                             // too much is under way: try again later
	RefusedTooLarge                         // the request is beyond RequestMax
	RefusedExpired                          // the deadline had passed on arrival
	RefusedReplaced                         // a later leader's entry took the request's place in the log
	RefusedStopping                         // the node is draining
	RefusedMalformed                        // the request is not what AppendRequest makes
	RefusedNoSpace                          // the node leads, and its disk is full: try again when there is space
)

// String returns the reason in words.
func (c RefusalCode) String() string {
	switch c {
	case RefusedNotReady:
		return "not ready"
	case RefusedNotLeader:
		return "not the leader"
	case RefusedBusy:
		return "busy"
	case RefusedTooLarge:
		return "too large"
	case RefusedExpired:
		return "expired"
	case RefusedReplaced:
		return "replaced"
	case RefusedStopping:
		return "stopping"
	case RefusedMalformed:
		return "malformed"
	case RefusedNoSpace:
		return "no space"
	}
	return fmt.Sprintf("refusal(%d)", uint8(c))
}

// Refusal is the response that comes with the outcome Refused. It is encoded
// as the code, u8, and the leader, u64 little endian.
type Refusal struct {
	Code   RefusalCode
	Leader runtime.NodeID // who may be leader; zero: not known
}

const refusalSize = 9

// errRefusal is wrapped by the errors of DecodeRefusal.
var errRefusal = errors.New("raft: malformed refusal")

// Error makes a Refusal an error.
func (r Refusal) Error() string {
	if r.Leader == 0 {
		return "raft: refused: " + r.Code.String()
	}
	return "raft: refused: " + r.Code.String() + ", try " + r.Leader.String()
}

// Append appends the refusal's encoding to dst.
func (r Refusal) Append(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, byte(r.Code)), uint64(r.Leader))
}

// DecodeRefusal is the inverse of [Refusal.Append].
func DecodeRefusal(p []byte) (Refusal, error) {
	if len(p) != refusalSize {
		return Refusal{}, fmt.Errorf("%w: %d bytes", errRefusal, len(p))
	}
	r := Refusal{Code: RefusalCode(p[0]), Leader: runtime.NodeID(binary.LittleEndian.Uint64(p[1:]))}
	if r.Code < RefusedNotReady || r.Code > RefusedNoSpace {
		return Refusal{}, fmt.Errorf("%w: code %d", errRefusal, p[0])
	}
	return r, nil
}
