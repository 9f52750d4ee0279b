package main

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// counter is a node: it counts calls, durably, and tells its peers how far it has come. It knows nothing of the world but its
// Env, so the simulator runs what production runs.
type counter struct {
	peers []runtime.NodeID
	env   runtime.Env
	count uint64 // decided; what is on disk may lag behind
	ready bool
	heard map[runtime.NodeID]uint64 // from peers
}

// gossipEvery is how often a node tells its peers.
const gossipEvery = 100 * time.Millisecond

// kindCount is the kind of this node's only frame. The payload is the count, u64 little endian.
const kindCount = 1

func newCounter(peers []runtime.NodeID) *counter {
	return &counter{peers: peers, heard: map[runtime.NodeID]uint64{}}
}

// Boot implements runtime.Node. Disk work is a job on a lane; the loop never blocks.
func (c *counter) Boot(env runtime.Env) {
	c.env = env
	var found uint64
	env.Submit(0, func(files runtime.FS) (err error) {
		found, err = load(files)
		return err
	}, func(err error) {
		if err != nil {
			env.Halt(err) // the world starts the node again
			return
		}
		c.count, c.ready = found, true
		env.WakeAt(env.Now())
	})
}

// Call implements runtime.Node: one more. It is done when it is durable, and not before.
func (c *counter) Call(id runtime.CallID, _ runtime.Instant, _ []byte) {
	if !c.ready {
		c.env.Reply(id, runtime.Refused, nil)
		return
	}
	c.count++
	n := c.count // a job captures values, never the node
	c.env.Submit(0, func(files runtime.FS) error { return store(files, n) }, func(err error) {
		if err != nil {
			c.env.Halt(err) // after a failed sync nobody knows what is on disk
			return
		}
		c.env.Reply(id, runtime.Done, binary.LittleEndian.AppendUint64(nil, n))
	})
}

// Wake implements runtime.Node: the alarm is due.
func (c *counter) Wake() {
	for _, peer := range c.peers {
		if peer == c.env.Self() {
			continue
		}
		frame := binary.LittleEndian.AppendUint64(transport.AppendHeader(nil, kindCount), c.count)
		if err := transport.Seal(frame); err != nil {
			panic(err) // it is small enough
		}
		c.env.Send(peer, runtime.ChannelControl, frame)
	}
	c.env.WakeAt(c.env.Now().Add(gossipEvery))
}

// Receive implements runtime.Node. A frame may be anything.
func (c *counter) Receive(from runtime.NodeID, _ runtime.Channel, frame []byte) {
	kind, payload, err := transport.Decode(frame)
	if err != nil || kind != kindCount || len(payload) != 8 {
		return
	}
	c.heard[from] = max(c.heard[from], binary.LittleEndian.Uint64(payload)) // late and repeated frames do no harm
}

// Cancel implements runtime.Node.
func (c *counter) Cancel(runtime.CallID) {}

// Stop implements runtime.Node.
func (c *counter) Stop() { c.env.Halt(nil) }

// The files, in the node's folder.
const (
	file = "count"
	temp = "count.new"
)

// A file has two slots, written in turns: a number, and the same once more, scrambled. A crash in the middle of a write leaves the
// other slot as it was.
const slot = 16

// load returns the greatest number on disk, and makes the file anew: that it is there does not say that its name is durable. The
// sync of the folder may have failed in an earlier life, and one that succeeds now would prove nothing about it.
func load(files runtime.FS) (uint64, error) {
	found, err := read(files)
	if err != nil {
		return 0, err
	}
	if err := files.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	f, err := files.Create(temp)
	if err != nil {
		return 0, err
	}
	err = write(f, found)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = files.Rename(temp, file)
	}
	if err == nil {
		err = files.SyncDir(".")
	}
	return found, err
}

func read(files runtime.FS) (found uint64, err error) {
	f, err := files.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	p := make([]byte, 2*slot)
	if _, err := f.ReadAt(p, 0); err != nil && err != io.EOF {
		return 0, err
	}
	for s := p; len(s) > 0; s = s[slot:] {
		if n := binary.LittleEndian.Uint64(s); binary.LittleEndian.Uint64(s[8:]) == runtime.Mix(1, n) {
			found = max(found, n)
		}
	}
	return found, nil
}

// store makes the number durable.
func store(files runtime.FS, n uint64) error {
	f, err := files.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(f, n)
}

func write(f runtime.File, n uint64) error {
	p := binary.LittleEndian.AppendUint64(nil, n)
	p = binary.LittleEndian.AppendUint64(p, runtime.Mix(1, n))
	if _, err := f.WriteAt(p, int64(n%2*slot)); err != nil {
		return err
	}
	return f.Sync()
}
