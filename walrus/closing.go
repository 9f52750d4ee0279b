package walrus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// closedName is the file that a close leaves, so that the next Open finds the end
// of the log without reading its last segment. It is a hint: what it
// points to, a seal, must verify. It goes, durably, before anything is written
// behind the end it names.
const closedName = "closed.mark"

const (
	markMagic = 0x43524c57 // "WLRC"
	markBytes = 40
)

// mark is the content of that file: where the log ends.
//
//	0 |magic  4|0      4|sequence number of the last segment 8|
//	16 |salt of it      8|LSN of its end 8|CRC of its last group 4|CRC 4|
type mark struct {
	salt uint64
	segmentEnd
}

func (m *mark) put(p []byte) {
	binary.LittleEndian.PutUint32(p[0:], markMagic)
	binary.LittleEndian.PutUint64(p[8:], m.seq)
	binary.LittleEndian.PutUint64(p[16:], m.salt)
	binary.LittleEndian.PutUint64(p[24:], m.end)
	binary.LittleEndian.PutUint32(p[32:], m.sum)
	binary.LittleEndian.PutUint32(p[36:], sum(seed(m.salt, seedMark), p[:36]))
}

func getMark(p []byte) (m mark, ok bool) {
	if len(p) != markBytes || binary.LittleEndian.Uint32(p) != markMagic {
		return m, false
	}
	m.seq = binary.LittleEndian.Uint64(p[8:])
	m.salt = binary.LittleEndian.Uint64(p[16:])
	m.end = binary.LittleEndian.Uint64(p[24:])
	m.sum = binary.LittleEndian.Uint32(p[32:])
	return m, binary.LittleEndian.Uint32(p[36:]) == sum(seed(m.salt, seedMark), p[:36])
}

// markEnd writes the seals that are due, seals the last segment, and leaves the mark
// that says so. All groups are durable already, and the seal is believed only if it verifies. So nothing is
// synced: after a power loss or an error the next Open reads more, and finds the same.
func (l *Log) markEnd(d disk) error {
	for ; len(l.sealings) > 0; l.dropSealing(0) {
		if err := l.sealings[0].write(d); err != nil {
			return err
		}
	}
	seg := l.active()
	l.finish(seg, l.end, l.prevSum)
	if len(l.sealings) == 0 {
		return nil // its journal is too long
	}
	s := l.sealings[0]
	if err := writeAll(seg.file, s.group(groupClosed, &l.state), s.off); err != nil {
		return err
	}
	f, err := d.create(path.Join(l.o.Dir, closedName))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // makes nothing durable
	var p [markBytes]byte
	(&mark{salt: seg.salt, segmentEnd: s.end}).put(p[:])
	return writeAll(f, p[:], 0)
}

// readMark reads the mark, if there is one.
func (r *recovery) readMark() error {
	if !r.marked {
		return nil
	}
	data, err := r.load(path.Join(r.o.Dir, closedName), nil, 2*markBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.mark, r.markHolds = getMark(data)
	return nil
}

// removeMark is done before the folder is synced and the log goes on.
func (r *recovery) removeMark() error {
	if !r.marked {
		return nil
	}
	if err := r.d.remove(path.Join(r.o.Dir, closedName)); err != nil {
		return fmt.Errorf("walrus: remove %s: %w", closedName, err)
	}
	return nil
}

// findClosed returns the closing seal of the file at top, if the mark leads to one
// that verifies, and nil otherwise.
func (r *recovery) findClosed(top int) (*view, error) {
	f := &r.files[top]
	h := &f.header
	if !r.markHolds || r.o.VerifyOnOpen || h.seq != r.mark.seq || h.salt != r.mark.salt || r.mark.end < h.base {
		return nil, nil
	}
	v, size, err := r.sealAt(f, h.offset(r.mark.end), r.mark.segmentEnd)
	if err != nil || v == nil || uint64(size) < h.size {
		return nil, err
	}
	if h, ok := getGroupHeader(v.data, h.salt); !ok || h.flags&groupClosed == 0 {
		return nil, nil
	}
	return v, nil
}
