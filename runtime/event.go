package runtime

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EventKind identifies what an event says. It is [KindOf] the event's name,
// so that adding a kind never renumbers another.
type EventKind uint32

// KindOf returns the kind for a name (FNV-1a, 32 bits). Names are lower-case
// words, the package first: "raft.vote-granted".
func KindOf(name string) EventKind {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return EventKind(h)
}

// Event is one thing that happened, flat, so that it can be hashed by its
// fields and kept without further thought. What A to D and Note mean is in
// the [EventInfo] of its kind.
type Event struct {
	Kind       EventKind
	A, B, C, D uint64
	Note       []byte // bounded; borrowed: valid while the event is handed over
}

// Record is an event with its place in a trace.
type Record struct {
	At   Instant // the world's own time, not a node's
	Step uint64  // the world's step the event came from
	Node NodeID  // zero: the world itself
	Event
}

// EventInfo describes a kind of event for readers.
type EventInfo struct {
	Kind EventKind
	Name string
	// Text renders the event. {A} to {D} stand for the numbers, {A:n} renders
	// one as a node, {A:t} as a time in ns, {A:x} in hex, {A:o} as an
	// Outcome; {note} is the note quoted.
	Text string
}

// CheckEvents reports the first entry of the tables whose kind is not that
// of its name, or whose kind is taken. Tests of packages that define events call it.
func CheckEvents(tables ...[]EventInfo) error {
	seen := map[EventKind]string{}
	for _, table := range tables {
		for _, info := range table {
			if want := KindOf(info.Name); info.Kind != want {
				return fmt.Errorf("runtime: event %q has kind %#08x, want %#08x", info.Name, uint32(info.Kind), uint32(want))
			}
			if other, taken := seen[info.Kind]; taken {
				return fmt.Errorf("runtime: events %q and %q have the same kind", info.Name, other)
			}
			seen[info.Kind] = info.Name
		}
	}
	return nil
}

// Render returns the event as a line of text, by its info's Text.
func (info EventInfo) Render(ev Event) string {
	var b strings.Builder
	b.WriteString(info.Name)
	if info.Text != "" {
		b.WriteByte(' ')
	}
	text := info.Text
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:open])
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			b.WriteString(text[open:])
			break
		}
		b.WriteString(renderField(text[open+1:open+end], ev))
		text = text[open+end+1:]
	}
	return b.String()
}

func renderField(field string, ev Event) string {
	name, form, _ := strings.Cut(field, ":")
	var v uint64
	switch name {
	case "A":
		v = ev.A
	case "B":
		v = ev.B
	case "C":
		v = ev.C
	case "D":
		v = ev.D
	case "note":
		return strconv.Quote(string(ev.Note))
	default:
		return "{" + field + "}"
	}
	switch form {
	case "n":
		return NodeID(v).String()
	case "t":
		return time.Duration(v).String()
	case "x":
		return strconv.FormatUint(v, 16)
	case "o":
		return Outcome(v).String()
	}
	return strconv.FormatUint(v, 10)
}
