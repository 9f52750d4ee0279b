package fstest

import (
	"fmt"
	"io/fs"
)

// nameRules are about files coming, moving and going.
func nameRules() []rule {
	return []rule{
		{"create: a new file is empty", func(p *probe) {
			h := p.create("f")
			h.holds("")
			h.write("content", 0)
			h.holds("content")
			h.close()
			p.holds("f", "content")
		}},
		{"create: the name exists", func(p *probe) {
			p.file("f", "content")
			p.createFails("f", fs.ErrExist)
			p.holds("f", "content")
			p.mkdir("d")
			p.createFails("d", fs.ErrExist)
			p.createFails(".", nil)
		}},
		{"create: in a missing directory", func(p *probe) {
			p.createFails("d/f", fs.ErrNotExist)
			p.file("f", "")
			p.createFails("f/g", nil)
			p.lists(".", "f")
		}},
		{"open: a missing file", func(p *probe) {
			p.missing("f", fs.ErrNotExist)
			p.missing("d/f", fs.ErrNotExist)
			p.lists(".")
		}},
		{"open: a directory", func(p *probe) {
			p.mkdir("d")
			p.missing("d", nil)
			p.missing(".", nil)
		}},
		{"rename: to a new name", func(p *probe) {
			p.file("a", "content")
			p.rename("a", "b")
			p.missing("a", fs.ErrNotExist)
			p.holds("b", "content")
			p.lists(".", "b")
		}},
		{"rename: over a file", func(p *probe) {
			p.file("a", "new")
			p.file("b", "old content")
			old := p.open("b")
			p.rename("a", "b")
			p.holds("b", "new")
			p.lists(".", "b")
			old.holds("old content")
			old.close()
		}},
		{"rename: onto itself", func(p *probe) {
			p.file("a", "content")
			p.rename("a", "a")
			p.holds("a", "content")
		}},
		{"rename: between directories", func(p *probe) {
			p.mkdir("d")
			p.mkdir("e")
			p.file("d/f", "content")
			p.rename("d/f", "e/g")
			p.holds("e/g", "content")
			p.lists("d")
			p.lists("e", "g")
		}},
		{"rename: a missing file", func(p *probe) {
			p.file("b", "content")
			p.renameFails("a", "b", fs.ErrNotExist)
			p.holds("b", "content")
		}},
		{"rename: into a missing directory", func(p *probe) {
			p.file("a", "content")
			p.renameFails("a", "d/a", fs.ErrNotExist)
			p.holds("a", "content")
		}},
		{"rename: a file onto a directory", func(p *probe) {
			p.file("a", "content")
			p.mkdir("d")
			p.renameFails("a", "d", nil)
			p.holds("a", "content")
			p.lists("d")
		}},
		{"rename: an open file keeps its handle", func(p *probe) {
			h := p.create("a")
			p.rename("a", "b")
			h.write("content", 0)
			h.close()
			p.holds("b", "content")
		}},
		{"remove: a file", func(p *probe) {
			p.file("f", "content")
			p.remove("f")
			p.missing("f", fs.ErrNotExist)
			p.lists(".")
			p.create("f").close()
			p.holds("f", "")
		}},
		{"remove: a missing file", func(p *probe) {
			p.fails(`Remove("f")`, p.disk.Remove("f"), fs.ErrNotExist)
			p.fails(`Remove("d/f")`, p.disk.Remove("d/f"), fs.ErrNotExist)
		}},
		{"remove: an open file stays usable", func(p *probe) {
			h := p.create("f")
			h.write("old", 0)
			p.remove("f")
			p.file("f", "new file")
			h.write("er", 3)
			h.holds("older")
			h.close()
			p.holds("f", "new file")
		}},
		{"names: invalid ones", invalidNames},
	}
}

// invalidNames tries every call that takes a name with names that ValidPath refuses.
func invalidNames(p *probe) {
	p.file("f", "content")
	for _, name := range []string{"", "/", "/f", "f/", "./f", "../f", "d/../f", "d//f", "..", "\xff"} {
		p.createFails(name, fs.ErrInvalid)
		p.missing(name, fs.ErrInvalid)
		p.renameFails(name, "g", fs.ErrInvalid)
		p.renameFails("f", name, fs.ErrInvalid)
		calls := []struct {
			what string
			call func(string) error
		}{
			{"Remove", p.disk.Remove},
			{"MkdirAll", p.disk.MkdirAll},
			{"SyncDir", p.disk.SyncDir},
			{"List", func(name string) error { _, err := p.disk.List(name); return err }},
			{"Lock", func(name string) error { _, err := p.disk.Lock(name); return err }},
		}
		for _, c := range calls {
			p.fails(fmt.Sprintf("%s(%q)", c.what, name), c.call(name), fs.ErrInvalid)
		}
	}
	p.holds("f", "content")
}
