package transport

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// OfferID names an offer of a file until its digest is known. It is never used twice in a boot.
type OfferID uint64

// Offered says that a file has been read and is offered from now on, or why not.
type Offered struct {
	ID     OfferID
	Path   string
	Digest Digest
	Err    error // matches ErrTooLarge, or is of the file
}

// offer is an object that peers may fetch.
type offer struct {
	digest   Digest
	manifest manifest
	path     string
	data     []byte // if path is empty
}

// get is a chunk that a peer has asked for.
type get struct {
	to    runtime.NodeID
	offer *offer
	index int
}

// shipSource is the part of a Shipper that offers objects.
type shipSource struct {
	offers  []*offer // by digest, one for each
	hashing int      // files being read, to be offered
	queue   []get    // oldest first
	reading []get    // under way
	readers int      // jobs that read them
	pace    pace
}

func compareDigests(a, b Digest) int {
	return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Size, b.Size))
}

func (s *shipSource) search(d Digest) (int, bool) {
	return slices.BinarySearchFunc(s.offers, d, func(o *offer, d Digest) int { return compareDigests(o.digest, d) })
}

// full reports whether no more can be offered.
func (s *Shipper) full() bool { return len(s.source.offers)+s.source.hashing >= s.cfg.OffersMax }

// OfferBytes offers bytes in memory, which must not be changed until they are
// withdrawn. Errors match ErrTooLarge and ErrBusy.
func (s *Shipper) OfferBytes(data []byte) (Digest, error) {
	if int64(len(data)) > s.cfg.SizeMax {
		return Digest{}, fmt.Errorf("%w: %d bytes offered, limit %d", ErrTooLarge, len(data), s.cfg.SizeMax)
	}
	if s.full() {
		return Digest{}, ErrBusy
	}
	o := &offer{manifest: manifestOf(data, s.cfg.ChunkBytes), data: data}
	s.put(o)
	return o.digest, nil
}

// OfferFile begins to read a file, to offer it. The file must not change until it is
// withdrawn: of one that did, chunks are not sent. The end is an Offered. The
// error matches ErrBusy.
func (s *Shipper) OfferFile(path string) (OfferID, error) {
	if s.full() {
		return 0, ErrBusy
	}
	s.lastID++
	s.source.hashing++
	s.hash(OfferID(s.lastID), &hashJob{path: path, least: s.cfg.ChunkBytes, sizeMax: s.cfg.SizeMax, manifest: &manifest{}})
	return OfferID(s.lastID), nil
}

// Hasher returns a Hasher for an object of that size.
func (s *Shipper) Hasher(size int64) *Hasher {
	return &Hasher{manifest: manifest{size: size, chunk: chunkSize(size, s.cfg.ChunkBytes)}}
}

// OfferHashed offers a file whose bytes the Hasher has been given, all of them. What OfferFile says of
// the file is true here too. Errors match ErrTooLarge, ErrBusy, and fs.ErrInvalid if bytes are missing.
func (s *Shipper) OfferHashed(path string, h *Hasher) (Digest, error) {
	m := h.manifest
	switch {
	case m.size > s.cfg.SizeMax:
		return Digest{}, fmt.Errorf("%w: %d bytes offered, limit %d", ErrTooLarge, m.size, s.cfg.SizeMax)
	case int64(len(m.hashes)) != chunksOf(m.size, m.chunk):
		return Digest{}, fmt.Errorf("transport: offer of %s, not all of which was hashed: %w", path, fs.ErrInvalid)
	case s.full():
		return Digest{}, ErrBusy
	}
	o := &offer{manifest: m, path: path}
	s.put(o)
	return o.digest, nil
}

// hash computes the next part of a manifest.
func (s *Shipper) hash(id OfferID, j *hashJob) {
	s.submit(s.cfg.ReadLane, j.execute, func(_ runtime.Instant, err error) {
		m := j.manifest
		if err == nil && int64(len(m.hashes)) < chunksOf(m.size, m.chunk) {
			s.hash(id, j)
			return
		}
		s.source.hashing--
		ended := Offered{ID: id, Path: j.path, Err: err}
		if err == nil {
			o := &offer{manifest: *m, path: j.path}
			s.put(o)
			ended.Digest = o.digest
		}
		s.out.Offered = append(s.out.Offered, ended)
	})
}

// put adds an offer; of two with the same digest, the later stays.
func (s *Shipper) put(o *offer) {
	o.digest = o.manifest.digest()
	i, found := s.source.search(o.digest)
	if found {
		s.source.offers[i] = o
	} else {
		s.source.offers = slices.Insert(s.source.offers, i, o)
	}
}

// Withdraw ends an offer. It returns false if there is none.
func (s *Shipper) Withdraw(d Digest) bool {
	i, found := s.source.search(d)
	if !found {
		return false
	}
	s.source.offers = slices.Delete(s.source.offers, i, i+1)
	s.source.queue = slices.DeleteFunc(s.source.queue, func(g get) bool { return g.offer.digest == d })
	return true
}

// wantedMax is how many objects that are not offered are named by one Take.
const wantedMax = 16

// askedManifest answers a peer that wants to know an object.
func (s *Shipper) askedManifest(from runtime.NodeID, m *shipMessage) {
	i, found := s.source.search(m.digest)
	if !found {
		s.want(m.digest)
		s.deny(from, m.digest, m.index, noneUnknown)
		return
	}
	reply := manifestMessage(m.digest, &s.source.offers[i].manifest)
	s.send(from, &reply)
}

// want tells the driver of an object that is not offered here.
func (s *Shipper) want(d Digest) {
	if len(s.out.Wanted) < wantedMax && !slices.Contains(s.out.Wanted, d) {
		s.out.Wanted = append(s.out.Wanted, d)
	}
}

// deny tells a peer that it will not get something.
func (s *Shipper) deny(to runtime.NodeID, d Digest, index uint32, why uint32) {
	s.send(to, &shipMessage{kind: kindNone, digest: d, index: index, extra: why})
}

// askedChunks queues chunks for a peer. What is queued already is not queued again.
func (s *Shipper) askedChunks(now runtime.Instant, from runtime.NodeID, m *shipMessage) {
	q := &s.source
	i, found := q.search(m.digest)
	if !found {
		s.want(m.digest)
	}
	for index := m.index; index <= m.index+m.extra; index++ {
		if !found || int(index) >= len(q.offers[i].manifest.hashes) {
			s.deny(from, m.digest, index, noneUnknown)
			continue
		}
		g := get{to: from, offer: q.offers[i], index: int(index)}
		switch {
		case slices.Contains(q.queue, g) || slices.Contains(q.reading, g):
		case len(q.queue) >= s.cfg.QueueMax:
			s.deny(from, m.digest, index, noneBusy)
		default:
			q.queue = append(q.queue, g)
		}
	}
	s.pumpSource(now)
}

// readJobs is how many jobs read chunks at a time: while one is under way, what peers ask for gathers for the next.
const readJobs = 2

// pumpSource reads and sends what is queued, as far as the limits allow.
func (s *Shipper) pumpSource(now runtime.Instant) {
	q := &s.source
	for len(q.queue) > 0 && q.readers < readJobs && len(q.reading) < s.cfg.ReadsMax {
		g := q.queue[0]
		if !q.pace.take(now, g.offer.manifest.length(g.index)) {
			s.due(q.pace.next)
			return
		}
		if g.offer.path == "" {
			q.queue = slices.Delete(q.queue, 0, 1)
			from := g.offer.manifest.offset(g.index)
			to := from + int64(g.offer.manifest.length(g.index))
			s.send(g.to, &shipMessage{kind: kindChunk, digest: g.offer.digest, index: uint32(g.index), body: g.offer.data[from:to]})
			continue
		}
		s.readSome(now, g.offer)
	}
}

// readSome lets a job read what is asked of the offer next. The first of it has been paced.
func (s *Shipper) readSome(now runtime.Instant, o *offer) {
	q := &s.source
	most := min((s.cfg.ReadsMax+1)/readJobs, s.cfg.ReadsMax-len(q.reading), len(q.queue))
	n := 1
	for n < most && q.queue[n].offer == o && q.pace.take(now, o.manifest.length(q.queue[n].index)) {
		n++
	}
	j := &readJob{offer: o, kinds: s.cfg.Kinds, room: s.cfg.Frame, chunks: make([]chunkRead, n)}
	gets := slices.Clone(q.queue[:n])
	for i, g := range gets {
		j.chunks[i].index = g.index
	}
	q.queue = slices.Delete(q.queue, 0, n)
	q.reading = append(q.reading, gets...)
	q.readers++
	s.submit(s.cfg.ReadLane, j.execute, func(now runtime.Instant, err error) {
		q.readers--
		for i, g := range gets {
			s.read(g, &j.chunks[i], err)
		}
		s.pumpSource(now)
	})
}

// read sends a chunk that has been read.
func (s *Shipper) read(g get, c *chunkRead, err error) {
	q := &s.source
	i := slices.Index(q.reading, g)
	q.reading = slices.Delete(q.reading, i, i+1)
	switch {
	case c.right:
		s.out.Send = append(s.out.Send, Outgoing{To: g.to, Frame: c.frame})
	case err != nil:
		s.deny(g.to, g.offer.digest, uint32(g.index), noneBusy) // it may go better the next time
	default:
		s.event(OfferDamaged, uint64(g.to), uint64(g.index), g.offer.digest.Hash, 0)
		s.deny(g.to, g.offer.digest, uint32(g.index), noneDamaged)
	}
}
