package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/raft"
)

// Limits of a command. A longer one is refused by [Command.Append] and is malformed to
// the state machine.
const (
	KeyMax   = 1 << 10  // bytes of a key
	ValueMax = 64 << 10 // bytes of a value, and of an expected one
)

// commandHeader is the length of a command before its key:
//
//	 0  op u8 | flags u8 | key length u16 | value length u32
//	 8  expected length u32
//	12  client u64
//	20  seq u64
//	28  key | value | expected value
//
// All numbers are little endian.
const commandHeader = 28

// flagAbsent in a compare-and-swap's flags expects that the key is absent.
const flagAbsent = 1

// ErrMalformed is wrapped by every error of this package's decoders.
var ErrMalformed = errors.New("kv: malformed")

// Op says what a command does. The values are in logs and on the wire.
type Op uint8

// The operations.
const (
	Get            Op = iota + 1 // read the key
	Put                          // set the key
	Delete                       // remove the key
	CompareAndSwap               // set the key if it holds what is expected
)

// String returns the operation's name.
func (o Op) String() string {
	switch o {
	case Get:
		return "get"
	case Put:
		return "put"
	case Delete:
		return "delete"
	case CompareAndSwap:
		return "cas"
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// Command is one operation on one key.
type Command struct {
	Op     Op
	Client uint64 // who asks; with Seq, unique in the life of a cluster
	Seq    uint64
	Key    []byte // 1 to KeyMax bytes
	Value  []byte // to put or swap in
	// Expect is what a compare-and-swap expects the key to hold, unless
	// ExpectAbsent: then it expects that there is no such key.
	Expect       []byte
	ExpectAbsent bool
}

// String returns the command as a short line, for people.
func (c Command) String() string {
	id := fmt.Sprintf("%d.%d", c.Client, c.Seq)
	switch {
	case c.Op == Put:
		return fmt.Sprintf("%s put %q = %q", id, c.Key, c.Value)
	case c.Op == CompareAndSwap && c.ExpectAbsent:
		return fmt.Sprintf("%s cas %q: absent -> %q", id, c.Key, c.Value)
	case c.Op == CompareAndSwap:
		return fmt.Sprintf("%s cas %q: %q -> %q", id, c.Key, c.Expect, c.Value)
	}
	return fmt.Sprintf("%s %v %q", id, c.Op, c.Key)
}

// check says what is wrong with the command's fields, or nil.
func (c *Command) check() error {
	swap := c.Op == CompareAndSwap
	switch {
	case c.Op < Get || c.Op > CompareAndSwap:
		return fmt.Errorf("%w command: operation %d", ErrMalformed, uint8(c.Op))
	case len(c.Key) == 0 || len(c.Key) > KeyMax:
		return fmt.Errorf("%w command: key of %d bytes", ErrMalformed, len(c.Key))
	case len(c.Value) > ValueMax || len(c.Expect) > ValueMax:
		return fmt.Errorf("%w command: value of %d bytes, expected %d", ErrMalformed, len(c.Value), len(c.Expect))
	case len(c.Value) > 0 && !swap && c.Op != Put:
		return fmt.Errorf("%w command: %v with a value", ErrMalformed, c.Op)
	case !swap && (len(c.Expect) > 0 || c.ExpectAbsent):
		return fmt.Errorf("%w command: %v with an expectation", ErrMalformed, c.Op)
	case c.ExpectAbsent && len(c.Expect) > 0:
		return fmt.Errorf("%w command: a value expected of an absent key", ErrMalformed)
	}
	return nil
}

// Append appends the command's encoding to dst. It panics if the command
// could not be decoded again: too long, without a key, or with fields that its operation
// does not use.
func (c *Command) Append(dst []byte) []byte {
	if err := c.check(); err != nil {
		panic(err.Error())
	}
	var flags byte
	if c.ExpectAbsent {
		flags = flagAbsent
	}
	dst = slices.Grow(dst, commandHeader+len(c.Key)+len(c.Value)+len(c.Expect))
	dst = append(dst, byte(c.Op), flags)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(c.Key)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Value)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Expect)))
	dst = binary.LittleEndian.AppendUint64(dst, c.Client)
	dst = binary.LittleEndian.AppendUint64(dst, c.Seq)
	dst = append(dst, c.Key...)
	dst = append(dst, c.Value...)
	return append(dst, c.Expect...)
}

// AppendRequest appends to dst the request by which a client asks a raft.Node for
// the command: a query if it is a Get, which changes nothing.
func (c *Command) AppendRequest(dst []byte) []byte {
	kind := raft.EntryCommand
	if c.Op == Get {
		kind = raft.EntryQuery
	}
	return c.Append(append(dst, byte(kind)))
}

// DecodeCommand is the inverse of [Command.Append]. The command's slices point
// into p. Exactly the encodings that Append makes are accepted; errors wrap
// ErrMalformed.
func DecodeCommand(p []byte) (Command, error) {
	if len(p) < commandHeader {
		return Command{}, fmt.Errorf("%w command: %d bytes", ErrMalformed, len(p))
	}
	keyLen := int(binary.LittleEndian.Uint16(p[2:]))
	valueLen := int(binary.LittleEndian.Uint32(p[4:]))
	expectLen := int(binary.LittleEndian.Uint32(p[8:]))
	body := p[commandHeader:]
	if len(body) != keyLen+valueLen+expectLen {
		return Command{}, fmt.Errorf("%w command: %d bytes for %d+%d+%d", ErrMalformed, len(body), keyLen, valueLen, expectLen)
	}
	if p[1]&^flagAbsent != 0 {
		return Command{}, fmt.Errorf("%w command: flags %#x", ErrMalformed, p[1])
	}
	c := Command{
		Op:           Op(p[0]),
		Client:       binary.LittleEndian.Uint64(p[12:]),
		Seq:          binary.LittleEndian.Uint64(p[20:]),
		Key:          body[:keyLen:keyLen],
		Value:        body[keyLen : keyLen+valueLen : keyLen+valueLen],
		Expect:       body[keyLen+valueLen:],
		ExpectAbsent: p[1]&flagAbsent != 0,
	}
	if err := c.check(); err != nil {
		return Command{}, err
	}
	return c, nil
}
