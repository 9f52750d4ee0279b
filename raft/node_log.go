package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// What the log holds. The recovery topic says a second time which entries the
// main one has.
const (
	topicMain     walrus.Topic = 1
	topicRecovery walrus.Topic = 2

	keyState    uint16 = 1 // the hard state
	keySnapshot uint16 = 2 // the meta of the newest snapshot
)

// Limits of staging.
const (
	// groupMax is how many bytes the log takes while a group is being flushed.
	groupMax = 4 << 20
	// groupReserve is kept free of entries, for votes and truncations.
	groupReserve = 64 << 10
	// entryInLog is more than an entry takes in the log beside its payload.
	entryInLog = 128
)

// chorePause is the time after which a failed chore of the log is tried again, and a
// flush for which there was no space.
const chorePause = 50 * time.Millisecond

// hardStateSize is the length of an encoded HardState: term, vote and
// incarnation, u64 little endian each.
const hardStateSize = 24

func appendHardState(dst []byte, st HardState) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(st.Term))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(st.Vote))
	return binary.LittleEndian.AppendUint64(dst, st.Incarnation)
}

// DecodeHardState is for those who judge what a disk holds: it decodes the value
// that StatePlaced points to.
func DecodeHardState(p []byte) (HardState, error) {
	if len(p) != hardStateSize {
		return HardState{}, fmt.Errorf("raft: hard state of %d bytes", len(p))
	}
	return HardState{
		Term:        Term(binary.LittleEndian.Uint64(p)),
		Vote:        runtime.NodeID(binary.LittleEndian.Uint64(p[8:])),
		Incarnation: binary.LittleEndian.Uint64(p[16:]),
	}, nil
}

// logOptions says how the node's log is to be opened.
func logOptions(cfg *NodeConfig, seed uint64) walrus.Options {
	return walrus.Options{
		Dir:          path.Join(cfg.Dir, "log"),
		Seed:         seed,
		SegmentBytes: cfg.SegmentBytes,
		GroupBytes:   groupMax,
		Mirror:       []walrus.Mirror{{Main: topicMain, Recovery: topicRecovery}},
	}
}

// writer feeds the log. Writes are staged as they come; while one group is
// being flushed the next one fills.
type writer struct {
	node   *Node
	log    *walrus.Log // nil while booting
	batch  walrus.Batch
	values []byte // of the keys that batch sets
	file   string // where records were placed last
	note   []byte // the same, for events

	flush     flushJob // of the group in flight
	flushing  bool
	began     runtime.Instant // when the group in flight was first submitted
	flushAt   runtime.Instant // when to flush the group in flight again; Never: it is being flushed
	spaceless bool            // there was no space for the group in flight
	staged    WriteID         // the last write in the open group, or before
	flushed   WriteID         // the last write in the group in flight, or before
	durable   WriteID

	choring    bool
	choreDone  func(error)
	choreAt    runtime.Instant // when to ask the log for its next chore
	choreEnded func(error)     // endChore, bound once
}

// flushJob is the lane's part of a flush: its group.
type flushJob struct {
	group *walrus.Group
	run   func(runtime.FS) error // execute, bound once
	done  func(error)
}

func (j *flushJob) execute(fs runtime.FS) error { return walrus.Flush(fs, j.group) }

func (w *writer) init(n *Node) {
	w.node = n
	w.flush.run = w.flush.execute
	w.flush.done = w.endFlush
	w.flushAt = runtime.Never
	w.choreEnded = w.endChore
}

// full reports whether that many more bytes and entries should not be taken in
// before the disk has caught up or has space again.
func (w *writer) full(bytes, entries int) bool {
	room := bytes + entries*entryInLog
	return entries > 0 && (w.log.StagedBytes()+room > groupMax-groupReserve || w.log.NoSpace(room))
}

// noSpace reports whether that many more bytes and entries have no room because the disk is full: because the log has said
// so, or because the group in flight does not fit.
func (w *writer) noSpace(bytes, entries int) bool {
	return w.spaceless || w.log.NoSpace(bytes+entries*entryInLog)
}

// busy reports whether anything is staged, in flight or being tidied up.
func (w *writer) busy() bool { return w.flushing || w.choring || w.durable < w.staged }

// stalled reports whether the group in flight has been so for too long, or waits for space.
func (w *writer) stalled(now runtime.Instant) bool {
	return w.flushing && now.Sub(w.began) >= w.node.cfg.StallTimeout
}

// stage puts a write into the open group.
func (w *writer) stage(write *Write) {
	if write.ID != w.staged+1 {
		panic(fmt.Sprintf("raft: write %d after %d", write.ID, w.staged))
	}
	w.staged = write.ID
	b := &w.batch
	b.Reset()
	b.Insist() // entries were asked about in full, and what the core has taken in cannot be refused
	w.values = w.values[:0]
	if write.Reset != nil {
		b.Rebase(topicMain, uint64(write.Reset.Index)+1)
		w.setSnapshot(*write.Reset)
	}
	if write.TruncateFrom > 0 {
		b.TruncateBack(topicMain, uint64(write.TruncateFrom))
	}
	for i := range write.Entries {
		e := &write.Entries[i]
		b.Entry(topicMain, uint64(e.Index), uint64(e.Term), uint8(e.Type), e.Data)
	}
	if write.Compact != nil {
		w.setSnapshot(*write.Compact)
		b.TruncateFront(topicMain, uint64(write.First))
	}
	if write.HasState {
		start := len(w.values)
		w.values = appendHardState(w.values, write.State)
		b.Set(keyState, w.values[start:])
	}
	if err := w.log.Stage(b); err != nil {
		// The limits above keep the group small enough, and the core knows its
		// own log: this is a bug, or a log that has failed before.
		w.node.halt(fmt.Errorf("raft: staging write %d: %w", write.ID, err))
	}
}

func (w *writer) setSnapshot(meta SnapshotMeta) {
	start := len(w.values)
	w.values = appendMeta(w.values, &meta)
	w.batch.Set(keySnapshot, w.values[start:])
}

// begin starts the flush of what is staged, unless one is under way. A chore of
// the log goes first: what is flushed next may need the file it prepares.
func (w *writer) begin() {
	if w.node.env.Now() >= w.choreAt {
		w.beginChore()
	}
	if w.flushing {
		if w.flushAt != runtime.Never && (w.node.env.Now() >= w.flushAt || w.node.phase == draining) {
			w.flushAt = runtime.Never
			w.node.env.Submit(laneLog, w.flush.run, w.flush.done)
		}
		return
	}
	if group := w.log.Cut(); group != nil {
		w.flush.group, w.flushing, w.flushed = group, true, w.staged
		w.began = w.node.env.Now()
		w.node.env.Submit(laneLog, w.flush.run, w.flush.done)
	}
}

// endFlush learns that the group is durable. If it is not, nobody can say what
// of it is on disk, and no later sync can: the node ends in this very step.
func (w *writer) endFlush(err error) {
	n := w.node
	if n.phase == ended {
		return
	}
	if errors.Is(err, walrus.ErrNoSpace) && n.phase == running {
		// Nothing was promised, and the same group can be written when there is space.
		n.refuse(laneLog, err)
		w.spaceless = true
		w.flushAt = n.env.Now().Add(chorePause)
		n.settle()
		return
	}
	if err != nil {
		w.log.Fail(err)
		n.halt(fmt.Errorf("raft: log: %w", err))
		return
	}
	w.flushing = false
	w.spaceless = false
	w.log.Publish(w.flush.group)
	w.placed(w.log.Placed())
	for w.durable < w.flushed {
		w.durable++
		n.core.Persisted(w.durable)
	}
	n.outbox.release(w.durable)
	if !w.choring && w.choreAt == runtime.Never {
		w.choreAt = 0 // what was published may have made work
	}
	n.settle()
}

// placed traces where the records of the published group are. The log repeats
// its keys now and then: their values are those that it has now.
func (w *writer) placed(places []walrus.Placed) {
	n := w.node
	for i := range places {
		p := &places[i]
		if p.File != w.file {
			w.file, w.note = p.File, []byte(p.File)
		}
		ev := runtime.Event{C: uint64(p.Offset), D: uint64(p.Length), Note: w.note}
		switch {
		case !p.IsSet && p.Topic == topicMain:
			ev.Kind, ev.A, ev.B = EntryPlaced, p.Index, p.Term
			n.env.Trace(ev)
		case p.IsSet && p.Key == keyState:
			value, _ := w.log.Get(keyState)
			st, err := DecodeHardState(value)
			if err != nil {
				panic(err.Error())
			}
			ev.Kind, ev.A, ev.B = StatePlaced, uint64(st.Term), uint64(st.Vote)
			n.env.Trace(ev)
		case p.IsSet && p.Key == keySnapshot:
			value, _ := w.log.Get(keySnapshot)
			n.keeper.named(decodeMeta(value))
		}
	}
}

// beginChore submits the next chore of the log, if there is one.
func (w *writer) beginChore() {
	w.choreAt = runtime.Never
	job, done := w.log.Chore()
	if job == nil {
		return
	}
	w.choring, w.choreDone = true, done
	w.node.env.Submit(laneLog, job, w.choreEnded)
}

func (w *writer) endChore(err error) {
	n := w.node
	if n.phase == ended {
		return
	}
	w.choring = false
	w.choreDone(err)
	w.choreAt = n.env.Now()
	if err != nil {
		n.refuse(laneLog, err)
		w.choreAt = w.choreAt.Add(chorePause)
	}
	n.settle()
}
