package fstest_test

import (
	"io"
	"io/fs"
)

// memFile is an open file of a memFS.
type memFile struct {
	fs     *memFS
	node   *memNode
	closed bool
	late   []byte // written at lateAt by the next call
	lateAt int64
}

func (n *memNode) clone() *memNode {
	c := &memNode{dir: n.dir, size: n.size, blocks: map[int64]*[memBlock]byte{}}
	for i, b := range n.blocks {
		copied := *b
		c.blocks[i] = &copied
	}
	return c
}

// at returns the block with the byte at off, made if asked for, and where in it that byte is.
func (n *memNode) at(off int64, fresh bool) (*[memBlock]byte, int64) {
	b := n.blocks[off/memBlock]
	if b == nil && fresh {
		b = new([memBlock]byte)
		n.blocks[off/memBlock] = b
	}
	return b, off % memBlock
}

// zero clears the bytes [lo, hi).
func (n *memNode) zero(lo, hi int64) {
	for ; lo < hi; lo++ {
		b, i := n.at(lo, false)
		if b == nil {
			lo += memBlock - i - 1
			continue
		}
		b[i] = 0
	}
}

func (f *memFile) has(b bug) bool { return f.fs.bug == b }

// begin is the start of every call: what offsets and a closed file make of it.
func (f *memFile) begin(off, n int64) error {
	for k, c := range f.late {
		b, i := f.node.at(f.lateAt+int64(k), true)
		b[i] = c
	}
	f.node.size = max(f.node.size, f.lateAt+int64(len(f.late)))
	f.late, f.lateAt = nil, 0
	switch {
	case f.closed && !f.has("close: does nothing"):
		return fs.ErrClosed
	case (off < 0 || n < 0) && f.has("offsets: another error"):
		return errKind
	case off < 0 || n < 0:
		return fs.ErrInvalid
	case off > memSizeMax-n && !f.has("offsets: no limit"):
		return errLarge
	}
	if f.has("close: loses the file") && f.node.size == 7 {
		f.node.size = 0
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin(off, 0); err != nil {
		return 0, err
	}
	if f.has("offsets: 32 bits") {
		off = int64(uint32(off))
	}
	n := 0
	for ; n < len(p) && off+int64(n) < f.node.size; n++ {
		b, i := f.node.at(off+int64(n), false)
		switch {
		case b != nil:
			p[n] = b[i]
		case !f.has("read: skips holes"):
			p[n] = 0
		}
	}
	switch {
	case n == len(p):
		return n, nil
	case f.has("read: short without an error"):
		return n, nil
	case f.has("read: unexpected end"):
		return n, io.ErrUnexpectedEOF
	case f.has("read: nothing at the end"):
		return 0, io.EOF
	}
	return n, io.EOF
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.begin(off, int64(len(p))); err != nil {
		return 0, err
	}
	if off > memSizeMax {
		return len(p), nil // only with "offsets: no limit"
	}
	if f.has("offsets: 32 bits") {
		off = int64(uint32(off))
	}
	if len(p) == 0 && !f.has("write: nothing grows the file") {
		return 0, nil
	}
	if f.has("write: appends") {
		off = f.node.size
	}
	if f.has("write: keeps the buffer") {
		f.late, f.lateAt = p, off
		return len(p), nil
	}
	for k, c := range p {
		b, i := f.node.at(off+int64(k), true)
		b[i] = c
		if f.has("write: stops at a block") && i == memBlock-1 && k > 0 {
			break
		}
	}
	if f.has("write: cuts the file") {
		f.node.size = 0
	}
	f.node.size = max(f.node.size, off+int64(len(p)))
	if f.has("write: one less") {
		return len(p) - 1, nil
	}
	return len(p), nil
}

func (f *memFile) Allocate(off, n int64, zero bool) error {
	if err := f.begin(off, n); err != nil {
		return err
	}
	end := off + n
	switch {
	case off > memSizeMax: // only with "offsets: no limit"
	case f.has("allocate: does nothing"), n == 0 && !f.has("allocate: nothing grows the file"):
	case f.has("allocate: zeroes the range") && zero:
		f.node.zero(off, end)
		f.node.size = max(f.node.size, end)
	case f.has("allocate: keeps the size"):
	case f.has("allocate: sets the size"):
		f.node.size = end
	default:
		f.node.size = max(f.node.size, end)
	}
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin(0, 0); err != nil {
		return 0, err
	}
	if f.has("size: in blocks") {
		return (f.node.size + 511) / 512 * 512, nil
	}
	return f.node.size, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.begin(0, size); err != nil {
		return err
	}
	if size > f.node.size && f.has("truncate: only shrinks") {
		return nil
	}
	if size < f.node.size && f.has("truncate: only grows") {
		return nil
	}
	if !f.has("truncate: keeps the bytes") {
		f.node.zero(size, f.node.size)
	}
	f.node.size = size
	return nil
}

func (f *memFile) SyncData() error { return f.begin(0, 0) }

func (f *memFile) Sync() error {
	if f.has("sync: empties the file") {
		f.node.size = 0
	}
	return f.begin(0, 0)
}

func (f *memFile) DropCache() error {
	if f.has("dropcache: drops unsynced bytes") {
		f.node.zero(1000, 4000)
	}
	return f.begin(0, 0)
}

func (f *memFile) Close() error {
	if err := f.begin(0, 0); err != nil {
		return err
	}
	f.fs.files--
	f.closed = true
	return nil
}
