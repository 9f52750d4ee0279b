package hashi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/walrus/group"
)

// An entry's index and term are the record's, its type is the record's flags. The payload, numbers
// little endian:
//
//	 0         1           9            13
//	+---------+-----------+------------+------------+------+
//	| version | appended  | extensions | extensions | data |
//	| u8 = 1  | ns, i64   | bytes, u32 |            |      |
//	+---------+-----------+------------+------------+------+
//
// appended is when the leader took the entry in, since 1970, zero if that is not known.
const (
	entryVersion = 1
	entryHeader  = 13
)

// encodedKeep is how much memory for encoding is kept from one batch to the next.
const encodedKeep = 1 << 20

// errEntry is wrapped by the errors of decodeEntry.
var errEntry = errors.New("hashi: malformed entry")

func encodedSize(l *hraft.Log) int { return entryHeader + len(l.Extensions) + len(l.Data) }

// appendEntry appends an entry's payload to dst.
func appendEntry(dst []byte, l *hraft.Log) []byte {
	var appended int64
	if !l.AppendedAt.IsZero() {
		appended = l.AppendedAt.UnixNano()
	}
	dst = append(dst, entryVersion)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(appended))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(l.Extensions)))
	return append(append(dst, l.Extensions...), l.Data...)
}

// decodeEntry fills in log. Its bytes are the entry's.
func decodeEntry(e group.Entry, log *hraft.Log) error {
	p := e.Payload
	if len(p) < entryHeader || p[0] != entryVersion {
		return fmt.Errorf("%w %d: %d bytes, which begin with %x", errEntry, e.Index, len(p), p[:min(len(p), 1)])
	}
	appended, size := int64(binary.LittleEndian.Uint64(p[1:])), binary.LittleEndian.Uint32(p[9:])
	p = p[entryHeader:]
	if uint64(size) > uint64(len(p)) {
		return fmt.Errorf("%w %d: %d bytes of extensions in %d", errEntry, e.Index, size, len(p))
	}
	*log = hraft.Log{Index: e.Index, Term: e.Term, Type: hraft.LogType(e.Flags), Data: p[size:]}
	if size > 0 {
		log.Extensions = p[:size:size]
	}
	if appended != 0 {
		log.AppendedAt = time.Unix(0, appended)
	}
	return nil
}

// The limits of a cache: how many entries, and how large they may be.
const (
	cacheEntries  = 1024 // a power of two
	cacheEntryMax = 16 << 10
)

// cache holds the newest entries: raft reads each of them again, to send it and to apply it. The zero
// cache is empty.
type cache struct {
	ring []hraft.Log // by the last bits of their index; nil: none
}

// get copies the entry, if it is there.
func (c *cache) get(index uint64, log *hraft.Log) bool {
	if c.ring == nil || index == 0 {
		return false
	}
	l := &c.ring[index%cacheEntries]
	if l.Index != index {
		return false
	}
	*log = *l
	return true
}

// put takes the entries in, which are the newest.
func (c *cache) put(logs []*hraft.Log) {
	if c.ring == nil {
		c.ring = make([]hraft.Log, cacheEntries)
	}
	for _, l := range logs[max(0, len(logs)-cacheEntries):] {
		at := &c.ring[l.Index%cacheEntries]
		if *at = (hraft.Log{}); encodedSize(l) <= cacheEntryMax {
			*at = *l
		}
	}
}

// drop forgets the entries low to high.
func (c *cache) drop(low, high uint64) {
	if c.ring == nil {
		return
	}
	for n := min(high-low+1, cacheEntries); n > 0; n-- { // the newest of them: others are not there
		if l := &c.ring[high%cacheEntries]; l.Index >= low && l.Index <= high {
			*l = hraft.Log{}
		}
		high--
	}
}
