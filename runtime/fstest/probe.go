package fstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// probe makes calls for one case and keeps the first that did not do what it
// should. After that its methods do nothing, so that cases need no ifs.
type probe struct {
	disk runtime.FS
	err  error
}

func (p *probe) failf(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// succeeds expects no error of the call named what.
func (p *probe) succeeds(what string, err error) {
	if err != nil {
		p.failf("%s: %w", what, err)
	}
}

// fails expects an error of the call that matches want; nil accepts any.
func (p *probe) fails(what string, err, want error) {
	switch {
	case err == nil && want == nil:
		p.failf("%s succeeded", what)
	case err == nil:
		p.failf("%s succeeded, want %w", what, want)
	case want != nil && !errors.Is(err, want):
		p.failf("%s: error %q, which is not %w", what, err.Error(), want)
	}
}

// create makes an empty file.
func (p *probe) create(name string) *handle { return p.opened("Create", name, p.disk.Create) }

// open opens an existing one.
func (p *probe) open(name string) *handle { return p.opened("Open", name, p.disk.Open) }

func (p *probe) opened(what, name string, open func(string) (runtime.File, error)) *handle {
	if p.err != nil {
		return &handle{p: p, name: name}
	}
	f, err := open(name)
	p.succeeds(fmt.Sprintf("%s(%q)", what, name), err)
	if err == nil && f == nil {
		p.failf("%s(%q) returned neither a file nor an error", what, name)
	}
	return &handle{p: p, name: name, file: f}
}

// createFails expects Create of the name to fail with want.
func (p *probe) createFails(name string, want error) {
	p.openFails("Create", name, p.disk.Create, want)
}

// missing expects that Open does not find the name.
func (p *probe) missing(name string, want error) { p.openFails("Open", name, p.disk.Open, want) }

func (p *probe) openFails(what, name string, open func(string) (runtime.File, error), want error) {
	if p.err != nil {
		return
	}
	f, err := open(name)
	p.fails(fmt.Sprintf("%s(%q)", what, name), err, want)
	if err == nil {
		p.succeeds("Close", f.Close())
	}
}

// file makes a file with that content.
func (p *probe) file(name, content string) {
	h := p.create(name)
	h.write(content, 0)
	h.close()
}

// holds expects a file with that content.
func (p *probe) holds(name, content string) {
	h := p.open(name)
	h.holds(content)
	h.close()
}

// lists expects exactly these names in the directory.
func (p *probe) lists(dir string, want ...string) {
	if p.err != nil {
		return
	}
	got, err := p.disk.List(dir)
	p.succeeds(fmt.Sprintf("List(%q)", dir), err)
	if !slices.Equal(got, want) {
		p.failf("List(%q): got %q, want %q", dir, got, want)
	}
}

func (p *probe) mkdir(dir string) {
	p.succeeds(fmt.Sprintf("MkdirAll(%q)", dir), p.disk.MkdirAll(dir))
}

func (p *probe) rename(oldName, newName string) {
	p.succeeds(fmt.Sprintf("Rename(%q, %q)", oldName, newName), p.disk.Rename(oldName, newName))
}

func (p *probe) renameFails(oldName, newName string, want error) {
	p.fails(fmt.Sprintf("Rename(%q, %q)", oldName, newName), p.disk.Rename(oldName, newName), want)
}

func (p *probe) remove(name string) {
	p.succeeds(fmt.Sprintf("Remove(%q)", name), p.disk.Remove(name))
}

// handle is an open file under test.
type handle struct {
	p    *probe
	name string
	file runtime.File
}

// step reports whether the case still goes on, and names a call on the file.
func (h *handle) step(format string, args ...any) (what string, goOn bool) {
	if h.p.err != nil {
		return "", false
	}
	return fmt.Sprintf(format, args...) + fmt.Sprintf(" of %q", h.name), true
}

// do expects a call on the file to succeed.
func (h *handle) do(what string, call func(f runtime.File) error) {
	if what, goOn := h.step("%s", what); goOn {
		h.p.succeeds(what, call(h.file))
	}
}

// refuses expects a call on the file to fail with want.
func (h *handle) refuses(what string, want error, call func(f runtime.File) error) {
	if what, goOn := h.step("%s", what); goOn {
		h.p.fails(what, call(h.file), want)
	}
}

func (h *handle) close() { h.do("Close", runtime.File.Close) }

// write expects all of content to be written at off.
func (h *handle) write(content string, off int64) {
	what, goOn := h.step("WriteAt(%d bytes, %d)", len(content), off)
	if !goOn {
		return
	}
	n, err := h.file.WriteAt([]byte(content), off)
	h.p.succeeds(what, err)
	if n != len(content) {
		h.p.failf("%s returned %d", what, n)
	}
}

// read expects exactly these bytes at off.
func (h *handle) read(want string, off int64) {
	what, goOn := h.step("ReadAt(%d bytes, %d)", len(want), off)
	if !goOn {
		return
	}
	got := bytes.Repeat([]byte{0xee}, len(want)) // a read that fills in nothing must not look like zeros
	n, err := h.file.ReadAt(got, off)
	if err == io.EOF && n == len(want) {
		err = nil // allowed when the read ends where the file does
	}
	h.p.succeeds(what, err)
	h.p.same(what, string(got[:max(n, 0)]), want)
}

// readEnd expects a read of size bytes at off to meet the end of the file after want.
func (h *handle) readEnd(size int, want string, off int64) {
	what, goOn := h.step("ReadAt(%d bytes, %d)", size, off)
	if !goOn {
		return
	}
	got := make([]byte, size)
	n, err := h.file.ReadAt(got, off)
	h.p.fails(what+" beyond its end", err, io.EOF)
	h.p.same(what, string(got[:max(n, 0)]), want)
}

func (h *handle) size(want int64) {
	what, goOn := h.step("Size")
	if !goOn {
		return
	}
	got, err := h.file.Size()
	h.p.succeeds(what, err)
	if got != want {
		h.p.failf("%s: got %d, want %d", what, got, want)
	}
}

func (h *handle) truncate(size int64) {
	h.do(fmt.Sprintf("Truncate(%d)", size), func(f runtime.File) error { return f.Truncate(size) })
}

func (h *handle) allocate(off, n int64, zero bool) {
	what := fmt.Sprintf("Allocate(%d, %d, %v)", off, n, zero)
	h.do(what, func(f runtime.File) error { return f.Allocate(off, n, zero) })
}

// holds expects the whole content of the file.
func (h *handle) holds(content string) {
	h.size(int64(len(content)))
	h.readEnd(len(content)+1, content, 0)
}

// same compares bytes and says where they part.
func (p *probe) same(what, got, want string) {
	if got == want {
		return
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	p.failf("%s: got %d bytes, want %d; they part at %d: %s, want %s",
		what, len(got), len(want), at, glimpse(got, at), glimpse(want, at))
}

// glimpse shows a few bytes.
func glimpse(s string, at int) string {
	const shown = 16
	return fmt.Sprintf("%q", s[at:min(at+shown, len(s))])
}
