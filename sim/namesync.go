package sim

import (
	"slices"
	"strings"

	"github.com/octopii-go/octopii/faults"
)

// failSyncDir is a SyncDir that reports an error: each operation in the
// directory reached the device, or is forgotten by it for good. Either way no
// later SyncDir writes it. If prefix is set, all operations are concerned, and
// those that reach the device are the first ones.
func (s *namespace) failSyncDir(dir string, site *faults.Site, prefix bool) {
	s.asked.inode = nil
	if prefix {
		s.keepFirst(site.Below(uint64(len(s.pending) + 1)))
		return
	}
	kept := s.pending[:0]
	for _, op := range s.pending {
		if !op.in(dir) {
			kept = append(kept, op)
			continue
		}
		if site.Below(2) == 0 {
			for _, b := range op.bindings {
				s.durable.bind(b.name, b.inode)
			}
		}
	}
	clear(s.pending[len(kept):])
	s.pending = kept
}

// keepFirst lets the first n operations reach the device, and no others.
func (s *namespace) keepFirst(n uint64) {
	for _, op := range s.pending[:n] {
		for _, b := range op.bindings {
			s.durable.bind(b.name, b.inode)
		}
	}
	clear(s.pending)
	s.pending = s.pending[:0]
}

// losePower draws for each operation that is not durable whether it reached the
// device, in any order, or, if prefix is set, how many of them did in
// the order done, and leaves what the device holds.
func (s *namespace) losePower(site *faults.Site, prefix bool) {
	s.asked.inode = nil
	if prefix {
		s.keepFirst(site.Below(uint64(len(s.pending) + 1)))
	} else {
		s.keepAny(site)
	}
	s.seen = names{}
	for i, name := range s.durable.sorted {
		if dir := parent(name); dir == "." || s.seen.lookup(dir) != nil {
			s.seen.sorted = append(s.seen.sorted, name)
			s.seen.inodes = append(s.seen.inodes, s.durable.inodes[i])
		}
	}
	s.durable = names{sorted: slices.Clone(s.seen.sorted), inodes: slices.Clone(s.seen.inodes)}
}

// keepAny lets any of the operations reach the device.
func (s *namespace) keepAny(site *faults.Site) {
	all, none := site.Below(4) == 0, site.Below(4) == 0
	for _, op := range s.pending {
		if !all && (none || site.Below(2) == 0) {
			continue
		}
		for _, b := range op.bindings {
			s.durable.bind(b.name, b.inode)
		}
	}
	s.pending = nil
}

// waits reports whether a directory operation on the inode is not durable yet.
func (s *namespace) waits(f *inode) bool {
	for _, op := range s.pending {
		for _, b := range op.bindings {
			if b.inode == f {
				return true
			}
		}
	}
	return false
}

// commit makes the chosen operations durable, each as a whole. An operation
// before them that is not chosen has no say any more about a name they changed.
// It returns the inodes that lost a durable name by it.
func (s *namespace) commit(chosen func(op dirOp) bool) (unnamed []*inode) {
	s.asked.inode = nil
	var kept []dirOp
	for _, op := range s.pending {
		if !chosen(op) {
			kept = append(kept, op)
			continue
		}
		for _, b := range op.bindings {
			if old := s.durable.lookup(b.name); old != nil && old != b.inode {
				unnamed = append(unnamed, old)
			}
			s.durable.bind(b.name, b.inode)
			for i := range kept {
				kept[i].bindings = slices.DeleteFunc(slices.Clone(kept[i].bindings), func(was binding) bool {
					if was.name == b.name && was.inode != nil && was.inode != b.inode {
						unnamed = append(unnamed, was.inode)
					}
					return was.name == b.name
				})
			}
		}
	}
	s.pending = slices.DeleteFunc(kept, func(op dirOp) bool { return len(op.bindings) == 0 })
	return unnamed
}

// commitNamesOf makes the operations on the inode durable, and those that made
// the directories above its names.
func (s *namespace) commitNamesOf(f *inode) []*inode {
	var mine []string
	for _, op := range s.pending {
		for _, b := range op.bindings {
			if b.inode == f {
				mine = append(mine, b.name)
			}
		}
	}
	return s.commit(func(op dirOp) bool {
		return slices.ContainsFunc(op.bindings, func(b binding) bool {
			return b.inode == f || b.inode != nil && b.inode.dir &&
				slices.ContainsFunc(mine, func(name string) bool { return strings.HasPrefix(name, b.name+"/") })
		})
	})
}
