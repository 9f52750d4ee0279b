package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// snapshotPause is the time after which a snapshot that failed may be tried again.
const snapshotPause = 200 * time.Millisecond

// shipKeep is for how many snapshots the log keeps what a peer needs that is sent an older one.
const shipKeep = 10

// Names in the folder of snapshots.
const (
	finalSuffix = ".snap"
	tempSuffix  = ".tmp"
)

// keeper takes snapshots of the node's own state, and knows which snapshot
// files there are.
//
// A file gets its final name when every byte of it was synced, and counts when
// the folder was synced after that. Only then is the core told, which writes the meta to
// the log; only when that is durable are older files removed. So at any moment
// the snapshot that the log names is there, whole.
//
// A sync that fails here is no reason to halt, unlike one of the log. Nobody was
// told of the file: not the core, no peer, no client. It is removed, and the
// next attempt writes every byte to a new file with a name of its own
// and makes new directory entries, so that no later success of a sync is taken
// for the durability of bytes or names that the failed one has lost.
type keeper struct {
	node *Node
	dir  string

	newest   SnapshotMeta   // durable as a file; zero: none
	files    []SnapshotMeta // files with a final name, oldest first
	claimed  Index          // the log durably names the snapshot here
	damaged  bool           // the newest one's file, on disk
	locked   bool           // a file is on its way to its final name
	removing bool
	attempts uint64          // numbers temporary files of this boot
	after    runtime.Instant // no new attempt before, unless one is demanded
	demands  []demand        // those who wait for a snapshot, in no order
}

func (k *keeper) init(n *Node) {
	k.node = n
	k.dir = path.Join(n.cfg.Dir, "snap")
}

func (k *keeper) path(name string) string { return k.dir + "/" + name }

// tempPath returns a name that no file of this boot has had.
func (k *keeper) tempPath() string {
	k.attempts++
	return k.path(strconv.FormatUint(k.attempts, 10) + tempSuffix)
}

// found takes over what recovery found.
func (k *keeper) found(meta SnapshotMeta) {
	if meta.Index > 0 {
		k.newest, k.claimed, k.files = meta, meta.Index, append(k.files, meta)
	}
}

// next returns the first index after another one at which a snapshot is due.
func (k *keeper) next(after Index) Index {
	every := Index(k.node.cfg.SnapshotEvery)
	return (after/every + 1) * every
}

// consider takes a snapshot if one has become due since the last. It is asked
// again after every batch, so that no occasion is lost.
func (k *keeper) consider() {
	n := k.node
	due := n.applier.applied >= k.next(k.newest.Index) || k.damaged && n.applier.applied > k.newest.Index
	due = due && n.env.Now() >= k.after
	if !due && !k.demanded() || k.locked || n.phase != running || n.applier.restore.under {
		return
	}
	k.locked = true
	job := &captureJob{replica: n.applier.replica}
	n.env.Submit(laneApply, job.execute, func(err error) {
		if n.phase == ended {
			return
		}
		if err != nil {
			k.failed(laneApply, err)
			return
		}
		k.write(job)
	})
}

// captureJob captures the state, on the apply lane.
type captureJob struct {
	replica *replica
	image   Image
	meta    SnapshotMeta
}

func (j *captureJob) execute(runtime.FS) (err error) {
	j.meta = SnapshotMeta{Index: j.replica.index, Term: j.replica.term, Chain: j.replica.chain}
	j.image, err = j.replica.machine.Snapshot()
	return err
}

// write writes a captured state to a file.
func (k *keeper) write(captured *captureJob) {
	n := k.node
	job := &writeJob{image: captured.image, meta: captured.meta, dir: k.dir, temp: k.tempPath()}
	n.env.Submit(laneSnapshot, job.execute, func(err error) {
		switch {
		case n.phase == ended:
		case err != nil:
			k.failed(laneSnapshot, err)
		default:
			k.locked = false
			n.env.Trace(event(SnapshotTaken, uint64(job.meta.Index), uint64(job.meta.Term), job.meta.Chain, job.meta.Hash))
			k.keep(job.meta)
			n.core.SnapshotSaved(job.meta, k.entries(job.meta))
			n.fetcher.resume()
			k.consider()
			n.settle()
		}
	})
}

// entries returns how many entries before a new snapshot stay in the log. While a peer is sent an older one
// that is more than usual, since it needs what follows that: otherwise a transfer that takes longer than the next
// snapshot would be followed by another, for ever. It is not without end, as the peer may never be done.
func (k *keeper) entries(meta SnapshotMeta) uint64 {
	n := k.node
	oldest := n.shipper.oldest()
	if oldest == 0 || oldest >= meta.Index {
		return n.cfg.SnapshotKeep
	}
	since := uint64(meta.Index - oldest)
	if since/shipKeep > n.cfg.SnapshotEvery {
		since = shipKeep * n.cfg.SnapshotEvery
	}
	return max(n.cfg.SnapshotKeep, since)
}

// failed ends an attempt that left nothing behind.
func (k *keeper) failed(lane runtime.Lane, err error) {
	n := k.node
	k.locked = false
	k.after = n.env.Now().Add(snapshotPause)
	n.refuse(lane, err)
	n.fetcher.resume()
	k.disappoint(err)
	n.settle()
}

// keep notes a new file that is durable under its final name.
func (k *keeper) keep(meta SnapshotMeta) {
	if meta.Index <= k.newest.Index {
		panic(fmt.Sprintf("raft: snapshot at %d after one at %d", meta.Index, k.newest.Index))
	}
	k.newest, k.files, k.damaged = meta, append(k.files, meta), false
	ev := event(SnapshotPlaced, uint64(meta.Index), uint64(meta.Term), meta.Hash, meta.Size)
	ev.Note = []byte(k.path(snapshotName(meta)))
	k.node.env.Trace(ev)
	k.satisfy()
}

// named says that the log durably names this snapshot.
func (k *keeper) named(meta SnapshotMeta) {
	if meta.Index > k.claimed { // the log repeats what it knows now and then
		k.claimed = meta.Index
		k.node.applier.compact(meta.Index)
	}
	k.sweep()
}

// unwanted removes a file that was published in vain: no log will name it.
func (k *keeper) unwanted(meta SnapshotMeta) {
	job := removeJob{name: k.path(snapshotName(meta))}
	k.node.env.Submit(laneSnapshot, job.execute, ignore)
}

// ignore is the end of a job whose failure changes nothing.
func ignore(error) {}

// sweep removes files that are older than the one the log names, unless a peer
// was offered one and has not got it yet, one after another. One that could not be removed is tried
// again at the next sweep.
func (k *keeper) sweep() {
	n := k.node
	if k.removing {
		return
	}
	at := slices.IndexFunc(k.files, func(meta SnapshotMeta) bool {
		return meta.Index < k.claimed && !n.shipper.sends(meta)
	})
	if at < 0 {
		return
	}
	k.removing = true
	old := k.files[at]
	n.shipper.withdraw(old)
	job := removeJob{name: k.path(snapshotName(old))}
	n.env.Submit(laneSnapshot, job.execute, func(err error) {
		if n.phase == ended {
			return
		}
		k.removing = false
		if err != nil {
			n.refuse(laneSnapshot, err)
		} else {
			k.files = slices.DeleteFunc(k.files, func(meta SnapshotMeta) bool { return meta == old })
			k.sweep()
		}
		n.settle()
	})
}

// removeJob removes a file, on the snapshot lane. The folder is not synced: if the
// name comes back after a power loss, the next boot removes it.
type removeJob struct{ name string }

func (j removeJob) execute(files runtime.FS) error {
	err := files.Remove(j.name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("raft: remove %s: %w", j.name, err)
}

// writeJob writes a captured state, on the snapshot lane, and gives it its
// final name.
type writeJob struct {
	image Image
	meta  SnapshotMeta // completed by execute
	dir   string
	temp  string
}

func (j *writeJob) execute(fs runtime.FS) error {
	defer j.image.Release()
	err := j.writeTemp(fs)
	if err == nil {
		err = publishSnapshot(fs, j.dir, j.temp, j.meta)
	}
	if err != nil {
		discard(fs, j.temp)
		return fmt.Errorf("raft: snapshot at %d: %w", j.meta.Index, err)
	}
	return nil
}

// writeTemp writes and syncs the file under its temporary name.
func (j *writeJob) writeTemp(fs runtime.FS) error {
	file, err := fs.Create(j.temp)
	if err != nil {
		return err
	}
	defer file.Close()
	w := newSnapshotWriter(file, j.meta)
	if _, err := j.image.WriteTo(w); err != nil {
		return err
	}
	if j.meta, err = w.finish(); err != nil {
		return err
	}
	return file.Sync()
}

// publishSnapshot gives a synced file its final name, durably. If it fails, the
// name is taken away again: whether it is durable is unknown.
func publishSnapshot(fs runtime.FS, dir, temp string, meta SnapshotMeta) error {
	final := dir + "/" + snapshotName(meta)
	err := fs.Rename(temp, final)
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		discard(fs, final)
	}
	return err
}

// discard removes a file that nobody was told of. If that fails, the next boot
// does it.
func discard(fs runtime.FS, name string) {
	_ = fs.Remove(name) // nothing depends on its success
}
