package member

import (
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// noteMax bounds the note of an event, in bytes.
const noteMax = 200

// carryShipping does what the Shipper asks for. It returns whether there was anything.
func (n *Node) carryShipping() bool {
	out := n.shipper.Take()
	for _, ev := range out.Events {
		n.env.Trace(ev)
	}
	for _, f := range out.Send {
		n.env.Send(f.To, runtime.ChannelFiles, f.Frame)
	}
	for _, j := range out.Jobs {
		n.env.Submit(j.Lane, j.Run, func(err error) {
			n.shipper.JobDone(n.env.Now(), j.ID, err)
			n.settle()
		})
	}
	for _, o := range out.Offered {
		if done := n.offering[o.ID]; done != nil {
			delete(n.offering, o.ID)
			done(o)
		}
	}
	for i := range out.Fetched {
		n.fetched(out.Fetched[i])
	}
	return len(out.Send)+len(out.Jobs)+len(out.Offered)+len(out.Fetched) > 0
}

// fetched tells how a fetch has ended.
func (n *Node) fetched(f transport.Fetched) {
	ev := runtime.Event{
		Kind: transport.FileShipped, A: uint64(f.ID), C: f.Order.Digest.Hash, D: uint64(f.Order.Digest.Size), Note: []byte(f.Order.Path),
	}
	switch {
	case f.Err != nil:
		note := []byte(f.Err.Error())
		ev.Kind, ev.D, ev.Note = transport.FetchEnded, 0, note[:min(len(note), noteMax)]
	case f.Order.Path == "":
		ev.B = runtime.HashBytes(0, f.Data)
	}
	n.env.Trace(ev)
	if done := n.fetching[f.ID]; done != nil {
		delete(n.fetching, f.ID)
		done(f)
	}
}

// OfferBytes offers bytes to all peers, as transport.Shipper.OfferBytes does.
func (n *Node) OfferBytes(data []byte) (transport.Digest, error) { return n.shipper.OfferBytes(data) }

// OfferFile reads a file of the node's folder and offers it to all peers. done is told its digest, or why not. The
// error matches transport.ErrBusy: then done is not called.
func (n *Node) OfferFile(path string, done func(transport.Offered)) error {
	id, err := n.shipper.OfferFile(path)
	if err == nil {
		n.offering[id] = done
	}
	n.settle()
	return err
}

// Withdraw ends an offer. It returns false if there is none.
func (n *Node) Withdraw(d transport.Digest) bool { return n.shipper.Withdraw(d) }

// Fetch fetches an object from peers. done is told how that ended, unless CancelFetch comes before. Errors are those
// of transport.Shipper.Fetch: then there is no fetch.
func (n *Node) Fetch(order transport.Order, done func(transport.Fetched)) (transport.FetchID, error) {
	id, err := n.shipper.Fetch(n.env.Now(), order)
	if err != nil {
		return 0, err
	}
	n.env.Trace(runtime.Event{
		Kind: transport.FetchBegun, A: uint64(id), C: order.Digest.Hash, D: uint64(order.Digest.Size), Note: []byte(order.Path),
	})
	n.fetching[id] = done
	n.settle()
	return id, nil
}

// Progress returns how far a fetch has come, false if it is over.
func (n *Node) Progress(id transport.FetchID) (transport.Progress, bool) {
	return n.shipper.Progress(id)
}

// CancelFetch ends a fetch. What was received stays on disk. It returns false if there is no such fetch.
func (n *Node) CancelFetch(id transport.FetchID) bool {
	delete(n.fetching, id)
	found := n.shipper.Cancel(id)
	n.settle()
	return found
}
