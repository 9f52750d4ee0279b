// Runtime writes a node against the contract of package runtime, and runs the very same node twice: on this machine's disk and
// clock, by package host; and in the simulator, where power fails about once a second and the disk fails calls and syncs.
//
//	go run ./examples/runtime           three nodes, for real
//	go run ./examples/runtime --seed 7  the same nodes, simulated
//
// counter.go is the node. Take a sync out of it and the simulator says so within a virtual minute.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/octopii-go/octopii/runtime"
)

func main() {
	seed := flag.Uint64("seed", 0, "simulate, from this seed; 0: run for real")
	flag.Parse()
	if err := run(context.Background(), *seed, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "runtime:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, seed uint64, out io.Writer) error {
	if seed != 0 {
		return simulate(seed, func(peers []runtime.NodeID) runtime.Node { return newCounter(peers) }, out)
	}
	dir, err := os.MkdirTemp("", "runtime")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return realRun(ctx, dir, out)
}
