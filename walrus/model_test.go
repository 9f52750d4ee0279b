package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

const (
	mainTopic     walrus.Topic = 1
	recoveryTopic walrus.Topic = 2
	otherTopic    walrus.Topic = 7
	stateKey      uint16       = 1
)

// options are those of most tests: tiny segments, one mirrored topic.
func options(seed uint64) walrus.Options {
	return walrus.Options{
		Dir: "data/log", Seed: seed, SegmentBytes: 12 << 10,
		Mirror: []walrus.Mirror{{Main: mainTopic, Recovery: recoveryTopic}},
	}
}

// modelEntry is an entry as the model holds it.
type modelEntry struct {
	Term  uint64
	Flags uint8
	Data  string
}

// modelTopic is a topic of the model: Entries[0] has the index First.
type modelTopic struct {
	First   uint64
	Entries []modelEntry
}

func (t modelTopic) next() uint64 { return t.First + uint64(len(t.Entries)) }

// model is what a log should hold.
type model struct {
	Topics map[walrus.Topic]modelTopic
	Keys   map[uint16]string
	Txs    map[uint64][]walrus.Change // in doubt
}

func newModel() *model {
	return &model{Topics: map[walrus.Topic]modelTopic{}, Keys: map[uint16]string{}, Txs: map[uint64][]walrus.Change{}}
}

func (m *model) clone() *model {
	c := &model{Topics: maps.Clone(m.Topics), Keys: maps.Clone(m.Keys), Txs: maps.Clone(m.Txs)}
	for id, t := range c.Topics {
		t.Entries = slices.Clone(t.Entries)
		c.Topics[id] = t
	}
	return c
}

func (m *model) topic(id walrus.Topic) modelTopic {
	if t, ok := m.Topics[id]; ok {
		return t
	}
	return modelTopic{First: 1}
}

// script is a batch under construction, applied to a model as it grows.
type script struct {
	batch walrus.Batch
	model *model
}

func (s *script) entry(t walrus.Topic, term uint64, flags uint8, data string) {
	topic := s.model.topic(t)
	s.batch.Entry(t, topic.next(), term, flags, []byte(data))
	topic.Entries = append(slices.Clip(topic.Entries), modelEntry{Term: term, Flags: flags, Data: data})
	s.model.Topics[t] = topic
}

func (s *script) set(key uint16, value string) {
	s.batch.Set(key, []byte(value))
	s.model.Keys[key] = value
}

func (s *script) truncateBack(t walrus.Topic, from uint64) {
	s.batch.TruncateBack(t, from)
	topic := s.model.topic(t)
	topic.Entries = slices.Clip(topic.Entries[:from-topic.First])
	s.model.Topics[t] = topic
}

func (s *script) truncateFront(t walrus.Topic, first uint64) {
	s.batch.TruncateFront(t, first)
	topic := s.model.topic(t)
	if first > topic.First {
		topic.Entries = slices.Clone(topic.Entries[first-topic.First:])
		topic.First = first
	}
	s.model.Topics[t] = topic
}

func (s *script) rebase(t walrus.Topic, first uint64) {
	s.batch.Rebase(t, first)
	s.model.Topics[t] = modelTopic{First: first}
}

// prepare makes the batch, which is empty so far, the first phase of a transaction.
func (s *script) prepare(tx uint64, changes ...walrus.Change) {
	for _, c := range changes {
		if c.IsSet {
			s.batch.Set(c.Key, c.Payload)
		} else {
			s.batch.Entry(c.Topic, 0, c.Term, c.Flags, c.Payload)
		}
	}
	s.batch.Prepare(tx)
	s.model.Txs[tx] = changes
}

func (s *script) commit(tx uint64) {
	s.batch.Commit(tx)
	for _, c := range s.model.Txs[tx] {
		if c.IsSet {
			s.model.Keys[c.Key] = string(c.Payload)
			continue
		}
		topic := s.model.topic(c.Topic)
		topic.Entries = append(slices.Clip(topic.Entries), modelEntry{Term: c.Term, Flags: c.Flags, Data: string(c.Payload)})
		s.model.Topics[c.Topic] = topic
	}
	delete(s.model.Txs, tx)
}

func (s *script) abort(tx uint64) {
	s.batch.Abort(tx)
	delete(s.model.Txs, tx)
}

// randomTransaction prepares something, or decides what is prepared.
func (s *script) randomTransaction(r *rng) {
	tx := uint64(r.below(4))
	switch _, found := s.model.Txs[tx]; {
	case found && r.chance(4):
		s.abort(tx)
	case found:
		s.commit(tx)
		s.random(r) // after it, in the same batch
	default:
		var changes []walrus.Change
		for range r.below(4) {
			c := walrus.Change{Topic: mainTopic, Term: uint64(r.below(5)), Flags: uint8(r.below(4)), Payload: make([]byte, r.below(400))}
			if r.chance(3) {
				c = walrus.Change{IsSet: true, Key: uint16(r.below(3)), Payload: []byte(fmt.Sprint("prepared", r.below(1000)))}
			} else if r.chance(2) {
				c.Topic = otherTopic
			}
			changes = append(changes, c)
		}
		s.prepare(tx, changes...)
	}
}

// random adds one change that is allowed.
func (s *script) random(r *rng) {
	topics := [...]walrus.Topic{mainTopic, mainTopic, mainTopic, otherTopic}
	t := topics[r.below(len(topics))]
	topic := s.model.topic(t)
	switch kind := r.below(12); {
	case kind < 7:
		size := r.below(300)
		if r.chance(20) {
			size = r.below(3000)
		}
		data := bytes.Repeat([]byte{byte(r.next())}, size)
		for i := 0; i < size; i += 1 + r.below(40) {
			data[i] = byte(r.next())
		}
		s.entry(t, 1+topic.next()/5, uint8(r.below(4)), string(data))
	case kind < 9:
		s.set(uint16(r.below(3)), fmt.Sprint("value", r.below(1000)))
	case kind == 9:
		s.truncateBack(t, topic.First+uint64(r.below(len(topic.Entries)+1)))
	case kind == 10:
		s.truncateFront(t, topic.First+uint64(r.below(len(topic.Entries)+1)))
	case r.chance(6):
		s.rebase(t, topic.next()+uint64(r.below(5)))
	}
}

// read returns what the log shows, through every way of reading there is.
func read(disk runtime.FS, l *walrus.Log) (*model, error) {
	m := newModel()
	for _, id := range []walrus.Topic{mainTopic, otherTopic} {
		first, next := l.Bounds(id)
		t := modelTopic{First: first}
		l.Each(id, func(index, term uint64, flags uint8) {
			t.Entries = append(t.Entries, modelEntry{Term: term, Flags: flags})
		})
		if t.next() != next {
			return nil, fmt.Errorf("topic %d: %d entries in [%d,%d)", id, len(t.Entries), first, next)
		}
		for lo := first; lo < next; {
			got, err := readSome(disk, l, id, lo, &t)
			if err != nil {
				return nil, err
			}
			lo += uint64(got)
		}
		if first != 1 || next != 1 {
			m.Topics[id] = t
		}
	}
	for key := range uint16(8) {
		if v, ok := l.Get(key); ok {
			m.Keys[key] = string(v)
		}
	}
	for _, tx := range l.Prepared() {
		m.Txs[tx.ID] = tx.Changes
	}
	return m, checkMirror(l)
}

// readSome fills in the payloads from lo on.
func readSome(disk runtime.FS, l *walrus.Log, id walrus.Topic, lo uint64, t *modelTopic) (int, error) {
	extents, err := l.Locate(id, lo, t.next(), 1500)
	if err != nil {
		return 0, err
	}
	defer l.Release(extents)
	got := 0
	err = walrus.ReadExtents(disk, extents, func(index, term uint64, flags uint8, payload []byte) error {
		e := &t.Entries[index-t.First]
		if index != lo+uint64(got) || e.Term != term || e.Flags != flags {
			return fmt.Errorf("topic %d: read entry %d term %d flags %d, want %d %v", id, index, term, flags, lo+uint64(got), *e)
		}
		e.Data = string(payload)
		got++
		return nil
	})
	if err == nil && got == 0 {
		err = errors.New("nothing read")
	}
	return got, err
}

// checkMirror compares the recovery topic with its main topic.
func checkMirror(l *walrus.Log) error {
	type pair struct {
		index, term uint64
		flags       uint8
	}
	list := func(id walrus.Topic) (out []pair) {
		l.Each(id, func(index, term uint64, flags uint8) { out = append(out, pair{index, term, flags}) })
		return out
	}
	firstM, nextM := l.Bounds(mainTopic)
	firstR, nextR := l.Bounds(recoveryTopic)
	if firstM != firstR || nextM != nextR || !slices.Equal(list(mainTopic), list(recoveryTopic)) {
		return fmt.Errorf("main holds [%d,%d), recovery [%d,%d)", firstM, nextM, firstR, nextR)
	}
	return nil
}

// diff says how two models differ; empty: they do not.
func diff(want, got *model) string {
	for _, id := range []walrus.Topic{mainTopic, otherTopic} {
		w, g := want.topic(id), got.topic(id)
		if w.First != g.First || len(w.Entries) != len(g.Entries) {
			return fmt.Sprintf("topic %d: want [%d,%d), got [%d,%d)", id, w.First, w.next(), g.First, g.next())
		}
		for i := range w.Entries {
			if w.Entries[i] != g.Entries[i] {
				return fmt.Sprintf("topic %d entry %d: want %.60s, got %.60s", id, w.First+uint64(i), fmt.Sprint(w.Entries[i]), fmt.Sprint(g.Entries[i]))
			}
		}
	}
	if !maps.Equal(want.Keys, got.Keys) {
		return fmt.Sprintf("keys: want %v, got %v", want.Keys, got.Keys)
	}
	if text := cmp.Diff(want.Txs, got.Txs, cmpopts.EquateEmpty()); text != "" {
		return "in doubt: " + text
	}
	return ""
}

// driver runs a log on a crashable disk beside a model.
type driver struct {
	disk  *memFS
	log   *walrus.Log
	rng   rng
	seed  uint64
	boots uint64
	acked *model // what was published
	next  *model // with what has been staged
	// flight is what the group in flight makes of acked; nil if there is none. After a
	// crash or a failure it is what may have happened or not.
	flight *model
	report *walrus.Report
	// verify: Open verifies every checksum.
	verify bool
	// pinned is from how many segments on small topics are copied forward; zero: as by default.
	pinned int
	retain []walrus.Retain
	// reopen: the log goes on after a failed flush; reopened counts when it did.
	reopen   bool
	reopened int
	// eager: chores are asked for while groups are in flight.
	eager   bool
	refused int // batches, for lack of space
	// withdrawn counts groups that met a full device and were taken back.
	withdrawn int
	moved     uint64 // entries, copied forward
	// verdicts counts what recoveries found.
	verdicts [walrus.Corrupt + 1]int
}

func newDriver(seed uint64) *driver {
	return &driver{disk: newMemFS(seed), seed: seed, rng: rng{state: seed * 3}, acked: newModel(), next: newModel()}
}

// open recovers, and checks that exactly the acknowledged is there, or that and the
// group in flight.
func (d *driver) open() error {
	d.boots++
	o := options(d.seed + d.boots<<32)
	o.VerifyOnOpen, o.Reopen = d.verify, d.reopen
	o.PinnedSegments, o.Retain = d.pinned, d.retain
	l, report, err := walrus.Open(d.disk, o)
	d.report = report
	if err != nil {
		return err
	}
	d.verdicts[report.Verdict]++
	d.log = l
	got, err := read(d.disk, l)
	if err != nil {
		return fmt.Errorf("after recovery: %w", err)
	}
	if text := diff(d.acked, got); text != "" {
		if d.flight == nil {
			return wrong("recovered (%v) something else than what was acknowledged: %s", report.Verdict, text)
		}
		if more := diff(d.flight, got); more != "" {
			return wrong("recovered (%v) neither what was acknowledged (%s) nor that and the group in flight (%s)", report.Verdict, text, more)
		}
	}
	d.log, d.acked, d.next, d.flight = l, got, got.clone(), nil
	return d.checkPlaced(report.Placed, got)
}

// wrong is an error that no fault excuses.
func wrong(format string, args ...any) error {
	return fmt.Errorf("WRONG: "+format, args...)
}

// checkPlaced holds each claim against the disk.
func (d *driver) checkPlaced(placed []walrus.Placed, m *model) error {
	for _, p := range placed {
		want := m.Keys[p.Key]
		if !p.IsSet {
			t := m.topic(p.Topic)
			if p.Index < t.First || p.Index >= t.next() {
				continue // truncated in the same group
			}
			e := t.Entries[p.Index-t.First]
			if e.Term != p.Term {
				continue // replaced in the same group
			}
			want = e.Data
		}
		if len(want) != p.Length || !d.disk.holds(p.File, p.Offset, []byte(want)) {
			if !p.IsSet && replaced(placed, p) {
				continue
			}
			return wrong("claim is not true: %+v", p)
		}
	}
	return nil
}

// replaced reports whether a later claim is for the same entry.
func replaced(placed []walrus.Placed, p walrus.Placed) bool {
	last := p
	for _, q := range placed {
		if !q.IsSet && q.Topic == p.Topic && q.Index == p.Index {
			last = q
		}
	}
	return last != p
}

// stage builds a batch of n random changes and stages it.
func (d *driver) stage(n int) error {
	s := script{model: d.next.clone()}
	if d.rng.chance(6) {
		s.randomTransaction(&d.rng)
		return d.stageScript(&s)
	}
	for range n {
		s.random(&d.rng)
	}
	return d.stageScript(&s)
}

func (d *driver) stageScript(s *script) error {
	err := d.log.Stage(&s.batch)
	if errors.Is(err, walrus.ErrNoSpace) && d.disk.capacity > 0 {
		d.refused++
		return nil
	}
	if err != nil {
		return wrong("stage: %w", err)
	}
	d.next = s.model
	return nil
}

// errHalt says that the process has to end.
var errHalt = errors.New("halt")

// flush makes what is staged durable.
func (d *driver) flush() error {
	g := d.log.Cut()
	if g == nil {
		return nil
	}
	d.flight = d.next
	// A chore asked for meanwhile waits on the same lane, and runs before the loop hears
	// how the flush ended.
	job, done := d.meanwhile()
	err := walrus.Flush(d.disk, g)
	for errors.Is(err, walrus.ErrNoSpace) && d.disk.capacity > 0 {
		if d.rng.chance(2) {
			if err := d.stage(2); err != nil { // taken back, too
				return err
			}
			if d.log.Withdraw(g) {
				done(job(d.disk))
				d.next, d.flight = d.acked.clone(), nil
				d.withdrawn++
				return nil
			}
		}
		d.disk.capacity += 4 << 10
		err = walrus.Flush(d.disk, g)
	}
	choreErr := job(d.disk)
	if err != nil && d.reopen {
		done(choreErr)
		done = func(error) {}
		err = d.goOn(g, err)
	}
	if d.disk.ghost != "" {
		return wrong("%s was written to", d.disk.ghost)
	}
	if err != nil {
		if !errors.Is(err, walrus.ErrFailed) {
			return wrong("flush: %w", err)
		}
		d.log.Fail(err)
		if d.log.Cut() != nil || !errors.Is(d.log.Stage(new(walrus.Batch)), walrus.ErrFailed) {
			return wrong("a failed log goes on")
		}
		return errHalt
	}
	d.log.Publish(g)
	placed := d.log.Placed()
	before := d.log.Stats().Copied
	done(choreErr)
	d.moved += d.log.Stats().Copied - before
	d.acked, d.flight = d.flight, nil
	return d.checkPlaced(placed, d.acked)
}

// goOn reopens the log after a flush that failed.
func (d *driver) goOn(g *walrus.Group, err error) error {
	if !errors.Is(err, walrus.ErrFailed) {
		return wrong("flush: %w", err)
	}
	if d.rng.chance(2) { // staging goes on
		if err := d.stage(2); err != nil {
			return err
		}
	}
	job, done := d.log.Reopen(g)
	if job == nil {
		return wrong("no chore runs, and the log is not reopened")
	}
	err = job(d.disk)
	done(err)
	if err == nil {
		d.reopened++
	}
	return err
}

// meanwhile asks for a chore now and then.
func (d *driver) meanwhile() (job func(runtime.FS) error, done func(error)) {
	if d.eager && d.rng.chance(3) {
		if job, done = d.log.Chore(); job != nil {
			return job, done
		}
	}
	return func(runtime.FS) error { return nil }, func(error) {}
}

// chores does all background work that is due. A failure is left for next time.
func (d *driver) chores() error {
	for range 10 {
		job, done := d.log.Chore()
		if job == nil {
			return nil
		}
		err := job(d.disk)
		before := d.log.Stats().Copied
		done(err)
		d.moved += d.log.Stats().Copied - before
		if d.disk.ghost != "" {
			return wrong("%s was written to, and may come back", d.disk.ghost)
		}
		if err != nil {
			return nil
		}
	}
	return nil
}

// catch runs f and reports whether the process crashed in it.
func catch(f func() error) (died bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
			died = true
		}
	}()
	return false, f()
}
