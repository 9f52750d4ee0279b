package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// A peer that is down fails every attempt to reach it, each of which is an event, and one of which is in the log.
func TestThePeerThatIsDownDoesNotFillTheLog(t *testing.T) {
	var said strings.Builder
	m := &Member{cfg: Config{ID: 1, Peers: []Peer{{ID: 1}, {ID: 2}}, Logger: slog.New(slog.NewTextHandler(&said, nil))}}
	fail := func(peer runtime.NodeID, inbound bool, port int, why string) {
		addr := fmt.Sprintf("host:%d", port)
		m.noticed(quic.Notice{Kind: quic.Failed, Peer: peer, Addr: addr, Inbound: inbound,
			Err: &quic.HandshakeError{Peer: peer, Addr: addr, Reason: errors.New(why)}})
	}
	lines := func(want int, when string) {
		t.Helper()
		if got := strings.Count(said.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d:\n%s", when, got, want, &said)
		}
	}
	for range 100 {
		fail(2, false, 7000, "no answer")
		fail(2, true, 7000, "expired")
	}
	lines(2, "one reason in each direction")
	fail(2, false, 7000, "another cluster")
	lines(3, "a new reason")
	m.noticed(quic.Notice{Kind: quic.Connected, Peer: 2})
	fail(2, false, 7000, "another cluster")
	lines(5, "the same one, after a connection")
	for i := range 100 {
		fail(runtime.NodeID(100+i), true, i, "not expected")
	}
	lines(6, "strangers of all names from all places")
	if got := len(m.links.last); got > 4 {
		t.Errorf("%d complaints are kept", got)
	}
	if got := m.journal.count(); got != 303 {
		t.Errorf("%d events, want each attempt's", got)
	}
}
