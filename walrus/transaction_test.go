package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// transfer is a transaction with changes of two topics and a key.
func transfer(n int) []walrus.Change {
	return []walrus.Change{
		{Topic: mainTopic, Term: 3, Flags: 1, Payload: fmt.Append(nil, "out ", n)},
		{Topic: otherTopic, Term: 4, Flags: 2, Payload: fmt.Append(nil, "in ", n)},
		{IsSet: true, Key: 2, Payload: fmt.Append(nil, "balance ", n)},
		{Topic: otherTopic, Term: 4, Payload: nil},
	}
}

// A transaction is invisible until it is committed, then visible as a whole; it survives
// rotations, the removal of every segment it was written in, and restarts of every kind.
func TestTransactionIsDecidedLater(t *testing.T) {
	for _, commit := range []bool{true, false} {
		d := opened(t)
		for n := range uint64(3) {
			d.put(t, func(s *script) { s.prepare(n, transfer(int(n))...) })
		}
		if first, next := d.log.Bounds(otherTopic); first != 1 || next != 1 {
			t.Errorf("entries [%d,%d) are visible", first, next)
		}
		for life := range 6 {
			for range 12 {
				d.put(t, func(s *script) {
					s.entry(mainTopic, 1, 0, strings.Repeat("x", 700))
					s.truncateFront(mainTopic, s.model.topic(mainTopic).next())
				})
				if err := d.chores(); err != nil {
					t.Fatal(err)
				}
			}
			switch life % 3 {
			case 0:
				d.disk.losePower(imageTorn)
			case 1:
				if err := d.log.Close(d.disk); err != nil {
					t.Fatal(err)
				}
			case 2:
				d.disk.kill()
			}
			d.verify = life > 2
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
			if got := d.report.InDoubt; fmt.Sprint(got) != "[0 1 2]" {
				t.Fatalf("in doubt are %v", got)
			}
		}
		if d.log.Stats().Segments > 5 {
			t.Errorf("they pin segments: %+v", d.log.Stats())
		}
		d.put(t, func(s *script) {
			for n := range uint64(3) {
				if commit {
					s.commit(n)
				} else {
					s.abort(n)
				}
			}
		})
		d.disk.losePower(imageNone)
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		if _, next := d.log.Bounds(otherTopic); len(d.report.InDoubt) > 0 || (next == 7) != commit {
			t.Errorf("commit %v: %v in doubt, next is %d", commit, d.report.InDoubt, next)
		}
	}
}

// A segment that is read, since it has no seal, may leave a transaction in doubt that one
// which is taken from its seal has decided.
func TestDecidedTransactionStaysDecided(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) { s.prepare(1, transfer(1)...) })
	for range 12 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	d.put(t, func(s *script) { s.commit(1) })
	for range 12 {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat("x", 700)) })
		if err := d.chores(); err != nil {
			t.Fatal(err)
		}
	}
	d.disk.kill()
	sealed := 0
	for _, name := range d.segments() { // the seals of the older ones are gone
		n := d.disk.seen[name]
		if at := bytes.LastIndex(n.data, []byte("WLRG")); at > 8192 && sealed < 2 {
			clear(n.data[at:])
			clear(n.device[at:])
			sealed++
		}
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if len(d.report.InDoubt) > 0 || d.report.Sealed == 0 {
		t.Errorf("%+v", d.report)
	}
}

// What cannot be prepared or decided is refused, and changes nothing.
func TestTransactionsRefused(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) { s.prepare(1, transfer(1)...) })
	batch := func(f func(b *walrus.Batch)) *walrus.Batch {
		b := &walrus.Batch{}
		f(b)
		return b
	}
	for name, c := range map[string]struct {
		batch *walrus.Batch
		want  error
	}{
		"prepared twice": {batch(func(b *walrus.Batch) { b.Prepare(1) }), walrus.ErrTransaction},
		"unknown":        {batch(func(b *walrus.Batch) { b.Commit(2) }), walrus.ErrTransaction},
		"decided twice":  {batch(func(b *walrus.Batch) { b.Commit(1); b.Abort(1) }), walrus.ErrTransaction},
		"a truncation":   {batch(func(b *walrus.Batch) { b.TruncateFront(mainTopic, 1); b.Prepare(2) }), walrus.ErrTransaction},
		"an index":       {batch(func(b *walrus.Batch) { b.Entry(mainTopic, 1, 1, 0, nil); b.Prepare(2) }), walrus.ErrTransaction},
		"a decision":     {batch(func(b *walrus.Batch) { b.Commit(1); b.Prepare(2) }), walrus.ErrTransaction},
		"a mirror":       {batch(func(b *walrus.Batch) { b.Entry(recoveryTopic, 0, 1, 0, nil); b.Prepare(2) }), walrus.ErrMirror},
		"topic zero":     {batch(func(b *walrus.Batch) { b.Entry(0, 0, 1, 0, nil); b.Prepare(2) }), walrus.ErrTooLarge},
		"a key":          {batch(func(b *walrus.Batch) { b.Set(walrus.MaxKeys, nil); b.Prepare(2) }), walrus.ErrTooLarge},
		"too many bytes": {batch(func(b *walrus.Batch) {
			b.Entry(mainTopic, 0, 1, 0, make([]byte, walrus.MaxPreparedBytes))
			b.Prepare(2)
		}), walrus.ErrTooLarge},
		"an entry too soon": {batch(func(b *walrus.Batch) { b.Entry(mainTopic, 2, 1, 0, nil); b.Commit(1) }), walrus.ErrGap},
	} {
		if err := d.log.Stage(c.batch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := d.log.StagedBytes(); n != 0 {
		t.Errorf("%d bytes were staged", n)
	}
	for n := uint64(2); n <= walrus.MaxPrepared; n++ {
		d.put(t, func(s *script) { s.prepare(n) })
	}
	if err := d.log.Stage(batch(func(b *walrus.Batch) { b.Prepare(99) })); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("one too many: %v", err)
	}
	// Staged decisions count before they are durable.
	check := func(b *walrus.Batch, want error) {
		t.Helper()
		if err := d.log.Stage(b); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	check(batch(func(b *walrus.Batch) { b.Commit(1) }), nil)
	check(batch(func(b *walrus.Batch) { b.Abort(1) }), walrus.ErrTransaction)
	check(batch(func(b *walrus.Batch) { b.Prepare(1) }), nil)
	check(batch(func(b *walrus.Batch) { b.Prepare(1) }), walrus.ErrTransaction)
	check(batch(func(b *walrus.Batch) { b.Entry(otherTopic, 3, 1, 0, nil) }), nil)
}

// Nothing is staged for topic zero, which is the log itself, and a refusal leaves no trace.
func TestTopicZeroLeavesNoTrace(t *testing.T) {
	d := opened(t)
	var b walrus.Batch
	b.Entry(0, 1, 1, 0, nil)
	if err := d.log.Stage(&b); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("staged with %v", err)
	}
	d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, "entry") })
	d.disk.kill()
	for range 2 {
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		d.disk.kill()
	}
}
