// Rpc has members call each other: an answer, an error, a call that takes too long, and a notice that is not answered. The calls
// travel on the connections that the members have anyway, each side proven to the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/octopii-go/octopii/examples/local"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

func main() { local.Main("rpc", run) }

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
	noticed := make(chan string, 1)
	b.Handle("shout", func(_ context.Context, from runtime.NodeID, body []byte) ([]byte, error) {
		if len(body) == 0 {
			return nil, errors.New("nothing to shout")
		}
		return []byte(from.String() + " SAYS " + strings.ToUpper(string(body))), nil
	})
	asleep := make(chan struct{})
	b.Handle("sleep", func(ctx context.Context, _ runtime.NodeID, _ []byte) ([]byte, error) {
		close(asleep)
		<-ctx.Done() // nobody waits any longer
		return nil, ctx.Err()
	})
	b.Handle("note", func(_ context.Context, _ runtime.NodeID, body []byte) ([]byte, error) {
		noticed <- string(body)
		return nil, nil
	})

	answer, err := a.Call(ctx, b.ID(), "shout", []byte("hello"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", answer)

	_, err = a.Call(ctx, b.ID(), "shout", nil)
	fmt.Fprintf(out, "a handler's error: %v\n", err)

	_, err = a.Call(ctx, b.ID(), "sing", nil)
	fmt.Fprintf(out, "nobody handles it: %v (%v)\n", err, cluster.OutcomeOf(err))

	short, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-asleep
		cancel() // as a timeout would
	}()
	_, err = a.Call(short, b.ID(), "sleep", nil)
	fmt.Fprintf(out, "it takes too long: %v\n", cluster.OutcomeOf(err)) // it may have run: only the service can tell what that means

	if err := a.Notify(b.ID(), "note", []byte("by the way")); err != nil {
		return err
	}
	fmt.Fprintf(out, "noticed: %s\n", <-noticed)
	return c.Stop(ctx)
}
