package transport

import (
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// How a fetch treats its sources.
const (
	windowFirst = 2                      // chunks asked of a source at once, in the beginning, and when the trip is measured anew
	queueLeast  = 3                      // of those, how many should wait somewhere on the way, so that the way is never empty,
	queueMost   = 6                      // and how many are enough: after a cut they are sent in vain
	remeasure   = 1024                   // answers after which the shortest trip is measured anew: the way may be another
	answerMin   = 200 * time.Millisecond // a source is waited for at least as long,
	answerMax   = 5 * time.Second        // and at most
	restUnknown = time.Second            // before a source that did not know the object is asked again
	restBusy    = 50 * time.Millisecond
	restDamaged = 5 * time.Second
	runMost     = 4 // chunks of which a source is asked in a row while there are others
)

// ask is something asked of a source.
type ask struct {
	source   int    // index into fetch.sources
	index    uint32 // of the chunk, or indexManifest
	at       runtime.Instant
	deadline runtime.Instant
}

// shipPeer is a source, as a fetch sees it.
type shipPeer struct {
	id     runtime.NodeID
	asked  int             // asks under way
	window int             // how many there may be: see answered; half with each silence
	full   bool            // there were as many: it is asked again when half of them are answered, for as many
	trip   time.Duration   // from ask to answer, smoothed
	least  time.Duration   // the shortest trip; zero: not measured
	counts int             // answers since that is measured
	paced  bool            // the window has been large enough once: it changes but once a trip
	moved  runtime.Instant // when it did
	silent int             // asks without an answer since the last one
	rest   runtime.Instant // not to be asked before
}

// patience returns how long the source is waited for.
func (p *shipPeer) patience() time.Duration {
	return min(max(answerMin, 4*p.trip)<<min(p.silent, 5), answerMax)
}

// answered notes an answer to what was asked at that time, and adapts the window, which is at most most.
//
// What is under way takes as long as the shortest trip when nothing waits: so of the window, the part by which trips are
// longer than that waits, somewhere between the source's disk and here. A few chunks should, not more: it would be
// no faster, and all that is under way is sent in vain when there is a cut.
func (p *shipPeer) answered(now, at runtime.Instant, most int) {
	trip := max(now.Sub(at), 1)
	if p.trip == 0 {
		p.trip = trip
	}
	p.trip += (trip - p.trip) / 4
	p.silent = 0
	if p.least == 0 || trip < p.least {
		p.least = trip
	}
	if p.counts++; p.counts > remeasure {
		p.counts, p.least, p.paced = 0, 0, false
		p.window = min(p.window, windowFirst)
		return
	}
	if p.paced && now < p.moved.Add(p.trip) {
		return
	}
	p.moved = now
	switch queued := int(int64(p.window) * int64(max(p.trip-p.least, 0)) / int64(p.trip)); {
	case queued < queueLeast:
		p.window = min(p.window+1, most)
	case queued > queueMost:
		p.window = max(p.window-1, windowFirst)
		p.paced = true
	default:
		p.paced = true
	}
}

// shrink notes that something asked for will not come.
func (p *shipPeer) shrink() { p.window, p.paced = max(p.window/2, 1), false }

// ready reports whether the source may be asked now. One that had its window full is asked when there is room for several
// asks: they leave in one packet, and cost both sides little more than one.
func (p *shipPeer) ready(now runtime.Instant) bool {
	if p.asked >= p.window {
		p.full = true
	} else if p.asked <= p.window-max(p.window/2, 1) {
		p.full = false
	}
	return !p.full && p.rest <= now
}

// peer returns a source, nil if the node is none.
func (f *fetch) peer(id runtime.NodeID) *shipPeer {
	i := slices.IndexFunc(f.sources, func(p shipPeer) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return &f.sources[i]
}

// askMore asks for what is missing, as far as the windows and the rate allow.
func (s *Shipper) askMore(now runtime.Instant, f *fetch) {
	if f.phase != fetchAsking && f.phase != fetchReceiving {
		return
	}
	var run askRun
	for {
		index, wanted := f.want(s.cfg.Window)
		if !wanted {
			break
		}
		source := f.pick(now)
		if source < 0 {
			for i := range f.sources {
				if p := &f.sources[i]; p.rest > now {
					s.due(p.rest)
				}
			}
			break
		}
		if index != indexManifest && !f.pace.take(now, f.manifest.length(int(index))) {
			s.due(f.pace.next)
			break
		}
		s.ask(now, f, source, index)
		if to := f.sources[source].id; !run.extend(to, index) {
			s.sendRun(f, run)
			run = askRun{to: to, index: index, count: 1}
		}
	}
	s.sendRun(f, run)
	s.due(f.fedAt.Add(s.cfg.Patience))
}

// want returns what to ask for next, if anything.
func (f *fetch) want(window int) (uint32, bool) {
	if f.phase == fetchAsking {
		return indexManifest, len(f.asks) == 0
	}
	// What waits for the disk must not keep the source waiting, up to a point.
	if len(f.asks) >= window || len(f.asks)+len(f.pieces)+f.writing >= 2*window {
		return 0, false
	}
	for f.cursor < len(f.state) && f.state[f.cursor] != chunkMissing {
		f.cursor++
	}
	return uint32(f.cursor), f.cursor < len(f.state)
}

// pick returns the source to be asked next, -1 if all have enough to do. They take turns of a few chunks, but those that
// do not answer come last: what is asked of them is waited for in vain.
func (f *fetch) pick(now runtime.Instant) int {
	best := -1
	for i := range f.sources {
		at := (f.turn + i) % len(f.sources)
		p := &f.sources[at]
		if p.ready(now) && (best < 0 || p.silent < f.sources[best].silent) {
			best = at
		}
	}
	if best < 0 {
		return best
	}
	if f.turn != best {
		f.turn, f.run = best, 0
	}
	if f.run++; f.run == runMost {
		f.turn, f.run = (best+1)%len(f.sources), 0
	}
	return best
}

// askRun is what one message asks of a source: chunks that follow each other, or the manifest.
type askRun struct {
	to    runtime.NodeID
	index uint32
	count uint32 // zero: nothing
}

// extend adds a chunk, if it is the next one.
func (r *askRun) extend(to runtime.NodeID, index uint32) bool {
	next := r.count > 0 && r.count < rangeMax && r.to == to && r.index+r.count == index
	if next {
		r.count++
	}
	return next
}

func (s *Shipper) sendRun(f *fetch, r askRun) {
	switch {
	case r.count == 0:
	case r.index == indexManifest:
		s.send(r.to, &shipMessage{kind: kindAsk, digest: f.order.Digest, index: indexManifest})
	default:
		s.send(r.to, &shipMessage{kind: kindGet, digest: f.order.Digest, index: r.index, extra: r.count - 1})
	}
}

// ask notes what a source is asked for: a chunk or the manifest.
func (s *Shipper) ask(now runtime.Instant, f *fetch, source int, index uint32) {
	p := &f.sources[source]
	p.asked++
	a := ask{source: source, index: index, at: now, deadline: now.Add(p.patience())}
	f.asks = append(f.asks, a)
	s.due(a.deadline)
	if index != indexManifest {
		f.state[index] = chunkAsked
	}
}

// forgetAsks forgets all that is asked for.
func (f *fetch) forgetAsks() {
	f.asks = f.asks[:0]
	for i := range f.sources {
		f.sources[i].asked = 0
	}
}

// drop forgets the i-th ask. What it asked for is missing again.
func (f *fetch) drop(i int) *shipPeer {
	a := f.asks[i]
	f.asks = slices.Delete(f.asks, i, i+1)
	p := &f.sources[a.source]
	p.asked--
	if a.index != indexManifest && f.state[a.index] == chunkAsked {
		f.miss(int(a.index))
	}
	return p
}

// answer notes that a node has sent what it may have been asked for.
func (f *fetch) answer(now runtime.Instant, from runtime.NodeID, index uint32, most int) {
	for i := 0; i < len(f.asks); {
		a := f.asks[i]
		if a.index != index {
			i++
			continue
		}
		if p := f.drop(i); p.id == from {
			p.answered(now, a.at, most)
		}
	}
}

// expireAsks gives up what was asked for too long ago. It will be asked for again, of
// the next source.
func (s *Shipper) expireAsks(now runtime.Instant, f *fetch) {
	for i := 0; i < len(f.asks); {
		if f.asks[i].deadline > now {
			s.due(f.asks[i].deadline)
			i++
			continue
		}
		p := f.drop(i)
		p.silent++
		p.shrink()
	}
}

// denied takes the word of a source that it will not send something.
func (s *Shipper) denied(now runtime.Instant, f *fetch, from runtime.NodeID, m *shipMessage) {
	rest := restUnknown
	switch m.extra {
	case noneBusy:
		rest = restBusy
	case noneDamaged:
		rest = restDamaged
	}
	s.give(now, f, from, m.index, rest)
}

// disappointed lets a source rest that has sent something wrong.
func (s *Shipper) disappointed(now runtime.Instant, f *fetch, from runtime.NodeID, index uint32) {
	s.give(now, f, from, index, restDamaged)
}

// give lets a source rest, if it was asked for that.
func (s *Shipper) give(now runtime.Instant, f *fetch, from runtime.NodeID, index uint32, rest time.Duration) {
	i := slices.IndexFunc(f.asks, func(a ask) bool { return a.index == index && f.sources[a.source].id == from })
	if i < 0 {
		return
	}
	p := f.drop(i)
	p.shrink()
	p.rest = max(p.rest, now.Add(rest))
	s.due(p.rest)
}
