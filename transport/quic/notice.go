package quic

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// NoticeKind says what a Notice is about.
type NoticeKind uint8

// The kinds of notices.
const (
	Connected    NoticeKind = iota + 1 // frames can flow
	Disconnected                       // a connection has ended; Err says why
	Failed                             // a connection was not made; Err is a *HandshakeError
	Kept                               // new credentials will not do, those of before stay in use; Err says why
	Discarded                          // the first frame to be sent that was none; Stats counts them
)

// String returns the kind in a word.
func (k NoticeKind) String() string {
	names := [...]string{"?", "connected", "disconnected", "failed", "kept", "discarded"}
	if int(k) >= len(names) {
		k = 0
	}
	return names[k]
}

// Notice is something that the people who run a node may want to know.
type Notice struct {
	Kind    NoticeKind
	Peer    runtime.NodeID // zero if it is not known, or about nobody
	Addr    string         // the peer's; empty if it is about nobody
	Inbound bool           // the peer dialed us
	Err     error          // nil if Connected
}

// String returns the notice as one line.
func (n Notice) String() string {
	to := "to"
	if n.Inbound || n.Kind == Disconnected {
		to = "from"
	}
	switch {
	case n.Kind == Connected || n.Kind == Disconnected && n.Err == nil:
		return fmt.Sprintf("quic: %s %s %s at %s", n.Kind, to, n.Peer, n.Addr)
	case n.Kind == Disconnected:
		return fmt.Sprintf("quic: %s %s %s at %s: %v", n.Kind, to, n.Peer, n.Addr, n.Err)
	}
	return n.Err.Error()
}
