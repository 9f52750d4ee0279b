package raft

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

var (
	randomSeeds = flag.Int("core.seeds", 80, "how many random schedules to run per cluster size")
	randomFirst = flag.Uint64("core.first", 1, "the first seed")
)

// TestCoreUnderRandomSchedules runs clusters under seeded schedules of loss,
// duplication, reordering, slow disks and crashes. The ghost checks safety at
// every event; afterwards the faults stop, and the cluster must make progress
// and agree.
func TestCoreUnderRandomSchedules(t *testing.T) {
	total := map[string]int{}
	for _, voters := range []int{1, 2, 3, 4, 5} {
		for seed := *randomFirst; seed < *randomFirst+uint64(*randomSeeds); seed++ {
			s := newSchedule(voters, seed)
			func() {
				defer func() {
					if failure := recover(); failure != nil {
						t.Logf("voters %d seed %d step %d", voters, seed, s.steps)
						panic(failure)
					}
				}()
				if err := s.run(); err != nil {
					t.Fatalf("voters %d seed %d: %v", voters, seed, err)
				}
			}()
			s.tally["committed"] = len(s.r.ghost.committed)
			s.tally["leaders"] = len(s.r.ghost.leaders)
			for what, n := range s.tally {
				total[what] += n
			}
		}
	}
	t.Log(total)
	for _, what := range []string{
		"proposals", "refused", "committed", "leaders", "crashes", "snapshots", "installs", "truncations", "reads", "spared", "hedges",
	} {
		if total[what] == 0 {
			t.Errorf("no %s in any run", what)
		}
	}
}

// schedule is one random run.
type schedule struct {
	r     *rig
	rng   *rand.Rand
	steps int

	weights   [actCount]int
	weightSum int
	bootDelay int // how many looks at a dead node until it boots, on average
	serial    int // of the last command

	tally map[string]int // of what happened, by name
}

func newSchedule(voters int, seed uint64) *schedule {
	s := &schedule{rng: rand.New(rand.NewPCG(seed, uint64(voters))), tally: map[string]int{}}
	s.r = newRig(voters, CoreConfig{
		MaxAppendBytes:      100 + s.rng.IntN(400),
		MaxInflightMessages: 1 + s.rng.IntN(8),
		MaxInflightPartial:  s.rng.IntN(4),
		MaxInflightBytes:    200 + s.rng.IntN(2000),
		MaxUncommittedBytes: 200 + s.rng.IntN(3000),
		CacheBytes:          1 + s.rng.IntN(1500),
		MaxApplyBytes:       1 + s.rng.IntN(800),
		ApplyTogether:       s.rng.IntN(6),
		Thrifty:             int(seed%3) * 4,
	})
	s.drawWeights()
	s.r.jitter = func(runtime.NodeID) uint64 { return s.rng.Uint64() }
	s.r.count = func(what string) { s.tally[what]++ }
	for _, n := range s.r.nodes {
		s.r.start(n)
	}
	return s
}

// run makes a while of chaos, twice, each followed by calm. The last calm is for
// a quorum only: the rest stays broken for good.
func (s *schedule) run() error {
	if err := s.r.pass(3 * time.Second); err != nil {
		return err
	}
	for round := range 2 {
		for range 800 {
			s.steps++
			s.act()
			s.check()
		}
		if err := s.calm(s.heal(round == 1)); err != nil {
			return err
		}
	}
	return nil
}

// heal stops the faults among a core of nodes, which it returns: a quorum at
// least, all if not partial. Each of the others is down, or mute, or deaf, or both.
func (s *schedule) heal(partial bool) []*rigNode {
	r := s.r
	clear(r.blocked)
	size := len(r.nodes)
	if quorum := size/2 + 1; partial {
		size = quorum + s.rng.IntN(size-quorum+1)
	}
	order := s.rng.Perm(len(r.nodes))
	var core []*rigNode
	for _, i := range order[:size] {
		core = append(core, r.nodes[i])
		if r.nodes[i].core == nil {
			r.start(r.nodes[i])
		}
	}
	for _, i := range order[size:] {
		n := r.nodes[i]
		mute, deaf := s.rng.IntN(2) == 0, s.rng.IntN(2) == 0
		if !mute && !deaf && n.core != nil {
			r.crash(n, 0)
		}
		for _, other := range r.nodes {
			r.blocked[[2]runtime.NodeID{n.id, other.id}] = mute
			r.blocked[[2]runtime.NodeID{other.id, n.id}] = deaf
		}
	}
	return core
}

// What may happen in a schedule. Each schedule draws its own weights, so that
// rare mixtures come up too.
const (
	actNetwork = iota
	actPersist
	actApply
	actLoad
	actPropose
	actTime
	actSnapshot
	actCrash
	actBlock
	actUnblock
	actCount
)

// drawWeights draws how likely each action is, around what makes a lively run.
func (s *schedule) drawWeights() {
	usual := [actCount]int{
		actNetwork: 480, actPersist: 150, actApply: 80, actLoad: 80, actPropose: 80, actTime: 80,
		actSnapshot: 25, actCrash: 4, actBlock: 8, actUnblock: 4,
	}
	for i, w := range usual {
		switch s.rng.IntN(4) {
		case 0:
			w = (w + 2) / 3
		case 1:
			w *= 3
		}
		s.weights[i] = w
		s.weightSum += w
	}
	s.bootDelay = 1 + s.rng.IntN(200)
}

// act does one random thing.
func (s *schedule) act() {
	r := s.r
	n := r.nodes[s.rng.IntN(len(r.nodes))]
	if n.core == nil {
		if s.rng.IntN(s.bootDelay) == 0 {
			r.start(n)
		}
		return
	}
	action, p := 0, s.rng.IntN(s.weightSum)
	for p >= s.weights[action] {
		p -= s.weights[action]
		action++
	}
	switch action {
	case actNetwork:
		s.network()
	case actPersist:
		if len(n.unsynced) > 0 {
			r.persist(n, 1+s.rng.IntN(len(n.unsynced)))
		}
	case actApply:
		if len(n.applying) > 0 {
			r.finishApply(n)
		}
	case actLoad:
		if len(n.loads) > 0 {
			r.finishLoad(n, s.rng.IntN(4) > 0)
		}
	case actPropose:
		s.propose(n)
	case actTime:
		s.time()
	case actSnapshot:
		if n.machine.index > n.core.Status().Snapshot {
			s.tally["snapshots"]++
			r.snapshot(n, uint64(max(0, s.rng.IntN(8)-5)))
		}
	case actCrash:
		s.tally["crashes"]++
		r.crash(n, s.rng.IntN(len(n.unsynced)+1))
	case actBlock:
		for range 1 + s.rng.IntN(3) {
			to := r.nodes[s.rng.IntN(len(r.nodes))]
			r.blocked[[2]runtime.NodeID{n.id, to.id}] = true
		}
	case actUnblock:
		clear(r.blocked)
	}
}

func (s *schedule) network() {
	r := s.r
	if len(r.net) == 0 {
		return
	}
	i := 0
	if s.rng.IntN(3) == 0 {
		i = s.rng.IntN(len(r.net))
	}
	switch p := s.rng.IntN(100); {
	case p < 4:
		r.net = append(r.net[:i], r.net[i+1:]...)
	case p < 8:
		r.net = append(r.net, r.net[i])
	default:
		r.deliver(i)
	}
}

func (s *schedule) propose(n *rigNode) {
	if leader := s.r.leader(); leader != nil && s.rng.IntN(4) > 0 {
		n = leader
	}
	for range 1 + s.rng.IntN(4) {
		s.serial++
		data := fmt.Appendf(nil, "%d ", s.serial)
		data = append(data, make([]byte, s.rng.IntN(150))...)
		_, err := s.r.propose(n, data)
		var notLeader *NotLeaderError
		switch {
		case err == nil:
			s.tally["proposals"]++
		case errors.Is(err, ErrBusy):
			s.tally["refused"]++
		case !errors.As(err, &notLeader):
			panic(err)
		}
	}
}

// time lets a little or a lot of it pass.
func (s *schedule) time() {
	r := s.r
	switch s.rng.IntN(4) {
	case 0:
		r.now = r.now.Add(time.Duration(s.rng.IntN(2000)) * time.Millisecond)
	default:
		r.now = r.now.Add(time.Duration(s.rng.IntN(120)) * time.Millisecond)
	}
	for _, n := range r.nodes {
		if n.core != nil && n.core.Deadline() <= r.now && s.rng.IntN(4) > 0 {
			r.tick(n)
			r.giveUp(n)
		}
	}
}

// check looks at what must hold between any two steps.
func (s *schedule) check() {
	for _, n := range s.r.nodes {
		if n.core != nil {
			checkCore(n.core)
		}
	}
}

// checkCore checks what must hold in a core at any time.
func checkCore(c *Core) {
	st := c.Status()
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic(fmt.Sprintf("%v: %s", c.cfg.ID, fmt.Sprintf(format, args...)))
		}
	}
	must(st.Applied <= c.apply.handed && c.apply.handed <= st.Commit && st.Commit <= st.Last,
		"applied %d, handed %d, commit %d, last %d", st.Applied, c.apply.handed, st.Commit, st.Last)
	must(c.writes.durable <= st.Last && c.writes.staged <= st.Last, "durable %d, staged %d, last %d",
		c.writes.durable, c.writes.staged, st.Last)
	must(c.log.cached() <= c.writes.durable+1 || c.writes.durable < c.log.base.index,
		"cached from %d, durable to %d", c.log.cached(), c.writes.durable)
	bytes := 0
	for _, e := range c.log.cache[c.log.head:] {
		bytes += entrySize(&e)
	}
	must(bytes == c.log.bytes, "cache of %d bytes counted as %d", bytes, c.log.bytes)
	if c.role != Leader {
		must(c.quota.count == 0 && c.quota.bytes == 0, "quota %+v", c.quota)
	}
	for i := range c.peers {
		p := &c.peers[i]
		must(p.window.count <= c.cfg.MaxInflightMessages, "window of %d", p.window.count)
		must(p.window.count <= 1 || p.window.bytes <= c.cfg.MaxInflightBytes, "window of %d bytes", p.window.bytes)
		must(c.role == Leader || p.window.count == 0 && p.window.bytes == 0, "window without office")
		must(c.role != Leader || p.match < p.next && p.next <= st.Last+1, "match %d, next %d, last %d", p.match, p.next, st.Last)
	}
}

// calm checks that a core of nodes recovers, settles on a leader, and agrees.
func (s *schedule) calm(core []*rigNode) error {
	r := s.r
	if err := r.pass(10 * time.Second); err != nil {
		return err
	}
	leader := r.leader()
	if leader == nil || !slices.Contains(core, leader) {
		return errors.New("no leader in calm weather")
	}
	term := leader.core.term
	if err := agreed(core, leader); err != nil {
		return fmt.Errorf("before any proposal: %w", err)
	}
	if _, err := r.propose(leader, []byte("calm")); err != nil {
		return fmt.Errorf("proposal in calm weather: %w", err)
	}
	if err := r.pass(5 * time.Second); err != nil {
		return err
	}
	if leader.core.role != Leader || leader.core.term != term {
		return fmt.Errorf("%v lost term %d in calm weather", leader.id, term)
	}
	if err := agreed(core, leader); err != nil {
		return err
	}
	if q := leader.core.quota; q.count != 0 || q.bytes != 0 {
		return fmt.Errorf("at rest the quota counts %d entries, %d bytes", q.count, q.bytes)
	}
	for i := range leader.core.peers {
		p := &leader.core.peers[i]
		if slices.Contains(core, r.node(p.id)) && (p.window.count != 0 || p.window.bytes != 0) {
			return fmt.Errorf("at rest the window has %d appends, %d bytes", p.window.count, p.window.bytes)
		}
	}
	return nil
}

// agreed reports a node that differs from the leader.
func agreed(nodes []*rigNode, leader *rigNode) error {
	for _, n := range nodes {
		st := n.core.Status()
		if st.Term != leader.core.term {
			return fmt.Errorf("%v is in term %d, the leader in %d", n.id, st.Term, leader.core.term)
		}
		if st.Applied != leader.core.log.last || n.machine.chain != leader.machine.chain {
			return fmt.Errorf("%v has applied %d, the leader's last is %d", n.id, st.Applied, leader.core.log.last)
		}
		checkCore(n.core)
	}
	return nil
}
