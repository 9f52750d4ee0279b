package hashi

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hraft "github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/walrus/group"
)

func TestEntrySurvivesItsCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytesOrNil := rapid.Custom(func(t *rapid.T) []byte {
			return append([]byte(nil), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")...)
		})
		want := hraft.Log{
			Index: rapid.Uint64().Draw(t, "index"), Term: rapid.Uint64().Draw(t, "term"),
			Type: hraft.LogType(rapid.Uint8().Draw(t, "type")),
			Data: bytesOrNil.Draw(t, "data"), Extensions: bytesOrNil.Draw(t, "extensions"),
		}
		if rapid.Bool().Draw(t, "timed") {
			want.AppendedAt = time.Unix(0, 1+rapid.Int64Range(0, 1<<62).Draw(t, "ns"))
		}
		p := appendEntry(nil, &want)
		var got hraft.Log
		err := decodeEntry(group.Entry{Index: want.Index, Term: want.Term, Flags: uint8(want.Type), Payload: p}, &got)
		if err != nil || len(p) != encodedSize(&want) {
			t.Fatal(len(p), err)
		}
		for _, l := range []*hraft.Log{&want, &got} {
			l.Data = append([]byte{}, l.Data...)
			l.Extensions = append([]byte{}, l.Extensions...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendEntry(nil, &hraft.Log{Data: []byte("data"), Extensions: []byte("more"), AppendedAt: time.Unix(1, 2)}))
	f.Fuzz(func(t *testing.T, p []byte) {
		var l hraft.Log
		if decodeEntry(group.Entry{Payload: p}, &l) == nil && !bytes.Equal(appendEntry(nil, &l), p) {
			t.Errorf("%+v has two encodings", l)
		}
	})
}

func FuzzDecodeValues(f *testing.F) {
	f.Add(uint16(keyVote), []byte{})
	f.Add(uint16(keyVote), encodeValues(keyVote, map[string][]byte{nameVoteTerm: []byte("12345678"), nameCandidate: []byte("n1")}))
	f.Add(uint16(keyOther), encodeValues(keyOther, map[string][]byte{"": nil, "a": []byte("b")}))
	f.Fuzz(func(t *testing.T, key uint16, p []byte) {
		values := map[string][]byte{}
		if decodeValues(key, p, values) != nil {
			return
		}
		again := map[string][]byte{}
		if err := decodeValues(key, encodeValues(key, values), again); err != nil || len(again) != len(values) {
			t.Errorf("%v, then %v, %v", values, again, err)
		}
	})
}

func FuzzRestore(f *testing.F) {
	r := &replica{machine: kv.NewMachine(), compacted: func() {}, index: 3, term: 2, chain: 1}
	captured, err := r.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	disk := newCrashFS()
	s, err := OpenSnapshots(disk, "s", 1)
	if err != nil {
		f.Fatal(err)
	}
	k, err := s.Create(1, 3, 2, voters, 1, nil)
	if err == nil {
		err = captured.Persist(k)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(disk.seen["s/"+k.ID()+snapshotSuffix].data[:k.(*sink).meta.Size])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		failures := 0
		r := &replica{machine: kv.NewMachine(), fail: func(error) { failures++ }}
		err := r.Restore(io.NopCloser(bytes.NewReader(p)))
		if (err != nil) != (failures == 1) {
			t.Errorf("%v, %d failures", err, failures)
		}
		if _, again := r.query(nil); (again != nil) != (err != nil) {
			t.Errorf("restored with %v, and a query has %v", err, again)
		}
	})
}

func TestNodesAreNamed(t *testing.T) {
	for name, want := range map[string]uint64{"n1": 1, "n18446744073709551615": 1<<64 - 1} {
		if id, err := parseNode(name); err != nil || uint64(id) != want {
			t.Errorf("%q is %v, %v", name, id, err)
		}
	}
	for _, name := range []string{"", "n", "1", "n01", "n-1", "n1 ", "m1", "127.0.0.1:80"} {
		if id, err := parseNode(name); err == nil {
			t.Errorf("%q is %v", name, id)
		}
	}
}
