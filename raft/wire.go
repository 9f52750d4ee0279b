package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// A message travels as one transport frame, whose kind is the message's type.
// The payload, numbers little endian:
//
//	 0  flags u8 (1: reject) | zero u8 x 3 | entries u32
//	 8  from u64 | to u64 | term u64 | index u64 | log term u64 | commit u64 | seq u64
//	64  entries, in an append:
//	      term u64 | length u32 | type u8 | zero u8 x 3      one for each entry, 16 bytes
//	      the data of the entries, one after another
//	64  the snapshot, in an offer and in its reply:
//	      index u64 | term u64 | chain u64 | hash u64 | size u64 | in an offer digest u64, in a reply offset u64
//
// Entries have no index on the wire: they follow the message's own.
const (
	wireHeader   = 64
	wireEntry    = 16
	wireSnapshot = 48

	flagReject = 1
)

// errMessage is wrapped by the errors of decodeMessage.
var errMessage = errors.New("raft: malformed message")

// messageSize returns the length of the message's frame.
func messageSize(m *Message) int {
	size := transport.HeaderSize + wireHeader
	switch m.Type {
	case MsgAppend:
		size += len(m.Entries) * wireEntry
		for i := range m.Entries {
			size += len(m.Entries[i].Data)
		}
	case MsgSnapshot, MsgSnapshotReply:
		size += wireSnapshot
	}
	return size
}

// appendMessage appends the message's frame to dst, which should have room
// for messageSize bytes. It panics if the message is too large for a frame: limits elsewhere
// see to it that none is.
func appendMessage(dst []byte, m *Message) []byte {
	start := len(dst)
	dst = transport.AppendHeader(dst, uint8(m.Type))
	var flags uint64
	if m.Reject {
		flags = flagReject
	}
	order := binary.LittleEndian
	dst = order.AppendUint64(dst, flags|uint64(len(m.Entries))<<32)
	dst = order.AppendUint64(dst, uint64(m.From))
	dst = order.AppendUint64(dst, uint64(m.To))
	dst = order.AppendUint64(dst, uint64(m.Term))
	dst = order.AppendUint64(dst, uint64(m.Index))
	dst = order.AppendUint64(dst, uint64(m.LogTerm))
	dst = order.AppendUint64(dst, uint64(m.Commit))
	dst = order.AppendUint64(dst, m.Seq)
	switch m.Type {
	case MsgAppend:
		dst = appendEntries(dst, m.Entries)
	case MsgSnapshot:
		dst = order.AppendUint64(appendMeta(dst, &m.Snapshot), m.Digest)
	case MsgSnapshotReply:
		dst = order.AppendUint64(appendMeta(dst, &m.Snapshot), m.Offset)
	}
	if err := transport.Seal(dst[start:]); err != nil {
		panic(fmt.Sprintf("raft: message %d of %d entries: %v", m.Type, len(m.Entries), err))
	}
	return dst
}

func appendEntries(dst []byte, entries []Entry) []byte {
	order := binary.LittleEndian
	for i := range entries {
		e := &entries[i]
		dst = order.AppendUint64(dst, uint64(e.Term))
		dst = order.AppendUint64(dst, uint64(len(e.Data))|uint64(e.Type)<<32)
	}
	for i := range entries {
		dst = append(dst, entries[i].Data...)
	}
	return dst
}

// metaSize is the length of an encoded SnapshotMeta.
const metaSize = 40

func appendMeta(dst []byte, meta *SnapshotMeta) []byte {
	order := binary.LittleEndian
	dst = order.AppendUint64(dst, uint64(meta.Index))
	dst = order.AppendUint64(dst, uint64(meta.Term))
	dst = order.AppendUint64(dst, meta.Chain)
	dst = order.AppendUint64(dst, meta.Hash)
	return order.AppendUint64(dst, meta.Size)
}

// decodeMeta reads what appendMeta wrote; p has at least metaSize bytes.
func decodeMeta(p []byte) SnapshotMeta {
	order := binary.LittleEndian
	return SnapshotMeta{
		Index: Index(order.Uint64(p)),
		Term:  Term(order.Uint64(p[8:])),
		Chain: order.Uint64(p[16:]),
		Hash:  order.Uint64(p[24:]),
		Size:  order.Uint64(p[32:]),
	}
}

// decodeMessage reads a frame into m. Entries are appended to those of m cut to
// none; all bytes are copied, so that the frame may be reused. Besides the codec's
// own rules it refuses entries that no log could hold: unknown types, terms
// that fall, terms beyond the message's. Errors wrap errMessage, or are transport's.
func decodeMessage(frame []byte, m *Message) error {
	kind, p, err := transport.Decode(frame)
	if err != nil {
		return err
	}
	if len(p) < wireHeader {
		return fmt.Errorf("%w: %d bytes", errMessage, len(p))
	}
	order := binary.LittleEndian
	head := order.Uint64(p)
	*m = Message{
		Type:    MessageType(kind),
		Reject:  head&flagReject != 0,
		From:    runtime.NodeID(order.Uint64(p[8:])),
		To:      runtime.NodeID(order.Uint64(p[16:])),
		Term:    Term(order.Uint64(p[24:])),
		Index:   Index(order.Uint64(p[32:])),
		LogTerm: Term(order.Uint64(p[40:])),
		Commit:  Index(order.Uint64(p[48:])),
		Seq:     order.Uint64(p[56:]),
		Entries: m.Entries[:0],
	}
	if uint32(head)&^flagReject != 0 {
		return fmt.Errorf("%w: flags %#x", errMessage, uint32(head))
	}
	count, body := int(head>>32), p[wireHeader:]
	switch m.Type {
	case MsgAppend:
		return decodeEntries(body, count, m)
	case MsgSnapshot, MsgSnapshotReply:
		if len(body) < wireSnapshot {
			return fmt.Errorf("%w: snapshot of %d bytes", errMessage, len(body))
		}
		m.Snapshot = decodeMeta(body)
		if last := order.Uint64(body[metaSize:]); m.Type == MsgSnapshot {
			m.Digest = last
		} else {
			m.Offset = last
		}
		body = body[wireSnapshot:]
	case MsgPreVote, MsgPreVoteReply, MsgVote, MsgVoteReply, MsgAppendReply, MsgHeartbeat, MsgHeartbeatReply:
	default:
		return fmt.Errorf("%w: type %d", errMessage, kind)
	}
	if count != 0 || len(body) != 0 {
		return fmt.Errorf("%w: type %d with %d entries and %d bytes more", errMessage, kind, count, len(body))
	}
	return nil
}

// decodeEntries reads the body of an append.
func decodeEntries(p []byte, count int, m *Message) error {
	if count > len(p)/wireEntry {
		return fmt.Errorf("%w: %d entries in %d bytes", errMessage, count, len(p))
	}
	if m.Index+Index(count) < m.Index {
		return fmt.Errorf("%w: %d entries after index %d", errMessage, count, m.Index)
	}
	heads := p[:count*wireEntry]
	data := append([]byte(nil), p[count*wireEntry:]...)
	term := m.LogTerm
	for i := range count {
		head := heads[i*wireEntry:]
		word := binary.LittleEndian.Uint64(head[8:])
		e := Entry{Index: m.Index + Index(i) + 1, Term: Term(binary.LittleEndian.Uint64(head)), Type: EntryType(word >> 32)}
		size := int(uint32(word))
		switch {
		case word>>40 != 0 || e.Type < EntryCommand || e.Type > EntryQuery:
			return fmt.Errorf("%w: entry of type %d", errMessage, word>>32)
		case e.Term < term || e.Term > m.Term:
			return fmt.Errorf("%w: entry of term %d after %d in term %d", errMessage, e.Term, term, m.Term)
		case size > len(data):
			return fmt.Errorf("%w: entry of %d bytes where %d are left", errMessage, size, len(data))
		}
		e.Data, data = data[:size:size], data[size:]
		term = e.Term
		m.Entries = append(m.Entries, e)
	}
	if len(data) != 0 {
		return fmt.Errorf("%w: %d bytes after the last entry", errMessage, len(data))
	}
	return nil
}
