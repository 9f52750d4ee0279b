package main

import (
	"fmt"
	"io"

	"github.com/octopii-go/octopii/walrus"
)

// findingsMax is how many findings, topics or ranges a text shows: a screen.
const findingsMax = 12

// writeReport prints what an inspection found.
func writeReport(out io.Writer, f *folder, r *walrus.Report) {
	fmt.Fprintf(out, "%s  %s: %s, %s, %s\n", r.Verdict, f.path,
		count(r.Segments, "segment"), count(r.Groups, "group"), count(r.Records, "record"))
	if r.Fresh {
		fmt.Fprintf(out, "  the making of the log was not finished: nothing was ever in it\n")
	}
	for i, found := range r.Findings {
		if i == findingsMax {
			fmt.Fprintf(out, "  and %d more: --json lists all\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintf(out, "  %s\n", finding(found))
	}
}

// finding renders one finding as a line.
func finding(f walrus.Finding) string {
	text := fmt.Sprintf("%-9s ", f.Verdict)
	if f.File != "" {
		text += fmt.Sprintf("%s at %d", short(f.File), f.Offset)
		if f.Bytes > 0 {
			text += fmt.Sprintf(", %s", count(f.Bytes, "byte"))
		}
		text += ": "
	}
	return text + f.What
}

// count renders a number with its noun.
func count[N int | int64 | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// object is a line of JSON: Type says which.
type object struct {
	Type    string `json:"type"`
	Dir     string `json:"dir,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	File    string `json:"file,omitempty"`
	Seq     uint64 `json:"seq,omitempty"`
	Offset  *int64 `json:"offset,omitempty"`
	LSN     uint64 `json:"lsn,omitempty"`
	Bytes   *int64 `json:"bytes,omitempty"`
	What    string `json:"what,omitempty"`

	Kind      string  `json:"kind,omitempty"`
	Topic     uint16  `json:"topic,omitempty"`
	Key       *uint64 `json:"key,omitempty"`
	Tx        *uint64 `json:"tx,omitempty"`
	Index     *uint64 `json:"index,omitempty"`
	Term      *uint64 `json:"term,omitempty"`
	Flags     *uint8  `json:"flags,omitempty"`
	Payload   *[]byte `json:"payload,omitempty"`
	Corrected bool    `json:"corrected,omitempty"`
	Damaged   bool    `json:"damaged,omitempty"`
	Closed    bool    `json:"closed,omitempty"`

	Segments *int     `json:"segments,omitempty"`
	Groups   *int     `json:"groups,omitempty"`
	Records  *int     `json:"records,omitempty"`
	Findings []object `json:"findings,omitempty"`
	Topics   []object `json:"topics,omitempty"`
	Keys     []object `json:"keys,omitempty"`
	InDoubt  []object `json:"in_doubt,omitempty"`
	Dropped  []object `json:"dropped,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	First    *uint64  `json:"first,omitempty"`
	Next     *uint64  `json:"next,omitempty"`
	MirrorOf uint16   `json:"mirror_of,omitempty"`
	Into     string   `json:"into,omitempty"`
	Lost     *bool    `json:"lost,omitempty"`
}

func segmentJSON(s *walrus.SegmentInfo) object {
	return object{Type: "segment", File: short(s.File), Seq: s.Seq, LSN: s.Base, Bytes: &s.Size}
}

func recordJSON(r *walrus.RecordInfo) object {
	length := int64(r.Length)
	o := object{
		Type: "record", File: short(r.File), Offset: &r.Offset, LSN: r.LSN, Kind: r.Kind.String(),
		Topic: uint16(r.Topic), Corrected: r.Corrected, Damaged: r.Broken,
	}
	switch r.Kind {
	case walrus.RecordSet:
		o.Key, o.Bytes = &r.Index, &length
	case walrus.RecordPrepare:
		o.Tx, o.Bytes = &r.Index, &length
	case walrus.RecordCommit, walrus.RecordAbort:
		o.Tx = &r.Index
	case walrus.RecordEntry, walrus.RecordCopy:
		o.Index, o.Term, o.Flags, o.Bytes = &r.Index, &r.Term, &r.Flags, &length
	case walrus.RecordLink:
		o.Index, o.Term, o.Flags = &r.Index, &r.Term, &r.Flags
	default:
		o.Index = &r.Index
	}
	if o.Bytes != nil && !r.Broken {
		o.Payload = &r.Payload
	}
	return o
}

func sealJSON(s *walrus.SealInfo) object {
	return object{
		Type: "seal", File: short(s.File), Offset: &s.Offset, Bytes: &s.Bytes,
		Groups: &s.Groups, Records: &s.Records, Closed: s.Closed,
	}
}

func lostJSON(l *walrus.LostInfo) object {
	o := object{Type: "lost", What: l.What}
	if l.File != "" {
		o.File, o.Offset, o.Bytes = short(l.File), &l.Offset, &l.Bytes
	}
	return o
}

func reportJSON(f *folder, r *walrus.Report) object {
	o := object{
		Type: "report", Dir: f.path, Verdict: r.Verdict.String(),
		Segments: &r.Segments, Groups: &r.Groups, Records: &r.Records, Closed: r.Closed,
	}
	for _, found := range r.Findings {
		line := object{Type: "finding", Verdict: found.Verdict.String(), What: found.What}
		if found.File != "" {
			line.File, line.Offset, line.Bytes = short(found.File), &found.Offset, &found.Bytes
		}
		o.Findings = append(o.Findings, line)
	}
	return o
}
