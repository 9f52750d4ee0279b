package main

import (
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// Whatever records there are, the content stays sound: spans join, and what is kept and
// what is dropped are all there is.
func FuzzContent(f *testing.F) {
	f.Add([]byte{1, 1, 1, 2, 1, 3, 9, 0, 1, 4, 5, 2, 6, 3})
	f.Add([]byte{1, 1, 2, 2, 1, 3, 8, 3, 1, 3, 7, 255, 1, 255})
	f.Add([]byte{10, 20, 1, 20, 9, 0, 1, 25, 10, 22, 5, 21, 1, 21})
	f.Fuzz(func(t *testing.T, input []byte) {
		c, copies := newContent(), false
		for i := 0; i+1 < len(input); i += 2 {
			index := uint64(input[i+1])
			if index >= 250 {
				index = ^uint64(0) - (256 - index) // the largest an entry can have
			}
			r := walrus.RecordInfo{Topic: 1, Index: index, LSN: uint64(i + 1), Length: 1}
			switch input[i] % 13 {
			case 2:
				r.Kind, r.Broken = walrus.RecordEntry, true
			case 5:
				r.Kind = walrus.RecordTruncateBack
			case 6:
				r.Kind = walrus.RecordTruncateFront
			case 7:
				r.Kind = walrus.RecordRebase
			case 8:
				r.Kind, r.Broken = walrus.RecordSet, index%2 == 0
			case 9:
				c.lost(walrus.LostInfo{})
			case 11, 12:
				r.Kind, r.Broken = walrus.RecordCopy, input[i]%13 == 12
			case 10:
				c.segment(walrus.SegmentInfo{Topics: []walrus.TopicInfo{{Topic: 1, First: index / 2, Next: index}}})
			default:
				r.Kind = walrus.RecordEntry
			}
			if r.Kind != 0 {
				c.record(r)
			}
			copies = copies || r.Kind == walrus.RecordCopy
			checkTopic(t, c.topic(1), copies)
		}
		c.lossy()
		c.droppedJSON()
	})
}

// checkTopic holds a topic against what is always so. Copies lie behind entries with a larger index.
func checkTopic(t *testing.T, x *topic, copies bool) {
	t.Helper()
	at := x.first
	for i, s := range x.spans {
		if s.lo != at || s.hi <= s.lo || s.items != nil && uint64(len(s.items)) != s.hi-s.lo || i == 0 && s.seam {
			t.Fatalf("span %d of %+v does not join", i, x)
		}
		at = s.hi
	}
	lo, hi, items := x.kept()
	n, last := uint64(0), uint64(0)
	for _, run := range items {
		for _, it := range run {
			if n++; it.lsn <= last && !copies {
				t.Fatalf("%+v is out of order", x)
			}
			last = it.lsn
		}
	}
	all := n
	for _, d := range x.drops() {
		all += d.hi - d.lo
	}
	if n != hi-lo || all != x.next()-x.first {
		t.Fatalf("kept [%d,%d), dropped %+v of %+v", lo, hi, x.drops(), x)
	}
}
