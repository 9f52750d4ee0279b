package cluster

import (
	"bytes"
	"context"
	"testing"

	"github.com/octopii-go/octopii/runtime"
)

// FuzzRequest reads what a peer's service asks, whatever the bytes are.
func FuzzRequest(f *testing.F) {
	var s services
	s.init(nil)
	s.handlers["echo"] = func(context.Context, runtime.NodeID, []byte) ([]byte, error) { return nil, nil }
	f.Add([]byte("\x04echobody"))
	f.Add([]byte{255, 1})
	f.Add(bytes.Repeat([]byte{255}, 300))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		h, body := s.find(p)
		if h != nil && len(body) != len(p)-5 {
			t.Errorf("%q: body %q", p, body)
		}
	})
}

// FuzzIdentity compares a folder's identity with the config's, whatever the folder says.
func FuzzIdentity(f *testing.F) {
	c := Config{Cluster: "orders", ID: 1, Dir: "x", Peers: []Peer{{ID: 1}, {ID: 2}}, Engine: Octopii}
	f.Add(c.identity())
	f.Add("octopii member, version 2\n")
	f.Add(c.identity() + "\n")
	f.Add(c.identity() + "more")
	f.Add(c.identity()[:20])
	f.Fuzz(func(t *testing.T, text string) {
		if err := c.compareIdentity(text); (err == nil) != (text == c.identity()) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
