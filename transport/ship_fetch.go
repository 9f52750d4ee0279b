package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// writeFew is how many chunks are written together, as long as more are under way: each job opens the file, and takes
// two steps of the loop.
const writeFew = 4

// failuresMax is how many jobs of a fetch may fail before it does.
const failuresMax = 8

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
	part     string
	phase    fetchPhase
	manifest manifest
	state    []chunkState
	left     int // chunks not stored
	cursor   int // no chunk before is missing
	asks     []ask
	sources  []shipPeer
	turn     int // whose turn it is to be asked
	pace     pace
	pieces   []piece  // to be written next
	writing  int      // pieces that a job writes
	free     [][]byte // memory of pieces that are written
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
	case len(s.fetches) >= s.cfg.FetchesMax, inMemory && s.memory+order.Digest.Size > s.cfg.MemoryMax,
		!inMemory && slices.ContainsFunc(s.fetches, func(f *fetch) bool { return f.order.Path == order.Path }):
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
		f.part = partName(order.Path, order.Digest)
	}
	s.fetches = append(s.fetches, f)
	s.advance(now, f)
	return f.id, nil
}

// Progress returns how far a fetch has come, false if it is over.
func (s *Shipper) Progress(id FetchID) (Progress, bool) {
	for _, f := range s.fetches {
		if f.id == id {
			return f.progress, true
		}
	}
	return Progress{}, false
}

// Cancel ends a fetch: its Fetched will not come. What was received stays on disk. It returns
// false if there is no such fetch.
func (s *Shipper) Cancel(id FetchID) bool {
	for _, f := range s.fetches {
		if f.id == id {
			s.close(f)
			s.sweep()
			return true
		}
	}
	return false
}

// close ends a fetch, to be swept.
func (s *Shipper) close(f *fetch) {
	f.phase = fetchOver
	if f.order.Path == "" {
		s.memory -= f.order.Digest.Size
	}
}

// sweep forgets fetches that are over.
func (s *Shipper) sweep() {
	s.fetches = slices.DeleteFunc(s.fetches, func(f *fetch) bool { return f.phase == fetchOver })
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
	if f.phase == fetchReceiving && f.left == 0 {
		if f.order.Path == "" {
			s.end(f, nil)
			return
		}
		s.publish(f)
		return
	}
	s.askMore(now, f)
}

// tickFetch gives up what takes too long.
func (s *Shipper) tickFetch(now runtime.Instant, f *fetch) {
	if f.phase != fetchAsking && f.phase != fetchReceiving {
		return
	}
	if now >= f.fedAt.Add(s.cfg.Patience) {
		s.end(f, ErrTimeout)
		return
	}
	s.expireAsks(now, f)
	s.write(f) // what was to be written with chunks that do not come
	s.advance(now, f)
}

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
	f.asks, f.fedAt = f.asks[:0], now
	for i := range f.sources {
		f.sources[i].asked = 0
	}
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

// room returns memory for a piece.
func (f *fetch) room() []byte {
	if last := len(f.free) - 1; last >= 0 {
		p := f.free[last]
		f.free = f.free[:last]
		return p
	}
	return make([]byte, 0, f.manifest.chunk)
}

// stored notes that a chunk is where it belongs.
func (f *fetch) stored(index int) {
	f.state[index] = chunkStored
	f.left--
	f.progress.Stored += int64(f.manifest.length(index))
}

// miss notes that a chunk must be asked for again.
func (f *fetch) miss(index int) {
	f.state[index] = chunkMissing
	f.cursor = min(f.cursor, index)
}

// write lets a job write the pieces, one job at a time.
func (s *Shipper) write(f *fetch) {
	if f.writing > 0 || len(f.pieces) == 0 {
		return
	}
	j := &writeJob{manifest: &f.manifest, part: f.part, pieces: f.pieces}
	f.pieces, f.writing = nil, len(f.pieces)
	s.submit(s.cfg.WriteLane, j.execute, func(now runtime.Instant, err error) {
		if f.phase == fetchOver {
			return
		}
		f.writing = 0
		f.fedAt = now
		for _, p := range j.pieces {
			if err == nil {
				f.stored(p.index)
			} else {
				f.miss(p.index)
			}
			f.free = append(f.free, p.data[:0])
		}
		if err != nil && !s.survives(f, err) {
			return
		}
		s.write(f)
		s.advance(now, f)
	})
}

// survives counts a failed job, and ends the fetch if there were too many or more would not help.
func (s *Shipper) survives(f *fetch, err error) bool {
	f.failures++
	s.event(FetchFaltered, uint64(f.id), uint64(f.failures), f.order.Digest.Hash, 0)
	if f.failures >= failuresMax || errors.Is(err, runtime.ErrNoSpace) {
		s.end(f, err)
		return false
	}
	return true
}

// scan looks for what is on disk, from the first chunk on.
func (s *Shipper) scan(f *fetch) {
	f.phase, f.left, f.cursor = fetchScanning, len(f.state), 0
	f.progress.Stored, f.progress.Found = 0, 0
	clear(f.state)
	s.scanFrom(f, &scanJob{manifest: &f.manifest, final: f.order.Path, part: f.part})
}

func (s *Shipper) scanFrom(f *fetch, j *scanJob) {
	s.submit(s.cfg.WriteLane, j.execute, func(now runtime.Instant, err error) {
		switch {
		case f.phase == fetchOver:
			return
		case err != nil:
			if s.survives(f, err) {
				s.scan(f)
			}
			return
		}
		for _, i := range j.found {
			f.stored(i)
		}
		if j.from = j.next; j.next < len(f.state) {
			s.scanFrom(f, j)
			return
		}
		f.progress.Found = f.progress.Stored
		if f.progress.Found > 0 {
			s.event(FetchResumed, uint64(f.id), uint64(f.progress.Found), f.order.Digest.Hash, uint64(f.progress.Size))
		}
		f.phase, f.fedAt = fetchReceiving, now
		s.advance(now, f)
	})
}

// publish gives a complete file its name. If that fails, nothing of it counts as durable: the
// bytes are written anew, and then it is tried again.
func (s *Shipper) publish(f *fetch) {
	f.phase = fetchPublishing
	j := &publishJob{final: f.order.Path, part: f.part}
	s.submit(s.cfg.WriteLane, j.execute, func(_ runtime.Instant, err error) {
		switch {
		case f.phase == fetchOver:
		case err == nil:
			s.end(f, nil)
		case s.survives(f, err):
			s.scan(f)
		}
	})
}
