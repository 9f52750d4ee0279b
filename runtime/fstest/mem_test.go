package fstest_test

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// bug names a rule that a memFS breaks. The empty one breaks none.
type bug string

var (
	errKind  = errors.New("not a file of that kind")
	errLarge = errors.New("too large")
)

// memSizeMax keeps wild offsets from taking all memory.
const memSizeMax = 1 << 40

// memFS is a file system in memory that keeps the contract, but for one bug.
type memFS struct {
	bug   bug
	nodes map[string]*memNode
	locks map[string]bool
	files int // open handles
}

// memNode is a file or directory. Its bytes are kept sparsely, in blocks.
type memNode struct {
	dir    bool
	size   int64
	blocks map[int64]*[memBlock]byte
}

const memBlock = 4096

func newMemFS(b bug) *memFS {
	return &memFS{bug: b, nodes: map[string]*memNode{".": {dir: true}}, locks: map[string]bool{}}
}

func (m *memFS) has(b bug) bool { return m.bug == b }

// check validates a name and the directory it is in.
func (m *memFS) check(name string, needParent bool) error {
	if !fs.ValidPath(name) && !m.has("names: not checked") {
		return &fs.PathError{Op: "check", Path: name, Err: fs.ErrInvalid}
	}
	if !needParent || m.has("create: parent not checked") {
		return nil
	}
	switch p := m.nodes[parent(name)]; {
	case p == nil:
		return fs.ErrNotExist
	case !p.dir:
		return errKind
	}
	return nil
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}

func (m *memFS) Create(name string) (runtime.File, error) {
	if err := m.check(name, true); err != nil {
		return nil, err
	}
	if n := m.nodes[name]; n != nil && !m.has("create: truncates") {
		if m.has("create: another error") {
			return nil, errKind
		}
		return nil, fs.ErrExist
	}
	m.nodes[name] = &memNode{blocks: map[int64]*[memBlock]byte{}}
	if m.has("create: not empty") {
		m.nodes[name].size = 1
	}
	return m.handle(m.nodes[name])
}

func (m *memFS) Open(name string) (runtime.File, error) {
	if err := m.check(name, false); err != nil {
		return nil, err
	}
	n := m.nodes[name]
	switch {
	case n == nil && m.has("open: creates"):
		return m.Create(name)
	case n == nil && m.has("open: another error"):
		return nil, errKind
	case n == nil:
		return nil, fs.ErrNotExist
	case n.dir && !m.has("open: directories"):
		return nil, errKind
	case m.has("open: a copy"):
		n = n.clone()
	}
	return m.handle(n)
}

func (m *memFS) handle(n *memNode) (runtime.File, error) {
	m.files++
	if m.has("open: few files") && m.files > 64 {
		return nil, errLarge
	}
	return &memFile{fs: m, node: n}, nil
}

func (m *memFS) Rename(oldName, newName string) error {
	if err := m.check(oldName, false); err != nil {
		return err
	}
	if err := m.check(newName, true); err != nil {
		return err
	}
	n, over := m.nodes[oldName], m.nodes[newName]
	switch {
	case n == nil && m.has("rename: missing is fine"):
		delete(m.nodes, newName)
		return nil
	case n == nil:
		return fs.ErrNotExist
	case over != nil && over.dir && !m.has("rename: over a directory"):
		return errKind
	case over != nil && m.has("rename: not over a file"):
		return fs.ErrExist
	case over != nil && m.has("rename: writes into the old file"):
		*over = *n
		n = over
	case m.has("rename: cuts handles off"):
		n = n.clone()
	}
	m.nodes[newName] = n
	if oldName != newName || m.has("rename: loses itself") {
		if !m.has("rename: keeps the old name") {
			delete(m.nodes, oldName)
		}
	}
	return nil
}

func (m *memFS) Remove(name string) error {
	if err := m.check(name, false); err != nil {
		return err
	}
	n := m.nodes[name]
	switch {
	case n == nil && m.has("remove: missing is fine"):
		return nil
	case n == nil:
		return fs.ErrNotExist
	case n.dir && m.has("remove: no directories"):
		return errKind
	case n.dir && len(m.children(name)) > 0 && !m.has("remove: whole trees"):
		return errKind
	}
	if m.has("remove: does nothing") {
		return nil
	}
	if m.has("remove: cuts handles off") {
		*n = memNode{blocks: map[int64]*[memBlock]byte{}}
	}
	for other := range m.nodes {
		if other == name || strings.HasPrefix(other, name+"/") {
			delete(m.nodes, other)
		}
	}
	return nil
}

func (m *memFS) children(dir string) []string {
	var list []string
	for name := range m.nodes {
		base := name[strings.LastIndexByte(name, '/')+1:]
		switch {
		case name == ".":
		case parent(name) == dir:
			list = append(list, base)
		case m.has("list: the whole tree") && strings.HasPrefix(name, dir):
			list = append(list, base)
		}
	}
	slices.Sort(list)
	if m.has("list: not sorted") {
		slices.Reverse(list)
	}
	if m.has("list: with itself") {
		list = slices.Insert(list, 0, ".")
	}
	return list
}

// checkDir reports what keeps name from being a directory.
func (m *memFS) checkDir(name string) error {
	if err := m.check(name, false); err != nil {
		return err
	}
	switch n := m.nodes[name]; {
	case n == nil:
		return fs.ErrNotExist
	case !n.dir:
		return errKind
	}
	return nil
}

func (m *memFS) List(dir string) ([]string, error) {
	if err := m.checkDir(dir); err != nil && !(m.has("list: missing is empty") && fs.ValidPath(dir)) {
		return nil, err
	}
	return m.children(dir), nil
}

func (m *memFS) MkdirAll(dir string) error {
	if err := m.check(dir, false); err != nil {
		return err
	}
	for end := 0; end <= len(dir); end++ {
		if end < len(dir) && dir[end] != '/' {
			continue
		}
		part := dir[:end]
		n := m.nodes[part]
		if n != nil && n.dir {
			if m.has("mkdirall: must be new") {
				return fs.ErrExist
			}
			continue
		}
		if n != nil && !m.has("mkdirall: over a file") {
			return errKind
		}
		m.nodes[part] = &memNode{dir: true}
	}
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	if m.has("syncdir: checks nothing") {
		return nil
	}
	if m.has("syncdir: not the root") && dir == "." {
		return errKind
	}
	return m.checkDir(dir)
}

func (m *memFS) Lock(name string) (io.Closer, error) {
	if err := m.check(name, true); err != nil {
		return nil, err
	}
	if n := m.nodes[name]; n != nil && n.dir && !m.has("lock: directories") {
		return nil, errKind
	}
	key := name
	if m.has("lock: one for all") {
		key = "all"
	}
	if m.locks[key] && !m.has("lock: always") {
		if m.has("lock: trying releases it") {
			delete(m.locks, key)
		}
		if m.has("lock: another error") {
			return nil, errKind
		}
		return nil, runtime.ErrLocked
	}
	m.locks[key] = true
	return memLock{m, key}, nil
}

type memLock struct {
	fs  *memFS
	key string
}

func (l memLock) Close() error {
	if !l.fs.has("lock: for ever") {
		delete(l.fs.locks, l.key)
	}
	return nil
}
