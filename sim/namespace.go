package sim

import (
	"io/fs"
	"slices"
	"strings"
)

// names maps full names to inodes, sorted, so that lists need no sorting.
type names struct {
	root   inode // the node's folder, "."
	sorted []string
	inodes []*inode
}

func (n *names) lookup(name string) *inode {
	if name == "." {
		n.root.dir = true
		return &n.root
	}
	if i, found := slices.BinarySearch(n.sorted, name); found {
		return n.inodes[i]
	}
	return nil
}

// bind gives name to the inode; nil takes the name away.
func (n *names) bind(name string, f *inode) {
	i, found := slices.BinarySearch(n.sorted, name)
	switch {
	case f == nil && found:
		n.sorted = slices.Delete(n.sorted, i, i+1)
		n.inodes = slices.Delete(n.inodes, i, i+1)
	case f != nil && found:
		n.inodes[i] = f
	case f != nil:
		n.sorted = slices.Insert(n.sorted, i, name)
		n.inodes = slices.Insert(n.inodes, i, f)
	}
}

// children returns the names directly in dir, without the directory's own.
func (n *names) children(dir string) []string {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	i, _ := slices.BinarySearch(n.sorted, prefix)
	var list []string
	for ; i < len(n.sorted) && strings.HasPrefix(n.sorted[i], prefix); i++ {
		if rest := n.sorted[i][len(prefix):]; !strings.Contains(rest, "/") {
			list = append(list, rest)
		}
	}
	return list
}

// parent returns the directory a name is in.
func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}

// binding is one effect of a directory operation: name leads to inode.
type binding struct {
	name  string
	inode *inode
}

// dirOp is a directory operation that is not durable yet. A rename has two
// bindings and reaches the device whole, but for a half that a SyncDir of one of
// two directories has made durable already.
type dirOp struct {
	bindings []binding
}

// in reports whether the operation is one of the directory's.
func (op dirOp) in(dir string) bool {
	return slices.ContainsFunc(op.bindings, func(b binding) bool { return parent(b.name) == dir })
}

// namespace holds the names as processes see them and as the device holds them.
type namespace struct {
	seen    names
	durable names
	pending []dirOp // in the order done
	// What durableInode found last, until a name changes: it is asked about
	// the same file again and again.
	asked struct {
		name  string
		inode *inode
	}
}

// change performs a directory operation as processes see it.
func (s *namespace) change(bindings ...binding) {
	for _, b := range bindings {
		s.seen.bind(b.name, b.inode)
	}
	s.pending = append(s.pending, dirOp{bindings})
	s.asked.inode = nil
}

// syncDir makes what was done in the directory durable. It returns the inodes
// that lost a durable name by it.
func (s *namespace) syncDir(dir string) (unnamed []*inode) {
	s.asked.inode = nil
	kept := s.pending[:0]
	for _, op := range s.pending {
		var rest []binding
		for _, b := range op.bindings {
			if parent(b.name) == dir {
				if old := s.durable.lookup(b.name); old != nil && old != b.inode {
					unnamed = append(unnamed, old)
				}
				s.durable.bind(b.name, b.inode)
			} else {
				rest = append(rest, b)
			}
		}
		if len(rest) > 0 {
			kept = append(kept, dirOp{rest})
		}
	}
	clear(s.pending[len(kept):])
	s.pending = kept
	return unnamed
}

// durableInode returns the inode that name leads to after every legal loss of
// power, or nil if it could lead nowhere or elsewhere.
func (s *namespace) durableInode(name string) *inode {
	if s.asked.inode == nil || s.asked.name != name {
		s.asked.name, s.asked.inode = name, s.findDurable(name)
	}
	return s.asked.inode
}

func (s *namespace) findDurable(name string) *inode {
	f := s.durable.lookup(name)
	if f == nil || s.seen.lookup(name) != f {
		return nil
	}
	for _, op := range s.pending {
		for _, b := range op.bindings {
			if b.name == name {
				return nil
			}
		}
	}
	for dir := parent(name); dir != "."; dir = parent(dir) {
		if s.durable.lookup(dir) == nil {
			return nil
		}
	}
	return f
}

// inUse reports whether any name, seen or durable or pending, leads to f.
func (s *namespace) inUse(f *inode) bool {
	for _, op := range s.pending {
		for _, b := range op.bindings {
			if b.inode == f {
				return true
			}
		}
	}
	return slices.Contains(s.seen.inodes, f) || slices.Contains(s.durable.inodes, f)
}

// checkParent reports fs.ErrNotExist unless the directory of name exists.
func (s *namespace) checkParent(name string) error {
	dir := parent(name)
	if f := s.seen.lookup(dir); f == nil || !f.dir {
		return fs.ErrNotExist
	}
	return nil
}
