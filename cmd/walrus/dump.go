package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/octopii-go/octopii/walrus"
)

var dumpCommand = command{
	name:  "dump",
	usage: "walrus dump DIR [--topic N] [--from I] [--to I] [--json]",
	help: `Prints every record of the log in DIR in the order written, also those that were
truncated later, and where something is damaged or missing.

  --topic N   only records of topic N
  --from I    only records with an index from I on
  --to I      only records with an index up to I
  --json      one object a line: segment, record (payload in base64), seal, lost, report
`,
	run: runDump,
}

// previewMax is how many bytes of a payload a line shows.
const previewMax = 24

// dump prints a log as it is visited.
type dump struct {
	out      *bufio.Writer
	json     *json.Encoder // nil: text
	topic    whole
	from, to whole
	segment  *walrus.SegmentInfo // whose line is still to come
}

func runDump(out io.Writer, args []string) (status, error) {
	d := dump{out: bufio.NewWriter(out)}
	flags := newFlags("dump")
	flags.Var(&d.topic, "topic", "")
	flags.Var(&d.from, "from", "")
	flags.Var(&d.to, "to", "")
	asJSON := flags.Bool("json", false, "")
	dir, err := parseArgs(flags, args)
	switch {
	case err != nil:
		return usage, err
	case d.topic.n > 1<<16-1:
		return usage, misuse("topic %d: the largest is %d", d.topic.n, 1<<16-1)
	case d.from.set && d.to.set && d.from.n > d.to.n:
		return usage, misuse("--from %d is above --to %d", d.from.n, d.to.n)
	}
	if *asJSON {
		d.json = json.NewEncoder(d.out)
	}
	f, err := openFolder(dir)
	if err != nil {
		return unreadable, err
	}
	defer f.close()
	report, err := f.inspect(walrus.Visitor{Segment: d.tellSegment, Record: d.tellRecord, Seal: d.tellSeal, Lost: d.tellLost})
	if err != nil {
		_ = d.out.Flush() // what was read is shown; the error that counts is on its way
		return unreadable, err
	}
	if d.json != nil {
		err = d.json.Encode(reportJSON(f, report))
	} else {
		writeReport(d.out, f, report)
	}
	if err == nil {
		err = d.out.Flush()
	}
	return statusOf(report), err
}

// statusOf turns a verdict into an exit status.
func statusOf(r *walrus.Report) status {
	if r.Verdict == walrus.Clean {
		return clean
	}
	return damaged
}

// wants reports whether a record passes the filters.
func (d *dump) wants(r *walrus.RecordInfo) bool {
	switch {
	case d.topic.set && uint64(r.Topic) != d.topic.n:
		return false
	case d.from.set && r.Index < d.from.n, d.to.set && r.Index > d.to.n:
		return false
	}
	// The index of a key or a transaction is not that of an entry: a range is not about it.
	return r.Topic != 0 || !d.from.set && !d.to.set
}

func (d *dump) tellSegment(s walrus.SegmentInfo) error {
	if d.json != nil {
		return d.json.Encode(segmentJSON(&s))
	}
	d.segment = &s
	if d.topic.set || d.from.set || d.to.set {
		return nil // only if it holds a record that is asked for
	}
	d.flushSegment()
	return nil
}

// flushSegment prints the line of the segment.
func (d *dump) flushSegment() {
	s := d.segment
	if s == nil {
		return
	}
	d.segment = nil
	note := ""
	if s.Recovered {
		note = ", made by a recovery"
	}
	fmt.Fprintf(d.out, "%s  %d bytes, base LSN %d%s\n", short(s.File), s.Size, s.Base, note)
	fmt.Fprintf(d.out, "%10s  %-14s %6s %10s %8s %5s %8s\n", "offset", "record", "topic", "index", "term", "flags", "bytes")
}

func (d *dump) tellRecord(r walrus.RecordInfo) error {
	if !d.wants(&r) {
		return nil
	}
	if d.json != nil {
		return d.json.Encode(recordJSON(&r))
	}
	d.flushSegment()
	fmt.Fprintf(d.out, "%10d  %-14s %s%s\n", r.Offset, r.Kind, fields(&r), remark(&r))
	return nil
}

func (d *dump) tellSeal(s walrus.SealInfo) error {
	if d.topic.set || d.from.set || d.to.set {
		return nil
	}
	if d.json != nil {
		return d.json.Encode(sealJSON(&s))
	}
	d.flushSegment()
	note := ""
	if s.Closed {
		note = "  end of a log that was closed"
	}
	_, err := fmt.Fprintf(d.out, "%10d  %-14s %s, %s, in %s%s\n", s.Offset, "seal",
		count(s.Groups, "group"), count(s.Records, "record"), count(s.Bytes, "byte"), note)
	return err
}

// fields renders what a record says, each kind what it has.
func fields(r *walrus.RecordInfo) string {
	switch r.Kind {
	case walrus.RecordEntry, walrus.RecordCopy:
		return fmt.Sprintf("%6d %10d %8d %5d %8d  %s", r.Topic, r.Index, r.Term, r.Flags, r.Length, preview(r))
	case walrus.RecordLink:
		return fmt.Sprintf("%6d %10d %8d %5d", r.Topic, r.Index, r.Term, r.Flags)
	case walrus.RecordSet:
		return fmt.Sprintf("%6s %10s %8s %5s %8d  %s", "", "key "+strconv.FormatUint(r.Index, 10), "", "", r.Length, preview(r))
	case walrus.RecordPrepare:
		return fmt.Sprintf("%6s %10s %8s %5s %8d  %s", "", "tx "+strconv.FormatUint(r.Index, 10), "", "", r.Length, preview(r))
	case walrus.RecordCommit, walrus.RecordAbort:
		return fmt.Sprintf("%6s %10s", "", "tx "+strconv.FormatUint(r.Index, 10))
	}
	return fmt.Sprintf("%6d %10d", r.Topic, r.Index)
}

// preview shows the beginning of a payload.
func preview(r *walrus.RecordInfo) string {
	if r.Broken {
		return ""
	}
	text := strconv.QuoteToASCII(string(r.Payload[:min(len(r.Payload), previewMax)]))
	for n := previewMax - 1; len(text) > previewMax+2 && n > 0; n-- {
		text = strconv.QuoteToASCII(string(r.Payload[:min(len(r.Payload), n)])) + ".."
	}
	return text
}

// remark says what is special about a record.
func remark(r *walrus.RecordInfo) string {
	switch {
	case r.Broken:
		return "  DAMAGED payload"
	case r.Corrected:
		return "  CORRECTED bit in its group"
	}
	return ""
}

func (d *dump) tellLost(l walrus.LostInfo) error {
	if d.json != nil {
		return d.json.Encode(lostJSON(&l))
	}
	if l.File == "" {
		fmt.Fprintf(d.out, "LOST: %s\n", l.What)
		return nil
	}
	d.flushSegment()
	fmt.Fprintf(d.out, "%10d  LOST %d bytes of %s: %s\n", l.Offset, l.Bytes, short(l.File), l.What)
	return nil
}
