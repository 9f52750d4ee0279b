package transport

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// The values that zero fields of a ShipperConfig stand for.
const (
	defaultKinds      = 0x40
	defaultChunkBytes = 64 << 10
	defaultMemoryMax  = 64 << 20
	defaultWindow     = 16
	defaultOffersMax  = 1024
	defaultFetchesMax = 16
	defaultQueueMax   = 256
	defaultReadsMax   = 8
	defaultPatience   = 30 * time.Second
	defaultSyncBytes  = 4 << 20
)

// ShipperConfig says how much a Shipper takes on. A zero field stands for its
// default, except where said otherwise.
type ShipperConfig struct {
	// Kinds is the first of the five kinds of frames it uses. Its peers use the same; what
	// else a node sends on the same channel uses others. Default 0x40.
	Kinds uint8
	// ReadLane and WriteLane are where its jobs run. They may be the same.
	ReadLane, WriteLane runtime.Lane
	// SyncLane is where what has been written of a file is made durable while more of it comes, whenever SyncBytes are not
	// durable yet: so there is little to wait for in the end, and what else syncs on the same disk does not have to wait
	// for a whole file. It may be one of the others; then they wait. Default of SyncBytes: 4 MiB.
	SyncLane  runtime.Lane
	SyncBytes int64
	// ChunkBytes is the size of chunks, doubled for objects that would have too many: from
	// ChunkMin to ChunkMax. All sources of an object must use the same. Default 64 KiB.
	ChunkBytes int
	// SizeMax is how many bytes an object may have, offered or fetched. Default, and at most, ObjectMax.
	SizeMax int64
	// MemoryMax is how many bytes all fetches into memory may have together. Default 64 MiB.
	MemoryMax int64
	// Window is how many chunks of one fetch may be asked for at a time: what may have to be sent again after a cut.
	// Together with those that wait to be written they are twice as many, at most. Default 16.
	Window int
	// OffersMax and FetchesMax are how many there may be at a time. Defaults 1024 and 16.
	OffersMax, FetchesMax int
	// QueueMax is how many chunks peers may have asked for and not got yet; ReadsMax is how many of
	// them are read at a time. Defaults 256 and 8.
	QueueMax, ReadsMax int
	// Rate is how many bytes of chunks a second are sent to all peers together; zero: any number.
	Rate int64
	// Frame, if not nil, returns memory for a frame of that many bytes, in which may be anything. It is called in jobs, so perhaps
	// beside the loop. Nil: it is allocated.
	Frame func(size int) []byte
	// Patience is how long a fetch may go without a new chunk before it fails. Default 30 s.
	Patience time.Duration
}

func (c ShipperConfig) withDefaults() ShipperConfig {
	c.Kinds = cmp.Or(c.Kinds, defaultKinds)
	c.ChunkBytes = cmp.Or(c.ChunkBytes, defaultChunkBytes)
	c.SizeMax = cmp.Or(c.SizeMax, ObjectMax)
	c.MemoryMax = cmp.Or(c.MemoryMax, defaultMemoryMax)
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.OffersMax = cmp.Or(c.OffersMax, defaultOffersMax)
	c.FetchesMax = cmp.Or(c.FetchesMax, defaultFetchesMax)
	c.QueueMax = cmp.Or(c.QueueMax, defaultQueueMax)
	c.ReadsMax = cmp.Or(c.ReadsMax, defaultReadsMax)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.SyncBytes = cmp.Or(c.SyncBytes, defaultSyncBytes)
	if c.Frame == nil {
		c.Frame = func(size int) []byte { return make([]byte, size) }
	}
	return c
}

// Validate reports the first thing wrong with the configuration, after defaults.
func (c ShipperConfig) Validate() error {
	c = c.withDefaults()
	switch {
	case int(c.Kinds)+kindShipEnd > 1<<8:
		return fmt.Errorf("transport: shipper with frames from kind %#x on, the last is 0xff", c.Kinds)
	case max(c.ReadLane, c.WriteLane, c.SyncLane) >= runtime.LaneCount:
		return fmt.Errorf("transport: shipper on lanes %d, %d and %d of %d", c.ReadLane, c.WriteLane, c.SyncLane, runtime.LaneCount)
	case c.ChunkBytes < ChunkMin || c.ChunkBytes > ChunkMax:
		return fmt.Errorf("transport: shipper with chunks of %d bytes, want %d to %d", c.ChunkBytes, ChunkMin, ChunkMax)
	case c.SizeMax < 0 || c.SizeMax > ObjectMax:
		return fmt.Errorf("transport: shipper of objects up to %d bytes, at most %d", c.SizeMax, ObjectMax)
	case c.MemoryMax < 0 || c.Rate < 0 || c.Patience < 0 || c.SyncBytes < 0:
		return errors.New("transport: shipper with a negative limit")
	case c.Window < 1 || c.OffersMax < 1 || c.FetchesMax < 1 || c.QueueMax < 1 || c.ReadsMax < 1:
		return errors.New("transport: shipper with a limit below 1")
	}
	return nil
}

// JobID names a job of a Shipper. It is never used twice in a boot.
type JobID uint64

// Job is work on files, to be submitted to its lane. The driver reports how it ended with
// Shipper.JobDone, on its loop.
type Job struct {
	ID   JobID
	Lane runtime.Lane
	Run  func(runtime.FS) error
}

// ShipperOutput is what a Shipper obliges its driver to do. The slices belong to the
// Shipper and are valid until the next Take; what they point to is the driver's.
type ShipperOutput struct {
	Events  []runtime.Event
	Send    []Outgoing
	Jobs    []Job
	Offered []Offered
	Fetched []Fetched
	// Wanted are objects that peers have asked for and that are not offered here, at most a few. A driver that
	// has one may offer it: the peer asks again.
	Wanted []Digest
}

// Shipper is one node's end of the shipping lane: it offers objects, files or bytes in
// memory, and fetches those of others. It has no clock, network or disk of its own:
//
//	OfferFile, Fetch, Receive, JobDone, Tick, ... -> Take -> trace, send, submit, tell
//
// A fetch is drawn by its receiver, a few chunks at a time, from all sources that have the object.
// A chunk is named by the digest of its object and its index, and is verified against
// the manifest, which is verified against the digest: so it does not matter who
// sends it, when, or how often, and sources remember nothing of their receivers.
//
// A file grows under a name of its own, beside the final one. When the process ends, the
// same fetch, made again, goes on with what is there. Complete, it is synced and renamed, and
// its folder synced, before anybody hears of it.
//
// Methods must not be called concurrently, and now never falls.
type Shipper struct {
	cfg     ShipperConfig
	source  shipSource
	fetches []*fetch // by id
	memory  int64    // bytes of the fetches into memory
	lastJob JobID
	jobs    map[JobID]func(now runtime.Instant, err error)
	lastID  uint64          // of an offer or a fetch
	wake    runtime.Instant // nothing is due before
	out     ShipperOutput
	spare   ShipperOutput // handed out by the last Take
}

// NewShipper returns a Shipper that offers and fetches nothing. It panics if the configuration
// does not validate.
func NewShipper(cfg ShipperConfig) *Shipper {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	s := &Shipper{cfg: cfg.withDefaults(), jobs: map[JobID]func(runtime.Instant, error){}, wake: runtime.Never}
	s.source.pace.rate = s.cfg.Rate
	return s
}

// Handles reports whether a frame is one of the shipping lane, by its kind alone: the first bytes of it
// suffice. It is for a driver to which all frames of a channel come.
func (s *Shipper) Handles(frame []byte) bool {
	return len(frame) > kindAt && frame[magicAt] == Magic && frame[kindAt]-s.cfg.Kinds < kindShipEnd
}

// Receive takes a frame from a peer, whatever its bytes are. They stay the
// caller's. An error says that it is no frame of the shipping lane, or was damaged, or
// makes no sense: it has been ignored.
func (s *Shipper) Receive(now runtime.Instant, from runtime.NodeID, frame []byte) error {
	var m shipMessage
	if err := m.decode(frame, s.cfg.Kinds); err != nil {
		return err
	}
	switch m.kind {
	case kindAsk:
		s.askedManifest(from, &m)
	case kindGet:
		s.askedChunks(now, from, &m)
	default:
		for _, f := range s.fetches {
			if f.order.Digest == m.digest {
				s.fed(now, f, from, &m)
			}
		}
		s.sweep()
	}
	return nil
}

// JobDone says how a job ended.
func (s *Shipper) JobDone(now runtime.Instant, id JobID, err error) {
	done := s.jobs[id]
	if done == nil {
		panic(fmt.Sprintf("transport: job %d is not under way", id))
	}
	delete(s.jobs, id)
	done(now, err)
	s.sweep()
}

// Tick says that time has passed. Before Deadline it does nothing.
func (s *Shipper) Tick(now runtime.Instant) {
	if now < s.wake {
		return
	}
	s.wake = runtime.Never
	s.pumpSource(now)
	for _, f := range s.fetches {
		s.tickFetch(now, f)
	}
	s.sweep()
}

// Deadline returns when Tick is due, Never if no time needs to pass. An alarm that goes off
// early does no harm.
func (s *Shipper) Deadline() runtime.Instant { return s.wake }

// Take returns what the driver must do now: all that came up since the last Take.
func (s *Shipper) Take() ShipperOutput {
	out, next := s.out, &s.spare
	clear(next.Send)
	clear(next.Jobs)
	clear(next.Fetched)
	s.out = ShipperOutput{
		Events: next.Events[:0], Send: next.Send[:0], Jobs: next.Jobs[:0], Offered: next.Offered[:0], Fetched: next.Fetched[:0],
		Wanted: next.Wanted[:0],
	}
	s.spare = out
	return out
}

// ShipperLoad is what a Shipper holds at the moment.
type ShipperLoad struct {
	Fetches int
	Bytes   int64 // chunks that wait to be written, and fetches into memory
	Queue   int   // chunks that peers have asked for and not got yet
}

// Load returns what the Shipper holds at the moment.
func (s *Shipper) Load() ShipperLoad {
	load := ShipperLoad{Fetches: s.live(), Bytes: s.memory, Queue: len(s.source.queue) + len(s.source.reading)}
	for _, f := range s.fetches {
		load.Bytes += int64((len(f.pieces) + f.writing) * f.manifest.chunk)
	}
	return load
}

// due notes that Tick has something to do at t.
func (s *Shipper) due(t runtime.Instant) { s.wake = min(s.wake, t) }

// submit asks for a job, and for done to be called when it has ended.
func (s *Shipper) submit(lane runtime.Lane, run func(runtime.FS) error, done func(now runtime.Instant, err error)) {
	s.lastJob++
	s.jobs[s.lastJob] = done
	s.out.Jobs = append(s.out.Jobs, Job{ID: s.lastJob, Lane: lane, Run: run})
}

func (s *Shipper) send(to runtime.NodeID, m *shipMessage) {
	s.out.Send = append(s.out.Send, Outgoing{To: to, Frame: m.encode(s.cfg.Kinds)})
}

func (s *Shipper) event(kind runtime.EventKind, a, b, c, d uint64) {
	s.out.Events = append(s.out.Events, runtime.Event{Kind: kind, A: a, B: b, C: c, D: d})
}

// pace spreads bytes over time.
type pace struct {
	rate int64           // bytes a second; zero: no limit
	next runtime.Instant // when the next bytes may go
}

// burstMax is how long a pace that was idle may run ahead of its rate.
const burstMax = 10 * time.Millisecond

// take reports whether n bytes may go now, and if so counts them.
func (p *pace) take(now runtime.Instant, n int) bool {
	if p.rate == 0 {
		return true
	}
	if p.next > now {
		return false
	}
	cost := time.Duration(int64(n) * int64(time.Second) / p.rate)
	p.next = max(p.next, now.Add(-burstMax)).Add(cost)
	return true
}
