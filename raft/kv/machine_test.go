package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/raft"
)

var _ raft.StateMachine = (*Machine)(nil)

func apply(m *Machine, commands ...Command) [][]byte {
	entries := make([]raft.Entry, len(commands))
	for i := range commands {
		entries[i].Data = commands[i].Append(nil)
	}
	return m.Apply(entries, nil)
}

func written(t interface{ Fatal(...any) }, g raft.Image) []byte {
	var b bytes.Buffer
	n, err := g.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatal("WriteTo:", n, b.Len(), err)
	}
	g.Release()
	return b.Bytes()
}

// The machine does what the model does, and an image shows the state at its
// capture however long it is kept.
func TestMachineAgreesWithModel(t *testing.T) {
	type capture struct {
		image raft.Image
		want  []byte
	}
	rapid.Check(t, func(t *rapid.T) {
		machine, model := NewMachine(), NewModel()
		var captures []capture
		keys := rapid.SampledFrom([]int{2, 30}).Draw(t, "keys")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 15).Draw(t, "capture") == 0 {
				image, err := machine.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				captures = append(captures, capture{image, model.AppendImage(nil)})
			}
			command := commands(keys).Draw(t, "command")
			got, want := apply(machine, command)[0], model.Apply(command.Append(nil))
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: got %x, want %x", command, got, want)
			}
		}
		for i, c := range captures {
			if got := written(t, c.image); !bytes.Equal(got, c.want) {
				t.Fatalf("image %d: got %q, want %q", i, got, c.want)
			}
		}
		if machine.Len() != model.Len() {
			t.Fatalf("%d keys, want %d", machine.Len(), model.Len())
		}
	})
}

// Enough keys to split and join pages many times, in an order that is neither
// sorted nor random, with captures on the way.
func TestStoreSplitsAndJoinsPages(t *testing.T) {
	machine, model := NewMachine(), NewModel()
	const keys = 5000
	step := func(op Op, i int) {
		c := Command{Op: op, Key: fmt.Appendf(nil, "key-%d", i*7919%keys)}
		if op == Put {
			c.Value = binary.LittleEndian.AppendUint64(nil, uint64(i))
		}
		if got, want := apply(machine, c)[0], model.Apply(c.Append(nil)); !bytes.Equal(got, want) {
			t.Fatalf("%v: got %x, want %x", c, got, want)
		}
	}
	for i := range keys {
		step(Put, i)
	}
	full, _ := machine.Snapshot()
	want := model.AppendImage(nil)
	for i := range keys - 10 {
		step(Delete, i)
	}
	if got := written(t, full); !bytes.Equal(got, want) {
		t.Error("the image of the full store changed after its capture")
	}
	if pages := len(machine.store.pages); pages > 5 {
		t.Errorf("10 keys on %d pages", pages)
	}
	rest, _ := machine.Snapshot()
	if got := written(t, rest); !bytes.Equal(got, model.AppendImage(nil)) {
		t.Error("the emptied store differs from the model")
	}
}

func TestRestoreBringsBackAnImage(t *testing.T) {
	machine := NewMachine()
	for i := range 1000 {
		apply(machine, Command{Op: Put, Key: fmt.Appendf(nil, "k%d", i), Value: make([]byte, i%60)})
	}
	image, _ := machine.Snapshot()
	want := written(t, image)
	restored := NewMachine()
	apply(restored, Command{Op: Put, Key: []byte("gone"), Value: []byte("v")})
	if err := restored.Restore(bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	again, _ := restored.Snapshot()
	apply(restored, Command{Op: Delete, Key: []byte("k1")})
	if got := written(t, again); !bytes.Equal(got, want) {
		t.Error("an image restored and captured again differs")
	}
	if restored.Len() != 999 {
		t.Errorf("%d keys, want 999", restored.Len())
	}
}

func TestRestoreRefusesDamagedImages(t *testing.T) {
	model := NewModel()
	for _, key := range []string{"a", "b"} {
		put := Command{Op: Put, Key: []byte(key), Value: []byte("v")}
		model.Apply(put.Append(nil))
	}
	good := model.AppendImage(nil)
	pair := (len(good) - imageHeader) / 2
	swapped := append(append(bytes.Clone(good[:imageHeader]), good[imageHeader+pair:]...), good[imageHeader:imageHeader+pair]...)
	huge := bytes.Clone(good)
	huge[imageHeader+7] = 0xff
	for name, p := range map[string][]byte{
		"empty":         nil,
		"bad magic":     append([]byte{0}, good[1:]...),
		"short":         good[:len(good)-1],
		"long":          append(bytes.Clone(good), 0),
		"out of order":  swapped,
		"value too big": huge,
	} {
		m := NewMachine()
		if err := m.Restore(bytes.NewReader(p)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func TestMalformedEntryIsAnsweredAndChangesNothing(t *testing.T) {
	m := NewMachine()
	got := m.Apply([]raft.Entry{{Data: []byte("nonsense")}}, nil)
	if len(got) != 1 || !bytes.Equal(got[0], []byte{byte(Malformed)}) || m.Len() != 0 {
		t.Errorf("got %x with %d keys", got, m.Len())
	}
	if got := NewModel().Apply([]byte("nonsense")); !bytes.Equal(got, []byte{byte(Malformed)}) {
		t.Errorf("the model answered %x", got)
	}
}

func BenchmarkApplyPut(b *testing.B) {
	m := NewMachine()
	entries := make([]raft.Entry, 1000)
	for i := range entries {
		c := Command{Op: Put, Key: fmt.Appendf(nil, "key-%06d", i*7919%1000), Value: make([]byte, 100)}
		entries[i].Data = c.Append(nil)
	}
	var results [][]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		results = m.Apply(entries[i%1000:i%1000+1], results[:0])
	}
}

// Equal states hash alike, however they came about; a clone goes its own way.
func TestModelHash(t *testing.T) {
	do := func(m *Model, op Op, key, value string) {
		c := Command{Op: op, Key: []byte(key), Value: []byte(value)}
		m.Apply(c.Append(nil))
	}
	a, b := NewModel(), NewModel()
	do(a, Put, "x", "1")
	do(a, Put, "y", "2")
	do(b, Put, "y", "3")
	do(b, Put, "gone", "")
	do(b, Put, "y", "2")
	do(b, Put, "x", "1")
	if a.Hash() == b.Hash() {
		t.Error("states that differ in an empty value hash alike")
	}
	do(b, Delete, "gone", "")
	if a.Hash() != b.Hash() {
		t.Error("equal states hash differently")
	}
	clone := a.Clone()
	do(clone, Put, "x", "other")
	if a.Hash() != b.Hash() || clone.Hash() == a.Hash() || a.Cell([]byte("x")).Value != "1" {
		t.Error("a change to a clone changed its origin")
	}
	if err := clone.Restore(a.AppendImage(nil)); err != nil || clone.Hash() != a.Hash() || clone.Len() != 2 {
		t.Errorf("restored %d keys, %v", clone.Len(), err)
	}
	get, put := Command{Op: Get, Key: []byte("x")}, Command{Op: Put, Key: []byte("x")}
	if a.Partition(get.Append(nil)) != a.Partition(put.Append(nil)) || !a.ReadOnly(get.Append(nil)) || a.ReadOnly(put.Append(nil)) {
		t.Error("commands are sorted wrongly")
	}
}

// An image is written on another lane while applying goes on: the race
// detector must find nothing, and the image nothing new.
func TestImageIsWrittenWhileApplyingGoesOn(t *testing.T) {
	m, model := NewMachine(), NewModel()
	step := func(round, i int) {
		c := Command{Op: Put, Key: fmt.Appendf(nil, "key-%d", i*7919%300), Value: fmt.Append(nil, round)}
		if round%2 == 1 && i%3 == 0 {
			c = Command{Op: Delete, Key: c.Key}
		}
		apply(m, c)
		model.Apply(c.Append(nil))
	}
	for round := range 4 {
		image, _ := m.Snapshot()
		want := model.AppendImage(nil)
		got := make(chan []byte)
		go func() {
			var b bytes.Buffer
			image.WriteTo(&b)
			image.Release()
			got <- b.Bytes()
		}()
		for i := range 1000 {
			step(round, i)
		}
		if !bytes.Equal(<-got, want) {
			t.Fatalf("round %d: the image shows what came after it", round)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{})
	m := NewMachine()
	put := Command{Op: Put, Client: 1, Seq: 1, Key: []byte("k"), Value: []byte("v")}
	m.Apply([]raft.Entry{{Index: 1, Term: 1, Type: raft.EntryCommand, Data: put.Append(nil)}}, nil)
	f.Add(imageOf(f, m))
	f.Fuzz(func(t *testing.T, p []byte) {
		m := NewMachine()
		if err := m.Restore(bytes.NewReader(p)); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("refused by %v", err)
			}
			return
		}
		if again := imageOf(t, m); !bytes.Equal(again, p) {
			t.Errorf("an image of %d bytes comes back as one of %d", len(p), len(again))
		}
	})
}

// imageOf returns the bytes of a snapshot.
func imageOf(t testing.TB, m *Machine) []byte {
	t.Helper()
	image, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer image.Release()
	var b bytes.Buffer
	if _, err := image.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
