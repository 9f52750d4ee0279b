// Statemachine replicates a state machine of one's own: tally.go has it, and this file counts a few votes with it, takes a
// snapshot, starts the members again, and finds the votes where they were.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/octopii-go/octopii/examples/local"
	"github.com/octopii-go/octopii/runtime/cluster"
)

func main() { local.Main("statemachine", run) }

func run(ctx context.Context, dir string, out io.Writer) error {
	if err := vote(ctx, dir, out, "ada", "grace", "ada"); err != nil {
		return err
	}
	return vote(ctx, dir, out, "grace", "grace") // by the members' next lives
}

// vote runs the cluster, casts the votes, and stops it.
func vote(ctx context.Context, dir string, out io.Writer, names ...string) (err error) {
	c, err := local.New(dir, 3, newTally)
	if err != nil {
		return err
	}
	members, err := c.StartAll(ctx)
	if err != nil {
		return err
	}
	for i, name := range names {
		m := members[i%len(members)] // any of them will do
		votes, err := m.Propose(ctx, []byte(name))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%v: %s has %s votes\n", m.ID(), name, votes)
	}
	// What one member has been told is done, every member sees.
	votes, err := members[2].Read(ctx, []byte("ada"), cluster.ReadOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ada has %s in all\n", votes)
	if err := members[0].Snapshot(ctx); err != nil {
		return err
	}
	return c.Stop(ctx)
}
