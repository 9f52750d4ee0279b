package raft

import (
	"fmt"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// renderEvent renders an event for a transcript; those that say what other
// lines say anyway render as nothing.
func renderEvent(ev *runtime.Event) string {
	switch ev.Kind {
	case Appended:
		return ""
	case RoleChanged:
		return fmt.Sprintf("becomes %v in term %d", Role(ev.A), ev.B)
	case StateChanged:
		return fmt.Sprintf("is in term %d, vote %s", ev.A, formatNode(runtime.NodeID(ev.B)))
	}
	for _, info := range Events {
		if info.Kind == ev.Kind {
			return strings.TrimPrefix(info.Render(*ev), "raft.")
		}
	}
	return "unknown event"
}

func formatNode(id runtime.NodeID) string {
	if id == 0 {
		return "none"
	}
	return id.String()
}

// formatEntries renders entries as index/term, with the data of commands.
func formatEntries(entries []Entry) string {
	var b strings.Builder
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d/%d", e.Index, e.Term)
		switch {
		case e.Type == EntryNoop:
			b.WriteString(":noop")
		case len(e.Data) > 8:
			fmt.Fprintf(&b, ":%d bytes", len(e.Data))
		case len(e.Data) > 0:
			fmt.Fprintf(&b, ":%s", e.Data)
		}
	}
	return b.String()
}

func formatWrite(w *Write) string {
	parts := []string{fmt.Sprintf("#%d", w.ID)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if w.HasState {
		add("term %d vote %s", w.State.Term, formatNode(w.State.Vote))
	}
	if w.Reset != nil {
		add("reset to snapshot %d/%d", w.Reset.Index, w.Reset.Term)
	}
	if w.TruncateFrom != 0 {
		add("truncate from %d", w.TruncateFrom)
	}
	if len(w.Entries) > 0 {
		add("%s", formatEntries(w.Entries))
	}
	if w.Compact != nil {
		add("snapshot %d/%d, log from %d", w.Compact.Index, w.Compact.Term, w.First)
	}
	return strings.Join(parts, ", ")
}

var messageNames = map[MessageType]string{
	MsgPreVote: "pre-vote", MsgPreVoteReply: "pre-vote-reply", MsgVote: "vote", MsgVoteReply: "vote-reply",
	MsgAppend: "append", MsgAppendReply: "append-reply", MsgHeartbeat: "heartbeat",
	MsgHeartbeatReply: "heartbeat-reply", MsgSnapshot: "snapshot", MsgSnapshotReply: "snapshot-reply",
}

func formatMessage(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v->%v %s term %d", m.From, m.To, messageNames[m.Type], m.Term)
	answer := " yes"
	if m.Reject {
		answer = " no"
	}
	switch m.Type {
	case MsgPreVote, MsgVote:
		fmt.Fprintf(&b, " last %d/%d", m.Index, m.LogTerm)
	case MsgPreVoteReply, MsgVoteReply:
		b.WriteString(answer)
	case MsgAppend:
		fmt.Fprintf(&b, " after %d/%d [%s] commit %d seq %d", m.Index, m.LogTerm, formatEntries(m.Entries), m.Commit, m.Seq)
	case MsgAppendReply:
		if m.Reject {
			fmt.Fprintf(&b, " no, hint %d/%d", m.Index, m.LogTerm)
		} else {
			fmt.Fprintf(&b, " match %d", m.Index)
		}
		fmt.Fprintf(&b, " seq %d", m.Seq)
	case MsgHeartbeat:
		fmt.Fprintf(&b, " commit %d round %d", m.Commit, m.Seq)
	case MsgHeartbeatReply:
		if m.Reject {
			b.WriteString(answer)
		}
		fmt.Fprintf(&b, " has %d round %d", m.Index, m.Seq)
	case MsgSnapshot:
		fmt.Fprintf(&b, " at %d/%d", m.Snapshot.Index, m.Snapshot.Term)
	case MsgSnapshotReply:
		fmt.Fprintf(&b, "%s at %d, commit %d", answer, m.Snapshot.Index, m.Commit)
	}
	return b.String()
}
