package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// reseal changes both copies of a header and makes their checksums hold.
func reseal(data []byte, change func(header []byte)) []byte {
	for _, header := range [][]byte{data[:4096], data[4096:8192]} {
		change(header)
		start := uint32(runtime.Mix(0, 5))
		binary.LittleEndian.PutUint32(header[4092:], crc32.Update(start, crc32.MakeTable(crc32.Castagnoli), header[:4092]))
	}
	return data
}

func TestVerifyAndDumpOfACleanLog(t *testing.T) {
	f := newFixture(t)
	s := run(t, "verify", f.dir)
	want := fmt.Sprintf("  topic 1     entries 5 to %d\n  topic 2     mirrors 1\n  topic 7     entries 1 to %d\n  keys        0 (8 B), 1 (8 B), 2 (8 B)\n",
		f.next[mainTopic]-1, f.next[otherTopic]-1)
	if s.code != clean || !strings.HasPrefix(s.out, "clean  "+f.dir+": ") || !strings.HasSuffix(s.out, want) || strings.Count(s.out, "\n") != 5 {
		t.Errorf("verify: %+v, want the end\n%s", s, want)
	}
	s = run(t, "dump", f.dir)
	entries := 0
	for line := range strings.Lines(s.out) {
		if strings.Contains(line, " entry ") {
			entries++
		}
	}
	if seals := strings.Count(s.out, "  seal  "); seals != len(f.segments(t)) || strings.Count(s.out, "end of a log that was closed") != 1 {
		t.Errorf("dump: %d seals of %d segments: %s", seals, len(f.segments(t)), s.out)
	}
	if s.code != clean || entries != 120 || !strings.Contains(s.out, "truncate-back       7         20") {
		t.Errorf("dump: exit %d, %d entries, %s", s.code, entries, s.out[:2000])
	}
	s = run(t, "dump", f.dir, "--topic", "7", "--from", "19", "--to", "20")
	if n := strings.Count(s.out, "  entry  "); n != 3 || strings.Contains(s.out, " set ") || strings.Contains(s.out, "18, topic") {
		t.Errorf("dump of three entries: %s", s.out)
	}
}

func TestDumpAsJSON(t *testing.T) {
	f := newFixture(t)
	s := run(t, "dump", f.dir, "--json")
	types := map[string]int{}
	for lines := json.NewDecoder(strings.NewReader(s.out)); ; {
		var o object
		if err := lines.Decode(&o); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		types[o.Type+" "+o.Kind]++
		if o.Kind == "entry" {
			if text := string(*o.Payload); text != payload(walrus.Topic(o.Topic), *o.Index) || *o.Flags != 3 || *o.Bytes != int64(len(text)) {
				t.Errorf("%+v: %q", o, text)
			}
		}
	}
	if types["record entry"] != 120 || types["report "] != 1 || types["seal "] != len(f.segments(t)) || types["segment "] != len(f.segments(t)) || types["record truncate-front"] != 2 {
		t.Errorf("%v", types)
	}
}

// mutation is damage to the fixture, and what becomes of it.
type mutation struct {
	name    string
	damage  func(t *testing.T, f *fixture)
	verdict string
	says    []string // by verify
	repairs status
	dropped []string                   // by repair; none: nothing
	bounds  map[walrus.Topic][2]uint64 // after the repair; nil: everything
	keys    []uint16                   // gone
}

// at returns where the payload of an entry lies in its segment.
func (f *fixture) at(data []byte, id walrus.Topic, index uint64) int {
	return bytes.Index(data, []byte(payload(id, index)))
}

// strike damages the segment that holds an entry.
func (f *fixture) strike(t *testing.T, id walrus.Topic, index uint64, change func(data []byte, at int)) {
	for n, name := range f.segments(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := f.at(data, id, index); at >= 0 {
			f.damage(t, n, func(data []byte) []byte { change(data, at); return data })
			return
		}
	}
	t.Fatalf("entry %d of topic %d is nowhere", index, id)
}

func mutations(f *fixture) []mutation {
	whole := f.all()
	return []mutation{
		{
			name: "one bit of an entry", verdict: "corrupt", says: []string{"payload checksum (topic 1 index 30 term 2): one flipped bit at "},
			damage: func(t *testing.T, f *fixture) {
				f.strike(t, mainTopic, 30, func(data []byte, at int) { data[at+9] ^= 4 })
			},
		},
		{
			name: "two bits of an entry", verdict: "corrupt", repairs: damaged,
			says: []string{"payload checksum (topic 1 index 30 term 2)", "entries 5 to 80, LOST entry 30"},
			damage: func(t *testing.T, f *fixture) {
				f.strike(t, mainTopic, 30, func(data []byte, at int) { data[at+9] ^= 4; data[at+19] ^= 4 })
			},
			dropped: []string{"DROPPED  topic 1: entry 30: damaged or missing", fmt.Sprintf("DROPPED  topic 1: entries 31 to 80, %d bytes: whole, but behind", 50*len(payload(1, 31)))},
			bounds:  map[walrus.Topic][2]uint64{mainTopic: {5, 30}, otherTopic: whole[otherTopic]},
		},
		{
			name: "an entry that was truncated later", verdict: "corrupt", says: []string{"(topic 1 index 2 term 1)"},
			damage: func(t *testing.T, f *fixture) {
				f.strike(t, mainTopic, 2, func(data []byte, at int) { data[at+9] ^= 4; data[at+19] ^= 4 })
			},
		},
		{
			name: "a group header", verdict: "corrupt", says: []string{"group header checksum"},
			damage: func(t *testing.T, f *fixture) {
				f.strike(t, mainTopic, 31, func(data []byte, at int) { data[at-70] ^= 3; data[at-60] ^= 3 })
			},
		},
		{
			name: "a record header", verdict: "corrupt", repairs: damaged, says: []string{"record header checksum"},
			damage: func(t *testing.T, f *fixture) {
				f.strike(t, mainTopic, 31, func(data []byte, at int) { data[at-31] ^= 3; data[at-20] ^= 3 })
			},
			// Whether the damaged record changed the other topic nobody knows.
			dropped: []string{"DROPPED  topic 1: entry 31: damaged", "DROPPED  topic 7: entries 16 to ", "unknown kind in 1 place"},
			bounds:  map[walrus.Topic][2]uint64{mainTopic: {5, 31}, otherTopic: {1, 16}},
		},
		{
			name: "the first missing", verdict: "corrupt", repairs: damaged, says: []string{"lie before segment 2, in one that is missing", "LOST entr"},
			damage: func(t *testing.T, f *fixture) {
				if err := os.Remove(f.segments(t)[0]); err != nil {
					t.Fatal(err)
				}
			},
			dropped: []string{"DROPPED  topic 1: entries 5 to ", "DROPPED  topic 7: entries 1 to "},
			bounds:  map[walrus.Topic][2]uint64{},
		},
		{
			name: "the newest missing", verdict: "corrupt", repairs: damaged, says: []string{"was in use"},
			damage: func(t *testing.T, f *fixture) {
				if err := os.Remove(f.segments(t)[len(f.segments(t))-1]); err != nil {
					t.Fatal(err)
				}
			},
			dropped: []string{"unknown kind in 1 place", "DOUBTFUL key 0", "DOUBTFUL topic 1"},
			bounds:  map[walrus.Topic][2]uint64{},
			keys:    []uint16{0, 1, 2, 3}, // whatever they were then
		},
		{
			name: "the last write torn", verdict: "torn", says: []string{"torn      wal-"},
			damage: func(t *testing.T, f *fixture) {
				folder, l, _, err := open(t, f.dir)
				if err != nil {
					t.Fatal(err)
				}
				w := writer{fs: folder, log: l}
				w.batch.Entry(mainTopic, f.next[mainTopic], 9, 3, bytes.Repeat([]byte("x"), 2000))
				if err := w.flush(); err != nil {
					t.Fatal(err)
				}
				l.Close(folder)
				folder.Close()
				f.damage(t, -1, func(data []byte) []byte {
					clear(data[len(bytes.TrimRight(data, "\x00"))-1500:])
					return data
				})
			},
		},
		{
			name: "one copy of a header", verdict: "damaged", says: []string{"damaged   wal-", "one of two headers"},
			damage: func(t *testing.T, f *fixture) {
				f.damage(t, 1, func(data []byte) []byte { clear(data[:512]); return data })
			},
		},
	}
}

func TestDamagedLogs(t *testing.T) {
	for _, m := range mutations(newFixture(t)) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			m.damage(t, f)
			before := fingerprint(t, f.dir)
			s := run(t, "verify", f.dir)
			if s.code != damaged || !strings.HasPrefix(s.out, m.verdict+"  "+f.dir) || strings.Count(s.out, "\n") > 20 {
				t.Errorf("verify: exit %d\n%s", s.code, s.out)
			}
			for _, text := range m.says {
				if !strings.Contains(s.out, text) {
					t.Errorf("verify does not say %q:\n%s", text, s.out)
				}
			}
			into := filepath.Join(t.TempDir(), "new")
			s = run(t, "repair", f.dir, "--into", into)
			if s.code != m.repairs || s.err != "" {
				t.Errorf("repair: %+v, want %d", s, m.repairs)
			}
			for _, text := range m.dropped {
				if !strings.Contains(s.out, text) {
					t.Errorf("repair does not say %q:\n%s", text, s.out)
				}
			}
			if m.dropped == nil && strings.Contains(s.out, "DROPPED  topic") {
				t.Errorf("repair dropped:\n%s", s.out)
			}
			if after := fingerprint(t, f.dir); after != before {
				t.Error("the log was changed")
			}
			if m.bounds == nil {
				m.bounds = f.all()
			}
			keys := maps.Clone(f.keys)
			if m.keys == nil {
				f.holds(t, into, m.bounds, keys)
			}
			if s := run(t, "verify", into); s.code != clean {
				t.Errorf("the repaired log: %+v", s)
			}
			if names, err := filepath.Glob(filepath.Join(filepath.Dir(into), ".*")); err != nil || len(names) > 0 {
				t.Errorf("left %v, %v", names, err)
			}
		})
	}
}

// Wherever a log is damaged, what the repair keeps is as it was written, and what it does not keep it
// names: the two together are all there was.
func TestRepairAccountsForEverything(t *testing.T) {
	t.Parallel()
	intact := newFixture(t)
	names := intact.segments(t)
	dir := t.TempDir()
	for n := range 30 {
		f := *intact
		f.dir = filepath.Join(dir, fmt.Sprint(n), "log")
		if err := os.CopyFS(f.dir, os.DirFS(intact.dir)); err != nil {
			t.Fatal(err)
		}
		segment, at, size := n*5%len(names), 8192+n*997%4000, 1+n*n*13%900
		f.damage(t, segment, func(data []byte) []byte {
			for i := at; i < min(at+size, len(data)); i++ {
				data[i] ^= byte(0x41 + n)
			}
			return data
		})
		where := fmt.Sprintf("segment %d, %d bytes at %d", segment, size, at)
		into := filepath.Join(dir, fmt.Sprint(n), "new")
		var out bytes.Buffer
		code, err := runRepair(&out, []string{"--json", f.dir, "--into", into})
		var o object
		if err == nil {
			err = json.Unmarshal(out.Bytes(), &o)
		}
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if lossy := len(o.Dropped) > 0 || *o.Lost; lossy && code == clean {
			t.Errorf("%s: exit %d, %+v", where, code, o)
		}
		f.account(t, where, into, &o)
	}
}

// account compares a repaired log, and what was said to be dropped, with all there was.
func (f *fixture) account(t *testing.T, where, into string, o *object) {
	t.Helper()
	bounds := map[walrus.Topic][2]uint64{}
	seen := map[walrus.Topic]map[uint64]int{mainTopic: {}, otherTopic: {}}
	add := func(id, lo, hi uint64) {
		for index := lo; index < hi; index++ {
			seen[walrus.Topic(id)][index]++
		}
	}
	for _, kept := range o.Topics {
		bounds[walrus.Topic(kept.Topic)] = [2]uint64{*kept.First, *kept.Next}
		add(uint64(kept.Topic), *kept.First, *kept.Next)
	}
	for _, d := range o.Dropped {
		if d.Topic != 0 {
			add(uint64(d.Topic), *d.First, *d.Next)
		}
	}
	doubt := slices.ContainsFunc(o.Notes, func(s string) bool { return strings.Contains(s, "unknown kind") || strings.Contains(s, "uncertain") })
	for id, entries := range f.entries {
		for index := range entries {
			if n := seen[id][index]; n > 1 || n == 0 && !doubt {
				t.Errorf("%s: topic %d entry %d is named %d times: %+v", where, id, index, n, o)
			}
		}
	}
	keys := map[uint16]string{}
	for _, k := range o.Keys {
		keys[uint16(*k.Key)] = f.keys[uint16(*k.Key)]
	}
	if doubt { // keys and truncated entries may be older
		folder, l, _, err := open(t, into)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		l.Close(folder)
		folder.Close()
		return
	}
	f.holds(t, into, bounds, keys)
}
