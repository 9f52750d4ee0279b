package walrus

import "slices"

// slot says where one entry lies.
type slot struct {
	term   uint64
	seg    uint32 // low half of the segment's sequence number
	at     uint32 // offset of the record header in the file, in units of 8 bytes
	length uint32 // of the payload
	flags  uint8
}

// place is what a slot has of its own: 8 bytes. The rest it shares with its neighbours.
type place struct {
	at, length uint32
}

// slotRun is what slots in a row have in common, from a position in their chunk on up to the next run.
type slotRun struct {
	term  uint64
	seg   uint32
	from  uint16
	flags uint8
}

// holds reports whether a slot may be part of the run.
func (r *slotRun) holds(v *slot) bool {
	return r.seg == v.seg && r.term == v.term && r.flags == v.flags
}

func (r *slotRun) slot(p place) slot {
	return slot{term: r.term, seg: r.seg, at: p.at, length: p.length, flags: r.flags}
}

// appendTo appends slots of the run.
func (r *slotRun) appendTo(out []slot, places []place) []slot {
	n := len(out)
	out = slices.Grow(out, len(places))[:n+len(places)]
	run := *r
	for i := range out[n:] {
		// Field by field: a whole slot would be put together in memory first.
		s, p := &out[n+i], &places[i]
		s.term, s.seg, s.flags = run.term, run.seg, run.flags
		s.at, s.length = p.at, p.length
	}
	return out
}

const (
	chunkSlots    = 512
	spareChunkMax = 64
)

type slotChunk struct {
	places *[chunkSlots]place
	runs   []slotRun // ascending
}

// slots is a queue of slots that shrinks from both ends: pushing, dropping and
// access by position cost a constant, amortised. Chunks are recycled, so
// that entries passing through allocate nothing. A log of many entries is opened as fast as this
// memory is filled; so there is little of it.
type slots struct {
	chunks []slotChunk
	spare  []slotChunk
	head   int // slots dropped from the first chunk
	count  int
}

func (s *slots) push(v slot) {
	end := s.head + s.count
	if end == len(s.chunks)*chunkSlots {
		s.chunks = append(s.chunks, s.takeChunk())
	}
	s.chunks[end/chunkSlots].put(end%chunkSlots, &v)
	s.count++
}

// room returns places behind the last slot, at most n, of slots that have all the rest in common with it. They
// are part of the queue once count says so.
func (s *slots) room(n uint64) []place {
	end := s.head + s.count
	if n == 0 {
		return nil
	}
	if end == len(s.chunks)*chunkSlots {
		last := s.at(s.count - 1)
		s.chunks = append(s.chunks, s.takeChunk())
		s.chunks[len(s.chunks)-1].begin(0, &last)
	}
	places := s.chunks[end/chunkSlots].places[end%chunkSlots:]
	return places[:min(uint64(len(places)), n)]
}

// put sets the slot at a position behind which there is none.
func (c *slotChunk) put(i int, v *slot) {
	if n := len(c.runs); n == 0 || !c.runs[n-1].holds(v) {
		c.begin(i, v)
	}
	c.places[i] = place{at: v.at, length: v.length}
}

// begin begins a run at a position behind which there is none.
func (c *slotChunk) begin(i int, v *slot) {
	c.cut(i)
	c.runs = append(c.runs, slotRun{term: v.term, seg: v.seg, from: uint16(i), flags: v.flags})
}

// cut keeps what is before a position.
func (c *slotChunk) cut(i int) {
	n := len(c.runs)
	for n > 0 && int(c.runs[n-1].from) >= i {
		n--
	}
	c.runs = c.runs[:n]
}

// run returns which run a position is in.
func (c *slotChunk) run(i int) int {
	lo, hi := 0, len(c.runs)-1
	for lo < hi {
		if middle := (lo + hi + 1) / 2; int(c.runs[middle].from) <= i {
			lo = middle
		} else {
			hi = middle - 1
		}
	}
	return lo
}

// set changes the slot at a position.
func (c *slotChunk) set(i int, v *slot) {
	c.places[i] = place{at: v.at, length: v.length}
	at := c.run(i)
	old := c.runs[at]
	if old.holds(v) {
		return
	}
	parts := []slotRun{{term: v.term, seg: v.seg, from: uint16(i), flags: v.flags}}
	if int(old.from) < i {
		parts = append([]slotRun{old}, parts...)
	}
	if i+1 < chunkSlots && (at+1 == len(c.runs) || int(c.runs[at+1].from) > i+1) {
		old.from = uint16(i + 1)
		parts = append(parts, old)
	}
	c.runs = slices.Replace(c.runs, at, at+1, parts...)
	c.runs = slices.CompactFunc(c.runs, func(a, b slotRun) bool { return a.term == b.term && a.seg == b.seg && a.flags == b.flags })
}

// find returns the chunk of the slot at a position, 0 being the first, and its position there.
func (s *slots) find(i int) (*slotChunk, int) {
	i += s.head
	return &s.chunks[i/chunkSlots], i % chunkSlots
}

// at returns the slot at a position.
func (s *slots) at(i int) slot {
	c, i := s.find(i)
	return c.runs[c.run(i)].slot(c.places[i])
}

// set changes the slot at a position.
func (s *slots) set(i int, v slot) {
	c, i := s.find(i)
	c.set(i, &v)
}

// stretch returns the places of slots from a position on that lie together in one run: n, or fewer.
func (s *slots) stretch(i, n int) ([]place, *slotRun) {
	c, i := s.find(i)
	at, end := c.run(i), chunkSlots
	if at+1 < len(c.runs) {
		end = int(c.runs[at+1].from)
	}
	return c.places[i:min(i+n, end)], &c.runs[at]
}

// dropFront drops the first n slots.
func (s *slots) dropFront(n int) {
	s.head += n
	s.count -= n
	whole := min(s.head/chunkSlots, len(s.chunks))
	if whole == 0 {
		return
	}
	for _, c := range s.chunks[:whole] {
		s.giveChunk(c)
	}
	left := copy(s.chunks, s.chunks[whole:])
	clear(s.chunks[left:])
	s.chunks = s.chunks[:left]
	s.head -= whole * chunkSlots
}

// dropBack keeps the first n slots.
func (s *slots) dropBack(n int) {
	s.count = n
	need := (s.head + n + chunkSlots - 1) / chunkSlots
	for i := need; i < len(s.chunks); i++ {
		s.giveChunk(s.chunks[i])
		s.chunks[i] = slotChunk{}
	}
	s.chunks = s.chunks[:need]
	if need > 0 {
		s.chunks[need-1].cut(s.head + n - (need-1)*chunkSlots)
	}
}

func (s *slots) takeChunk() slotChunk {
	if n := len(s.spare); n > 0 {
		c := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return c
	}
	return slotChunk{places: new([chunkSlots]place)}
}

func (s *slots) giveChunk(c slotChunk) {
	if len(s.spare) < spareChunkMax {
		c.runs = c.runs[:0]
		s.spare = append(s.spare, c)
	}
}
