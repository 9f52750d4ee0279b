package faults

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// Million is a chance of one, in parts per million.
const Million = 1_000_000

// Override fixes one choice: the draw with number Counter (from zero) at the
// site with that hash gives Value. A run is its seed and its overrides.
type Override struct {
	Site    uint64
	Counter uint64
	Value   uint64
}

// Sites holds the named choices of one world. Every value is a function of
// the root seed, the site's name and the number of the draw there and of
// nothing else, so that a draw at one site never shifts those of another. A
// Sites belongs to one world and is not safe for concurrent use.
type Sites struct {
	seed      uint64
	byHash    map[uint64]*Site
	all       []*Site    // in the order interned
	overrides []Override // sorted by site and counter, no two alike
	record    func(Override)
}

// NewSites returns the choices of the world with that seed. Of two overrides
// for the same choice the later one holds. The slice is copied.
func NewSites(seed uint64, overrides []Override) *Sites {
	s := &Sites{seed: seed, byHash: map[uint64]*Site{}}
	sorted := slices.Clone(overrides)
	slices.SortStableFunc(sorted, compareChoice)
	for i, o := range sorted {
		if i+1 < len(sorted) && compareChoice(o, sorted[i+1]) == 0 {
			continue
		}
		s.overrides = append(s.overrides, o)
	}
	return s
}

// Site returns the site with that kind, actor (who chooses) and subject (about
// what), the same one whenever it is asked for. It is for set-up: callers keep
// what it returns. The subject must come from a finite set: sites are never
// forgotten.
func (s *Sites) Site(kind string, actor, subject uint64) *Site {
	hash := siteHash(s.seed, kind, actor, subject)
	if x := s.byHash[hash]; x != nil {
		if x.kind != kind || x.actor != actor || x.subject != subject {
			panic(fmt.Sprintf("faults: sites %v and %s/%d/%d share hash %#x", x, kind, actor, subject, hash))
		}
		return x
	}
	x := &Site{hash: hash, kind: kind, actor: actor, subject: subject, set: s}
	first, _ := slices.BinarySearchFunc(s.overrides, Override{Site: hash}, compareChoice)
	last := first
	for last < len(s.overrides) && s.overrides[last].Site == hash {
		last++
	}
	x.overrides = s.overrides[first:last]
	x.watched = len(x.overrides) > 0 || s.record != nil
	s.byHash[hash] = x
	s.all = append(s.all, x)
	return x
}

// Lookup returns the interned site with that hash, or nil.
func (s *Sites) Lookup(hash uint64) *Site { return s.byHash[hash] }

// Record hands every choice made from now on to visit, in the order made, as
// the override that would repeat it. A nil visit ends that.
func (s *Sites) Record(visit func(Override)) {
	s.record = visit
	for _, x := range s.all {
		x.watched = visit != nil || len(x.overrides) > 0
	}
}

// Unused returns the overrides whose choice has not been made: at the end of a
// replay they say that the run no longer is the one that was recorded.
func (s *Sites) Unused() []Override {
	var unused []Override
	for _, o := range s.overrides {
		if x := s.byHash[o.Site]; x == nil || x.counter <= o.Counter {
			unused = append(unused, o)
		}
	}
	return unused
}

// Site is one place where something is left to chance. The smallest draw is the
// calmest: zero means no fault in Chance, the first of Below and the
// lower bound of Between and Exponential.
type Site struct {
	hash      uint64 // of seed, kind, actor and subject
	counter   uint64 // draws made
	watched   bool   // has overrides, or is recorded
	overrides []Override
	set       *Sites

	kind           string
	actor, subject uint64
}

// Hash returns what an Override calls this site.
func (x *Site) Hash() uint64 { return x.hash }

// Drawn returns how many draws were made: the counter of the next one.
func (x *Site) Drawn() uint64 { return x.counter }

// String returns the site's name, kind/actor/subject.
func (x *Site) String() string { return fmt.Sprintf("%s/%d/%d", x.kind, x.actor, x.subject) }

// Draw returns the site's next value, uniform over all of uint64.
func (x *Site) Draw() uint64 {
	k := x.counter
	x.counter++
	if x.watched {
		return x.drawWatched(k)
	}
	return choice(x.hash, k)
}

// Below draws a value from 0 to n-1; n must not be zero. The
// values differ in chance by less than n in 2^64.
func (x *Site) Below(n uint64) uint64 {
	if n == 0 {
		panic(fmt.Sprintf("faults: draw below 0 at site %v", x))
	}
	v, _ := bits.Mul64(x.Draw(), n)
	return v
}

// Chance draws whether something with that chance, in parts per million,
// happens. A chance of zero draws nothing; one of a Million or more always
// happens. What happens at a low rate also happens at a higher one.
func (x *Site) Chance(ppm uint32) bool {
	if ppm == 0 {
		return false
	}
	v, _ := bits.Mul64(x.Draw(), Million)
	return v+uint64(ppm) >= Million
}

// Between draws a duration from lo to hi, both included. If they are equal it
// draws nothing. It panics if hi is below lo.
func (x *Site) Between(lo, hi time.Duration) time.Duration {
	if hi < lo {
		panic(fmt.Sprintf("faults: draw between %v and %v at site %v", lo, hi, x))
	}
	if lo == hi {
		return lo
	}
	return lo + time.Duration(x.Below(uint64(hi)-uint64(lo)+1))
}

// drawWatched is Draw for a site that has overrides or is recorded.
func (x *Site) drawWatched(k uint64) uint64 {
	v := choice(x.hash, k)
	at := Override{Site: x.hash, Counter: k}
	if i, found := slices.BinarySearchFunc(x.overrides, at, compareChoice); found {
		v = x.overrides[i].Value
	}
	if x.set.record != nil {
		x.set.record(Override{Site: x.hash, Counter: k, Value: v})
	}
	return v
}

// siteHash is where a site's values come from. Like choice it is pinned by a
// golden test: another hash is another world for every seed.
func siteHash(seed uint64, kind string, actor, subject uint64) uint64 {
	h := runtime.HashBytes(seed, []byte(kind))
	return runtime.Mix(runtime.Mix(h, actor), subject)
}

// choice is the value of draw k at a site: a counter in steps of the golden
// ratio, finalised as SplitMix64 does.
func choice(hash, k uint64) uint64 {
	z := hash + (k+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// compareChoice orders overrides by site and counter, whatever their values.
func compareChoice(a, b Override) int {
	switch {
	case a.Site != b.Site:
		if a.Site < b.Site {
			return -1
		}
		return 1
	case a.Counter < b.Counter:
		return -1
	case a.Counter > b.Counter:
		return 1
	}
	return 0
}
