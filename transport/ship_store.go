package transport

import (
	"errors"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// writeFew is how many chunks are written together, as long as more are under way: each job takes two steps of the loop.
const writeFew = 4

// failuresMax is how many jobs of a fetch may fail before it does.
const failuresMax = 8

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
	if f.writing > 0 || len(f.pieces) == 0 || f.spoiled {
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
				f.unsynced += int64(len(p.data))
			} else {
				f.miss(p.index)
			}
			f.free = append(f.free, p.data[:0])
		}
		if err != nil && !s.survives(f, err) {
			return
		}
		s.write(f)
		s.sync(f)
		s.advance(now, f)
	})
}

// sync lets a job make durable what is written, if that is enough, one job at a time. Chunks may be written meanwhile.
func (s *Shipper) sync(f *fetch) {
	if f.syncing || f.spoiled || f.unsynced < s.cfg.SyncBytes {
		return
	}
	f.syncing, f.unsynced = true, 0
	j := &syncJob{part: f.part.name}
	s.submit(s.cfg.SyncLane, j.execute, func(now runtime.Instant, err error) {
		f.syncing = false
		if f.phase == fetchOver {
			for _, next := range s.fetches {
				if next.held && !s.heldUp(next) {
					s.scan(next)
				}
			}
			return
		}
		if err != nil && !s.survives(f, err) {
			return
		}
		f.spoiled = err != nil
		s.advance(now, f)
	})
}

// heldUp reports whether the part is still being synced for a fetch that is over. If that fails, it takes with it what is
// written meanwhile, and tells nobody.
func (s *Shipper) heldUp(f *fetch) bool {
	return slices.ContainsFunc(s.fetches, func(old *fetch) bool { return old != f && old.syncing && old.part.name == f.part.name })
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

// scan looks for what is on disk, from the first chunk on, and makes the fetch go on from there. No write is under way.
func (s *Shipper) scan(f *fetch) {
	f.phase, f.left, f.cursor = fetchScanning, len(f.state), 0
	f.progress.Stored, f.progress.Found = 0, 0
	f.spoiled, f.unsynced, f.pieces = false, 0, nil
	f.forgetAsks()
	clear(f.state)
	if f.held = s.heldUp(f); f.held {
		return
	}
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
		f.unsynced = f.progress.Found
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
