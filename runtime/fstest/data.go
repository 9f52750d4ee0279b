package fstest

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// pattern returns n bytes that differ from their neighbours and, for another
// start, from each other, and of which none is zero.
func pattern(start, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(byte(1 + (start+i+(start+i)/251)%255))
	}
	return b.String()
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

// dataRules are about the bytes of files.
func dataRules() []rule {
	return []rule{
		{"write: overwrites in place", func(p *probe) {
			h := p.create("f")
			h.write("abcdef", 0)
			h.write("XY", 2)
			h.holds("abXYef")
			h.write("Z12", 5)
			h.holds("abXYeZ12")
			h.close()
			p.holds("f", "abXYeZ12")
		}},
		{"write: across blocks", acrossBlocks},
		{"write: of nothing", func(p *probe) {
			h := p.create("f")
			h.write("abc", 0)
			h.write("", 0)
			h.write("", 100)
			h.holds("abc")
			h.close()
		}},
		{"write: the buffer stays the caller's", func(p *probe) {
			h := p.create("f")
			h.do("WriteAt", func(f runtime.File) error {
				buf := []byte("before")
				_, err := f.WriteAt(buf, 0)
				copy(buf, "after!")
				return err
			})
			h.holds("before")
			h.close()
		}},
		{"read: past the end", func(p *probe) {
			h := p.create("f")
			h.readEnd(4, "", 0)
			h.write("abcdef", 0)
			h.read("ef", 4)
			h.readEnd(4, "ef", 4)
			h.readEnd(4, "", 6)
			h.readEnd(4, "", 1000)
			h.size(6)
			h.close()
		}},
		{"read: a hole is zero", func(p *probe) {
			h := p.create("f")
			h.write("a", 0)
			h.write("z", 100_000)
			h.holds("a" + zeros(99_999) + "z")
			h.write("m", 50_000)
			h.read(zeros(1000)+"m"+zeros(1000), 49_000)
			h.close()
		}},
		{"offsets: negative", func(p *probe) {
			h := p.create("f")
			h.write("abc", 0)
			h.refuses("ReadAt(-1)", fs.ErrInvalid, func(f runtime.File) error { _, err := f.ReadAt(make([]byte, 1), -1); return err })
			h.refuses("WriteAt(-1)", fs.ErrInvalid, func(f runtime.File) error { _, err := f.WriteAt([]byte("x"), -1); return err })
			h.refuses("Truncate(-1)", fs.ErrInvalid, func(f runtime.File) error { return f.Truncate(-1) })
			h.refuses("Allocate(-1, 10)", fs.ErrInvalid, func(f runtime.File) error { return f.Allocate(-1, 10, true) })
			h.refuses("Allocate(0, -1)", fs.ErrInvalid, func(f runtime.File) error { return f.Allocate(0, -1, true) })
			h.holds("abc")
			h.close()
		}},
		{"offsets: beyond four gigabytes", func(p *probe) {
			const far = 1<<32 + 7
			h := p.create("f")
			h.write("near", 7)
			h.write("far", far)
			h.size(far + 3)
			h.read("near", 7)
			h.readEnd(10, "far", far)
			h.read(zeros(100), far-100)
			h.close()
		}},
		{"offsets: beyond any file", func(p *probe) {
			h := p.create("f")
			h.refuses("WriteAt", nil, func(f runtime.File) error { _, err := f.WriteAt([]byte("xy"), math.MaxInt64-1); return err })
			h.refuses("Allocate", nil, func(f runtime.File) error { return f.Allocate(math.MaxInt64-1, 10, false) })
			h.holds("")
			h.close()
		}},
		{"sync: the file stays as it is", func(p *probe) {
			h := p.create("f")
			content := pattern(0, 10_000)
			for _, sync := range []struct {
				what string
				call func(runtime.File) error
			}{{"Sync", runtime.File.Sync}, {"SyncData", runtime.File.SyncData}, {"DropCache", runtime.File.DropCache}} {
				h.do(sync.what+" of an empty file", sync.call)
				h.write(content, 0)
				h.do(sync.what, sync.call)
				h.do(sync.what+" again", sync.call)
				h.holds(content)
				h.truncate(0)
			}
			h.close()
		}},
		{"dropcache: unsynced bytes stay", func(p *probe) {
			h := p.create("f")
			h.write(pattern(0, 5000), 0)
			h.do("Sync", runtime.File.Sync)
			h.write(pattern(7, 3000), 1000)
			h.do("DropCache", runtime.File.DropCache)
			want := pattern(0, 1000) + pattern(7, 3000) + pattern(0, 5000)[4000:]
			h.holds(want)
			h.close()
			p.holds("f", want)
		}},
	}
}

// acrossBlocks writes and reads ranges that start and end next to the borders
// of sectors, pages and larger units, and compares with plain memory.
func acrossBlocks(p *probe) {
	h := p.create("f")
	var want []byte
	for i, border := range []int{512, 4096, 16 << 10, 64 << 10} {
		for _, before := range []int{0, 1, 513} {
			for _, after := range []int{0, 1, 4097} {
				off := max(border-before, 0)
				part := pattern(i+before+after, border-off+after)
				h.write(part, int64(off))
				if grow := off + len(part) - len(want); grow > 0 {
					want = append(want, make([]byte, grow)...)
				}
				copy(want[off:], part)
			}
		}
		h.read(string(want[border/2:border]), int64(border/2))
	}
	h.holds(string(want))
	h.close()
	p.holds("f", string(want))
}

// handleRules are about open files as such.
func handleRules() []rule {
	return []rule{
		{"close: no use afterwards", func(p *probe) {
			h := p.create("f")
			h.write("content", 0)
			h.close()
			for _, c := range []struct {
				what string
				call func(f runtime.File) error
			}{
				{"ReadAt", func(f runtime.File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err }},
				{"WriteAt", func(f runtime.File) error { _, err := f.WriteAt([]byte("x"), 0); return err }},
				{"Allocate", func(f runtime.File) error { return f.Allocate(0, 100, true) }},
				{"Size", func(f runtime.File) error { _, err := f.Size(); return err }},
				{"Truncate", func(f runtime.File) error { return f.Truncate(0) }},
				{"SyncData", runtime.File.SyncData},
				{"Sync", runtime.File.Sync},
				{"DropCache", runtime.File.DropCache},
				{"Close", runtime.File.Close},
			} {
				h.refuses(c.what+" after Close", fs.ErrClosed, c.call)
			}
			p.holds("f", "content")
		}},
		{"open: two handles, one file", func(p *probe) {
			a := p.create("f")
			b := p.open("f")
			a.write("from a", 0)
			b.holds("from a")
			b.truncate(4)
			a.holds("from")
			a.close()
			b.write("!", 4)
			b.holds("from!")
			b.close()
		}},
		{"open: many files", func(p *probe) {
			const many = 100
			handles := make([]*handle, many)
			for i := range handles {
				handles[i] = p.create(fmt.Sprintf("f%03d", i))
				handles[i].write(pattern(i, 100), int64(i))
			}
			for i, h := range handles {
				h.holds(zeros(i) + pattern(i, 100))
				h.close()
			}
		}},
	}
}
