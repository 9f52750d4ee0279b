package proctest

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// action is something that goes wrong, for some time.
type action struct {
	name  string
	begin func(s *schedule)
	lasts func(s *schedule) bool // if not nil: it goes on for as long as this is true, up to feltWithin
}

// actions are all there are, besides pauses.
var actions = []action{
	{name: "kill the leader", begin: func(s *schedule) { s.kill(s.leader()) }},
	{name: "kill a follower", begin: func(s *schedule) { s.kill(s.other(s.leader())) }},
	{name: "kill two", begin: func(s *schedule) {
		spared := s.any()
		s.kill((spared + 1) % size)
		s.kill((spared + 2) % size)
	}},
	{name: "kill all", begin: func(s *schedule) {
		for i := range size {
			s.kill(i)
		}
	}},
	{name: "cut the leader off", begin: func(s *schedule) {
		l := s.leader()
		s.cut(func(from, to int) bool { return from == l || to == l })
	}, lasts: (*schedule).unfelt},
	{name: "let nothing to the leader", begin: func(s *schedule) {
		l := s.leader()
		s.cut(func(_, to int) bool { return to == l })
	}, lasts: (*schedule).unfelt},
	{name: "let nothing from one", begin: func(s *schedule) {
		i := s.any()
		s.cut(func(from, _ int) bool { return from == i })
	}, lasts: (*schedule).unfelt},
	{name: "cut one link", begin: func(s *schedule) {
		i := s.any()
		j := s.other(i)
		s.cut(func(from, to int) bool { return from == i && to == j || from == j && to == i })
	}, lasts: (*schedule).unfelt},
	{name: "cut everything", begin: func(s *schedule) { s.cut(func(_, _ int) bool { return true }) }, lasts: (*schedule).unfelt},
	{name: "degrade all links", begin: func(s *schedule) { s.degrade(func(_, _ int) bool { return true }) }, lasts: (*schedule).unseen},
	{name: "degrade those of one", begin: func(s *schedule) {
		i := s.any()
		s.degrade(func(from, to int) bool { return from == i || to == i })
	}, lasts: (*schedule).unseen},
}

// feltWithin bounds how long a fault of the network waits for datagrams that feel it.
const feltWithin = 20 * time.Second

// schedule makes things go wrong in a cluster.
type schedule struct {
	*processes
	r      *rand.Rand
	counts map[string]int // of actions
	cuts   int
	before int64 // how many datagrams cuts had stopped when the last one began
}

func newSchedule(p *processes, seed uint64) *schedule {
	return &schedule{processes: p, r: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
}

func (s *schedule) any() int { return s.r.IntN(size) }

// other returns a server that is not i.
func (s *schedule) other(i int) int { return (i + 1 + s.r.IntN(size-1)) % size }

func (s *schedule) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.r.Int64N(int64(most-least)))
}

func (s *schedule) cut(which func(from, to int) bool) {
	s.cuts++
	s.before = s.network.verdicts.cut.Load()
	s.network.set(func(from, to int) rule { return rule{cut: which(from, to)} })
}

func (s *schedule) degrade(which func(from, to int) bool) {
	bad := rule{
		drop: 50 + s.r.IntN(200), duplicate: 50 + s.r.IntN(200), reorder: 50 + s.r.IntN(200),
		delay: s.between(0, 20*time.Millisecond), spread: s.between(time.Millisecond, 30*time.Millisecond),
	}
	s.network.set(func(from, to int) rule {
		if which(from, to) {
			return bad
		}
		return rule{}
	})
}

// unfelt reports whether the last cut has stopped no datagram yet.
func (s *schedule) unfelt() bool { return s.network.verdicts.cut.Load() == s.before }

// unseen reports whether there is something that bad links do and that has not been done to any datagram yet.
func (s *schedule) unseen() bool {
	v := &s.network.verdicts
	return min(v.dropped.Load(), v.duplicated.Load(), v.reordered.Load(), v.delayed.Load()) == 0
}

// await waits for as long as something is true, though not beyond feltWithin.
func (s *schedule) await(ctx context.Context, lasts func(*schedule) bool) {
	for began := time.Now(); lasts(s) && ctx.Err() == nil && time.Since(began) < feltWithin; {
		pause(ctx, 10*time.Millisecond)
	}
}

// run does everything once, in some order, and goes on until the time is over. The longest lets things be wrong for that
// long at most.
func (s *schedule) run(ctx context.Context, until time.Time, longest time.Duration) {
	all := append(slices.Clone(actions), pauses...)
	for round := 0; round == 0 || time.Now().Before(until); round++ {
		for _, i := range s.r.Perm(len(all)) {
			if ctx.Err() != nil || round > 0 && time.Now().After(until) {
				break
			}
			s.counts[all[i].name]++
			all[i].begin(s)
			pause(ctx, s.between(longest/8, longest))
			if all[i].lasts != nil {
				s.await(ctx, all[i].lasts)
			}
			if s.r.IntN(4) > 0 { // else the network stays as it is while the next thing happens
				s.network.heal()
			}
			s.mend()
			pause(ctx, s.between(longest/8, longest/2))
		}
		if ctx.Err() != nil {
			break
		}
	}
	s.network.heal()
}

// mend starts what was killed, and lets go on what was stopped.
func (s *schedule) mend() {
	for i := range size {
		if s.members[i].stopped {
			s.resume(i)
		}
		if !s.running(i) {
			s.start(i)
		}
	}
}
