package transport

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// FetchID names a fetch. It is never used twice in a boot.
type FetchID uint64

// Order says what to fetch.
type Order struct {
	Digest Digest
	// Sources are the nodes to fetch it from, at least one.
	Sources []runtime.NodeID
	// Path is the file's final name, in a folder that exists, durably. What has that name is
	// replaced. Empty: the object is fetched into memory.
	Path string
	// Rate is how many bytes a second are asked for; zero: any number.
	Rate int64
}

// Fetched is the end of a fetch.
type Fetched struct {
	ID    FetchID
	Order Order
	Data  []byte // of a fetch into memory
	// Err is nil when the file is complete and durable under its final name. Otherwise
	// it matches ErrTimeout, if no source had anything new for too long, or
	// runtime.ErrNoSpace, or is of the disk. What was received then stays
	// beside the final name, except after ErrNoSpace, and the same fetch goes on with it.
	Err error
}

// Progress is how far a fetch has come, in bytes.
type Progress struct {
	Size     int64
	Stored   int64 // written, or in memory
	Found    int64 // of those: they were on disk when the fetch began
	Received int64 // chunks that arrived
	Wasted   int64 // of those: they were not needed, or wrong
}

// fetchPhase is how far a fetch has come.
type fetchPhase uint8

const (
	fetchAsking     fetchPhase = iota // for the manifest
	fetchScanning                     // a job looks for what is on disk
	fetchReceiving                    // chunks
	fetchPublishing                   // a job gives the file its name
	fetchOver
)

// chunkState is what is known of one chunk.
type chunkState uint8

const (
	chunkMissing chunkState = iota
	chunkAsked
	chunkWriting
	chunkStored
)

// fetch is an object on its way in.
type fetch struct {
	id       FetchID
	order    Order
	part     *partFile // nil: into memory
	phase    fetchPhase
	manifest manifest
	state    []chunkState
	left     int // chunks not stored
	cursor   int // no chunk before is missing
	asks     []ask
	sources  []shipPeer
	turn     int // whose turn it is to be asked,
	run      int // for how many chunks it has been already
	pace     pace
	pieces   []piece  // to be written next
	writing  int      // pieces that a job writes
	free     [][]byte // memory of pieces that are written
	unsynced int64    // bytes written since the last sync began
	syncing  bool     // a job makes what is written durable
	spoiled  bool     // one has failed: all that is written must be written anew
	held     bool     // the scan has to wait: see heldUp
	data     []byte
	fedAt    runtime.Instant // when something new came
	failures int
	progress Progress
}

// Fetch begins to fetch an object. The end is a Fetched, unless Cancel comes before. Errors match ErrTooLarge,
// ErrBusy (too many fetches, too much memory, or the path is being fetched) and fs.ErrInvalid.
func (s *Shipper) Fetch(now runtime.Instant, order Order) (FetchID, error) {
	inMemory := order.Path == ""
	switch {
	case len(order.Sources) == 0:
		return 0, fmt.Errorf("transport: fetch without a source: %w", fs.ErrInvalid)
	case !inMemory && (!fs.ValidPath(order.Path) || order.Path == "."):
		return 0, fmt.Errorf("transport: fetch into %q: %w", order.Path, fs.ErrInvalid)
	case order.Digest.Size < 0 || order.Digest.Size > s.cfg.SizeMax:
		return 0, fmt.Errorf("%w: object of %d bytes, limit %d", ErrTooLarge, order.Digest.Size, s.cfg.SizeMax)
	case inMemory && order.Digest.Size > s.cfg.MemoryMax:
		return 0, fmt.Errorf("%w: %d bytes into memory, limit %d", ErrTooLarge, order.Digest.Size, s.cfg.MemoryMax)
	case s.live() >= s.cfg.FetchesMax, inMemory && s.memory+order.Digest.Size > s.cfg.MemoryMax,
		!inMemory && slices.ContainsFunc(s.fetches, func(f *fetch) bool { return f.order.Path == order.Path && f.phase != fetchOver }):
		return 0, ErrBusy
	}
	s.lastID++
	f := &fetch{id: FetchID(s.lastID), order: order, fedAt: now, pace: pace{rate: order.Rate}}
	f.progress.Size = order.Digest.Size
	for _, id := range order.Sources {
		if f.peer(id) == nil {
			f.sources = append(f.sources, shipPeer{id: id, window: windowFirst})
		}
	}
	if inMemory {
		s.memory += order.Digest.Size
	} else {
		f.part = &partFile{name: partName(order.Path, order.Digest)}
	}
	s.fetches = append(s.fetches, f)
	s.advance(now, f)
	return f.id, nil
}

// live returns how many fetches there are that are not over.
func (s *Shipper) live() (n int) {
	for _, f := range s.fetches {
		if f.phase != fetchOver {
			n++
		}
	}
	return n
}

// Progress returns how far a fetch has come, false if it is over.
func (s *Shipper) Progress(id FetchID) (Progress, bool) {
	for _, f := range s.fetches {
		if f.id == id && f.phase != fetchOver {
			return f.progress, true
		}
	}
	return Progress{}, false
}

// Cancel ends a fetch: its Fetched will not come. What was received stays on disk. It returns
// false if there is no such fetch.
func (s *Shipper) Cancel(id FetchID) bool {
	for _, f := range s.fetches {
		if f.id == id && f.phase != fetchOver {
			s.close(f)
			s.sweep()
			return true
		}
	}
	return false
}

// close ends a fetch, to be swept.
func (s *Shipper) close(f *fetch) {
	if f.part == nil {
		s.memory -= f.order.Digest.Size
	} else if f.phase == fetchScanning || f.phase == fetchReceiving {
		s.submit(s.cfg.WriteLane, f.part.close, func(runtime.Instant, error) {}) // nothing in it counts as durable anyway
	}
	f.phase = fetchOver
}

// sweep forgets fetches that are over, and whose part is not being synced any more.
func (s *Shipper) sweep() {
	s.fetches = slices.DeleteFunc(s.fetches, func(f *fetch) bool { return f.phase == fetchOver && !f.syncing })
}

// end closes a fetch and says how it went.
func (s *Shipper) end(f *fetch, err error) {
	ended := Fetched{ID: f.id, Order: f.order, Err: err}
	if err == nil {
		ended.Data = f.data
	}
	s.close(f)
	s.out.Fetched = append(s.out.Fetched, ended)
}

// advance does what can be done now.
func (s *Shipper) advance(now runtime.Instant, f *fetch) {
	switch {
	case f.phase == fetchReceiving && f.spoiled:
		if f.writing == 0 {
			s.scan(f)
		}
	case f.complete():
		if f.order.Path == "" {
			s.end(f, nil)
		} else if !f.syncing { // its error may be the only one there is
			s.publish(f)
		}
	default:
		s.askMore(now, f)
	}
}

// tickFetch gives up what takes too long.
func (s *Shipper) tickFetch(now runtime.Instant, f *fetch) {
	if f.phase != fetchAsking && f.phase != fetchReceiving {
		return
	}
	if now >= f.fedAt.Add(s.cfg.Patience) && !f.complete() {
		s.end(f, ErrTimeout)
		return
	}
	s.expireAsks(now, f)
	s.write(f) // what was to be written with chunks that do not come
	s.advance(now, f)
}

// complete reports whether all chunks have been stored: no source is waited for.
func (f *fetch) complete() bool { return f.phase == fetchReceiving && f.left == 0 }

// fed takes what a peer says of the object.
func (s *Shipper) fed(now runtime.Instant, f *fetch, from runtime.NodeID, m *shipMessage) {
	switch m.kind {
	case kindManifest:
		s.fedManifest(now, f, from, m)
	case kindChunk:
		s.fedChunk(now, f, from, m)
	case kindNone:
		s.denied(now, f, from, m)
	}
	if f.phase != fetchOver {
		s.advance(now, f)
	}
}

// fedManifest takes the manifest, whoever sent it: it is that of the digest, or an error.
func (s *Shipper) fedManifest(now runtime.Instant, f *fetch, from runtime.NodeID, m *shipMessage) {
	if f.phase != fetchAsking {
		return
	}
	got, err := m.manifest()
	if err != nil {
		s.disappointed(now, f, from, indexManifest)
		return
	}
	f.answer(now, from, indexManifest, s.cfg.Window)
	f.fedAt = now
	f.forgetAsks()
	f.manifest = got
	f.state = make([]chunkState, len(got.hashes))
	f.left = len(got.hashes)
	if f.order.Path == "" {
		f.data = make([]byte, got.size)
		f.phase = fetchReceiving
		return
	}
	s.scan(f)
}

// fedChunk takes a chunk, whoever sent it, if it is what the manifest says and is needed.
func (s *Shipper) fedChunk(now runtime.Instant, f *fetch, from runtime.NodeID, m *shipMessage) {
	f.progress.Received += int64(len(m.body))
	if f.phase != fetchReceiving || int(m.index) >= len(f.state) {
		f.progress.Wasted += int64(len(m.body))
		return
	}
	index := int(m.index)
	if !f.manifest.holds(index, m.body) {
		f.progress.Wasted += int64(len(m.body))
		s.event(ChunkRefused, uint64(from), uint64(index), f.order.Digest.Hash, uint64(len(m.body)))
		s.disappointed(now, f, from, m.index)
		return
	}
	f.answer(now, from, m.index, s.cfg.Window)
	switch {
	case f.state[index] >= chunkWriting, len(f.pieces)+f.writing >= 2*s.cfg.Window:
		f.progress.Wasted += int64(len(m.body))
		return
	case f.order.Path == "":
		copy(f.data[f.manifest.offset(index):], m.body)
		f.stored(index)
	default:
		f.state[index] = chunkWriting
		f.pieces = append(f.pieces, piece{index: index, data: append(f.room(), m.body...)})
		if len(f.pieces) >= writeFew || len(f.asks) == 0 {
			s.write(f)
		}
	}
	f.fedAt = now
}
