package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

var verifyCommand = command{
	name:  "verify",
	usage: "walrus verify DIR [--json]",
	help: `Reads all of the log in DIR and verifies every checksum, how the groups and the
segments are chained, and what they claim about each other. It says one of

  clean      nothing is wrong
  damaged    one of two copies of a header is bad; nothing is lost
  torn       the last write did not arrive as a whole; nothing acknowledged is lost
  uncertain  the last group is damaged: torn, or, if it was acknowledged, lost
  corrupt    what was acknowledged is damaged or missing; the log does not open

and where. The exit status is 0 if it is clean and 1 if not.

  --json     one object
`,
	run: runVerify,
}

func runVerify(out io.Writer, args []string) (status, error) {
	flags := newFlags("verify")
	asJSON := flags.Bool("json", false, "")
	dir, err := parseArgs(flags, args)
	if err != nil {
		return usage, err
	}
	f, err := openFolder(dir)
	if err != nil {
		return unreadable, err
	}
	defer f.close()
	c := newContent()
	report, err := f.inspect(c.visitor())
	if err != nil {
		return unreadable, err
	}
	if *asJSON {
		o := reportJSON(f, report)
		lossy := c.lossy()
		o.Topics, o.Keys, o.Dropped, o.Lost = c.topicsJSON(), c.keysJSON(), c.droppedJSON(), &lossy
		o.InDoubt = c.inDoubtJSON()
		return statusOf(report), json.NewEncoder(out).Encode(o)
	}
	writeReport(out, f, report)
	c.write(out)
	return statusOf(report), nil
}

// write prints the content, with what is missing of it.
func (c *content) write(out io.Writer) {
	for i, id := range c.ids() {
		if i == findingsMax {
			fmt.Fprintf(out, "  and %d more topics\n", len(c.topics)-i)
			break
		}
		t := c.topics[id]
		if t.mirrorOf != 0 {
			fmt.Fprintf(out, "  topic %-5d mirrors %d\n", id, t.mirrorOf)
			continue
		}
		fmt.Fprintf(out, "  topic %-5d %s%s\n", id, interval(t.first, t.next()), t.missing())
	}
	writeKeys(out, "keys", c.keys)
	writeKeys(out, "in doubt", c.txs)
}

// writeKeys prints a line with the sizes of keys or of transactions, if there are any.
func writeKeys[K uint16 | uint64](out io.Writer, title string, keys map[K]key) {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		k := keys[id]
		name := fmt.Sprintf("%d (%d B)", id, k.length)
		if k.broken {
			name = fmt.Sprintf("%d (DAMAGED)", id)
		}
		names = append(names, name)
	}
	if n := len(names); n > findingsMax {
		names = append(names[:findingsMax], fmt.Sprintf("and %d more", n-findingsMax))
	}
	if len(names) > 0 {
		fmt.Fprintf(out, "  %-11s %s\n", title, strings.Join(names, ", "))
	}
}

// interval renders bounds.
func interval(lo, hi uint64) string {
	switch hi - lo {
	case 0:
		return fmt.Sprintf("no entries, next is %d", hi)
	case 1:
		return fmt.Sprintf("entry %d", lo)
	}
	return fmt.Sprintf("entries %d to %d", lo, hi-1)
}

// missing says which entries of a topic are lost.
func (t *topic) missing() string {
	var parts []string
	for _, s := range t.spans {
		if s.items == nil {
			parts = append(parts, interval(s.lo, s.hi))
		}
	}
	if n := len(parts); n > 3 {
		parts = append(parts[:3], fmt.Sprintf("and %d more", n-3))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", LOST " + strings.Join(parts, ", ")
}

func (c *content) topicsJSON() (out []object) {
	for _, id := range c.ids() {
		t := c.topics[id]
		o := object{Type: "topic", Topic: uint16(id), MirrorOf: uint16(t.mirrorOf)}
		if first, next := t.first, t.next(); t.mirrorOf == 0 {
			o.First, o.Next = &first, &next
		}
		out = append(out, o)
	}
	return out
}

func (c *content) keysJSON() (out []object) {
	for _, id := range slices.Sorted(maps.Keys(c.keys)) {
		number, length := uint64(id), int64(c.keys[id].length)
		out = append(out, object{Type: "key", Key: &number, Bytes: &length, Damaged: c.keys[id].broken})
	}
	return out
}

func (c *content) inDoubtJSON() (out []object) {
	for _, id := range slices.Sorted(maps.Keys(c.txs)) {
		length := int64(c.txs[id].length)
		out = append(out, object{Type: "transaction", Tx: &id, Bytes: &length, Damaged: c.txs[id].broken})
	}
	return out
}

// droppedJSON lists what a repair leaves out.
func (c *content) droppedJSON() (out []object) {
	for _, id := range c.ids() {
		for _, d := range c.topics[id].drops() {
			lo, hi, bytes := d.lo, d.hi, d.bytes
			o := object{Type: "dropped", Topic: uint16(id), First: &lo, Next: &hi, What: d.why()}
			if !d.lost {
				o.Bytes = &bytes
			}
			out = append(out, o)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.keys)) {
		if number, length := uint64(id), int64(c.keys[id].length); c.keys[id].broken {
			out = append(out, object{Type: "dropped", Key: &number, Bytes: &length, What: "its last value is damaged"})
		}
	}
	for _, o := range c.inDoubtJSON() {
		if o.Damaged {
			out = append(out, object{Type: "dropped", Tx: o.Tx, Bytes: o.Bytes, What: "a transaction in doubt, damaged"})
		}
	}
	return out
}

// why says why entries cannot be kept.
func (d dropped) why() string {
	if d.lost {
		return "damaged or missing"
	}
	return "whole, but behind what is lost"
}
