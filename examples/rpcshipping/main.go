// Rpcshipping puts the two together: a call asks a peer for a file by name, the answer is the digest under which the peer offers
// it, and the shipping lane brings it. Requests are small and quick, files large and slow: each has a channel of its own,
// and neither stands in the way of the other, or of the heartbeats.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/octopii-go/octopii/examples/local"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport"
)

func main() { local.Main("rpcshipping", run) }

// library answers the call "locate" with the digest of one of the member's files, which is offered from then on.
func library(m *cluster.Member) cluster.Handler {
	return func(ctx context.Context, _ runtime.NodeID, name []byte) ([]byte, error) {
		digest, err := m.OfferFile(ctx, string(name)) // a name that leads out of the folder is refused
		if err != nil {
			return nil, err
		}
		return json.Marshal(digest)
	}
}

// download gets a file of a peer by name.
func download(ctx context.Context, m *cluster.Member, from runtime.NodeID, name string) error {
	answer, err := m.Call(ctx, from, "locate", []byte(name))
	if err != nil {
		return err
	}
	var digest transport.Digest
	if err := json.Unmarshal(answer, &digest); err != nil {
		return err
	}
	_, err = m.Fetch(ctx, transport.Order{Digest: digest, Sources: []runtime.NodeID{from}, Path: name}, nil)
	return err
}

func run(ctx context.Context, dir string, out io.Writer) error {
	c, err := local.New(dir, 2, func() raft.StateMachine { return kv.NewMachine() })
	if err != nil {
		return err
	}
	members, err := c.StartAll(ctx)
	if err != nil {
		return err
	}
	a, b := members[0], members[1]
	b.Handle("locate", library(b))
	if err := os.WriteFile(filepath.Join(b.FilesDir(), "map.svg"), make([]byte, 300_000), 0o600); err != nil {
		return err
	}
	if err := download(ctx, a, b.ID(), "map.svg"); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(a.FilesDir(), "map.svg"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "downloaded %s, %d bytes\n", info.Name(), info.Size())
	fmt.Fprintf(out, "no such file: %v\n", download(ctx, a, b.ID(), "atlas.svg"))
	fmt.Fprintf(out, "not theirs to give: %v\n", download(ctx, a, b.ID(), "../member"))
	return c.Stop(ctx)
}
