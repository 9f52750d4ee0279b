package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

var repairCommand = command{
	name:  "repair",
	usage: "walrus repair DIR --into NEWDIR [--json]",
	help: `Copies what is good of the log in DIR into a new log in NEWDIR, which must not exist
or be empty, and says what it had to drop. DIR is not changed. NEWDIR appears when it is
complete.

A topic has no holes. So of each topic the entries before the first that is lost are
kept, or, if there are none, those up to the next. One flipped bit in a group is turned
back. Where records of unknown kind are lost, entries before may have been replaced
by them: then, too, the entries before are kept, as they were then, and those after are dropped.
A key whose last value is damaged is dropped.

A node that gets a repaired log has forgotten what was dropped, votes too. It must not
take part again under its old identity if it may have acknowledged that.

The exit status is 0 if nothing that was acknowledged was dropped, and 1 if something was.

  --into NEWDIR  where the new log goes
  --json         one object
`,
	run: runRepair,
}

// repair is the making of a new log from an old one.
type repair struct {
	from   *folder
	into   string // as people know it
	kept   *content
	report *walrus.Report
	chosen map[walrus.Topic]*cursor
	writer
	segmentBytes int64
	pass, taken  int // over the old log; entries copied in this one
}

// cursor is which entries of a topic are to be copied, in order.
type cursor struct {
	next  uint64
	items [][]item
}

// take reports whether the record at an LSN is the next entry to be copied.
func (c *cursor) take(lsn uint64) bool {
	for len(c.items) > 0 && len(c.items[0]) == 0 {
		c.items = c.items[1:]
	}
	if len(c.items) == 0 || c.items[0][0].lsn != lsn {
		return false
	}
	c.items[0] = c.items[0][1:]
	c.next++
	return true
}

func runRepair(out io.Writer, args []string) (status, error) {
	flags := newFlags("repair")
	into := flags.String("into", "", "")
	asJSON := flags.Bool("json", false, "")
	dir, err := parseArgs(flags, args)
	switch {
	case err != nil:
		return usage, err
	case *into == "":
		return usage, misuse("--into NEWDIR is missing: a log is never repaired in place")
	}
	if err := checkTarget(*into); err != nil {
		return usage, err
	}
	f, err := openFolder(dir)
	if err != nil {
		return unreadable, err
	}
	defer f.close()
	r := &repair{from: f, into: *into, kept: newContent(), segmentBytes: segmentLeast}
	if err := r.run(); err != nil {
		return unreadable, err
	}
	if *asJSON {
		err = json.NewEncoder(out).Encode(r.json())
	} else {
		r.write(out)
	}
	if r.kept.lossy() || r.report.Verdict == walrus.Uncertain {
		return damaged, err
	}
	return clean, err
}

// checkTarget refuses a folder with something in it, which DIR itself would be too.
func checkTarget(into string) error {
	names, err := os.ReadDir(into)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return misuse("--into %s: %v", into, errors.Unwrap(err))
	case len(names) > 0:
		return misuse("--into %s: the folder is not empty", into)
	}
	return nil
}

const (
	segmentLeast = 64 << 10
	segmentMost  = 1 << 30
)

// run reads the old log twice, once to know what it holds and once to copy that, and
// verifies the new one.
func (r *repair) run() (err error) {
	v := r.kept.visitor()
	v.Segment = func(s walrus.SegmentInfo) error {
		r.segmentBytes = min(max(r.segmentBytes, s.Size), segmentMost)
		return r.kept.segment(s)
	}
	if r.report, err = r.from.inspect(v); err != nil {
		return err
	}
	target, err := filepath.Abs(r.into)
	if err != nil {
		return err
	}
	// A name of its own beside the target: the new log gets its name when it is complete.
	work, err := os.MkdirTemp(filepath.Dir(target), "."+filepath.Base(target)+".repair-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := r.build(work); err != nil {
		return fmt.Errorf("make the new log: %w", err)
	}
	if err := r.check(filepath.Join(work, workLog)); err != nil {
		return fmt.Errorf("verify the new log: %w", err)
	}
	return moveInto(filepath.Join(work, workLog), target)
}

// workLog is the name of the new log until it is complete.
const workLog = "log"

// moveInto gives the new log its name, durably.
func moveInto(log, target string) error {
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(log, target); err != nil {
		return err
	}
	above, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	return errors.Join(above.Sync(), above.Close())
}

// build makes the new log.
func (r *repair) build(root string) (err error) {
	folder, err := host.OpenFolder(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	o := walrus.Options{Dir: workLog, Seed: rand.Uint64(), SegmentBytes: r.segmentBytes, GroupBytes: walrus.MaxGroup / 2}
	for _, id := range r.kept.ids() {
		if main := r.kept.topics[id].mirrorOf; main != 0 {
			o.Mirror = append(o.Mirror, walrus.Mirror{Main: main, Recovery: id})
		}
	}
	l, _, err := walrus.Open(folder, o)
	if err != nil {
		return err
	}
	r.writer = writer{fs: folder, log: l}
	defer func() { err = errors.Join(err, l.Close(folder)) }()
	if err := r.choose(); err != nil {
		return err
	}
	// Entries that were copied forward lie behind later ones: then one pass is not enough.
	for r.pass = 1; ; r.pass++ {
		r.taken = 0
		if _, err := r.from.inspect(walrus.Visitor{Record: r.copy}); err != nil {
			return err
		}
		if r.taken == 0 || r.done() {
			return r.flush()
		}
	}
}

// done reports whether every entry that is kept has been copied.
func (r *repair) done() bool {
	for _, c := range r.chosen {
		for _, run := range c.items {
			if len(run) > 0 {
				return false
			}
		}
	}
	return true
}

// choose makes the topics begin where they will.
func (r *repair) choose() error {
	r.chosen = map[walrus.Topic]*cursor{}
	for _, id := range r.kept.ids() {
		t := r.kept.topics[id]
		if t.mirrorOf != 0 {
			continue
		}
		lo, _, items := t.kept()
		r.chosen[id] = &cursor{next: lo, items: items}
		if lo != 1 {
			r.batch.Rebase(id, lo)
		}
	}
	return r.flush()
}

// copy appends a record to the new log if it is one of those kept.
func (r *repair) copy(rec walrus.RecordInfo) error {
	switch rec.Kind {
	case walrus.RecordEntry, walrus.RecordCopy:
		c := r.chosen[rec.Topic]
		if c == nil || rec.Index != c.next || !c.take(rec.LSN) {
			return nil
		}
		r.taken++
		if rec.Length >= groupBytes { // it may need a group for itself
			if err := r.flush(); err != nil {
				return err
			}
		}
		r.batch.Entry(rec.Topic, rec.Index, rec.Term, rec.Flags, slices.Clone(rec.Payload))
	case walrus.RecordSet:
		k, ok := r.kept.keys[uint16(rec.Index)]
		if !ok || k.broken || k.lsn != rec.LSN || r.pass > 1 {
			return nil
		}
		r.batch.Set(uint16(rec.Index), slices.Clone(rec.Payload))
	case walrus.RecordPrepare:
		return r.prepare(rec)
	default:
		return nil
	}
	return r.add(rec.Length)
}

// prepare copies a transaction in doubt, which needs a batch of its own.
func (r *repair) prepare(rec walrus.RecordInfo) error {
	if k, ok := r.kept.txs[rec.Index]; !ok || k.broken || k.lsn != rec.LSN || r.pass > 1 {
		return nil
	}
	changes, err := rec.Changes()
	if err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	for _, c := range changes {
		if c.IsSet {
			r.batch.Set(c.Key, c.Payload)
		} else {
			r.batch.Entry(c.Topic, 0, c.Term, c.Flags, c.Payload)
		}
	}
	r.batch.Prepare(rec.Index)
	return r.flush()
}

// check compares the new log with what it should hold.
func (r *repair) check(path string) error {
	f, err := openFolder(path)
	if err != nil {
		return err
	}
	defer f.close()
	got := newContent()
	report, err := f.inspect(got.visitor())
	if err != nil {
		return err
	}
	if report.Verdict != walrus.Clean || got.lossy() {
		return fmt.Errorf("it is %v", report.Verdict)
	}
	for _, id := range r.kept.ids() {
		want := r.kept.topics[id]
		lo, hi, _ := want.kept()
		if t := got.topic(id); want.mirrorOf == 0 && (t.first != lo || t.next() != hi) {
			return fmt.Errorf("topic %d holds [%d,%d), not [%d,%d)", id, t.first, t.next(), lo, hi)
		}
	}
	for id, k := range r.kept.txs {
		if _, ok := got.txs[id]; ok == k.broken {
			return fmt.Errorf("transaction %d: in doubt %v", id, ok)
		}
	}
	return nil
}
