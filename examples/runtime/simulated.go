package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

// client counts with all nodes of a simulated world, and holds them to their word. It is the world's Driver.
type client struct {
	w      *sim.World
	nodes  int
	acked  map[runtime.NodeID]uint64 // the greatest number each node has given out
	done   int
	broken error
}

// Timer implements sim.Driver: a call to the node that the token names.
func (c *client) Timer(token uint64) {
	c.w.Call(token, 0, runtime.NodeID(token), time.Second, nil)
}

// Reply implements sim.Driver. What a node has said is done must never be forgotten: each number is greater than all before.
func (c *client) Reply(r *sim.CallResult) {
	if r.Outcome == runtime.Done {
		n := binary.LittleEndian.Uint64(r.Resp)
		if n <= c.acked[r.Node] && c.broken == nil {
			c.broken = fmt.Errorf("%v counts to %d, having counted to %d before", r.Node, n, c.acked[r.Node])
		}
		c.acked[r.Node] = n
		c.done++
	}
	c.w.After(runtime.Instant(time.Millisecond), r.Client)
}

// simulate runs three counters for a virtual minute in a world where disks fail and machines lose power, as the seed decides. The
// same seed is the same run, on every machine.
func simulate(seed uint64, newNode func(peers []runtime.NodeID) runtime.Node, out io.Writer) error {
	spec, err := faults.Parse("io=0.02,sync=0.005,torn=0.5,crash=any/1s,drop=0.05")
	if err != nil {
		return err
	}
	ids := []runtime.NodeID{1, 2, 3}
	boots := 0
	c := &client{nodes: len(ids), acked: map[runtime.NodeID]uint64{}}
	c.w = sim.New(sim.Config{
		Seed: seed, Nodes: len(ids), Spec: spec, Driver: c,
		NewNode: func(runtime.NodeID) runtime.Node { boots++; return newNode(ids) },
	})
	defer c.w.Close()
	for _, id := range ids {
		c.w.After(0, uint64(id))
	}
	for c.w.Now() < runtime.Instant(time.Minute) && c.broken == nil && c.w.Step() {
	}
	fmt.Fprintf(out, "seed %d: %d calls done in %v, %d boots, digest %016x\n", seed, c.done, c.w.Now(), boots, c.w.Digest())
	return c.broken
}
