package walrus

// slot says where one entry lies: 24 bytes.
type slot struct {
	term   uint64
	seg    uint32 // low half of the segment's sequence number
	at     uint32 // offset of the record header in the file, in units of 8 bytes
	length uint32 // of the payload
	flags  uint8
}

const (
	chunkSlots    = 512
	spareChunkMax = 64
)

type slotChunk [chunkSlots]slot

// slots is a queue of slots that shrinks from both ends: pushing, dropping and
// access by position cost a constant, amortised. Chunks are recycled, so
// that entries passing through allocate nothing.
type slots struct {
	chunks []*slotChunk
	spare  []*slotChunk
	head   int // slots dropped from the first chunk
	count  int
}

func (s *slots) push(v slot) {
	end := s.head + s.count
	if end == len(s.chunks)*chunkSlots {
		s.chunks = append(s.chunks, s.takeChunk())
	}
	s.chunks[end/chunkSlots][end%chunkSlots] = v
	s.count++
}

// at returns the slot at a position, 0 being the first.
func (s *slots) at(i int) *slot {
	i += s.head
	return &s.chunks[i/chunkSlots][i%chunkSlots]
}

// run returns slots from a position on that lie together in memory: n, or fewer.
func (s *slots) run(i, n int) []slot {
	i += s.head
	c := s.chunks[i/chunkSlots]
	return c[i%chunkSlots : min(i%chunkSlots+n, chunkSlots)]
}

// dropFront drops the first n slots.
func (s *slots) dropFront(n int) {
	s.head += n
	s.count -= n
	whole := min(s.head/chunkSlots, len(s.chunks))
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
		s.chunks[i] = nil
	}
	s.chunks = s.chunks[:need]
}

func (s *slots) takeChunk() *slotChunk {
	if n := len(s.spare); n > 0 {
		c := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return c
	}
	return new(slotChunk)
}

func (s *slots) giveChunk(c *slotChunk) {
	if len(s.spare) < spareChunkMax {
		s.spare = append(s.spare, c)
	}
}
