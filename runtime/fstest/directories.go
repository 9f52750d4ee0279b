package fstest

import (
	"io/fs"

	"github.com/octopii-go/octopii/runtime"
)

// directoryRules are about directories.
func directoryRules() []rule {
	return []rule{
		{"mkdirall: makes what is missing", func(p *probe) {
			p.mkdir("a/b/c")
			p.file("a/b/c/f", "content")
			p.mkdir("a/b/c")
			p.mkdir("a")
			p.mkdir(".")
			p.holds("a/b/c/f", "content")
			p.lists("a", "b")
		}},
		{"mkdirall: over a file", func(p *probe) {
			p.file("f", "content")
			p.fails(`MkdirAll("f")`, p.disk.MkdirAll("f"), nil)
			p.fails(`MkdirAll("f/d")`, p.disk.MkdirAll("f/d"), nil)
			p.holds("f", "content")
		}},
		{"list: sorted by bytes", func(p *probe) {
			for _, name := range []string{"b", "a.b", "é", "a-b", "A", "ab", "10", "9", "a"} {
				p.file(name, "")
			}
			p.lists(".", "10", "9", "A", "a", "a-b", "a.b", "ab", "b", "é")
		}},
		{"list: only what is directly inside", func(p *probe) {
			p.mkdir("d/e")
			p.mkdir("d-e")
			p.file("d/f", "")
			p.file("d/e/g", "")
			p.file("d-e/h", "")
			p.lists(".", "d", "d-e")
			p.lists("d", "e", "f")
			p.lists("d/e", "g")
		}},
		{"list: of nothing", func(p *probe) {
			p.lists(".")
			p.mkdir("d")
			p.lists("d")
		}},
		{"list: not a directory", func(p *probe) {
			_, err := p.disk.List("d")
			p.fails(`List("d")`, err, fs.ErrNotExist)
			p.file("f", "")
			_, err = p.disk.List("f")
			p.fails(`List("f")`, err, nil)
		}},
		{"remove: an empty directory", func(p *probe) {
			p.mkdir("d")
			p.remove("d")
			p.lists(".")
		}},
		{"remove: a directory with a file", func(p *probe) {
			p.mkdir("d")
			p.file("d/f", "content")
			p.fails(`Remove("d")`, p.disk.Remove("d"), nil)
			p.holds("d/f", "content")
		}},
		{"syncdir: a directory", func(p *probe) {
			p.mkdir("d")
			p.file("d/f", "content")
			p.succeeds(`SyncDir("d")`, p.disk.SyncDir("d"))
			p.succeeds(`SyncDir(".")`, p.disk.SyncDir("."))
			p.remove("d/f")
			p.succeeds(`SyncDir("d")`, p.disk.SyncDir("d"))
			p.lists("d")
		}},
		{"syncdir: not a directory", func(p *probe) {
			p.fails(`SyncDir("d")`, p.disk.SyncDir("d"), fs.ErrNotExist)
			p.file("f", "")
			p.fails(`SyncDir("f")`, p.disk.SyncDir("f"), nil)
		}},
	}
}

// lockRules are about locks between processes. A process that locks twice
// stands for two of them.
func lockRules() []rule {
	return []rule{
		{"lock: held", func(p *probe) {
			release := p.lock("l")
			p.lockFails("l", runtime.ErrLocked)
			p.lockFails("l", runtime.ErrLocked) // trying has not released it
			release()
		}},
		{"lock: released by Close", func(p *probe) {
			p.lock("l")()
			release := p.lock("l")
			p.lockFails("l", runtime.ErrLocked)
			release()
		}},
		{"lock: names are independent", func(p *probe) {
			p.mkdir("d")
			first := p.lock("l")
			second := p.lock("d/l")
			first()
			p.lockFails("d/l", runtime.ErrLocked)
			second()
		}},
		{"lock: no place for it", func(p *probe) {
			p.lockFails("d/l", fs.ErrNotExist)
			p.mkdir("d")
			p.lockFails("d", nil)
		}},
	}
}

// lock takes a lock and returns what releases it.
func (p *probe) lock(name string) (release func()) {
	held, err := p.disk.Lock(name)
	p.succeeds("Lock", err)
	if err == nil && held == nil {
		p.failf("Lock returned neither a lock nor an error")
	}
	return func() {
		if held != nil {
			p.succeeds("Close of a lock", held.Close())
		}
	}
}

func (p *probe) lockFails(name string, want error) {
	held, err := p.disk.Lock(name)
	p.fails("Lock", err, want)
	if err == nil && held != nil {
		p.succeeds("Close of a lock", held.Close())
	}
}
