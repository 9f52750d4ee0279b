package raft

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// replica is the state machine and how far it has got. It belongs to the apply
// lane: the loop makes it and never looks into it.
type replica struct {
	machine StateMachine
	index   Index
	term    Term
	chain   uint64
}

// applier feeds committed entries to the state machine, one job at a time.
type applier struct {
	node    *Node
	replica *replica
	job     applyJob
	working bool
	applied Index // reported to the core
	restore restoreJob
}

// applyJob executes a batch. While it is submitted its fields are the lane's.
type applyJob struct {
	replica  *replica
	entries  []Entry
	commands []Entry       // the run of commands at hand
	results  [][]byte      // one for each of them
	applied  []appliedNote // one for each entry
	run      func(runtime.FS) error
	done     func(error)
}

// appliedNote is what the loop needs to know about an applied entry.
type appliedNote struct {
	hash, chain uint64
	response    []byte
}

func (a *applier) init(n *Node) {
	a.node = n
	a.replica = &replica{machine: n.cfg.Machine()}
	a.job.replica = a.replica
	a.job.run = a.job.execute
	a.job.done = a.end
}

// busy reports whether anything is still to be applied.
func (a *applier) busy() bool { return a.working || a.restore.under }

// begin submits a round of committed entries. The core gives out the next one when
// this one, or a snapshot beyond it, is reported as applied, and jobs of one lane
// end in their order: so nothing ever waits here that a snapshot could overtake.
func (a *applier) begin(entries []Entry) {
	if a.busy() {
		panic(fmt.Sprintf("raft: round from %d given out before the last one was applied", entries[0].Index))
	}
	a.job.entries = append(a.job.entries[:0], entries...)
	a.working = true
	a.node.env.Submit(laneApply, a.job.run, a.job.done)
}

// execute runs on the apply lane.
func (j *applyJob) execute(runtime.FS) error {
	j.applied = j.applied[:0]
	for i := range j.entries {
		e := &j.entries[i]
		j.applied = append(j.applied, appliedNote{hash: e.Hash()})
		switch e.Type {
		case EntryCommand:
			j.commands = append(j.commands, *e)
		case EntryQuery:
			j.command(i)
			j.applied[i].response = j.replica.machine.Query(e.Data)
		}
	}
	j.command(len(j.entries))
	for i := range j.entries {
		j.replica.step(&j.entries[i], &j.applied[i])
	}
	return nil
}

// command executes the run of commands at hand, which ends before the given
// entry. No-ops in it are passed over.
func (j *applyJob) command(before int) {
	if len(j.commands) == 0 {
		return
	}
	j.results = j.replica.machine.Apply(j.commands, j.results[:0])
	if len(j.results) != len(j.commands) {
		panic(fmt.Sprintf("raft: state machine gave %d responses to %d commands", len(j.results), len(j.commands)))
	}
	next := len(j.commands)
	for i := before - 1; next > 0; i-- {
		if j.entries[i].Type == EntryCommand {
			next--
			j.applied[i].response = j.results[next]
		}
	}
	j.commands = j.commands[:0]
}

// step moves the replica past an entry that was executed.
func (r *replica) step(e *Entry, note *appliedNote) {
	if e.Index != r.index+1 {
		panic(fmt.Sprintf("raft: applying entry %d after %d", e.Index, r.index))
	}
	note.chain = ChainHash(r.chain, e.Index, e.Term, note.hash, runtime.HashBytes(0, note.response))
	r.index, r.term, r.chain = e.Index, e.Term, note.chain
}

// end tells everybody what was applied.
func (a *applier) end(error) {
	n := a.node
	if n.phase == ended {
		return
	}
	a.working = false
	for i := range a.job.entries {
		e, note := &a.job.entries[i], &a.job.applied[i]
		n.env.Trace(event(Applied, uint64(e.Index), uint64(e.Term), note.chain, note.hash))
		n.calls.applied(e.Index, e.Term, note.response)
	}
	a.report(a.job.entries[len(a.job.entries)-1].Index)
	n.keeper.consider()
	n.settle()
}

// report tells the core how far applying has got. A snapshot installed meanwhile
// has got further.
func (a *applier) report(index Index) {
	if index > a.applied {
		a.applied = index
		a.node.core.Applied(index)
	}
}

// restoreJob replaces the state by that of a snapshot file.
type restoreJob struct {
	under   bool // submitted and not done
	replica *replica
	path    string
	meta    SnapshotMeta
}

// install replaces the state by a received snapshot, after the round under way
// and before the next.
func (a *applier) install(meta SnapshotMeta) {
	a.load(meta, func() {
		a.report(meta.Index)
		a.node.fetcher.resume()
	})
}

// load restores the state from a snapshot file and then runs done. If it fails
// there is no state to go on with: the node ends.
func (a *applier) load(meta SnapshotMeta, done func()) {
	n := a.node
	if a.restore.under {
		panic(fmt.Sprintf("raft: restore of %d during that of %d", meta.Index, a.restore.meta.Index))
	}
	a.restore = restoreJob{under: true, replica: a.replica, path: n.keeper.path(snapshotName(meta)), meta: meta}
	job := a.restore
	n.env.Submit(laneApply, job.execute, func(err error) {
		if n.phase == ended {
			return
		}
		if err != nil {
			n.halt(err)
			return
		}
		a.restore.under = false
		n.env.Trace(event(SnapshotInstalled, uint64(meta.Index), uint64(meta.Term), meta.Chain, meta.Hash))
		n.calls.installed(meta)
		done()
		if n.keeper.demanded() && n.core != nil {
			n.keeper.consider()
		}
		n.settle()
	})
}

// execute runs on the apply lane.
func (j restoreJob) execute(fs runtime.FS) error {
	if err := readSnapshotFile(fs, j.path, j.meta, j.replica.machine.Restore, nil); err != nil {
		return fmt.Errorf("raft: restore of %s: %w", j.path, err)
	}
	j.replica.index, j.replica.term, j.replica.chain = j.meta.Index, j.meta.Term, j.meta.Chain
	return nil
}
