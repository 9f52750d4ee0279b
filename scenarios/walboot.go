package scenarios

import (
	"errors"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// walReadBytes is how much of a log is read at a time.
const walReadBytes = 4 << 10

// walBoot is the job that opens a log and says what is in it.
type walBoot struct {
	options walrus.Options
	// close is a log to be closed first, nil for none.
	close *walrus.Log
	// inspect: look into the files before.
	inspect bool
	// again: when the log is open, close it and open it once more.
	again bool

	log    *walrus.Log
	holes  []walPlace // entries that cannot be read
	events []runtime.Event
}

func (b *walBoot) say(ev runtime.Event) { b.events = append(b.events, ev) }

// execute runs on the log lane.
func (b *walBoot) execute(files runtime.FS) error {
	if b.close != nil {
		_ = b.close.Close(files) // what was to be released is released
	}
	if b.inspect {
		b.look(files)
	}
	return b.open(files)
}

// look compares the entries of the mirrored topic with the links, as they lie in the
// files. A log that cannot be read whole is none of its business: Open will say so.
func (b *walBoot) look(files runtime.FS) {
	ev := runtime.Event{Kind: oracle.WalInspected}
	report, err := walrus.Inspect(files, b.options.Dir, walrus.Visitor{Record: func(r walrus.RecordInfo) error {
		switch {
		case r.Broken:
		case r.Kind == walrus.RecordEntry && r.Topic == oracle.WalMain:
			ev.A++
			ev.B = oracle.HashWalLabel(ev.B, r.Index, r.Term, 0)
		case r.Kind == walrus.RecordLink && r.Topic == oracle.WalMirror:
			ev.C = oracle.HashWalLabel(ev.C, r.Index, r.Term, 0)
		}
		return nil
	}})
	if err == nil && report.Verdict <= walrus.Torn {
		b.say(ev)
	}
}

// open opens the log and reads all of it.
func (b *walBoot) open(files runtime.FS) error {
	log, report, err := walrus.Open(files, b.options)
	if err == nil || errors.Is(err, walrus.ErrUncertain) {
		b.findings(report)
	}
	if err != nil {
		return err
	}
	b.log = log
	for topic := walrus.Topic(1); topic < oracle.WalTopics; topic++ {
		if err := b.readTopic(files, topic); err != nil {
			return err
		}
	}
	for key := range uint16(oracle.WalKeys) {
		if value, found := log.Get(key); found {
			b.say(runtime.Event{Kind: oracle.WalValueFound, A: uint64(key), B: oracle.HashWalEntry(0, 0, value)})
		}
	}
	for _, tx := range log.Prepared() {
		b.say(runtime.Event{Kind: oracle.WalDoubtFound, A: tx.ID, B: hashTx(&tx)})
	}
	opened := runtime.Event{Kind: oracle.WalOpened, A: uint64(report.Verdict), C: uint64(report.Reappended)}
	if report.Fresh {
		opened.B = 1
	}
	b.say(opened)
	b.events = append(b.events, walPlaces(report.Placed)...)
	return nil
}

// findings says what a report has to say.
func (b *walBoot) findings(report *walrus.Report) {
	for _, f := range report.Findings {
		b.say(runtime.Event{Kind: oracle.WalFinding, A: uint64(f.Verdict), B: uint64(f.Offset), C: uint64(f.Bytes), Note: []byte(f.File)})
	}
}

// readTopic says what a topic holds, by its index and by its bytes.
func (b *walBoot) readTopic(files runtime.FS, topic walrus.Topic) error {
	first, next := b.log.Bounds(topic)
	found := runtime.Event{Kind: oracle.WalTopicFound, A: uint64(topic), B: first, C: next}
	b.log.Each(topic, func(index, term uint64, flags uint8) {
		found.D = oracle.HashWalLabel(found.D, index, term, flags)
	})
	b.say(found)
	for first < next && topic != oracle.WalMirror {
		extents, err := b.log.Locate(topic, first, next, walReadBytes)
		if err != nil {
			return err
		}
		err = walrus.ReadExtents(files, extents, func(index, term uint64, flags uint8, payload []byte) error {
			b.say(runtime.Event{Kind: oracle.WalEntryFound, A: uint64(topic), B: index, C: oracle.HashWalEntry(term, flags, payload)})
			return nil
		})
		b.log.Release(extents)
		first = extents[len(extents)-1].Hi
		var bad *walrus.CorruptError
		switch {
		case b.options.Holes && errors.As(err, &bad) && bad.Topic == topic:
			b.say(runtime.Event{Kind: oracle.WalHoleFound, A: uint64(topic), B: bad.Index})
			b.holes = append(b.holes, walPlace{topic, bad.Index})
			first = bad.Index + 1
		case err != nil:
			return err
		}
	}
	return nil
}

// walPlaces says where records are durable.
func walPlaces(placed []walrus.Placed) []runtime.Event {
	events := make([]runtime.Event, 0, len(placed))
	for _, p := range placed {
		ev := runtime.Event{Kind: oracle.WalPlaced, A: uint64(p.Topic), B: p.Index, C: uint64(p.Offset), D: uint64(p.Length), Note: []byte(p.File)}
		if p.IsSet {
			ev.A, ev.B = 0, uint64(p.Key)
		}
		events = append(events, ev)
	}
	return events
}

// whyNot returns the reason of a Locate that failed, as the oracle calls it.
func whyNot(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, walrus.ErrCompacted):
		return oracle.WalCompacted
	case errors.Is(err, walrus.ErrGap):
		return oracle.WalGap
	}
	return err.Error()
}
