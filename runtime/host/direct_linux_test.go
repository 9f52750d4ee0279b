package host

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// How the ways of writing are compared: blocks of a file whose blocks were written before, as a log writes them.
const (
	duelBytes = 16 << 20
	duelBlock = 4 << 10
)

// duelist is one way to make a block durable.
type duelist struct {
	name string
	f    *os.File
	sync bool // fdatasync after each write
	took time.Duration
}

// aligned returns memory that direct I/O takes.
func aligned(n int) []byte {
	b := make([]byte, n+duelBlock)
	skip := duelBlock - int(uintptr(unsafe.Pointer(&b[0]))%duelBlock)
	return b[skip : skip+n]
}

func openDuelist(b *testing.B, dir, name string, flags int, sync bool) *duelist {
	b.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	file := &osFile{f: f}
	if err := file.Allocate(0, duelBytes, true); err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	if f, err = os.OpenFile(path, os.O_RDWR|flags, 0); err != nil {
		b.Fatalf("%s: the file system has no such thing: %v", name, err)
	}
	b.Cleanup(func() { f.Close() })
	return &duelist{name: name, f: f, sync: sync}
}

func (d *duelist) write(b *testing.B, block []byte, off int64) {
	began := time.Now()
	_, err := d.f.WriteAt(block, off)
	if err == nil && d.sync {
		err = syncData(d.f)
	}
	if err != nil {
		b.Fatalf("%s: %v", d.name, err)
	}
	d.took += time.Since(began)
}

// BenchmarkWays makes blocks durable in three ways, in turns, and reports what each costs beside the first. It is why
// Folder opens files as it does: see the package's documentation.
func BenchmarkWays(b *testing.B) {
	dir := b.TempDir()
	ways := []*duelist{
		openDuelist(b, dir, "buffered", 0, true),
		openDuelist(b, dir, "direct", syscall.O_DIRECT, true),
		openDuelist(b, dir, "dsync", syscall.O_DIRECT|syscall.O_DSYNC, false),
	}
	block := aligned(duelBlock)
	n := 0
	for b.Loop() {
		block[0]++
		off := int64(n*duelBlock) % duelBytes
		for i := range ways {
			ways[(n+i)%len(ways)].write(b, block, off)
		}
		n++
	}
	for _, w := range ways {
		b.ReportMetric(float64(w.took.Microseconds())/float64(n), w.name+"-us/op")
	}
	b.ReportMetric(float64(ways[1].took)/float64(ways[0].took), "direct/buffered")
	b.ReportMetric(float64(ways[2].took)/float64(ways[0].took), "dsync/buffered")
}
