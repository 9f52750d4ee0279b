package hashi

import (
	"flag"
	"testing"

	hraft "github.com/hashicorp/raft"
	raftbench "github.com/hashicorp/raft/bench"

	"github.com/octopii-go/octopii/runtime/host"
)

// dense lets the library's benchmarks run on a store without gaps. They number entries from 0 on, and leave out seven of ten
// when they prepare what they delete, neither of which raft does.
type dense struct{ *Store }

func (d dense) StoreLog(log *hraft.Log) error { return d.StoreLogs([]*hraft.Log{log}) }

func (d dense) StoreLogs(logs []*hraft.Log) error {
	var filled []*hraft.Log
	for _, log := range logs {
		for n := len(filled); n > 0 && filled[n-1].Index < log.Index; n++ {
			filled = append(filled, &hraft.Log{Index: filled[n-1].Index + 1})
		}
		shifted := *log
		shifted.Index++
		filled = append(filled, &shifted)
	}
	return d.Store.StoreLogs(filled)
}

func (d dense) GetLog(index uint64, log *hraft.Log) error { return d.Store.GetLog(index+1, log) }

func (d dense) DeleteRange(low, high uint64) error { return d.Store.DeleteRange(low+1, high+1) }

// libraryBenchmarks are those of hashicorp/raft for stores.
var libraryBenchmarks = []struct {
	name string
	run  func(b *testing.B, s dense)
}{
	{"FirstIndex", func(b *testing.B, s dense) { raftbench.FirstIndex(b, s) }},
	{"LastIndex", func(b *testing.B, s dense) { raftbench.LastIndex(b, s) }},
	{"GetLog", func(b *testing.B, s dense) { raftbench.GetLog(b, s) }},
	{"StoreLog", func(b *testing.B, s dense) { raftbench.StoreLog(b, s) }},
	{"StoreLogs", func(b *testing.B, s dense) { raftbench.StoreLogs(b, s) }},
	{"DeleteRange", func(b *testing.B, s dense) { raftbench.DeleteRange(b, s) }},
	{"Set", func(b *testing.B, s dense) { raftbench.Set(b, s) }},
	{"Get", func(b *testing.B, s dense) { raftbench.Get(b, s) }},
	{"SetUint64", func(b *testing.B, s dense) { raftbench.SetUint64(b, s) }},
	{"GetUint64", func(b *testing.B, s dense) { raftbench.GetUint64(b, s) }},
}

func BenchmarkStore(b *testing.B) {
	for _, l := range libraryBenchmarks {
		b.Run(l.name, func(b *testing.B) {
			folder, err := host.OpenFolder(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer folder.Close()
			s, _, err := OpenStore(folder, "log", 0)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			l.run(b, dense{s})
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// TestLibraryBenchmarks runs each once, as a test: what they call must do what they expect of it.
func TestLibraryBenchmarks(t *testing.T) {
	times := flag.Lookup("test.benchtime").Value
	before := times.String()
	if err := times.Set("1x"); err != nil {
		t.Fatal(err)
	}
	defer times.Set(before)
	for _, l := range libraryBenchmarks {
		r := testing.Benchmark(func(b *testing.B) {
			s := mustOpen(t, newCrashFS())
			l.run(b, dense{s})
			if err := s.Close(); err != nil {
				b.Errorf("%s: %v", l.name, err)
			}
		})
		if r.N != 1 {
			t.Errorf("%s failed", l.name)
		}
	}
}
