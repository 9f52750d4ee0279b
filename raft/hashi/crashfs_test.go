package hashi

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/octopii-go/octopii/runtime"
)

var (
	errCrashed  = errors.New("the process has died")
	errInjected = errors.New("fault of the test")
)

const sectorBytes = 512

// crashFS is a disk in memory that keeps what processes see apart from what the device holds, for bytes and for
// names. After its crash no call has an effect any more; image returns what the next life may find.
type crashFS struct {
	mu      sync.Mutex
	seen    map[string]*crashNode
	durable map[string]*crashNode
	pending []nameChange
	locks   map[string]bool

	calls   int
	crashAt int // the call that is not made any more; zero: none
	crashed bool
	// fail, if not nil, decides whether a call fails.
	fail func(call int, op, name string) error
	// deaf: syncs of bytes do nothing.
	deaf bool
}

type crashNode struct {
	name  string // the last that processes saw
	dir   bool
	data  []byte
	disk  []byte       // as long as data, or as it was when synced
	dirty map[int]bool // sectors of data that disk may not have
}

// nameChange binds a name, or unbinds it if there is no node.
type nameChange struct {
	name string
	node *crashNode
	also string // unbound by the same rename
}

func newCrashFS() *crashFS {
	root := &crashNode{dir: true}
	return &crashFS{
		seen: map[string]*crashNode{".": root}, durable: map[string]*crashNode{".": root}, locks: map[string]bool{},
	}
}

// enter counts a call, and says why it is not made.
func (c *crashFS) enter(op, name string) error {
	c.calls++
	if c.calls == c.crashAt {
		c.crashed = true
	}
	if c.crashed {
		return errCrashed
	}
	if c.fail != nil {
		return c.fail(c.calls, op, name)
	}
	return nil
}

// image returns a disk as it may be after a loss of power, or after the end of the process alone. chance decides for each
// sector and each change of a name that was not synced whether the device has it.
func (c *crashFS) image(power bool, chance func() bool) *crashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := newCrashFS()
	copies := map[*crashNode]*crashNode{}
	names := maps.Clone(c.seen)
	if power {
		names = maps.Clone(c.durable)
		for _, change := range c.pending {
			if chance() {
				change.apply(names)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if copies[n] == nil {
			copies[n] = n.image(name, power, chance)
		}
		out.seen[name], out.durable[name] = copies[n], copies[n]
	}
	return out
}

func (n *crashNode) image(name string, power bool, chance func() bool) *crashNode {
	if n.dir {
		return n
	}
	data := slices.Clone(n.data)
	if power {
		data = slices.Clone(n.disk)
		for _, sector := range slices.Sorted(maps.Keys(n.dirty)) {
			lo, hi := sector*sectorBytes, min((sector+1)*sectorBytes, len(n.data))
			if lo >= hi || !chance() {
				continue
			}
			if hi > len(data) {
				data = append(data, make([]byte, hi-len(data))...)
			}
			copy(data[lo:hi], n.data[lo:hi])
		}
	}
	return &crashNode{name: name, data: data, disk: slices.Clone(data), dirty: map[int]bool{}}
}

func (ch nameChange) apply(names map[string]*crashNode) {
	if ch.also != "" {
		delete(names, ch.also)
	}
	if ch.node == nil {
		delete(names, ch.name)
		return
	}
	names[ch.name] = ch.node
}

func (c *crashFS) change(ch nameChange) {
	ch.apply(c.seen)
	c.pending = append(c.pending, ch)
}

func (c *crashFS) find(op, name string) (*crashNode, error) {
	n := c.seen[name]
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

func (c *crashFS) Create(name string) (runtime.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("create", name); err != nil {
		return nil, err
	}
	if c.seen[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if _, err := c.find("create", path.Dir(name)); err != nil {
		return nil, err
	}
	n := &crashNode{name: name, dirty: map[int]bool{}}
	c.change(nameChange{name: name, node: n})
	return &crashFile{fs: c, node: n}, nil
}

func (c *crashFS) Open(name string) (runtime.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("open", name); err != nil {
		return nil, err
	}
	n, err := c.find("open", name)
	if err != nil {
		return nil, err
	}
	return &crashFile{fs: c, node: n}, nil
}

func (c *crashFS) Rename(from, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("rename", from); err != nil {
		return err
	}
	n, err := c.find("rename", from)
	if err != nil {
		return err
	}
	n.name = to
	c.change(nameChange{name: to, node: n, also: from})
	return nil
}

func (c *crashFS) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("remove", name); err != nil {
		return err
	}
	if _, err := c.find("remove", name); err != nil {
		return err
	}
	c.change(nameChange{name: name})
	return nil
}

func (c *crashFS) List(dir string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("list", dir); err != nil {
		return nil, err
	}
	if _, err := c.find("list", dir); err != nil {
		return nil, err
	}
	var names []string
	for name := range c.seen {
		if name != "." && path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (c *crashFS) MkdirAll(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("mkdir", dir); err != nil {
		return err
	}
	for i := range dir + "/" {
		if at := dir[:i]; i > 0 && (i == len(dir) || dir[i] == '/') && c.seen[at] == nil {
			c.change(nameChange{name: at, node: &crashNode{dir: true}})
		}
	}
	return nil
}

func (c *crashFS) SyncDir(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("sync folder", dir); err != nil {
		return err
	}
	if _, err := c.find("sync", dir); err != nil {
		return err
	}
	kept := c.pending[:0]
	for _, ch := range c.pending {
		if path.Dir(ch.name) == dir {
			ch.apply(c.durable)
		} else {
			kept = append(kept, ch)
		}
	}
	c.pending = kept
	return nil
}

func (c *crashFS) Lock(name string) (io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("lock", name); err != nil {
		return nil, err
	}
	if c.locks[name] {
		return nil, runtime.ErrLocked
	}
	c.locks[name] = true
	return closer(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.locks, name)
		return nil
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

// crashFile is an open file of a crashFS.
type crashFile struct {
	fs   *crashFS
	node *crashNode
}

func (f *crashFile) call(op string, effect func() error) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.enter(op, f.node.name); err != nil {
		return err
	}
	return effect()
}

func (f *crashFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.call("read", func() error {
		if off < int64(len(f.node.data)) {
			n = copy(p, f.node.data[off:])
		}
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (f *crashFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.call("write", func() error {
		f.node.write(p, off)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (n *crashNode) write(p []byte, off int64) {
	if grow := off + int64(len(p)) - int64(len(n.data)); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[off:], p)
	for at := off / sectorBytes; at*sectorBytes < off+int64(len(p)); at++ {
		n.dirty[int(at)] = true
	}
}

func (f *crashFile) Allocate(off, size int64, zero bool) error {
	return f.call("allocate", func() error {
		if from := max(off, int64(len(f.node.data))); from < off+size {
			f.node.write(make([]byte, off+size-from), from)
		}
		return nil
	})
}

func (f *crashFile) Size() (size int64, err error) {
	err = f.call("size", func() error { size = int64(len(f.node.data)); return nil })
	return size, err
}

func (f *crashFile) Truncate(size int64) error {
	return f.call("truncate", func() error {
		f.node.data = append(f.node.data, make([]byte, max(0, size-int64(len(f.node.data))))...)[:size]
		return nil
	})
}

func (f *crashFile) sync(op string) error {
	return f.call(op, func() error {
		if !f.fs.deaf {
			f.node.disk, f.node.dirty = slices.Clone(f.node.data), map[int]bool{}
		}
		return nil
	})
}

func (f *crashFile) SyncData() error  { return f.sync("sync data") }
func (f *crashFile) Sync() error      { return f.sync("sync") }
func (f *crashFile) DropCache() error { return f.call("drop cache", func() error { return nil }) }
func (f *crashFile) Close() error     { return nil }

// isSync reports whether an operation makes bytes or names durable.
func isSync(op string) bool { return strings.HasPrefix(op, "sync") }
