package sim

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// opKind is a call of the file system.
type opKind uint8

const (
	opCreate opKind = iota
	opOpen
	opRename
	opRemove
	opList
	opMkdirAll
	opSyncDir
	opLock
	opUnlock
	opRead
	opWrite
	opAllocate
	opSize
	opTruncate
	opSyncData
	opSync
	opDropCache
	opClose
	opCount
)

var opNames = [opCount]string{"create", "open", "rename", "remove", "list", "mkdir", "sync-dir", "lock",
	"unlock", "read", "write", "allocate", "size", "truncate", "sync-data", "sync", "drop-cache", "close"}

// faulty reports whether the io dial applies to the call.
func (k opKind) faulty() bool {
	switch k {
	case opSync, opSyncData, opSyncDir, opClose, opLock, opUnlock:
		return false
	}
	return true
}

// holds reports whether the close dial applies to the call.
func (k opKind) holds() bool { return k == opClose || k == opLock || k == opUnlock }

func (k opKind) syncs() bool { return k == opSync || k == opSyncData || k == opSyncDir }

// fileOp is one call of the file system on its way: issued by a job, waiting
// for its effect, then read by the job.
type fileOp struct {
	kind    opKind
	file    *file // for calls on a file
	name    string
	newName string
	buf     []byte
	off, n  int64
	zero    bool

	count  int64 // bytes read or written, or the size
	list   []string
	opened *file
	err    error
}

// errDir is what file calls on a directory, or directory calls on a file, get.
var errDir = errors.New("not a file of that kind")

// disk is the storage of one machine. Its methods perform effects at the
// present instant; when they happen is the lane's business.
type disk struct {
	names namespace
	locks []string // names locked by the machine's process
	open  []*file
	pool  *pool
	rules rules // of the file system

	io, short, part, sync, power, close, after, stale, astray *faults.Site

	unsafe bool // no powersafe overwrite
}

func newDisk(node uint64, sites *faults.Sites, p *pool) *disk {
	return &disk{
		pool:   p,
		io:     sites.Site("disk.io", node, 0),
		short:  sites.Site("disk.short", node, 0),
		part:   sites.Site("disk.part", node, 0),
		sync:   sites.Site("disk.sync", node, 0),
		power:  sites.Site("disk.power", node, 0),
		close:  sites.Site("disk.close", node, 0),
		after:  sites.Site("disk.after", node, 0),
		stale:  sites.Site("disk.stale", node, 0),
		astray: sites.Site("disk.astray", node, 0),
	}
}

// do performs the call without faults.
func (d *disk) do(op *fileOp) {
	switch op.kind {
	case opRead, opWrite, opAllocate, opSize, opTruncate, opSyncData, opSync, opDropCache:
		d.doFile(op, op.file.inode)
	case opCreate:
		d.create(op)
	case opOpen:
		d.openFile(op)
	case opRename:
		op.err = d.rename(op.name, op.newName)
	case opRemove:
		op.err = d.remove(op.name)
	case opList:
		if op.err = d.checkDir(op.name); op.err == nil {
			op.list = d.names.seen.children(op.name)
		}
	case opMkdirAll:
		op.err = d.mkdirAll(op.name)
	case opSyncDir:
		if op.err = d.checkDir(op.name); op.err == nil {
			d.syncDir(op.name)
		}
	case opLock:
		d.lock(op)
	case opUnlock:
		d.unlock(op.name)
	case opClose:
		d.release(op.file)
	}
}

func (d *disk) doFile(op *fileOp, f *inode) {
	switch op.kind {
	case opRead:
		n := max(min(int64(len(op.buf)), f.size-op.off), 0)
		f.read(op.buf[:n], op.off)
		if op.count = n; n < int64(len(op.buf)) {
			op.err = io.EOF
		}
	case opWrite:
		f.write(op.buf, op.off, d.pool)
		op.count = int64(len(op.buf))
	case opAllocate:
		if op.n > 0 {
			f.extend(op.off+op.n, op.zero, d.pool)
		}
	case opSize:
		op.count = f.size
	case opTruncate:
		f.truncate(op.n, d.pool)
	case opSyncData, opSync:
		d.syncFile(f)
	case opDropCache:
		f.dropCache(d.pool)
	}
}

func (d *disk) create(op *fileOp) {
	if d.names.seen.lookup(op.name) != nil {
		op.err = fs.ErrExist
		return
	}
	if op.err = d.names.checkParent(op.name); op.err != nil {
		return
	}
	f := &inode{}
	d.names.change(binding{op.name, f})
	d.handle(op, f)
}

// handle opens the inode for the process.
func (d *disk) handle(op *fileOp, f *inode) {
	op.opened = &file{name: op.name, note: []byte(op.name), inode: f}
	d.open = append(d.open, op.opened)
}

func (d *disk) openFile(op *fileOp) {
	f := d.names.seen.lookup(op.name)
	switch {
	case f == nil:
		op.err = fs.ErrNotExist
	case f.dir:
		op.err = errDir
	default:
		d.handle(op, f)
	}
}

func (d *disk) rename(oldName, newName string) error {
	f, over := d.names.seen.lookup(oldName), d.names.seen.lookup(newName)
	if f == nil {
		return fs.ErrNotExist
	}
	if err := d.names.checkParent(newName); err != nil {
		return err
	}
	if f.dir || over != nil && over.dir {
		return errDir
	}
	if f == over {
		return nil
	}
	d.names.change(binding{oldName, nil}, binding{newName, f})
	return nil
}

func (d *disk) remove(name string) error {
	f := d.names.seen.lookup(name)
	if f == nil {
		return fs.ErrNotExist
	}
	if f.dir && (name == "." || len(d.names.seen.children(name)) > 0) {
		return errDir
	}
	d.names.change(binding{name, nil})
	return nil
}

func (d *disk) checkDir(name string) error {
	f := d.names.seen.lookup(name)
	if f == nil {
		return fs.ErrNotExist
	}
	if !f.dir {
		return errDir
	}
	return nil
}

func (d *disk) mkdirAll(name string) error {
	for end := 0; end < len(name); {
		end++
		if end < len(name) && name[end] != '/' {
			continue
		}
		part := name[:end]
		switch f := d.names.seen.lookup(part); {
		case f == nil:
			d.names.change(binding{part, &inode{dir: true}})
		case !f.dir:
			return errDir
		}
	}
	return nil
}

func (d *disk) lock(op *fileOp) {
	if slices.Contains(d.locks, op.name) {
		op.err = runtime.ErrLocked
		return
	}
	switch f := d.names.seen.lookup(op.name); {
	case f == nil:
		if op.err = d.names.checkParent(op.name); op.err != nil {
			return
		}
		d.names.change(binding{op.name, &inode{}})
	case f.dir:
		op.err = errDir
		return
	}
	d.locks = append(d.locks, op.name)
}

func (d *disk) unlock(name string) {
	d.locks = slices.DeleteFunc(d.locks, func(held string) bool { return held == name })
}

// release ends the handle's hold on its inode.
func (d *disk) release(h *file) {
	if i := slices.Index(d.open, h); i >= 0 {
		d.open = slices.Delete(d.open, i, i+1)
	}
	d.collect(h.inode)
}

// collect gives back the buffers of an inode that nothing leads to.
func (d *disk) collect(f *inode) {
	if f.dir || d.names.inUse(f) {
		return
	}
	for _, h := range d.open {
		if h.inode == f {
			return
		}
	}
	f.free(d.pool)
}

// endProcess closes what the machine's process held open.
func (d *disk) endProcess() {
	open := d.open
	d.open, d.locks = nil, nil
	for _, h := range open {
		d.collect(h.inode)
	}
}
