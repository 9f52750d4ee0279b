package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// recoverBytes is how much of the log is read at a time during recovery.
const recoverBytes = 1 << 20

// Boot implements [runtime.Node]. Recovery is a job on the log lane, then, if there
// is a snapshot or a state machine with files, jobs on the apply lane; then the core starts. If anything
// cannot be read, or is not what a node leaves behind, the node halts: it
// never begins with less than it had.
func (n *Node) Boot(env runtime.Env) {
	n.env = env
	n.cfg.Core.ID = env.Self()
	if err := n.cfg.Core.Validate(); err != nil {
		n.halt(err)
		return
	}
	job := &bootJob{
		options:     logOptions(&n.cfg, env.Uint64(purposeLogSeed)),
		snapshots:   n.keeper.dir,
		received:    n.fetcher.dir,
		incarnation: env.Uint64(purposeIncarnation),
	}
	env.Submit(laneLog, job.execute, func(err error) { n.recovered(job, err) })
}

// recovered takes over what was found on disk. What recovery has to say of the log comes first: whoever looks at the
// trace is to see that a log was cut short before he sees what it holds.
func (n *Node) recovered(job *bootJob, err error) {
	if n.phase == ended {
		return
	}
	for i := range job.findings {
		f := &job.findings[i]
		n.env.Trace(runtime.Event{Kind: BootFinding, A: uint64(f.Verdict), B: uint64(f.Offset), C: uint64(f.Bytes), Note: []byte(f.File)})
	}
	if err != nil {
		n.halt(err)
		return
	}
	n.writer.log = job.log
	first := job.state.FirstIndex
	for i, hash := range job.hashes {
		n.env.Trace(event(Recovered, uint64(first)+uint64(i), uint64(job.terms[i]), hash, 0))
	}
	n.keeper.found(job.state.Snapshot)
	n.writer.placed(job.placed)
	n.applier.open(func() {
		if job.state.Snapshot.Index == 0 {
			n.start(job.state)
			return
		}
		n.applier.load(job.state.Snapshot, func() { n.start(job.state) })
	})
}

// start begins to take part.
func (n *Node) start(st InitialState) {
	env := n.env
	n.applier.applied = st.Snapshot.Index
	n.core = NewCore(n.cfg.Core, st, env.Now(), env.Uint64(purposeJitter))
	if n.phase == booting {
		n.phase = running
	}
	n.settle()
}

// bootJob reads what the node's former life left on disk.
type bootJob struct {
	options     walrus.Options
	snapshots   string // folder
	received    string // folder
	incarnation uint64 // for a new disk

	log      *walrus.Log
	findings []walrus.Finding // what recovery has to say, also if it failed
	placed   []walrus.Placed  // what recovery wrote anew
	state    InitialState
	terms    []Term   // of the entries, from state.FirstIndex on
	hashes   []uint64 // of the same
}

// execute runs on the log lane.
func (j *bootJob) execute(files runtime.FS) error {
	log, report, err := walrus.Open(files, j.options)
	j.findings = report.Findings
	if err != nil {
		return err
	}
	j.log, j.placed = log, report.Placed
	if err := j.readState(); err != nil {
		return err
	}
	if err := j.readEntries(files); err != nil {
		return err
	}
	if err := j.state.Validate(); err != nil {
		return err
	}
	if err := j.tidy(files); err != nil {
		return fmt.Errorf("raft: recovery of %s: %w", j.snapshots, err)
	}
	if err := walrus.Retry(func() error { return files.MkdirAll(j.received) }); err != nil {
		return fmt.Errorf("raft: folder %s: %w", j.received, err)
	}
	return nil
}

// readState decodes what is under the log's keys.
func (j *bootJob) readState() error {
	j.state.State.Incarnation = j.incarnation
	if value, found := j.log.Get(keyState); found {
		state, err := DecodeHardState(value)
		if err != nil {
			return err
		}
		j.state.State = state
	}
	if value, found := j.log.Get(keySnapshot); found {
		if len(value) != metaSize {
			return fmt.Errorf("raft: snapshot meta of %d bytes", len(value))
		}
		j.state.Snapshot = decodeMeta(value)
	}
	first, next := j.log.Bounds(topicMain)
	j.state.FirstIndex, j.state.LastIndex = Index(first), Index(next-1)
	j.state.Term = func(i Index) Term { return j.terms[i-j.state.FirstIndex] }
	return nil
}

// readEntries reads every entry once, so that none is relied upon that cannot
// be read.
func (j *bootJob) readEntries(files runtime.FS) error {
	lo, next := j.log.Bounds(topicMain)
	visit := func(index, term uint64, flags uint8, payload []byte) error {
		if index != lo {
			return fmt.Errorf("raft: entry %d where %d belongs", index, lo)
		}
		j.terms = append(j.terms, Term(term))
		j.hashes = append(j.hashes, HashEntry(EntryType(flags), payload))
		lo++
		return nil
	}
	for lo < next {
		extents, err := j.log.Locate(topicMain, lo, next, recoverBytes)
		if err != nil {
			return err
		}
		err = walrus.ReadExtents(files, extents, visit)
		j.log.Release(extents)
		if err != nil {
			return err
		}
	}
	return nil
}

// tidy removes what an earlier life left unfinished in the folder of snapshots:
// everything but the file that the log names. As long as the log names
// none, the folder is made anew: it may be that it was made before, but that its name
// never became durable, and a name that exists already cannot be made durable for sure.
func (j *bootJob) tidy(files runtime.FS) error {
	names, err := attempt(func() ([]string, error) { return files.List(j.snapshots) })
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.state.Snapshot.Index == 0:
		return j.makeFolder(files)
	case err != nil:
		return err
	}
	keep := ""
	if j.state.Snapshot.Index > 0 {
		keep = snapshotName(j.state.Snapshot)
		if !slices.Contains(names, keep) {
			return fmt.Errorf("%w: %s is missing", ErrSnapshot, keep)
		}
	}
	for _, name := range names {
		if name != keep {
			if err := remove(files, j.snapshots+"/"+name); err != nil {
				return err
			}
		}
	}
	if keep != "" {
		return nil
	}
	if err := remove(files, j.snapshots); err != nil {
		return err
	}
	return j.makeFolder(files)
}

func (j *bootJob) makeFolder(files runtime.FS) error {
	if err := walrus.Retry(func() error { return files.MkdirAll(j.snapshots) }); err != nil {
		return err
	}
	return files.SyncDir(path.Dir(j.snapshots))
}

// remove takes a name away; that it was gone already is a success.
func remove(files runtime.FS, name string) error {
	err := walrus.Retry(func() error { return files.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// attempt makes a file call that returns a value as often as the log makes its own.
func attempt[T any](call func() (T, error)) (value T, err error) {
	err = walrus.Retry(func() error { value, err = call(); return err })
	return value, err
}
