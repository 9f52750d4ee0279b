package walrus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// vandalise changes the files of a disk as the input says: bytes overwritten or copied from elsewhere,
// files cut, removed, or given each other's names.
func vandalise(disk *memFS, names []string, input []byte) {
	next := func() int {
		if len(input) == 0 {
			return 0
		}
		b := input[0]
		input = input[1:]
		return int(b)
	}
	for len(input) > 0 {
		action, name := next(), names[next()%len(names)]
		n := disk.seen[name]
		if n == nil {
			continue
		}
		at := (next()<<8 | next()) % (len(n.data) + 1)
		size := min(next(), len(n.data)-at)
		switch other := names[next()%len(names)]; action % 7 {
		case 0:
			for i := range size {
				n.data[at+i] = byte(next())
			}
		case 1:
			if len(n.data) > 0 {
				n.data[at%len(n.data)] ^= 1 << (size % 8)
			}
		case 2:
			clear(n.data[at:min(at+size*16, len(n.data))])
		case 3:
			if from := disk.seen[other]; from != nil {
				copy(n.data[at&^511:], from.data[min(size*512, len(from.data)):])
			}
		case 4:
			n.data = n.data[:at]
		case 5:
			delete(disk.seen, name)
		case 6:
			if disk.seen[other] != nil {
				disk.seen[name], disk.seen[other] = disk.seen[other], n
			}
		}
		n.device, n.durable = append([]byte(nil), n.data...), len(n.data)
	}
}

// copied is like shallow, with bytes of its own.
func (d *driver) copied() *driver {
	c := d.shallow()
	for _, n := range c.disk.seen {
		n.data, n.device = append([]byte(nil), n.data...), append([]byte(nil), n.device...)
	}
	return c
}

// Whatever happened to the files of a log, Open either refuses or shows nothing that was never
// written, and shows the same when it opens again. Inspect judges as an Open does that verifies
// everything; one that trusts the seals judges no harder, and what it has not seen shows when it is read.
func FuzzOpen(f *testing.F) {
	f.Add(uint8(0), []byte{})
	f.Add(uint8(1), []byte{1, 0, 33, 20, 3, 0})
	f.Add(uint8(2), []byte{5, 1, 0, 0, 0, 0})
	f.Add(uint8(0), []byte{4, 2, 35, 0, 0, 0})
	f.Add(uint8(3), []byte{6, 1, 0, 0, 0, 2})
	f.Add(uint8(0), []byte{3, 1, 32, 0, 16, 2, 2, 3, 36, 0, 90, 0})
	f.Add(uint8(1), []byte{5, 6, 0, 0, 0, 0, 5, 7, 0, 0, 0, 0, 5, 5, 0, 0, 0, 0})
	var logs [4]*driver
	var all [4]map[string]bool
	for i := range logs {
		d, history := settled(&testing.T{}, i-1)
		logs[i], all[i] = d, written(append(history, d.acked))
	}
	f.Fuzz(func(t *testing.T, which uint8, input []byte) {
		known := all[int(which)%len(logs)]
		d := logs[int(which)%len(logs)].copied()
		vandalise(d.disk, d.segments(), input)
		if len(d.segments()) == 0 {
			return
		}
		seen, err := inspect(d.copied())
		if err != nil && !errors.Is(err, walrus.ErrVersion) {
			t.Fatalf("inspect: %v", err)
		}
		for i := range seen.records {
			if id := identity(&seen.records[i]); id != "" && !seen.records[i].Broken && !known[id] {
				t.Errorf("inspect shows %s", id)
			}
		}
		_, report, err := walrus.Open(d.copied().disk, verified(49))
		if err != nil && !errors.Is(err, walrus.ErrCorrupt) && !errors.Is(err, walrus.ErrVersion) {
			t.Fatalf("open and verify: %v", err)
		}
		if seen.report.Verdict != report.Verdict || seen.report.Fresh != report.Fresh {
			t.Errorf("opened %+v (%v), inspected %+v", report, err, seen.report)
		}
		l, quick, err := walrus.Open(d.disk, options(50))
		if err != nil && !errors.Is(err, walrus.ErrCorrupt) && !errors.Is(err, walrus.ErrVersion) {
			t.Fatalf("open: %v", err)
		}
		if quick.Verdict > report.Verdict || quick.Fresh != report.Fresh {
			t.Errorf("opened %+v, verified %+v", quick, report)
		}
		if err != nil {
			return
		}
		first := shown(t, d, l, known)
		if err := l.Close(d.disk); err != nil {
			t.Fatal(err)
		}
		l, _, err = walrus.Open(d.disk, options(51))
		if err != nil {
			t.Fatalf("the second time: %v", err)
		}
		second := shown(t, d, l, known)
		if (first == nil) != (second == nil) {
			t.Errorf("read %v, the second time %v", first, second)
		} else if first != nil {
			if text := diff(first, second); text != "" {
				t.Errorf("the second time: %s", text)
			}
		}
	})
}

// shown returns what the log shows, all of which must have been written.
func shown(t *testing.T, d *driver, l *walrus.Log, known map[string]bool) *model {
	t.Helper()
	m, err := read(d.disk, l)
	if errors.Is(err, walrus.ErrCorrupt) {
		return nil // it says so: nothing is shown
	}
	if err != nil {
		t.Fatal(err)
	}
	for id, topic := range m.Topics {
		for i, e := range topic.Entries {
			if name := fmt.Sprint(id, topic.First+uint64(i), e.Term, e.Flags, e.Data); !known[name] {
				t.Errorf("shows %s", name)
			}
		}
	}
	for key, value := range m.Keys {
		if !known[fmt.Sprint("key", key, value)] {
			t.Errorf("key %d is %q", key, value)
		}
	}
	return m
}

// An index that no other can follow is refused: the topic would seem to begin again.
func TestLastIndexIsRefused(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) { s.rebase(otherTopic, 1<<64-2) })
	d.put(t, func(s *script) { s.entry(otherTopic, 1, 0, "the last") })
	var b walrus.Batch
	b.Entry(otherTopic, 1<<64-1, 1, 0, nil)
	if err := d.log.Stage(&b); !errors.Is(err, walrus.ErrTooLarge) {
		t.Errorf("staged: %v", err)
	}
	d.disk.losePower(imageNone)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
}
