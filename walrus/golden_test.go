package walrus_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/octopii-go/octopii/walrus"
)

var update = flag.Bool("update", false, "rewrite testdata")

// goldenFile is written by this version. olderFile was written by the first one, which had
// no seals.
const (
	goldenFile = "testdata/log-v2.txt"
	olderFile  = "testdata/log-v1.txt"
)

// goldenLog is a small log that holds every kind of record, a rotation and a
// recovery.
func goldenLog(t *testing.T) *driver {
	t.Helper()
	d := opened(t)
	d.put(t, func(s *script) {
		s.entry(mainTopic, 1, 1, "first")
		s.entry(mainTopic, 1, 2, "second")
		s.set(stateKey, "term 1")
	})
	d.put(t, func(s *script) {
		s.truncateBack(mainTopic, 2)
		s.entry(mainTopic, 2, 1, "second again")
		s.entry(otherTopic, 7, 0, "")
	})
	if err := d.chores(); err != nil {
		t.Fatal(err)
	}
	d.put(t, func(s *script) { s.entry(mainTopic, 2, 1, strings.Repeat("rotate ", 530)) })
	d.put(t, func(s *script) {
		s.truncateFront(mainTopic, 2)
		s.rebase(otherTopic, 100)
	})
	d.put(t, func(s *script) { s.prepare(8, walrus.Change{IsSet: true, Key: stateKey, Payload: []byte("term 1")}) })
	d.put(t, func(s *script) { s.prepare(9, transfer(1)...) })
	d.put(t, func(s *script) { s.prepare(10) })
	d.put(t, func(s *script) {
		s.commit(8)
		s.abort(10)
		s.batch.Repair(mainTopic, 2, 2, 1, []byte("second again"))
	})
	d.disk.losePower(imageNone)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if err := d.chores(); err != nil { // seals
		t.Fatal(err)
	}
	return d
}

// dumpDisk renders the segment files of a disk, sixteen bytes a line, zeros left out.
func dumpDisk(d *driver) string {
	var b strings.Builder
	b.WriteString("# Segment files of a small log: offset, bytes, text. Lines of zeros are left out.\n")
	for _, name := range d.segments() {
		data := d.disk.seen[name].data
		fmt.Fprintf(&b, "file %s %d\n", name, len(data))
		for at := 0; at < len(data); at += 16 {
			line := data[at:min(at+16, len(data))]
			if len(bytes.Trim(line, "\x00")) == 0 {
				continue
			}
			text := strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '.'
				}
				return r
			}, string(bytes.Map(func(r rune) rune { return r }, []byte(latin(line)))))
			fmt.Fprintf(&b, "%05x %s |%s|\n", at, hex.EncodeToString(line), text)
		}
	}
	return b.String()
}

// latin turns bytes into runes one by one.
func latin(p []byte) string {
	r := make([]rune, len(p))
	for i, b := range p {
		r[i] = rune(b)
	}
	return string(r)
}

// loadDisk is the inverse of dumpDisk.
func loadDisk(t *testing.T, text string) *memFS {
	t.Helper()
	m := newMemFS(1)
	if err := m.MkdirAll("data/log"); err != nil {
		t.Fatal(err)
	}
	var file *memNode
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case fields[0] == "#":
		case fields[0] == "file":
			var size int
			if _, err := fmt.Sscan(fields[2], &size); err != nil {
				t.Fatal(err)
			}
			file = &memNode{sectors: map[int]*memDirty{}, durable: size}
			file.grow(size)
			m.seen[fields[1]] = file
		default:
			var at int
			if _, err := fmt.Sscanf(fields[0], "%x", &at); err != nil {
				t.Fatal(err)
			}
			p, err := hex.DecodeString(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			copy(file.data[at:], p)
			copy(file.device[at:], p)
		}
	}
	m.pending = append(m.pending, nil)
	for name, n := range m.seen {
		m.durable[name] = n
	}
	return m
}

// The bytes on disk are the format: a change here is a new version of it.
func TestFormatIsPinned(t *testing.T) {
	got := dumpDisk(goldenLog(t))
	if *update {
		if err := os.WriteFile(goldenFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if text := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); text != "" {
		t.Errorf("the format has changed (-want +got):\n%s", text)
	}
}

// What an earlier build wrote, this one reads.
func TestPinnedLogIsRead(t *testing.T) {
	for _, name := range []string{goldenFile, olderFile} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		readPinned(t, loadDisk(t, string(text)), name == goldenFile)
	}
}

func readPinned(t *testing.T, disk *memFS, sealed bool) {
	t.Helper()
	l, report, err := walrus.Open(disk, options(99))
	if err != nil {
		t.Fatal(err)
	}
	if (report.Sealed > 0) != sealed {
		t.Errorf("%d of %d segments had seals", report.Sealed, report.Segments)
	}
	got, err := read(disk, l)
	if err != nil {
		t.Fatal(err)
	}
	want := newModel()
	want.Topics[mainTopic] = modelTopic{First: 2, Entries: []modelEntry{{2, 1, "second again"}, {2, 1, strings.Repeat("rotate ", 530)}}}
	want.Topics[otherTopic] = modelTopic{First: 100}
	want.Keys[stateKey] = "term 1"
	if sealed {
		want.Txs[9] = transfer(1)
	}
	if text := cmp.Diff(want, got, cmpopts.EquateEmpty()); text != "" {
		t.Errorf("-want +got:\n%s", text)
	}
	if report.Verdict != walrus.Clean {
		t.Errorf("report %+v", report)
	}
}
