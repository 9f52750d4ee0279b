package raft

import (
	"errors"
	"fmt"
)

// errRequest is wrapped by the errors of DecodeRequest.
var errRequest = errors.New("raft: malformed request")

// AppendRequest appends to dst what a call to a [Node] carries: the type of the
// entry that it becomes, as one byte, and then the entry's data. The type is EntryCommand
// for what StateMachine.Apply executes, EntryQuery for what StateMachine.Query answers.
func AppendRequest(dst []byte, t EntryType, data []byte) []byte {
	return append(append(dst, byte(t)), data...)
}

// DecodeRequest is the inverse of [AppendRequest]. The data is a part of p.
func DecodeRequest(p []byte) (EntryType, []byte, error) {
	if len(p) == 0 {
		return 0, nil, fmt.Errorf("%w: no bytes", errRequest)
	}
	t := EntryType(p[0])
	if t != EntryCommand && t != EntryQuery {
		return 0, nil, fmt.Errorf("%w: type %d", errRequest, p[0])
	}
	return t, p[1:], nil
}
