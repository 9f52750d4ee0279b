package hashi

import (
	goruntime "runtime"
	"strings"
	"sync/atomic"

	hraft "github.com/hashicorp/raft"
)

// guard stands between raft and its store. When the store has failed it tells the engine, and does not return
// to raft: it unwinds raft's goroutine, whose deferred calls tell those who wait. What raft does otherwise
// with such an error is to go on, with a wrong idea of its log, or to panic, and take the service with it.
type guard struct {
	store     *Store
	snapshots *Snapshots
	fail      func(error)
	changed   func()
	closing   atomic.Bool // nothing is stored any more
}

var (
	_ hraft.LogStore          = (*guard)(nil)
	_ hraft.MonotonicLogStore = (*guard)(nil)
	_ hraft.StableStore       = (*guard)(nil)
)

// check returns the error if the store can go on.
func (g *guard) check(err error) error {
	if err == nil {
		return nil
	}
	failure := g.store.Err()
	if failure == nil {
		return err
	}
	g.end(failure)
	return failure
}

// end tells the engine, and returns only to the goroutines that send to peers: they take an error for
// an answer and are ended by the engine's shutdown; they would leave others behind if they were unwound.
func (g *guard) end(failure error) {
	g.fail(failure)
	if !sending() {
		goruntime.Goexit()
	}
}

// sending reports whether the caller is one of raft's goroutines that send to a peer. There is nothing but
// their stack by which they can be told from raft's main goroutine.
func sending() bool {
	pcs := make([]uintptr, 64)
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "raft.(*Raft).replicate") {
			return true
		}
		if !more {
			return false
		}
	}
}

// IsMonotonic implements hraft.MonotonicLogStore.
func (g *guard) IsMonotonic() bool { return g.store.IsMonotonic() }

// FirstIndex implements hraft.LogStore.
func (g *guard) FirstIndex() (uint64, error) {
	index, err := g.store.FirstIndex()
	return index, g.check(err)
}

// LastIndex implements hraft.LogStore.
func (g *guard) LastIndex() (uint64, error) {
	index, err := g.store.LastIndex()
	return index, g.check(err)
}

// GetLog implements hraft.LogStore. The last entry that the newest snapshot covers is there even if the log begins
// behind it, for who compares its term with a leader's: raft would not know it any more, refuse what
// follows it, and be sent an older snapshot. For who wants to send it, it is not there.
func (g *guard) GetLog(index uint64, log *hraft.Log) error {
	err := g.check(g.store.GetLog(index, log))
	if err != hraft.ErrLogNotFound {
		return err
	}
	if newest, term := g.snapshots.newest(); index != 0 && index == newest && !sending() {
		*log = hraft.Log{Index: index, Term: term, Type: hraft.LogNoop}
		return nil
	}
	return err
}

// StoreLog implements hraft.LogStore.
func (g *guard) StoreLog(log *hraft.Log) error { return g.check(g.store.StoreLog(log)) }

// StoreLogs implements hraft.LogStore.
func (g *guard) StoreLogs(logs []*hraft.Log) error {
	if g.closing.Load() {
		goruntime.Goexit()
	}
	return g.check(g.store.StoreLogs(logs))
}

// DeleteRange implements hraft.LogStore.
func (g *guard) DeleteRange(low, high uint64) error { return g.check(g.store.DeleteRange(low, high)) }

// Get implements hraft.StableStore.
func (g *guard) Get(key []byte) ([]byte, error) {
	value, err := g.store.Get(key)
	return value, g.check(err)
}

// GetUint64 implements hraft.StableStore.
func (g *guard) GetUint64(key []byte) (uint64, error) {
	value, err := g.store.GetUint64(key)
	return value, g.check(err)
}

// Set implements hraft.StableStore.
func (g *guard) Set(key, value []byte) error { return g.check(g.store.Set(key, value)) }

// SetUint64 implements hraft.StableStore. A term that cannot be stored, for lack of space too, ends the engine: raft
// would panic.
func (g *guard) SetUint64(key []byte, value uint64) error {
	err := g.store.SetUint64(key, value)
	if string(key) != nameTerm {
		return g.check(err)
	}
	if err != nil {
		g.end(err)
		return err
	}
	g.changed()
	return nil
}
