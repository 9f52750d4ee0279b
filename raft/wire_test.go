package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// messages draws messages of every type, with the fields that the codec carries.
func messages() *rapid.Generator[Message] {
	return rapid.Custom(func(t *rapid.T) Message {
		m := Message{
			Type:    MessageType(rapid.IntRange(int(MsgPreVote), int(MsgSnapshotReply)).Draw(t, "type")),
			Reject:  rapid.Bool().Draw(t, "reject"),
			From:    runtime.NodeID(rapid.Uint64().Draw(t, "from")),
			To:      runtime.NodeID(rapid.Uint64().Draw(t, "to")),
			LogTerm: Term(rapid.Uint64Range(0, 9).Draw(t, "log term")),
			Index:   Index(rapid.Uint64Range(0, 1<<60).Draw(t, "index")),
			Commit:  Index(rapid.Uint64().Draw(t, "commit")),
			Seq:     rapid.Uint64().Draw(t, "seq"),
		}
		m.Term = m.LogTerm + 9
		blob := rapid.SliceOfN(rapid.Byte(), 0, 40)
		switch m.Type {
		case MsgAppend:
			term := m.LogTerm
			for i := range rapid.IntRange(0, 9).Draw(t, "entries") {
				term += Term(rapid.IntRange(0, 1).Draw(t, "step"))
				m.Entries = append(m.Entries, Entry{
					Index: m.Index + Index(i) + 1,
					Term:  term,
					Type:  rapid.SampledFrom([]EntryType{EntryCommand, EntryNoop, EntryQuery}).Draw(t, "entry type"),
					Data:  blob.Draw(t, "data"),
				})
			}
		case MsgSnapshot, MsgSnapshotReply:
			m.Snapshot = SnapshotMeta{Index: 1, Term: 2, Chain: 3, Hash: rapid.Uint64().Draw(t, "hash"), Size: 5}
			if last := rapid.Uint64().Draw(t, "last"); m.Type == MsgSnapshot {
				m.Digest = last
			} else {
				m.Offset = last
			}
		}
		return m
	})
}

func TestMessageSurvivesItsCodec(t *testing.T) {
	var reused Message
	rapid.Check(t, func(t *rapid.T) {
		want := messages().Draw(t, "message")
		frame := appendMessage([]byte("before"), &want)[len("before"):]
		if len(frame) != messageSize(&want) {
			t.Fatalf("a frame of %d bytes, announced as %d", len(frame), messageSize(&want))
		}
		if err := decodeMessage(frame, &reused); err != nil {
			t.Fatal(err)
		}
		clear(frame)
		if diff := cmp.Diff(want, reused, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// sealed returns the frame with its payload changed by edit and its checksum right.
func sealed(m Message, edit func(payload []byte) []byte) []byte {
	frame := appendMessage(nil, &m)
	frame = append(frame[:transport.HeaderSize], edit(frame[transport.HeaderSize:])...)
	if err := transport.Seal(frame); err != nil {
		panic(err)
	}
	return frame
}

func TestMessagesNoPeerSendsAreRefused(t *testing.T) {
	vote := Message{Type: MsgVote, From: 1, To: 2, Term: 3}
	appendTwo := Message{Type: MsgAppend, From: 1, To: 2, Term: 3, LogTerm: 2, Entries: []Entry{
		{Index: 1, Term: 2, Type: EntryNoop}, {Index: 2, Term: 3, Type: EntryCommand, Data: []byte("ab")},
	}}
	offer := Message{Type: MsgSnapshot, From: 1, To: 2, Term: 3}
	reply := Message{Type: MsgSnapshotReply, From: 1, To: 2, Term: 3}
	put64 := func(at int, v uint64) func([]byte) []byte {
		return func(p []byte) []byte { binary.LittleEndian.PutUint64(p[at:], v); return p }
	}
	for name, c := range map[string]struct {
		message Message
		edit    func([]byte) []byte
	}{
		"type 0":             {Message{Type: 0}, bytes.Clone},
		"unknown type":       {Message{Type: MsgSnapshotReply + 1}, bytes.Clone},
		"short header":       {vote, func(p []byte) []byte { return p[:wireHeader-1] }},
		"long vote":          {vote, func(p []byte) []byte { return append(p, 0) }},
		"unknown flag":       {vote, put64(0, 2)},
		"entries in a vote":  {vote, put64(0, 1<<32)},
		"missing entries":    {appendTwo, put64(0, 99<<32)},
		"index overflow":     {appendTwo, put64(24+8, 1<<64-1)},
		"long append":        {appendTwo, func(p []byte) []byte { return append(p, 0) }},
		"short append":       {appendTwo, func(p []byte) []byte { return p[:len(p)-1] }},
		"falling term":       {appendTwo, put64(wireHeader, 1)},
		"term from tomorrow": {appendTwo, put64(wireHeader+wireEntry, 4)},
		"entry of type 0":    {appendTwo, put64(wireHeader+8, 0)},
		"entry of type 4":    {appendTwo, put64(wireHeader+8, 4<<32)},
		"entry padding":      {appendTwo, put64(wireHeader+8, uint64(EntryNoop)<<32|1<<40)},
		"short snapshot":     {offer, func(p []byte) []byte { return p[:wireHeader+wireSnapshot-1] }},
		"bytes in an offer":  {offer, func(p []byte) []byte { return append(p, 0) }},
		"bytes in a reply":   {reply, func(p []byte) []byte { return append(p, 0) }},
	} {
		var m Message
		if err := decodeMessage(sealed(c.message, c.edit), &m); !errors.Is(err, errMessage) {
			t.Errorf("%s: got %v, want errMessage", name, err)
		}
	}
	var m Message
	if err := decodeMessage([]byte("no frame"), &m); err == nil || errors.Is(err, errMessage) {
		t.Errorf("no frame: got %v, want an error of package transport", err)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(uint8(0), []byte{})
	for _, m := range []Message{
		{Type: MsgAppend, Term: 1, Entries: []Entry{{Index: 1, Term: 1, Type: EntryCommand, Data: []byte("x")}}},
		{Type: MsgSnapshot, Digest: 1},
		{Type: MsgVoteReply, Reject: true},
	} {
		f.Add(uint8(m.Type), appendMessage(nil, &m)[transport.HeaderSize:])
	}
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		frame := append(transport.AppendHeader(nil, kind), payload...)
		if transport.Seal(frame) != nil {
			return
		}
		var m Message
		if decodeMessage(frame, &m) == nil && !bytes.Equal(appendMessage(nil, &m), frame) {
			t.Errorf("message %+v has two encodings", m)
		}
	})
}

func TestRefusalSurvivesItsCodec(t *testing.T) {
	for code := RefusedNotReady; code <= RefusedNoSpace; code++ {
		want := Refusal{Code: code, Leader: runtime.NodeID(code) << 40}
		if got, err := DecodeRefusal(want.Append(nil)); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for _, p := range [][]byte{nil, make([]byte, refusalSize), make([]byte, refusalSize+1), append([]byte{byte(RefusedNoSpace) + 1}, make([]byte, 8)...)} {
		if _, err := DecodeRefusal(p); !errors.Is(err, errRefusal) {
			t.Errorf("%x: got %v, want errRefusal", p, err)
		}
	}
}
