package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/octopii-go/octopii/runtime"
)

// fetcher receives a snapshot from the leader: chunks go to a temporary file at
// their offsets, in any order. When none is missing the file is verified
// as a whole, synced, given its final name, and handed to the core.
//
// A transfer is one leader's, in one term, of one snapshot. A chunk of any other
// begins a new transfer with a new file, so that two never mix.
type fetcher struct {
	node   *Node
	active *transfer // nil: none
}

// transfer is one snapshot on its way in.
type transfer struct {
	from  runtime.NodeID
	term  Term
	meta  SnapshotMeta
	temp  string
	parts []partState
	whole int    // parts from the first on that are stored
	seq   uint64 // of the newest chunk: answers repeat it
	state transferState
}

// partState is what is known of one chunk.
type partState uint8

const (
	partMissing partState = iota
	partWriting
	partStored
)

// transferState is how far a transfer has come.
type transferState uint8

const (
	receiving  transferState = iota // chunks are missing, or the file waits for its turn
	checking                        // a job verifies and publishes the file
	installing                      // the core has it, and asks for the write next
)

// chunk takes a chunk of a snapshot that the leader of this term sends.
func (f *fetcher) chunk(m *Message) {
	t := f.active
	if t == nil || t.from != m.From || t.term != m.Term || t.meta != m.Snapshot {
		if t != nil && t.state != receiving {
			return // it is past the point of return; this one will be sent again
		}
		if m.Snapshot.Size == 0 || m.Snapshot.Size > snapshotSizeMax {
			return
		}
		f.abandon()
		t = &transfer{from: m.From, term: m.Term, meta: m.Snapshot, seq: m.Seq}
		if t.meta.Index <= f.node.core.Status().Commit {
			f.decline(t)
			return
		}
		t.temp = f.node.keeper.tempPath()
		t.parts = make([]partState, (t.meta.Size+shipChunk-1)/shipChunk)
		f.active = t
	}
	t.seq = max(t.seq, m.Seq)
	part := int(m.Offset / shipChunk)
	if m.Offset%shipChunk != 0 || m.Offset >= t.meta.Size || uint64(len(m.Data)) != min(shipChunk, t.meta.Size-m.Offset) {
		return
	}
	switch t.parts[part] {
	case partMissing:
		f.store(t, part, m.Data)
	case partStored:
		f.answer(t)
	}
}

// store writes a chunk to the temporary file.
func (f *fetcher) store(t *transfer, part int, data []byte) {
	n := f.node
	t.parts[part] = partWriting
	job := &storeJob{path: t.temp, offset: int64(part) * shipChunk, data: data}
	n.env.Submit(laneSnapshot, job.execute, func(err error) {
		switch {
		case n.phase == ended || f.active != t:
		case err != nil:
			t.parts[part] = partMissing // it will be sent again
			n.refuse(laneSnapshot, err)
		default:
			t.parts[part] = partStored
			for t.whole < len(t.parts) && t.parts[t.whole] == partStored {
				t.whole++
			}
			f.answer(t)
			f.resume()
			n.settle()
		}
	})
}

// answer tells the sender how many bytes are here. The last chunk does not
// count until the log has taken the snapshot over.
func (f *fetcher) answer(t *transfer) {
	whole := min(t.whole, len(t.parts)-1)
	reply := f.reply(t)
	reply.Offset = uint64(whole) * shipChunk
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

// resume goes on to verify a complete file, as soon as no other file is on its way
// to its final name.
func (f *fetcher) resume() {
	t, n := f.active, f.node
	if t == nil || t.state != receiving || t.whole < len(t.parts) || n.keeper.locked || n.applier.restore.under {
		return
	}
	if t.meta.Index <= max(n.core.Status().Commit, n.keeper.newest.Index) {
		f.abandon()
		f.decline(t)
		return
	}
	n.keeper.locked = true
	t.state = checking
	job := &checkJob{meta: t.meta, temp: t.temp, dir: path.Dir(t.temp)}
	n.env.Submit(laneSnapshot, job.execute, func(err error) { f.checked(t, err) })
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
		f.active = nil // the next chunk begins anew
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

// abandon forgets the active transfer and removes its file.
func (f *fetcher) abandon() {
	if t := f.active; t != nil {
		f.active = nil
		job := removeJob{name: t.temp}
		f.node.env.Submit(laneSnapshot, job.execute, ignore)
	}
}

// storeJob writes a chunk, on the snapshot lane. The first one makes the file.
type storeJob struct {
	path   string
	offset int64
	data   []byte
}

func (j *storeJob) execute(files runtime.FS) error {
	file, err := files.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = files.Create(j.path)
	}
	if err != nil {
		return fmt.Errorf("raft: chunk of %s: %w", j.path, err)
	}
	defer file.Close()
	if _, err := file.WriteAt(j.data, j.offset); err != nil {
		return fmt.Errorf("raft: chunk of %s at %d: %w", j.path, j.offset, err)
	}
	return nil
}

// checkJob verifies a received file, on the snapshot lane, and gives it its final
// name.
type checkJob struct {
	meta SnapshotMeta
	temp string
	dir  string
}

func (j *checkJob) execute(fs runtime.FS) error {
	err := j.syncTemp(fs)
	if err == nil {
		err = readSnapshotFile(fs, j.temp, j.meta, nil)
	}
	if err == nil {
		err = publishSnapshot(fs, j.dir, j.temp, j.meta)
	}
	if err != nil {
		discard(fs, j.temp)
		return fmt.Errorf("raft: received snapshot at %d: %w", j.meta.Index, err)
	}
	return nil
}

func (j *checkJob) syncTemp(fs runtime.FS) error {
	file, err := fs.Open(j.temp)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
