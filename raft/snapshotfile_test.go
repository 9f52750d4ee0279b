package raft

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/runtime"
)

// memoryFile is a runtime.File of which only WriteAt is used.
type memoryFile struct {
	runtime.File
	data   []byte
	writes int
	fail   int // the number of the write that fails; zero: none
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	if f.writes++; f.writes == f.fail {
		return 1, runtime.ErrIO
	}
	f.data = append(f.data[:off], p...)
	return len(p), nil
}

func encodeSnapshot(t interface{ Fatal(...any) }, meta SnapshotMeta, parts ...[]byte) ([]byte, SnapshotMeta) {
	var f memoryFile
	w := newSnapshotWriter(&f, meta)
	for _, part := range parts {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatal("Write:", n, err)
		}
	}
	meta, err := w.finish()
	if err != nil {
		t.Fatal(err)
	}
	return f.data, meta
}

func TestSnapshotFileSurvivesItsCodec(t *testing.T) {
	sizes := []int{0, 1, 100, snapshotChunk - 1, snapshotChunk, snapshotChunk + 1, 3 * snapshotChunk, 9*snapshotChunk + 5}
	rapid.Check(t, func(t *rapid.T) {
		content := make([]byte, rapid.SampledFrom(sizes).Draw(t, "size"))
		for i := range content {
			content[i] = byte(i * i >> 5)
		}
		cut := rapid.IntRange(0, len(content)).Draw(t, "cut")
		want := SnapshotMeta{Index: 7, Term: 3, Chain: 11}
		file, meta := encodeSnapshot(t, want, content[:cut], content[cut:])
		want.Hash, want.Size = SnapshotHash(want, content), uint64(len(file))
		if meta != want {
			t.Fatalf("wrote %+v, want %+v", meta, want)
		}
		read, got, err := CheckSnapshot(file)
		if err != nil || read != want || !bytes.Equal(got, content) {
			t.Fatalf("read %+v of %d bytes, %v; want %+v of %d", read, len(got), err, want, len(content))
		}
	})
}

func TestSnapshotHashCoversThePlace(t *testing.T) {
	base := SnapshotMeta{Index: 1, Term: 1, Chain: 1}
	for _, other := range []SnapshotMeta{{Index: 2, Term: 1, Chain: 1}, {Index: 1, Term: 2, Chain: 1}, {Index: 1, Term: 1, Chain: 2}} {
		if SnapshotHash(base, []byte("x")) == SnapshotHash(other, []byte("x")) {
			t.Errorf("%+v and %+v hash alike", base, other)
		}
	}
}

// Every damage to a file is an error, and no byte beyond it is handed out.
func TestDamagedSnapshotFilesAreRefused(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), snapshotChunk/16*2+3)
	good, _ := encodeSnapshot(t, SnapshotMeta{Index: 7, Term: 3, Chain: 11}, content)
	other, _ := encodeSnapshot(t, SnapshotMeta{Index: 8, Term: 3, Chain: 11}, content)
	second := snapshotHeader + chunkHeader + snapshotChunk
	third := second + chunkHeader + snapshotChunk
	check := func(name string, file []byte) {
		t.Helper()
		_, got, err := CheckSnapshot(file)
		if !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: got %v, want ErrSnapshot", name, err)
		}
		if !bytes.HasPrefix(content, got) {
			t.Errorf("%s: wrong bytes were handed out", name)
		}
	}
	for _, at := range []int{0, 8, 12, 16, 24, 32, 40, 60, 64, 68, 72, second - 1, second, second + 4, third + 9, len(good) - 32, len(good) - 28, len(good) - 20, len(good) - 12, len(good) - 8, len(good) - 1} {
		for _, bit := range []byte{1, 0x80} {
			file := bytes.Clone(good)
			file[at] ^= bit
			check("bit flip", file)
		}
	}
	for _, size := range []int{0, 1, snapshotHeader - 1, snapshotHeader, snapshotHeader + 3, second, third + 20, len(good) - 32, len(good) - 1} {
		check("cut", good[:size])
	}
	check("longer", append(bytes.Clone(good), 0))
	check("a chunk left out", append(bytes.Clone(good[:second]), good[third:]...))
	check("a chunk twice", append(bytes.Clone(good[:third]), good[second:]...))
	check("a chunk of another snapshot", append(append(bytes.Clone(good[:second]), other[second:third]...), good[third:]...))
	check("zeros", make([]byte, len(good)))
}

func TestSnapshotWriterStaysFailed(t *testing.T) {
	for fail := 1; fail <= 3; fail++ {
		f := memoryFile{fail: fail}
		w := newSnapshotWriter(&f, SnapshotMeta{Index: 1})
		for range 10 {
			w.Write(make([]byte, snapshotChunk))
		}
		if _, err := w.finish(); !errors.Is(err, runtime.ErrIO) || f.writes != fail {
			t.Errorf("write %d failed: got %v after %d writes", fail, err, f.writes)
		}
	}
}

// failingReader fails reads at and beyond an offset.
type failingReader struct {
	io.ReaderAt
	from int64
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.from {
		return 0, runtime.ErrIO
	}
	return r.ReaderAt.ReadAt(p, off)
}

func TestSnapshotReaderReportsTheDevice(t *testing.T) {
	file, _ := encodeSnapshot(t, SnapshotMeta{Index: 1}, make([]byte, 9*snapshotChunk))
	r, err := newSnapshotReader(failingReader{bytes.NewReader(file), 6 * snapshotChunk}, uint64(len(file)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, runtime.ErrIO) || errors.Is(err, ErrSnapshot) {
		t.Errorf("got %v, want the device's error", err)
	}
}

// Whatever a file was before one of its bytes changed, or its end was lost, it is refused.
func FuzzCheckSnapshot(f *testing.F) {
	f.Add([]byte{}, uint(0), byte(1), false)
	f.Add([]byte("content"), uint(70), byte(0x80), false)
	f.Add(bytes.Repeat([]byte{7}, snapshotChunk+3), uint(snapshotChunk), byte(1), true)
	f.Fuzz(func(t *testing.T, content []byte, at uint, flip byte, cut bool) {
		// Bytes of no file at all first.
		if meta, got, err := CheckSnapshot(content); err == nil {
			if again, _ := encodeSnapshot(t, SnapshotMeta{Index: meta.Index, Term: meta.Term, Chain: meta.Chain}, got); !bytes.Equal(again, content) {
				t.Errorf("snapshot %+v has two encodings", meta)
			}
		}
		file, _ := encodeSnapshot(t, SnapshotMeta{Index: 7, Term: 3, Chain: 11}, content)
		i := int(at % uint(len(file)))
		if cut {
			file = file[:i]
		} else if file[i] ^= flip; flip == 0 {
			return
		}
		if _, _, err := CheckSnapshot(file); !errors.Is(err, ErrSnapshot) {
			t.Errorf("changed at %d of %d: %v", i, len(file), err)
		}
	})
}
