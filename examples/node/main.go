// Node embeds a replicated member in a program: three of them, here in one process, each as it would be in a process of its own. It
// follows the leader, writes by one member what it reads by another, and goes on without one.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/octopii-go/octopii/examples/local"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

func main() { local.Main("node", run) }

func run(ctx context.Context, dir string, out io.Writer) error {
	c, err := local.New(dir, 3, func() raft.StateMachine { return kv.NewMachine() })
	if err != nil {
		return err
	}
	members, err := c.StartAll(ctx)
	if err != nil {
		return err
	}
	leader, err := awaitLeader(ctx, members[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a leader is known, of term %d\n", members[0].Status().Raft.Term)
	if err := put(ctx, members[0], "color", "green"); err != nil {
		return err
	}
	value, err := get(ctx, members[1], "color")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "n2 reads what n1 wrote: %s\n", value)

	// The leader goes. Two of three are a majority: they elect another.
	if err := members[leader-1].Drain(ctx); err != nil {
		return err
	}
	other := members[leader%3]
	for err = put(ctx, other, "color", "blue"); err != nil && ctx.Err() == nil; err = put(ctx, other, "color", "blue") {
		// A refusal says that it was not done. Unknown says that it may have been: to put the same value twice does no harm,
		// but what would must not be tried again without looking.
		fmt.Fprintf(os.Stderr, "%v: %v\n", cluster.OutcomeOf(err), err)
	}
	if err != nil {
		return err
	}
	value, err = get(ctx, other, "color")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "without that leader: %s\n", value)
	return c.Stop(ctx)
}

// awaitLeader follows the member's events until it knows who leads.
func awaitLeader(ctx context.Context, m *cluster.Member) (runtime.NodeID, error) {
	events := m.Events(16)
	defer events.Close()
	for {
		ev, err := events.Next(ctx)
		if err != nil {
			return 0, err
		}
		if ev.Kind == cluster.LeaderChanged && ev.Leader.ID != 0 {
			return ev.Leader.ID, nil
		}
	}
}

// put and get speak the language of the state machine, which is the service's own.
func put(ctx context.Context, m *cluster.Member, key, value string) error {
	cmd := kv.Command{Op: kv.Put, Client: uint64(m.ID()), Seq: 1, Key: []byte(key), Value: []byte(value)}
	_, err := m.Propose(ctx, cmd.Append(nil))
	return err
}

func get(ctx context.Context, m *cluster.Member, key string) (string, error) {
	cmd := kv.Command{Op: kv.Get, Client: uint64(m.ID()), Seq: 1, Key: []byte(key)}
	resp, err := m.Read(ctx, cmd.Append(nil), cluster.ReadOptions{})
	if err != nil {
		return "", err
	}
	result, err := kv.DecodeResponse(resp)
	return string(result.Value), err
}
