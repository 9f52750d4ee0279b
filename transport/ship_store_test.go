package transport_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// watched is a file system that counts the files that are open, what is written, and can fail a SyncData.
type watched struct {
	runtime.FS
	open    int
	written int64
	failing bool
}

func (w *watched) Open(name string) (runtime.File, error)   { return w.opened(w.FS.Open(name)) }
func (w *watched) Create(name string) (runtime.File, error) { return w.opened(w.FS.Create(name)) }

func (w *watched) opened(f runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	w.open++
	return watchedFile{f, w}, nil
}

type watchedFile struct {
	runtime.File
	w *watched
}

func (f watchedFile) WriteAt(p []byte, off int64) (int, error) {
	f.w.written += int64(len(p))
	return f.File.WriteAt(p, off)
}

func (f watchedFile) SyncData() error {
	if f.w.failing {
		f.w.failing = false
		return runtime.ErrIO
	}
	return f.File.SyncData()
}

func (f watchedFile) Close() error {
	f.w.open--
	return f.File.Close()
}

// watch lets a node of the rig have a watched file system.
func (r *shipRig) watch(i int) *watched {
	w := &watched{FS: r.node[i].files}
	r.node[i].files = w
	return w
}

// syncRig has a node 2 that fetches from node 1 and whose early syncs wait, in kept.
func syncRig(t *testing.T) (*shipRig, *watched) {
	r := newShipRig(t, 2, transport.ShipperConfig{SyncLane: 3, SyncBytes: 10 * transport.ChunkMin, Patience: time.Second})
	r.node[2].held = 3
	return r, r.watch(2)
}

// release lets the jobs that were kept run.
func (r *shipRig) release(i int) {
	kept := r.node[i].kept
	r.node[i].kept, r.node[i].held = nil, 0
	for _, j := range kept {
		r.node[i].JobDone(r.now, j.ID, j.Run(r.node[i].files))
	}
	r.flow()
}

// A file does not get its name before the early sync has ended: if that fails, nobody else may be told.
func TestFileWaitsForItsEarlySync(t *testing.T) {
	for _, failing := range []bool{false, true} {
		r, w := syncRig(t)
		data := pattern(50*transport.ChunkMin + 1)
		r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
		r.pass(time.Minute)
		if len(r.node[2].fetched) > 0 || len(r.node[2].kept) != 1 {
			t.Fatalf("%d ends with %d syncs under way", len(r.node[2].fetched), len(r.node[2].kept))
		}
		if w.written != int64(len(data)) {
			t.Errorf("%d bytes of %d are written", w.written, len(data))
		}
		w.failing = failing
		r.release(2)
		r.pass(time.Second)
		if end := r.ended(2); end.Err != nil {
			t.Fatal(end.Err)
		}
		r.have(2, data, "copy")
		if twice := w.written == 2*int64(len(data)); twice != failing {
			t.Errorf("the sync fails: %v; %d bytes of %d are written", failing, w.written, len(data))
		}
		if r.node[2].events[transport.FetchFaltered] > 0 != failing {
			t.Error("what failed and what is traced differ")
		}
		if w.open > 0 {
			t.Errorf("%d files stay open", w.open)
		}
	}
}

// A sync that fails in the midst of it: what was written before counts for nothing, what comes after does.
func TestEarlySyncThatFailsIsMadeGood(t *testing.T) {
	r, w := syncRig(t)
	r.node[2].held = 0
	w.failing = true
	data := pattern(50*transport.ChunkMin + 1)
	r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
	r.pass(time.Second)
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(2, data, "copy")
	if w.failing || w.open > 0 || w.written < int64(len(data))+10*transport.ChunkMin {
		t.Errorf("failed: %v, %d files open, %d bytes written", !w.failing, w.open, w.written)
	}
}

// A fetch made again does not write to a part that is being synced for the one that was cancelled.
func TestNextFetchWaitsForTheSyncOfTheLast(t *testing.T) {
	r, w := syncRig(t)
	data := pattern(50 * transport.ChunkMin)
	order := transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"}
	first := r.fetch(2, order)
	r.pass(time.Second / 2)
	if !r.node[2].Cancel(first) || r.node[2].Cancel(first) {
		t.Error("a fetch can be cancelled once")
	}
	r.flow()
	written := w.written
	r.fetch(2, order)
	if load := r.node[2].Load(); load.Fetches != 1 {
		t.Errorf("%d fetches", load.Fetches)
	}
	r.pass(time.Minute)
	if w.written != written || len(r.node[2].kept) != 1 {
		t.Fatalf("%d bytes are written while %d syncs are under way", w.written-written, len(r.node[2].kept))
	}
	w.failing = true // that is the old one's affair
	r.release(2)
	r.pass(time.Second)
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(2, data, "copy")
	if r.node[2].events[transport.FetchFaltered] > 0 {
		t.Error("the fetch has faltered by what failed for another")
	}
}

// However a fetch ends, its part does not stay open.
func TestPartIsClosedInTheEnd(t *testing.T) {
	data := pattern(50 * transport.ChunkMin)
	for _, c := range []struct {
		name string
		end  func(r *shipRig, id transport.FetchID)
		want error
	}{
		{"complete", func(r *shipRig, _ transport.FetchID) { r.pass(10 * time.Second) }, nil},
		{"timed out", func(r *shipRig, _ transport.FetchID) {
			r.lost = func(runtime.NodeID, runtime.NodeID, []byte) bool { return true }
			r.pass(10 * time.Second)
		}, transport.ErrTimeout},
		{"cancelled", func(r *shipRig, id transport.FetchID) { r.node[2].Cancel(id); r.flow() }, nil},
	} {
		r := newShipRig(t, 2, transport.ShipperConfig{Rate: 10 << 10, Patience: time.Second})
		w := r.watch(2)
		id := r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
		r.pass(2 * time.Second)
		if w.open != 1 || len(r.node[2].fetched) > 0 {
			t.Errorf("%s: %d files are open, %d ends", c.name, w.open, len(r.node[2].fetched))
		}
		c.end(r, id)
		if w.open > 0 {
			t.Errorf("%s: %d files stay open", c.name, w.open)
		}
		for _, end := range r.node[2].fetched {
			if !errors.Is(end.Err, c.want) || strings.HasPrefix(end.Order.Path, "/") {
				t.Errorf("%s: %v", c.name, end.Err)
			}
		}
	}
}
