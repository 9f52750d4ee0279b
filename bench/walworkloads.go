package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	entryBytes = 1 << 10
	smallBytes = 128
	// fillBatch is how many entries a log is filled with at a time, before it is read.
	fillBatch = 1024
	// smallChunk is how many operations are timed together when one takes
	// less than a microsecond or so.
	smallChunk = 1000
	readChunk  = 100
	// appendsPerCut is how many appends precede each truncation; half of them are dropped.
	appendsPerCut = 8
	// appendsPerWriter is how many appends a writer makes in a round: enough that how the first
	// find together, and how the last leave, does not count for much.
	appendsPerWriter = 16
)

// appendWorkload is the workload whose syncs are those of an append.
const appendWorkload = "1 KiB, sync each"

// workload is a row of the table, for all systems.
type workload struct {
	name    string
	rounds  int
	ops     int                // a round
	entries int                // an operation: what is counted in ops_per_s
	bytes   int                // of payload an entry
	extras  bool               // the systems marked extra take part
	crowds  bool               // the bare loop shared by goroutines takes part
	noSync  bool               // nobody waits for durability
	writes  bool               // device bytes mean something
	count   bool               // syncs are counted, with strace
	cuts    bool               // the operation is a truncation after appendsPerCut appends
	bars    map[string]float64 // by system
	limit   time.Duration      // bar of the median, for ours
	prepare func(workload, *lane) (operation, error)
}

// workloads returns the table. Quick takes less than a minute in all.
func workloads(quick bool) []workload {
	// Rounds bound how far a neighbour's load can shift a median; a full run has more.
	rounds, scanned, warm, cold, read := 301, 1<<30, 7, 5, 64<<10
	writers := []int{2, 4, 8, 16}
	if quick {
		rounds, scanned, warm, cold, read, writers = 81, 16<<20, 9, 3, 16<<10, []int{4, 16}
	}
	const dual, mirror, both = "walrus dual", "walrus mirror", "walrus/group"
	list := []workload{
		{name: appendWorkload, rounds: rounds / 2, ops: 32, entries: 1, bytes: entryBytes, extras: true, writes: true, count: true,
			bars:    map[string]float64{"walrus": 0.97, both: 0.97, dual: 0.93, mirror: 0.93},
			prepare: prepareAppend},
		{name: "1 KiB x 64, sync a batch", rounds: rounds / 2, ops: 32, entries: 64, bytes: entryBytes, extras: true, writes: true, count: !quick,
			bars:    map[string]float64{"walrus": 0.95, both: 0.95, dual: 0.80, mirror: 0.80},
			prepare: prepareAppend},
	}
	for _, n := range writers {
		bar := 0.85
		if n == 16 {
			bar = 0.80
		}
		list = append(list, workload{name: fmt.Sprintf("%d writers, 1 KiB", n), rounds: rounds / 2, ops: appendsPerWriter * n, entries: 1,
			bytes: entryBytes, crowds: true, writes: true, bars: map[string]float64{both: bar}, prepare: prepareWriters(n)})
	}
	list = append(list,
		workload{name: "128 B, no sync", rounds: rounds / 6, ops: 10 * smallChunk, entries: 1, bytes: smallBytes, noSync: true, writes: true,
			bars: map[string]float64{"walrus": 8, both: 8}, prepare: prepareUnsynced},
		workload{name: "scan, warm", rounds: warm, ops: 1, entries: scanned / entryBytes, bytes: entryBytes,
			bars: map[string]float64{"walrus": 0.6, both: 0.6}, prepare: prepareScan(false)},
		workload{name: "scan, cold", rounds: cold, ops: 1, entries: scanned / entryBytes, bytes: entryBytes,
			bars: map[string]float64{"walrus": 0.6, both: 0.6}, prepare: prepareScan(true)},
		workload{name: "read 1 KiB at random", rounds: rounds / 2, ops: 5 * readChunk, entries: 1, bytes: entryBytes,
			bars: map[string]float64{"walrus": 0.33, both: 0.33}, prepare: prepareRead(read)},
		workload{name: "open a closed log", rounds: warm, ops: 1, entries: 1, bytes: entryBytes,
			limit: openLimit, prepare: prepareOpen(scanned / entryBytes)},
		workload{name: "truncate back, append", rounds: rounds / 3, ops: 1, entries: 1, bytes: entryBytes, count: true, cuts: true,
			prepare: prepareCut(cutter.cutBack)},
		workload{name: "truncate front, append", rounds: rounds / 3, ops: 1, entries: 1, bytes: entryBytes, count: true, cuts: true,
			prepare: prepareCut(cutter.cutFront)},
	)
	if !quick {
		list = append(list, workload{name: "1 KiB x 64, through segments", rounds: 5, ops: 1024, entries: 64, bytes: entryBytes,
			writes: true, prepare: prepareAppend})
	}
	return list
}

// openLimit is how long the opening of a log of 1 GiB may take.
const openLimit = 50 * time.Millisecond

// payloadsOf returns n payloads, with bytes that do not compress.
func payloadsOf(n, size int) [][]byte {
	random := rand.NewChaCha8([32]byte{})
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, size)
		_, _ = random.Read(out[i]) // never fails
	}
	return out
}

// prepareAppend appends a batch, durably.
func prepareAppend(w workload, l *lane) (operation, error) {
	payloads := payloadsOf(w.entries, w.bytes)
	return each(func() error { return l.store.append(payloads) }), nil
}

// prepareUnsynced appends, and waits only in the end, until the operating system has everything.
func prepareUnsynced(w workload, l *lane) (operation, error) {
	s, ok := l.store.(buffered)
	if !ok {
		return nil, errNotOffered
	}
	payload := payloadsOf(1, w.bytes)[0]
	return inChunks(smallChunk, func() error { return s.write(payload) }, s.drain), nil
}

// fill writes that many entries, durable in the end.
func fill(w workload, s store, entries int) error {
	if b, ok := s.(*bareStore); ok {
		return b.grow(int64(entries * w.bytes))
	}
	add := s.append
	if p, ok := s.(*pebbleStore); ok {
		add = p.appendSingly
	}
	payloads := payloadsOf(fillBatch, w.bytes)
	for ; entries > 0; entries -= fillBatch {
		if err := add(payloads[:min(entries, fillBatch)]); err != nil {
			return err
		}
	}
	return nil
}

// prepareScan reads a whole log, from the page cache or from the device.
func prepareScan(cold bool) func(workload, *lane) (operation, error) {
	return func(w workload, l *lane) (operation, error) {
		s, ok := l.store.(scanner)
		if !ok {
			return nil, errNotOffered
		}
		if err := fill(w, l.store, w.entries); err != nil {
			return nil, err
		}
		want := int64(w.entries * w.bytes)
		scan := each(func() error {
			n, err := s.scan()
			if err == nil && n != want {
				err = fmt.Errorf("scanned %d bytes, wrote %d", n, want)
			}
			return err
		})
		if !cold {
			return scan, nil
		}
		return func(n int, took *[]time.Duration) (time.Duration, error) {
			if err := l.forget(); err != nil {
				return 0, err
			}
			return scan(n, took)
		}, nil
	}
}

// forget drops what memory holds of the lane's files.
func (l *lane) forget() error {
	f, ok := l.store.(forgetter)
	if ok {
		if err := f.forget(); err != nil {
			return err
		}
	}
	if err := syncFiles(l.dir, true); err != nil {
		return err
	}
	if ok {
		return f.remember()
	}
	return nil
}

// prepareRead reads single entries of a log, from the page cache.
func prepareRead(entries int) func(workload, *lane) (operation, error) {
	return func(w workload, l *lane) (operation, error) {
		s, ok := l.store.(reader)
		if !ok {
			return nil, errNotOffered
		}
		if err := fill(w, l.store, entries); err != nil {
			return nil, err
		}
		one := func() error {
			p, err := s.read(1 + rand.Uint64N(uint64(entries)))
			if err == nil && len(p) != w.bytes {
				err = fmt.Errorf("read %d bytes, wrote %d", len(p), w.bytes)
			}
			return err
		}
		return inChunks(readChunk, one, func() error { return nil }), nil
	}
}

// after does something, which is not timed, before each time that the operation is.
func after(before func() error, timed operation) operation {
	return func(n int, took *[]time.Duration) (sum time.Duration, err error) {
		for range n {
			if err := before(); err != nil {
				return 0, err
			}
			elapsed, err := timed(1, took)
			if err != nil {
				return 0, err
			}
			sum += elapsed
		}
		return sum, nil
	}
}

// prepareOpen opens a log again that was closed with that many entries in it. The closing is not timed.
func prepareOpen(entries int) func(workload, *lane) (operation, error) {
	return func(w workload, l *lane) (operation, error) {
		o, ok := l.store.(opener)
		if !ok {
			return nil, errNotOffered
		}
		if err := fill(w, l.store, entries); err != nil {
			return nil, err
		}
		return after(o.shut, each(o.reopen)), nil
	}
}

// prepareCut times truncations together with the append that follows each. The
// appends before are not timed.
func prepareCut(cut func(c cutter, n int, payload []byte) error) func(workload, *lane) (operation, error) {
	return func(w workload, l *lane) (operation, error) {
		c, ok := l.store.(cutter)
		if !ok {
			return nil, errNotOffered
		}
		payloads := payloadsOf(1, w.bytes)
		appends := func() error {
			for range appendsPerCut {
				if err := l.store.append(payloads); err != nil {
					return err
				}
			}
			return nil
		}
		return after(appends, each(func() error { return cut(c, appendsPerCut/2, payloads[0]) })), nil
	}
}
