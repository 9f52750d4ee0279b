package walrus_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// rng is a small generator of the tests' own (splitmix64).
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *rng) below(n int) int       { return int(r.next() % uint64(n)) }
func (r *rng) chance(oneIn int) bool { return oneIn > 0 && r.below(oneIn) == 0 }

// opKind is a file call as faults see it.
type opKind uint8

const (
	opCreate opKind = iota
	opOpen
	opRename
	opRemove
	opList
	opMkdir
	opLock
	opRead
	opWrite
	opAllocate
	opSize
	opDropCache
	opSyncData
	opSync
	opSyncDir
	opClose
)

func (k opKind) syncs() bool { return k == opSyncData || k == opSync || k == opSyncDir }

// crashed is the panic that ends a process at a file call.
type crashed struct{}

// memFS is a disk that can be crashed: it keeps what processes see apart from what the
// device holds, for bytes and for names, and offers every legal image of a loss of power.
type memFS struct {
	seen    map[string]*memNode // full names, directories too
	durable map[string]*memNode
	pending []nameOp // not durable yet, in order
	locks   map[string]bool

	rng   rng
	calls int // file calls made
	// crashAt ends the process before the effect of that call, counted from 1.
	// With half set, a write that it strikes has half of its effect.
	crashAt int
	half    bool
	// fail decides whether a call fails. A failing sync loses pages, a failing write
	// leaves part of its bytes, anything else has no effect, unless late is set.
	fail func(call int, kind opKind) bool
	// late: names change although the call that changes them fails.
	late bool
	// capacity is how many bytes all files may have together; zero: any number.
	capacity int
	// ghost is the name of a file that was written to while a loss of power could bring it
	// back under that name, which it has no more, or although a sync of it had failed.
	ghost string
	// skip makes calls do nothing, to show that somebody notices.
	skip map[opKind]bool
}

const memSector = 512

// memNode is a file or a directory.
type memNode struct {
	dir     bool
	data    []byte // as seen
	device  []byte // as long as data; what the device holds
	durable int    // size on the device
	tainted bool   // a sync of it failed in this life
	sectors map[int]*memDirty
}

// memDirty is a sector whose bytes as seen the device may not have.
type memDirty struct {
	lost   bool // a sync failed: clean for the system, though not on the device
	lo, hi int  // written since the last sync, within the sector
}

type nameOp []nameBinding

type nameBinding struct {
	name string
	node *memNode // nil: removed
}

func newMemFS(seed uint64) *memFS {
	root := &memNode{dir: true}
	return &memFS{
		seen: map[string]*memNode{".": root}, durable: map[string]*memNode{".": root},
		locks: map[string]bool{}, rng: rng{state: seed},
	}
}

// clone copies the disk, without faults.
func (m *memFS) clone() *memFS {
	copies := map[*memNode]*memNode{nil: nil}
	of := func(n *memNode) *memNode {
		if c, ok := copies[n]; ok {
			return c
		}
		c := &memNode{dir: n.dir, data: slices.Clone(n.data), device: slices.Clone(n.device), durable: n.durable}
		c.sectors = map[int]*memDirty{}
		for i, d := range n.sectors {
			c.sectors[i] = &memDirty{lost: d.lost, lo: d.lo, hi: d.hi}
		}
		copies[n] = c
		return c
	}
	out := &memFS{seen: map[string]*memNode{}, durable: map[string]*memNode{}, locks: map[string]bool{}, rng: m.rng}
	for name, n := range m.seen {
		out.seen[name] = of(n)
	}
	for name, n := range m.durable {
		out.durable[name] = of(n)
	}
	for _, op := range m.pending {
		var c nameOp
		for _, b := range op {
			c = append(c, nameBinding{name: b.name, node: of(b.node)})
		}
		out.pending = append(out.pending, c)
	}
	return out
}

// kill ends the process: locks go, the page cache stays.
func (m *memFS) kill() {
	for _, n := range m.seen {
		n.tainted = false
	}
	m.locks = map[string]bool{}
	m.calls, m.crashAt, m.half, m.fail, m.capacity = 0, 0, false, nil, 0
}

// image is which unsynced things a loss of power leaves.
type image uint8

const (
	imageNone  image = iota // nothing unsynced
	imageAll                // everything
	imageMixed              // each sector and name by itself: lost or whole
	imageTorn               // each sector lost, whole, torn or noise
	imageCount
)

// losePower turns the disk into what the device holds after a loss of power.
func (m *memFS) losePower(im image) {
	m.kill()
	take := func() bool { return im == imageAll || im >= imageMixed && m.rng.chance(2) }
	for _, op := range m.pending {
		if take() {
			for _, b := range op {
				bind(m.durable, b)
			}
		}
	}
	m.pending = nil
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		if name != "." && m.durable[path.Dir(name)] == nil {
			delete(m.durable, name)
		}
	}
	m.seen = maps.Clone(m.durable)
	for _, name := range slices.Sorted(maps.Keys(m.seen)) {
		m.seen[name].losePower(im, &m.rng)
		m.seen[name].tainted = false
	}
}

func bind(names map[string]*memNode, b nameBinding) {
	if b.node == nil {
		delete(names, b.name)
	} else {
		names[b.name] = b.node
	}
}

func (n *memNode) losePower(im image, r *rng) {
	if n.dir {
		return
	}
	for _, i := range slices.Sorted(maps.Keys(n.sectors)) {
		d := n.sectors[i]
		lo, hi := i*memSector+d.lo, min(i*memSector+d.hi, len(n.data))
		if d.lost || im == imageNone || lo >= hi {
			continue
		}
		fate := 1
		if im == imageMixed {
			fate = r.below(2)
		}
		if im == imageTorn {
			fate = r.below(4)
		}
		switch fate {
		case 1:
			copy(n.device[lo:hi], n.data[lo:hi])
		case 2:
			cut := lo + r.below(hi-lo+1)
			if r.chance(2) {
				copy(n.device[lo:cut], n.data[lo:cut])
			} else {
				copy(n.device[cut:hi], n.data[cut:hi])
			}
		case 3:
			for at := lo; at < hi; at++ {
				n.device[at] = byte(r.next())
			}
		}
	}
	n.sectors = map[int]*memDirty{}
	if size := n.durable; size < len(n.data) && (im == imageNone || im >= imageMixed && r.chance(2)) {
		n.device = n.device[:size]
	}
	n.data, n.durable = slices.Clone(n.device), len(n.device)
}

// mark notes that [lo, hi) of the file was written.
func (n *memNode) mark(lo, hi int) {
	for lo < hi {
		i, from := lo/memSector, lo%memSector
		to := min(memSector, from+hi-lo)
		if d := n.sectors[i]; d == nil {
			n.sectors[i] = &memDirty{lo: from, hi: to}
		} else {
			d.lost, d.lo, d.hi = false, min(d.lo, from), max(d.hi, to)
		}
		lo += to - from
	}
}

func (n *memNode) grow(size int) {
	if size > len(n.data) {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
		n.device = append(n.device, make([]byte, size-len(n.device))...)
	}
}

func (n *memNode) sync() {
	for i, d := range n.sectors {
		if d.lost {
			continue
		}
		lo, hi := i*memSector, min((i+1)*memSector, len(n.data))
		copy(n.device[lo:hi], n.data[lo:hi])
		delete(n.sectors, i)
	}
	n.durable = len(n.data)
}

// failSync: each page arrives or not; all count as clean; reads may go on
// showing what was lost.
func (n *memNode) failSync(r *rng) {
	n.tainted = true
	show := r.chance(2)
	for _, i := range slices.Sorted(maps.Keys(n.sectors)) {
		lo, hi := i*memSector, min((i+1)*memSector, len(n.data))
		switch {
		case !n.sectors[i].lost && r.chance(2):
			copy(n.device[lo:hi], n.data[lo:hi])
			delete(n.sectors, i)
		case show:
			n.sectors[i].lost = true
		default:
			copy(n.data[lo:hi], n.device[lo:hi])
			delete(n.sectors, i)
		}
	}
	if r.chance(2) {
		n.durable = len(n.data)
	}
}

func (n *memNode) dropCache() {
	for i, d := range n.sectors {
		if d.lost {
			lo, hi := i*memSector, min((i+1)*memSector, len(n.data))
			copy(n.data[lo:hi], n.device[lo:hi])
			delete(n.sectors, i)
		}
	}
}

// holds reports whether every loss of power leaves want at off of the file.
func (m *memFS) holds(name string, off int64, want []byte) bool {
	n := m.durable[name]
	if n == nil || m.seen[name] != n || int(off)+len(want) > n.durable {
		return false
	}
	for _, op := range m.pending {
		for _, b := range op {
			if b.name == name || strings.HasPrefix(name, b.name+"/") {
				return false
			}
		}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if m.durable[dir] == nil {
			return false
		}
	}
	end := int(off) + len(want)
	for i := int(off) / memSector; i*memSector < end; i++ {
		if d := n.sectors[i]; d != nil && (d.lost || max(int(off), i*memSector+d.lo) < min(end, i*memSector+d.hi)) {
			return false
		}
	}
	return string(n.device[off:end]) == string(want)
}

// begin counts a call, and ends the process or fails the call where asked to.
func (m *memFS) begin(kind opKind) error {
	m.calls++
	if m.calls == m.crashAt && !(m.half && kind == opWrite) {
		panic(crashed{})
	}
	if m.fail != nil && m.fail(m.calls, kind) {
		return runtime.ErrIO
	}
	return nil
}

// haunt notes a file written to under a name that may come back.
func (m *memFS) haunt(n *memNode) {
	if n.tainted {
		m.ghost = "a file whose sync had failed"
	}
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		if m.durable[name] == n && m.seen[name] != n && strings.HasSuffix(name, ".seg") {
			m.ghost = name
		}
	}
}

// hasRoom reports whether a file may grow to that size.
func (m *memFS) hasRoom(n *memNode, size int) bool {
	if m.capacity == 0 || size <= len(n.data) {
		return true
	}
	return m.used()+size-len(n.data) <= m.capacity
}

// used is how many bytes all files have together.
func (m *memFS) used() (bytes int) {
	for _, n := range m.seen {
		bytes += len(n.data)
	}
	return bytes
}

func (m *memFS) change(bindings ...nameBinding) {
	for _, b := range bindings {
		bind(m.seen, b)
	}
	m.pending = append(m.pending, bindings)
}

func (m *memFS) hasParent(name string) bool {
	n := m.seen[path.Dir(name)]
	return n != nil && n.dir
}

func (m *memFS) Create(name string) (runtime.File, error) {
	failed := m.begin(opCreate)
	if failed != nil && !m.late {
		return nil, failed
	}
	if m.seen[name] != nil {
		return nil, fs.ErrExist
	}
	if !m.hasParent(name) {
		return nil, fs.ErrNotExist
	}
	n := &memNode{sectors: map[int]*memDirty{}}
	m.change(nameBinding{name: name, node: n})
	if failed != nil {
		return nil, failed
	}
	return &memFile{fs: m, node: n}, nil
}

func (m *memFS) Open(name string) (runtime.File, error) {
	if err := m.begin(opOpen); err != nil {
		return nil, err
	}
	n := m.seen[name]
	if n == nil || n.dir {
		return nil, fs.ErrNotExist
	}
	return &memFile{fs: m, node: n}, nil
}

func (m *memFS) Rename(from, to string) error {
	failed := m.begin(opRename)
	if failed != nil && !m.late {
		return failed
	}
	n := m.seen[from]
	if n == nil || !m.hasParent(to) {
		return fs.ErrNotExist
	}
	m.change(nameBinding{name: from}, nameBinding{name: to, node: n})
	return failed
}

func (m *memFS) Remove(name string) error {
	failed := m.begin(opRemove)
	if failed != nil && !m.late {
		return failed
	}
	n := m.seen[name]
	if n == nil {
		return fs.ErrNotExist
	}
	if n.dir {
		for other := range m.seen {
			if path.Dir(other) == name {
				return errors.New("directory not empty")
			}
		}
	}
	m.change(nameBinding{name: name})
	return failed
}

func (m *memFS) List(dir string) ([]string, error) {
	if err := m.begin(opList); err != nil {
		return nil, err
	}
	if n := m.seen[dir]; n == nil || !n.dir {
		return nil, fs.ErrNotExist
	}
	var names []string
	for name := range m.seen {
		if name != "." && path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) MkdirAll(dir string) error {
	if err := m.begin(opMkdir); err != nil {
		return err
	}
	var missing []string
	for ; m.seen[dir] == nil; dir = path.Dir(dir) {
		missing = append(missing, dir)
	}
	for _, name := range slices.Backward(missing) {
		m.change(nameBinding{name: name, node: &memNode{dir: true}})
	}
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	if m.skip[opSyncDir] {
		return nil
	}
	err := m.begin(opSyncDir)
	var kept []nameOp
	for _, op := range m.pending {
		if !slices.ContainsFunc(op, func(b nameBinding) bool { return path.Dir(b.name) == dir }) {
			kept = append(kept, op)
			continue
		}
		if err != nil && m.rng.chance(2) {
			continue // forgotten for good
		}
		for _, b := range op {
			bind(m.durable, b)
		}
	}
	m.pending = kept
	return err
}

type memLock struct {
	fs   *memFS
	name string
}

func (l memLock) Close() error { delete(l.fs.locks, l.name); return nil }

func (m *memFS) Lock(name string) (io.Closer, error) {
	if err := m.begin(opLock); err != nil {
		return nil, err
	}
	if m.locks[name] {
		return nil, runtime.ErrLocked
	}
	m.locks[name] = true
	return memLock{fs: m, name: name}, nil
}

// memFile is an open file.
type memFile struct {
	fs     *memFS
	node   *memNode
	closed bool
}

func (f *memFile) begin(kind opKind) error {
	if f.closed {
		return fs.ErrClosed
	}
	return f.fs.begin(kind)
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin(opRead); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.begin(opWrite)
	crash := f.fs.calls == f.fs.crashAt
	if err == nil && !crash && !f.fs.hasRoom(f.node, int(off)+len(p)) {
		p, err = p[:len(p)/3], runtime.ErrNoSpace
		if !f.fs.hasRoom(f.node, int(off)+len(p)) {
			return 0, err
		}
	}
	if crash || err != nil {
		p = p[:len(p)/2]
	}
	f.fs.haunt(f.node)
	f.node.grow(int(off) + len(p))
	f.node.mark(int(off), int(off)+len(p))
	copy(f.node.data[off:], p)
	if crash {
		panic(crashed{})
	}
	return len(p), err
}

func (f *memFile) Allocate(off, n int64, zero bool) error {
	if err := f.begin(opAllocate); err != nil {
		return err
	}
	old, end := len(f.node.data), int(off+n)
	if !f.fs.hasRoom(f.node, end) {
		return runtime.ErrNoSpace
	}
	if end > old {
		f.node.grow(end)
		if zero {
			f.node.mark(old, end)
		}
	}
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin(opSize); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(int64) error { return errors.ErrUnsupported }

func (f *memFile) syncAs(kind opKind) error {
	if f.fs.skip[kind] {
		return nil
	}
	if err := f.begin(kind); err != nil {
		if !errors.Is(err, fs.ErrClosed) {
			f.node.failSync(&f.fs.rng)
		}
		return err
	}
	f.node.sync()
	return nil
}

func (f *memFile) SyncData() error { return f.syncAs(opSyncData) }
func (f *memFile) Sync() error     { return f.syncAs(opSync) }

func (f *memFile) DropCache() error {
	if f.fs.skip[opDropCache] {
		return nil
	}
	if err := f.begin(opDropCache); err != nil {
		return err
	}
	f.node.dropCache()
	return nil
}

func (f *memFile) Close() error {
	if err := f.begin(opClose); err != nil {
		return err
	}
	f.closed = true
	return nil
}
