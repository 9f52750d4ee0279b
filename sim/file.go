package sim

import (
	"io"
	"io/fs"

	"github.com/octopii-go/octopii/runtime"
)

// file is an open file of a simulated process. It implements runtime.File.
type file struct {
	p      *native
	name   string
	note   []byte // the name, for events
	inode  *inode
	closed bool
	untold bool // a sync through another handle has failed, and this one has not heard of it
}

// call prepares the running lane's operation, for the caller to fill in and issue.
func (p *native) call(kind opKind) *lane {
	if p.running == nil {
		panic("sim: file call outside of a job")
	}
	p.running.op = fileOp{kind: kind}
	return p.running
}

// onName issues a call on a name.
func (p *native) onName(kind opKind, name, newName string) (*fileOp, error) {
	l := p.call(kind)
	if !fs.ValidPath(name) || kind == opRename && !fs.ValidPath(newName) {
		return &l.op, pathError(kind, name, fs.ErrInvalid)
	}
	l.op.name, l.op.newName = name, newName
	l.call()
	if l.op.err != nil {
		return &l.op, pathError(kind, name, l.op.err)
	}
	return &l.op, nil
}

func pathError(kind opKind, name string, err error) error {
	return &fs.PathError{Op: opNames[kind], Path: name, Err: err}
}

// onFileName issues a call that opens a file.
func (p *native) onFileName(kind opKind, name string) (runtime.File, error) {
	op, err := p.onName(kind, name, "")
	if err != nil {
		return nil, err
	}
	op.opened.p = p
	return op.opened, nil
}

// Create implements runtime.FS.
func (p *native) Create(name string) (runtime.File, error) { return p.onFileName(opCreate, name) }

// Open implements runtime.FS.
func (p *native) Open(name string) (runtime.File, error) { return p.onFileName(opOpen, name) }

// Rename implements runtime.FS.
func (p *native) Rename(oldName, newName string) error {
	_, err := p.onName(opRename, oldName, newName)
	return err
}

// Remove implements runtime.FS.
func (p *native) Remove(name string) error {
	_, err := p.onName(opRemove, name, "")
	return err
}

// List implements runtime.FS.
func (p *native) List(dir string) ([]string, error) {
	op, err := p.onName(opList, dir, "")
	if err != nil {
		return nil, err
	}
	return op.list, nil
}

// MkdirAll implements runtime.FS.
func (p *native) MkdirAll(dir string) error {
	_, err := p.onName(opMkdirAll, dir, "")
	return err
}

// SyncDir implements runtime.FS.
func (p *native) SyncDir(dir string) error {
	_, err := p.onName(opSyncDir, dir, "")
	return err
}

// Lock implements runtime.FS.
func (p *native) Lock(name string) (io.Closer, error) {
	if _, err := p.onName(opLock, name, ""); err != nil {
		return nil, err
	}
	return &heldLock{p: p, name: name}, nil
}

// heldLock releases a lock when closed.
type heldLock struct {
	p    *native
	name string
}

// Close implements io.Closer.
func (h *heldLock) Close() error {
	if h.name == "" {
		return fs.ErrClosed
	}
	_, err := h.p.onName(opUnlock, h.name, "")
	h.name = ""
	return err
}

// issue makes a call on the open file. An operation that is out of bounds is
// refused before it reaches the disk.
func (f *file) issue(kind opKind, buf []byte, off, n int64, zero bool) (int64, error) {
	if f.closed {
		return 0, pathError(kind, f.name, fs.ErrClosed)
	}
	if off < 0 || n < 0 || off > fileSizeMax-n || off > fileSizeMax-int64(len(buf)) {
		return 0, pathError(kind, f.name, fs.ErrInvalid)
	}
	l := f.p.call(kind)
	op := &l.op
	op.file, op.buf, op.off, op.n, op.zero = f, buf, off, n, zero
	l.call()
	if op.err == nil || op.err == io.EOF {
		return op.count, op.err
	}
	return op.count, pathError(kind, f.name, op.err)
}

// ReadAt implements runtime.File.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.issue(opRead, b, off, 0, false)
	return int(n), err
}

// WriteAt implements runtime.File.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.issue(opWrite, b, off, 0, false)
	return int(n), err
}

// Allocate implements runtime.File.
func (f *file) Allocate(off, n int64, zero bool) error {
	_, err := f.issue(opAllocate, nil, off, n, zero)
	return err
}

// Size implements runtime.File.
func (f *file) Size() (int64, error) { return f.issue(opSize, nil, 0, 0, false) }

// Truncate implements runtime.File.
func (f *file) Truncate(size int64) error {
	_, err := f.issue(opTruncate, nil, 0, size, false)
	return err
}

// SyncData implements runtime.File.
func (f *file) SyncData() error {
	_, err := f.issue(opSyncData, nil, 0, 0, false)
	return err
}

// Sync implements runtime.File.
func (f *file) Sync() error {
	_, err := f.issue(opSync, nil, 0, 0, false)
	return err
}

// DropCache implements runtime.File.
func (f *file) DropCache() error {
	_, err := f.issue(opDropCache, nil, 0, 0, false)
	return err
}

// Close implements runtime.File.
func (f *file) Close() error {
	if f.closed {
		return pathError(opClose, f.name, fs.ErrClosed)
	}
	_, err := f.issue(opClose, nil, 0, 0, false)
	f.closed = true // released, whatever the error
	return err
}
