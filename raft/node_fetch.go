package raft

import (
	"fmt"
	"path"
	"strings"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// fetcher fetches a snapshot that the leader offers, into a folder of its own. When it is
// complete, the file is read and verified as a whole, given its final name,
// and handed to the core.
//
// The file is the same on every member that has a snapshot at that index, so all are asked for
// it, and another leader that offers the same one changes nothing. What is on disk when a fetch ends too early, or its
// node, is not fetched again. The folder holds the files of one snapshot at most, and
// counts for nothing: if a power loss takes it, another is fetched.
type fetcher struct {
	node   *Node
	dir    string
	active *transfer // nil: none
}

// transfer is one snapshot on its way in.
type transfer struct {
	from   runtime.NodeID // the leader that offered it last
	term   Term
	seq    uint64 // of that offer
	meta   SnapshotMeta
	digest transport.Digest
	path   string // of the file
	fetch  transport.FetchID
	state  transferState
}

// transferState is how far a transfer has come.
type transferState uint8

const (
	fetching   transferState = iota
	fetched                  // the file is there, and waits for its turn
	checking                 // a job verifies and publishes it
	installing               // the core has it, and asks for the write next
)

func (f *fetcher) init(n *Node) {
	f.node = n
	f.dir = path.Join(n.cfg.Dir, "recv")
}

// offered takes the offer of a snapshot by the leader of this term.
func (f *fetcher) offered(m *Message) {
	digest := transport.Digest{Hash: m.Digest, Size: int64(m.Snapshot.Size)}
	t := f.active
	if t != nil && t.meta == m.Snapshot && t.digest == digest {
		t.from, t.term, t.seq = m.From, m.Term, m.Seq
		f.answer(t)
		return
	}
	if t != nil && (t.state >= checking || t.from == m.From && t.term == m.Term && t.seq > m.Seq) {
		return // it is past the point of return, or this is an old offer: the leader makes another
	}
	if m.Snapshot.Size == 0 || m.Snapshot.Size > snapshotSizeMax {
		return
	}
	f.abandon()
	t = &transfer{from: m.From, term: m.Term, seq: m.Seq, meta: m.Snapshot, digest: digest}
	if t.meta.Index <= f.node.core.Status().Commit {
		f.decline(t)
		return
	}
	f.begin(t)
	f.answer(t)
}

// begin fetches a snapshot. What the folder holds of another one goes.
func (f *fetcher) begin(t *transfer) {
	n := f.node
	name := snapshotName(t.meta)
	n.env.Submit(laneShip, clearJob{dir: f.dir, keep: name}.execute, ignore)
	t.path = f.dir + "/" + name
	order := transport.Order{Digest: t.digest, Path: t.path, Sources: []runtime.NodeID{t.from}}
	for _, id := range n.cfg.Core.Voters {
		if id != n.env.Self() && id != t.from {
			order.Sources = append(order.Sources, id)
		}
	}
	id, err := n.shipper.lane.Fetch(n.env.Now(), order)
	if err != nil {
		panic(fmt.Sprintf("raft: fetch of %s: %v", t.path, err)) // it is the only one, and small enough
	}
	t.fetch, f.active = id, t
	ev := event(transport.FetchBegun, uint64(id), 0, t.digest.Hash, t.meta.Size)
	ev.Note = []byte(t.path)
	n.env.Trace(ev)
	n.shipper.flush()
}

// answer tells the leader how many bytes are here. The last one does not
// count until the log has taken the snapshot over.
func (f *fetcher) answer(t *transfer) {
	reply := f.reply(t)
	reply.Offset = t.meta.Size - 1
	if p, under := f.node.shipper.lane.Progress(t.fetch); under {
		reply.Offset = min(reply.Offset, uint64(p.Stored))
	}
	f.node.outbox.send(&reply)
}

// reply returns an answer in the term of now, in which the receiver may have
// voted for another leader: then nobody counts it.
func (f *fetcher) reply(t *transfer) Message {
	status := f.node.core.Status()
	return Message{
		Type: MsgSnapshotReply, From: f.node.env.Self(), To: t.from, Term: status.Term,
		Index: t.meta.Index, Commit: status.Commit, Seq: t.seq, Snapshot: t.meta,
	}
}

// fetched takes the end of a fetch. One that failed goes on with the leader's next offer.
func (f *fetcher) fetched(end *transport.Fetched) {
	t, n := f.active, f.node
	if end.Err != nil {
		f.active = nil
		note := []byte(end.Err.Error())
		ev := event(transport.FetchEnded, uint64(end.ID), 0, end.Order.Digest.Hash, 0)
		ev.Note = note[:min(len(note), noteMax)]
		n.env.Trace(ev)
		return
	}
	t.state = fetched
	f.resume()
}

// resume goes on to verify a complete file, as soon as no other file is on its way
// to its final name.
func (f *fetcher) resume() {
	t, n := f.active, f.node
	if t == nil || t.state != fetched || n.keeper.locked || n.applier.restore.under || f.outrun() {
		return
	}
	n.keeper.locked = true
	t.state = checking
	job := &checkJob{meta: t.meta, received: t.path, dir: n.keeper.dir}
	n.env.Submit(laneSnapshot, job.execute, func(err error) { f.checked(t, err) })
}

// outrun gives up a transfer that is not needed any more, and reports whether it did: the node has all that
// the snapshot covers.
func (f *fetcher) outrun() bool {
	t, n := f.active, f.node
	if t == nil || t.state >= checking || t.meta.Index > max(n.core.Status().Commit, n.keeper.newest.Index) {
		return false
	}
	f.abandon()
	f.decline(t)
	return true
}

// checked hands a file that is durable under its final name to the core.
func (f *fetcher) checked(t *transfer, err error) {
	n := f.node
	if n.phase == ended {
		return
	}
	n.keeper.locked = false
	if err != nil {
		n.refuse(laneSnapshot, err)
		f.active = nil // the next offer begins anew
		n.keeper.consider()
		n.settle()
		return
	}
	if !n.core.Install(t.meta) {
		f.active = nil
		n.keeper.unwanted(t.meta)
		f.decline(t)
		n.settle()
		return
	}
	n.keeper.keep(t.meta)
	t.state = installing
	n.applier.install(t.meta)
	n.settle()
}

// staged notes which write installs the snapshot, and lets the answer wait
// for it.
func (f *fetcher) staged(w *Write) {
	t := f.active
	if t == nil || t.state != installing {
		return
	}
	if w.Reset != nil && w.Reset.Index == t.meta.Index || w.Compact != nil && w.Compact.Index == t.meta.Index {
		reply := f.reply(t)
		reply.Offset = t.meta.Size
		f.node.outbox.gate(&Gated{Write: w.ID, Message: reply})
		f.active = nil
	}
}

// decline answers that the node is past the snapshot.
func (f *fetcher) decline(t *transfer) {
	reply := f.reply(t)
	reply.Reject = true
	f.node.outbox.send(&reply)
}

// abandon forgets the active transfer and removes its files.
func (f *fetcher) abandon() {
	if t, n := f.active, f.node; t != nil {
		f.active = nil
		n.shipper.lane.Cancel(t.fetch)
		n.env.Submit(laneShip, clearJob{dir: f.dir}.execute, ignore)
	}
}

// clearJob removes from the folder of received files what does not belong to the snapshot named, on the shipping lane. What
// it leaves goes another time.
type clearJob struct {
	dir  string
	keep string // prefix of names; empty: nothing is kept
}

func (j clearJob) execute(files runtime.FS) error {
	names, err := files.List(j.dir)
	for _, name := range names {
		if j.keep == "" || !strings.HasPrefix(name, j.keep) {
			discard(files, j.dir+"/"+name)
		}
	}
	return err
}

// checkJob verifies a received file, on the snapshot lane, and gives it its final
// name.
type checkJob struct {
	meta     SnapshotMeta
	received string
	dir      string // of snapshots
}

func (j *checkJob) execute(fs runtime.FS) error {
	err := readSnapshotFile(fs, j.received, j.meta, nil, nil)
	if err == nil {
		err = publishSnapshot(fs, j.dir, j.received, j.meta)
	}
	if err != nil {
		return fmt.Errorf("raft: received snapshot at %d: %w", j.meta.Index, err)
	}
	return nil
}
