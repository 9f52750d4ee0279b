package kv

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// commands draws valid commands over a few keys.
func commands(keys int) *rapid.Generator[Command] {
	return rapid.Custom(func(t *rapid.T) Command {
		c := Command{
			Op:     rapid.SampledFrom([]Op{Get, Put, Put, Delete, CompareAndSwap}).Draw(t, "op"),
			Client: rapid.Uint64().Draw(t, "client"),
			Seq:    rapid.Uint64().Draw(t, "seq"),
			Key:    []byte{byte(rapid.IntRange(0, keys-1).Draw(t, "key") * 7)},
		}
		values := rapid.SliceOfN(rapid.Byte(), 0, 2)
		if c.Op == Put || c.Op == CompareAndSwap {
			c.Value = values.Draw(t, "value")
		}
		if c.Op == CompareAndSwap {
			if c.ExpectAbsent = rapid.Bool().Draw(t, "absent"); !c.ExpectAbsent {
				c.Expect = values.Draw(t, "expect")
			}
		}
		return c
	})
}

func TestCommandSurvivesItsCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := commands(30).Draw(t, "command")
		got, err := DecodeCommand(want.Append([]byte("before"))[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(nilEmpty(want), nilEmpty(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func nilEmpty(c Command) Command {
	for _, p := range []*[]byte{&c.Key, &c.Value, &c.Expect} {
		if len(*p) == 0 {
			*p = nil
		}
	}
	return c
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	put := Command{Op: Put, Key: []byte("k"), Value: []byte("v")}
	encoded := put.Append(nil)
	edit := func(at int, v byte) []byte {
		p := bytes.Clone(encoded)
		p[at] = v
		return p
	}
	for name, p := range map[string][]byte{
		"empty":                  nil,
		"short header":           encoded[:commandHeader-1],
		"short body":             encoded[:len(encoded)-1],
		"long body":              append(bytes.Clone(encoded), 0),
		"operation 0":            edit(0, 0),
		"unknown operation":      edit(0, 5),
		"get with a value":       edit(0, byte(Get)),
		"unknown flag":           edit(1, 2),
		"put with an expectance": edit(1, flagAbsent),
		"no key":                 append(edit(2, 0)[:commandHeader], 'v'),
		"huge value":             edit(7, 0xff),
	} {
		if _, err := DecodeCommand(p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func TestAppendRefusesWhatCouldNotBeDecoded(t *testing.T) {
	for name, c := range map[string]Command{
		"no key":    {Op: Get},
		"long key":  {Op: Get, Key: make([]byte, KeyMax+1)},
		"long":      {Op: Put, Key: []byte("k"), Value: make([]byte, ValueMax+1)},
		"valued":    {Op: Delete, Key: []byte("k"), Value: []byte("v")},
		"both ways": {Op: CompareAndSwap, Key: []byte("k"), Expect: []byte("v"), ExpectAbsent: true},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it was encoded", name)
				}
			}()
			c.Append(nil)
		}()
	}
}

func TestResponseSurvivesItsCodec(t *testing.T) {
	for _, want := range []Response{{Status: OK}, {Status: Mismatch, Value: []byte("v")}, {Status: Malformed}} {
		got, err := DecodeResponse(want.Append(nil))
		if err != nil || got.Status != want.Status || !bytes.Equal(got.Value, want.Value) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, p := range [][]byte{nil, {0}, {5}, make([]byte, ValueMax+2)} {
		if _, err := DecodeResponse(p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: got %v, want ErrMalformed", len(p), err)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	f.Add([]byte{})
	swap := Command{Op: CompareAndSwap, Client: 1, Seq: 2, Key: []byte("k"), Value: []byte("v"), Expect: []byte("e")}
	f.Add(swap.Append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := DecodeCommand(p)
		if err == nil && !bytes.Equal(c.Append(nil), p) {
			t.Errorf("%v has two encodings", c)
		}
	})
}
