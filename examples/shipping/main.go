// Shipping sends a file from two members to a third, in chunks that are each verified, from both at a time. Under its name the
// file appears complete and durable, or not at all; cut off in the middle, the same fetch goes on where it was.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/octopii-go/octopii/examples/local"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

func main() { local.Main("shipping", run) }

func run(ctx context.Context, dir string, out io.Writer) error {
	c, err := local.New(dir, 3, func() raft.StateMachine { return kv.NewMachine() })
	if err != nil {
		return err
	}
	members, err := c.StartAll(ctx)
	if err != nil {
		return err
	}
	// Both sources have the file, and offer it. Who offers the same bytes offers the same digest.
	content := bytes.Repeat([]byte("all work and no play\n"), 200_000)
	var digest transport.Digest
	for _, m := range members[:2] {
		if err := os.WriteFile(filepath.Join(m.FilesDir(), "novel.txt"), content, 0o600); err != nil {
			return err
		}
		if digest, err = m.OfferFile(ctx, "novel.txt"); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "offered as %v\n", digest)

	order := transport.Order{Digest: digest, Sources: []runtime.NodeID{1, 2}, Path: "copy.txt"}
	_, err = members[2].Fetch(ctx, order, func(p transport.Progress) {
		fmt.Fprintf(os.Stderr, "%d of %d bytes\n", p.Stored, p.Size) // now and then
	})
	if err != nil {
		return err
	}
	copied, err := os.ReadFile(filepath.Join(members[2].FilesDir(), "copy.txt"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "fetched %d bytes, the same: %v\n", len(copied), bytes.Equal(copied, content))

	// Bytes in memory are shipped the same way.
	digest, err = members[2].OfferBytes([]byte("a short note"))
	if err != nil {
		return err
	}
	note, err := members[0].Fetch(ctx, transport.Order{Digest: digest, Sources: []runtime.NodeID{3}}, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "and %q\n", note)
	return c.Stop(ctx)
}
