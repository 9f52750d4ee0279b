package walrus

import (
	"fmt"
	"io"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Open takes the log's lock, recovers what the folder holds, and returns the log
// with exactly the groups that were committed. It is a job for the log
// lane. If there is no log it makes one.
//
// The report is never nil, whatever the error. Errors match
//   - runtime.ErrLocked: another process has the log open;
//   - ErrCorrupt: durable bytes are damaged or missing; nothing was changed;
//   - ErrUncertain: the last group may have been acknowledged, see Options.RefuseUncertain; nothing was changed;
//   - ErrFailed: a sync failed; halt, and open again in the next life;
//   - ErrVersion and ErrMirror;
//   - the file system's error, if a file could not be read in 8 attempts. That is not
//     taken for the end of the log: nothing was changed.
func Open(fs runtime.FS, o Options) (*Log, *Report, error) {
	report := &Report{}
	if err := o.Validate(); err != nil {
		return nil, report, err
	}
	o = o.withDefaults()
	d := disk{fs}
	lock, err := d.lock(o.lockName())
	if err != nil {
		return nil, report, fmt.Errorf("walrus: lock %s: %w", o.Dir, err)
	}
	r := &recovery{d: d, o: o, report: report}
	l, err := r.run(lock)
	if err != nil {
		_ = lock.Close() // the error that counts is on its way
		return nil, report, err
	}
	return l, report, nil
}

// run recovers the log, or makes a new one.
func (r *recovery) run(lock io.Closer) (*Log, error) {
	if err := r.look(); err != nil {
		return nil, err
	}
	u := &unit{}
	var err error
	if r.virgin() {
		err = r.startFresh(u)
	} else {
		err = r.startFrom(u)
	}
	if err != nil {
		return nil, err
	}
	s, err := r.commit(u)
	if err != nil {
		u.close()
		return nil, err
	}
	return r.log(lock, u, s), nil
}

// look finds the files and reads their first blocks.
func (r *recovery) look() error {
	if err := r.list(); err != nil {
		return err
	}
	if err := r.readHeaders(); err != nil {
		return err
	}
	return r.readMark()
}

// virgin reports whether there is no log yet. A first segment gets its name only
// after its first group has been synced, and the name of its successor may be durable
// before: so the second segment alone, never used, is the trace of a log that
// was not finished. Any other file, and the mark of a close, mean that there was a log.
func (r *recovery) virgin() bool {
	return !r.marked && r.hasNone()
}

func (r *recovery) hasNone() bool {
	return len(r.files) == 0 || (len(r.files) == 1 && r.files[0].seq == 2 && !r.files[0].valid)
}

// log assembles the open log.
func (r *recovery) log(lock io.Closer, u *unit, s spare) *Log {
	u.seg.file = u.file
	l := &Log{
		state: r.state, o: r.o, id: u.header.id, lock: lock,
		segs: append(r.chain, u.seg), spares: []spare{s},
		end: bodyStart + int64(len(u.group.bytes())), durable: u.group.end,
		prevSum: r.sum, settled: u.seg.seq,
		open: u.group, free: &Group{}, sealings: r.sealings,
	}
	for _, t := range l.topics {
		t.staged = t.live
	}
	l.stagedTxs = slices.Clone(l.txs)
	for _, p := range l.txs {
		r.report.InDoubt = append(r.report.InDoubt, p.id)
	}
	r.setEnds(u)
	r.noteHoles(l)
	oldest := l.segs[0].seq
	for _, f := range r.files {
		if f.seq < oldest {
			l.dead = append(l.dead, f.name)
		}
	}
	l.open.reset()
	return l
}

// setEnds notes where the finished segments end, and which are not to be written to.
func (r *recovery) setEnds(u *unit) {
	for i, seg := range r.chain {
		next := &u.header
		if i+1 < len(r.chain) {
			next = &r.headers[i+1]
		}
		seg.end = r.headers[i].offset(next.prev.end)
		seg.spoiled = next.flags&headerSpoiled != 0
	}
}
