package scenarios

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// walReading is a read of a client: the entries [lo, hi) of a topic.
type walReading struct {
	call   runtime.CallID
	topic  walrus.Topic
	lo, hi uint64
	sum    uint64 // of what was read
	events []runtime.Event
}

// read locates as many entries as go into one job, and reads them.
func (n *walNode) read(r *walReading) {
	extents, err := n.log.Locate(r.topic, r.lo, r.hi, walReadBytes)
	ev := runtime.Event{Kind: oracle.WalLocated, A: uint64(r.call), B: uint64(r.topic), C: r.lo, D: r.hi, Note: []byte(whyNot(err))}
	if err != nil {
		n.env.Trace(ev)
		n.endRead(r, runtime.Done)
		return
	}
	ev.D = extents[len(extents)-1].Hi
	n.env.Trace(ev)
	n.reads++
	r.events = r.events[:0]
	job := func(files runtime.FS) error { return walrus.ReadExtents(files, extents, r.visit) }
	n.env.Submit(walReadLane, job, func(err error) {
		n.reads--
		n.log.Release(extents)
		n.wasRead(r, ev.D, err)
		n.settle()
	})
}

// visit runs on the read lane.
func (r *walReading) visit(index, term uint64, flags uint8, payload []byte) error {
	r.events = append(r.events, runtime.Event{
		Kind: oracle.WalEntryRead, A: uint64(r.call), B: uint64(r.topic), C: index, D: oracle.HashWalEntry(term, flags, payload),
	})
	return nil
}

// wasRead takes what a job has read up to hi. A record that is damaged will be
// damaged the next time, too: it is mended, if it is known which one that is.
func (n *walNode) wasRead(r *walReading, hi uint64, err error) {
	for _, ev := range r.events {
		n.env.Trace(ev)
		r.sum = runtime.Mix(r.sum, ev.D)
	}
	ended := runtime.Event{Kind: oracle.WalReadEnded, A: uint64(r.call)}
	if err != nil {
		ended.Note = []byte(err.Error())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		ended.B = 1
	case errors.Is(err, walrus.ErrCorrupt):
		ended.B = 2
	}
	n.env.Trace(ended)
	switch {
	case errors.Is(err, walrus.ErrCorrupt) && !n.damaged(err):
		n.env.Halt(err)
	case err != nil:
		n.endRead(r, runtime.Unknown)
	case hi < r.hi:
		r.lo = hi
		n.read(r)
	default:
		n.endRead(r, runtime.Done)
	}
}

func (n *walNode) endRead(r *walReading, o runtime.Outcome) {
	n.env.Reply(r.call, o, binary.LittleEndian.AppendUint64(nil, r.sum))
}
