package walrus_test

import (
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
