package sim_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"time"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
)

// register is a node that keeps one number in a file: a call with 8 bytes
// sets it, an empty call reads it. It beats to its peers, so that the network
// has something to carry.
type register struct {
	env   runtime.Env
	peers int
	ready bool
	value uint64
	heard uint64
	// broken leaves out the sync.
	broken bool
}

func (r *register) Boot(env runtime.Env) {
	r.env = env
	env.Submit(0, r.load, func(err error) {
		if err != nil {
			env.Halt(err)
			return
		}
		r.ready = true
		env.WakeAt(env.Now().Add(100 * time.Millisecond))
	})
}

func (r *register) load(fsys runtime.FS) error {
	f, err := fsys.Open("value")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return err
	}
	r.value = binary.LittleEndian.Uint64(b[:])
	return nil
}

func (r *register) store(fsys runtime.FS, b []byte) error {
	_ = fsys.Remove("value.tmp") // left over from a crash, or not there
	f, err := fsys.Create("value.tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if !r.broken {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := fsys.Rename("value.tmp", "value"); err != nil {
		return err
	}
	return fsys.SyncDir(".")
}

func (r *register) Receive(runtime.NodeID, runtime.Channel, []byte) { r.heard++ }

func (r *register) Wake() {
	for id := 1; id <= r.peers; id++ {
		if to := runtime.NodeID(id); to != r.env.Self() {
			r.env.Send(to, runtime.ChannelControl, []byte("beat"))
		}
	}
	r.env.WakeAt(r.env.Now().Add(100 * time.Millisecond))
}

func (r *register) Call(id runtime.CallID, _ runtime.Instant, req []byte) {
	switch {
	case !r.ready:
		r.env.Reply(id, runtime.Refused, nil)
	case len(req) == 0:
		r.env.Reply(id, runtime.Done, binary.LittleEndian.AppendUint64(nil, r.value))
	default:
		r.env.Submit(0, func(fsys runtime.FS) error { return r.store(fsys, req) }, func(err error) {
			if err != nil {
				r.env.Halt(err)
				return
			}
			r.value = binary.LittleEndian.Uint64(req)
			r.env.Reply(id, runtime.Done, nil)
		})
	}
}

func (r *register) Cancel(runtime.CallID) {}
func (r *register) Stop()                 { r.env.Halt(nil) }

// client sets the register of node 1 to 1, 2, 3… and checks what it was told.
type client struct {
	w        *sim.World
	next     uint64
	acked    uint64
	sent     uint64
	ops      int
	lost     int
	outcomes [4]int
}

func (c *client) Timer(uint64) {
	c.next++
	if c.next%2 == 0 {
		c.w.Call(1, c.next, 1, time.Second, nil)
		return
	}
	c.sent++
	c.w.Call(1, c.next, 1, time.Second, binary.LittleEndian.AppendUint64(nil, c.sent))
}

func (c *client) Reply(r *sim.CallResult) {
	c.outcomes[r.Outcome]++
	if r.Outcome == runtime.Done {
		if r.Op%2 == 1 {
			c.acked = c.sent
		} else if v := binary.LittleEndian.Uint64(r.Resp); v < c.acked || v > c.sent {
			c.lost++
		}
	}
	c.w.After(1_000_000, 0)
}

// runRegister runs three registers and a client until virtual time is up.
func runRegister(seed uint64, spec string, until time.Duration, broken bool, observe func(*runtime.Record)) (*sim.World, *client) {
	parsed, err := faults.Parse(spec)
	if err != nil {
		panic(err)
	}
	c := &client{}
	w := sim.New(sim.Config{
		Seed: seed, Nodes: 3, Spec: parsed, Driver: c, Observe: observe,
		NewNode: func(runtime.NodeID) runtime.Node { return &register{peers: 3, broken: broken} },
	})
	c.w = w
	w.After(50_000_000, 0)
	for w.Now() < runtime.Instant(until) && w.Step() {
	}
	return w, c
}
