package group

import (
	"encoding/binary"

	"github.com/octopii-go/octopii/walrus"
)

// Where consumers' cursors lie: in the stable keys from ConsumerKey on, one each. They are
// left alone in a log that has no consumers.
const (
	ConsumerKey  = walrus.MaxKeys - ConsumersMax
	ConsumersMax = 64
	// ConsumerNameMax is the longest name of a consumer, in bytes.
	ConsumerNameMax = 128
)

// A cursor is the value of a key, little endian:
//
//	0 |magic 4|topic 2|0 2|next 8|name|
//
// An empty value is a key that was given back.
const (
	cursorMagic  = 0x73_72_75_63 // "curs"
	cursorHeader = 16
)

// cursor is how far a consumer has acknowledged.
type cursor struct {
	topic walrus.Topic
	next  uint64 // the first entry that is not acknowledged
	name  string
}

func (c *cursor) size() int { return cursorHeader + len(c.name) }

// put encodes the cursor into p, which has its size.
func (c *cursor) put(p []byte) {
	binary.LittleEndian.PutUint32(p, cursorMagic)
	binary.LittleEndian.PutUint16(p[4:], uint16(c.topic))
	binary.LittleEndian.PutUint16(p[6:], 0)
	binary.LittleEndian.PutUint64(p[8:], c.next)
	copy(p[cursorHeader:], c.name)
}

// getCursor decodes a value; false if it is none of a consumer's.
func getCursor(p []byte) (cursor, bool) {
	if len(p) <= cursorHeader || len(p) > cursorHeader+ConsumerNameMax ||
		binary.LittleEndian.Uint32(p) != cursorMagic || binary.LittleEndian.Uint16(p[6:]) != 0 {
		return cursor{}, false
	}
	return cursor{
		topic: walrus.Topic(binary.LittleEndian.Uint16(p[4:])),
		next:  binary.LittleEndian.Uint64(p[8:]),
		name:  string(p[cursorHeader:]),
	}, true
}

// cursors visits the durable cursors, by their keys. The caller holds mu.
func (l *Log) cursors(visit func(key uint16, c cursor)) {
	for key := uint16(ConsumerKey); key < walrus.MaxKeys; key++ {
		value, _ := l.log.Get(key)
		if c, ok := getCursor(value); ok {
			visit(key, c)
		}
	}
}

// freeKey returns a key that no consumer has and that holds no value. The caller holds mu.
func (l *Log) freeKey() (uint16, bool) {
	taken := map[uint16]bool{}
	for _, c := range l.consumers {
		taken[c.key] = true
	}
	for key := uint16(ConsumerKey); key < walrus.MaxKeys; key++ {
		if value, _ := l.log.Get(key); len(value) == 0 && !taken[key] {
			return key, true
		}
	}
	return 0, false
}
