package walrus_test

import (
	"errors"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// What chores have staged waits for others in the open group. It does not keep out a batch that has no
// room beside it: nobody would ever cut that group.
func TestChoresKeepNobodyOut(t *testing.T) {
	disk, o := newMemFS(1), options(1)
	o.GroupBytes = 1024
	o.Retain = []walrus.Retain{{Topic: otherTopic, Bytes: 1000}}
	l, _, err := walrus.Open(disk, o)
	if err != nil {
		t.Fatal(err)
	}
	for index := uint64(1); index < 20; index++ {
		var b walrus.Batch
		b.Entry(otherTopic, index, 1, 0, make([]byte, 928)) // a group by itself
		publish(t, disk, l, &b)
	}
	var b walrus.Batch
	b.Set(stateKey, []byte("small"))
	publish(t, disk, l, &b)
	if first, next := l.Bounds(otherTopic); next != 20 || first < 17 {
		t.Errorf("entries [%d, %d) are kept in the end", first, next)
	}
}

// Chores get their turn even if every batch fills its group to the last byte: old entries go, and what is kept of them
// is copied forward.
func TestChoresGetTheirTurn(t *testing.T) {
	disk, o := newMemFS(1), options(1)
	o.GroupBytes = 1024
	o.Retain = []walrus.Retain{{Topic: otherTopic, Bytes: 4000}}
	o.PinnedSegments = 2
	l, _, err := walrus.Open(disk, o)
	if err != nil {
		t.Fatal(err)
	}
	var b walrus.Batch
	b.Entry(mainTopic, 1, 1, 0, []byte("kept, and in the way of the oldest segment"))
	publish(t, disk, l, &b)
	payload := o.GroupBytes
	for index := uint64(1); index < 200; index++ {
		b.Reset()
		b.Entry(otherTopic, index, 1, 0, make([]byte, payload))
		for err = l.Stage(&b); index == 1 && errors.Is(err, walrus.ErrTooLarge); err = l.Stage(&b) {
			payload -= 8
			b.Reset()
			b.Entry(otherTopic, index, 1, 0, make([]byte, payload))
		}
		if err != nil {
			t.Fatalf("entry %d of %d bytes: %v", index, payload, err)
		}
		g := l.Cut()
		if err := walrus.Flush(disk, g); err != nil {
			t.Fatal(err)
		}
		l.Publish(g)
		runChores(t, disk, l, 20)
		if first, next := l.Bounds(otherTopic); next-first > 8 {
			t.Fatalf("entries [%d, %d) are kept, of more than 900 bytes each, limit %d", first, next, o.Retain[0].Bytes)
		}
		if n := l.Stats().Segments; n > 5 {
			t.Fatalf("%d segments after entry %d", n, index)
		}
	}
	if first, next := l.Bounds(mainTopic); first != 1 || next != 2 {
		t.Errorf("entries [%d, %d) of the other topic", first, next)
	}
}
