package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/octopii-go/octopii/walrus"
)

// write says what was kept and what was dropped.
func (r *repair) write(out io.Writer) {
	writeReport(out, r.from, r.report)
	fmt.Fprintf(out, "wrote %s\n", r.into)
	lines := r.lines()
	for i, line := range lines {
		if i == 3*findingsMax {
			fmt.Fprintf(out, "  and %d more: walrus verify --json %s lists all\n", len(lines)-i, r.from.path)
			break
		}
		fmt.Fprintf(out, "  %s\n", line)
	}
}

// lines describes the new log, what is not in it first of all.
func (r *repair) lines() (out []string) {
	for _, id := range r.kept.ids() {
		for _, d := range r.kept.topics[id].drops() {
			size := ""
			if !d.lost {
				size = fmt.Sprintf(", %d bytes", d.bytes)
			}
			out = append(out, fmt.Sprintf("DROPPED  topic %d: %s%s: %s", id, interval(d.lo, d.hi), size, d.why()))
		}
	}
	kept := 0
	for _, id := range slices.Sorted(maps.Keys(r.kept.txs)) {
		if r.kept.txs[id].broken {
			out = append(out, fmt.Sprintf("DROPPED  transaction %d, in doubt: damaged", id))
		} else {
			kept++
		}
	}
	keys := slices.Sorted(maps.Keys(r.kept.keys))
	for _, id := range keys {
		if r.kept.keys[id].broken {
			out = append(out, fmt.Sprintf("DROPPED  key %d: its last value is damaged", id))
		}
	}
	out = append(out, r.notes()...)
	if len(out) == 0 {
		out = append(out, "dropped nothing")
	}
	for _, id := range r.kept.ids() {
		if t := r.kept.topics[id]; t.mirrorOf == 0 {
			lo, hi, _ := t.kept()
			out = append(out, fmt.Sprintf("kept     topic %d: %s", id, interval(lo, hi)))
		}
	}
	n := 0
	for _, id := range keys {
		if !r.kept.keys[id].broken {
			n++
		}
	}
	if kept > 0 {
		out = append(out, "kept     "+count(kept, "transaction")+" in doubt")
	}
	return append(out, "kept     "+count(n, "key"))
}

// notes says what is dropped or in doubt besides entries and keys.
func (r *repair) notes() (out []string) {
	for _, f := range r.report.Findings {
		if f.Verdict == walrus.Torn || f.Verdict == walrus.Uncertain {
			out = append(out, "DROPPED  "+finding(f))
		}
	}
	if r.kept.losses > 0 {
		out = append(out, fmt.Sprintf("DROPPED  records of unknown kind in %s, listed above", count(r.kept.losses, "place")))
	}
	for _, id := range slices.Sorted(maps.Keys(r.kept.keys)) {
		if k := r.kept.keys[id]; k.doubtful && !k.broken {
			out = append(out, fmt.Sprintf("DOUBTFUL key %d: a newer value may be among the records lost", id))
		}
	}
	for _, id := range r.kept.ids() {
		if t := r.kept.topics[id]; t.mirrorOf == 0 && (t.doubtful || len(t.drops()) > 0 && t.seamed()) {
			out = append(out, fmt.Sprintf("DOUBTFUL topic %d: the records lost may have changed it", id))
		}
	}
	return out
}

// seamed reports whether something was lost that may have replaced entries.
func (t *topic) seamed() bool {
	return slices.ContainsFunc(t.spans, func(s span) bool { return s.seam })
}

func (r *repair) json() object {
	o := reportJSON(r.from, r.report)
	lossy := r.kept.lossy()
	o.Type, o.Into, o.Lost = "repair", r.into, &lossy
	o.Dropped, o.Notes = r.kept.droppedJSON(), r.notes()
	for _, id := range r.kept.ids() {
		t := r.kept.topics[id]
		if lo, hi, _ := t.kept(); t.mirrorOf == 0 {
			o.Topics = append(o.Topics, object{Type: "topic", Topic: uint16(id), First: &lo, Next: &hi})
		}
	}
	for _, line := range r.kept.inDoubtJSON() {
		if !line.Damaged {
			o.InDoubt = append(o.InDoubt, line)
		}
	}
	for _, line := range r.kept.keysJSON() {
		if !line.Damaged {
			o.Keys = append(o.Keys, line)
		}
	}
	return o
}
