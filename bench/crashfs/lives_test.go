package crashfs

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// The topics of a life: the second repeats the first, the third stands alone.
const (
	mainTopic walrus.Topic = iota + 1
	mirrorTopic
	loneTopic
)

// lives is how many lives a seed has, seeds how many there are: about ten seconds.
const (
	lives = 12
	seeds = 250
)

// state is what a log holds: the texts of entries by topic, from first on, and the keys.
type state struct {
	first map[walrus.Topic]uint64
	texts map[walrus.Topic][]string
	keys  map[uint16]string
}

func newState() state {
	return state{
		first: map[walrus.Topic]uint64{mainTopic: 1, loneTopic: 1},
		texts: map[walrus.Topic][]string{}, keys: map[uint16]string{},
	}
}

func (s state) clone() state {
	c := state{first: maps.Clone(s.first), texts: maps.Clone(s.texts), keys: maps.Clone(s.keys)}
	for t, texts := range c.texts {
		c.texts[t] = slices.Clone(texts)
	}
	return c
}

func (s state) next(t walrus.Topic) uint64 { return s.first[t] + uint64(len(s.texts[t])) }

// String tells states apart.
func (s state) String() string {
	return fmt.Sprint(s.first, s.texts[mainTopic], s.texts[loneTopic], s.keys)
}

// tried is a log on a Disk with what it may hold.
type tried struct {
	disk     *Disk
	rng      *rand.Rand
	log      *walrus.Log
	durable  state   // acknowledged
	may      []state // what the log may hold instead, if it dies now
	ahead    state   // with all that is staged
	words    int
	recovers int // that found something
	both     [2]int
}

func newTried(seed uint64, lie ...string) *tried {
	d := New(seed)
	d.Lies = lie
	return &tried{disk: d, rng: rand.New(rand.NewPCG(seed, 2)), durable: newState()}
}

// life opens the log, compares it with what it must hold, and works until something ends it. It
// returns what is wrong.
func (l *tried) life() (wrong error) {
	l.disk.CrashIn, l.disk.SyncFails = 1+l.rng.IntN(200), 10*l.rng.IntN(3)
	defer func() {
		if p := recover(); p != nil && p != (Crash{}) {
			panic(p)
		}
		l.log = nil
		if l.rng.IntN(3) == 0 {
			l.disk.Restart()
		} else {
			l.disk.PowerLoss([]int{0, 50, 100, l.rng.IntN(101)}[l.rng.IntN(4)])
		}
	}()
	log, _, err := walrus.Open(l.disk, walrus.Options{
		Dir: "log", Seed: l.rng.Uint64(), SegmentBytes: 16 << 10, GroupBytes: 16 << 10,
		Mirror: []walrus.Mirror{{Main: mainTopic, Recovery: mirrorTopic}},
	})
	switch {
	case errors.Is(err, walrus.ErrCorrupt):
		return fmt.Errorf("nothing was damaged: %w", err)
	case err != nil:
		return nil // a sync has failed
	}
	l.log = log
	if err := l.recovered(); err != nil {
		return err
	}
	for {
		l.stage()
		if group := log.Cut(); group != nil {
			l.may = []state{l.ahead.clone()}
			if err := walrus.Flush(l.disk, group); err != nil {
				log.Fail(err)
				return nil
			}
			log.Publish(group)
			l.durable, l.may = l.may[0], nil
		}
		for range l.rng.IntN(3) {
			if job, done := log.Chore(); job != nil {
				done(job(l.disk))
			}
		}
	}
}

// recovered compares the log with the states that it may be in.
func (l *tried) recovered() error {
	got, err := l.read()
	if err != nil {
		return err
	}
	for i, want := range append([]state{l.durable}, l.may...) {
		if got.String() != want.String() {
			continue
		}
		if len(l.durable.texts) > 0 {
			l.recovers++
		}
		if len(l.may) > 0 {
			l.both[i]++
		}
		l.durable, l.may, l.ahead = want, nil, want.clone()
		return nil
	}
	return fmt.Errorf("the log holds\n%v\nwant\n%v\nor %v", got, l.durable, l.may)
}

// read returns all that the log holds.
func (l *tried) read() (state, error) {
	s := newState()
	for t := range s.first {
		lo, next := l.log.Bounds(t)
		s.first[t] = lo
		for lo < next {
			extents, err := l.log.Locate(t, lo, next, 4<<10)
			if err != nil {
				return s, err
			}
			err = walrus.ReadExtents(l.disk, extents, func(_, _ uint64, _ uint8, p []byte) error {
				s.texts[t] = append(s.texts[t], string(p))
				return nil
			})
			l.log.Release(extents)
			if err != nil {
				return s, err
			}
			lo = extents[len(extents)-1].Hi
		}
	}
	first, next := l.log.Bounds(mirrorTopic)
	if first != s.first[mainTopic] || next != s.next(mainTopic) {
		return s, fmt.Errorf("the mirror holds [%d,%d) of %v", first, next, s)
	}
	for key := range uint16(4) {
		if value, found := l.log.Get(key); found {
			s.keys[key] = string(value)
		}
	}
	return s, nil
}

// word returns a text that is written once, sometimes a long one.
func (l *tried) word() string {
	l.words++
	size := l.rng.IntN(100)
	if l.rng.IntN(10) == 0 {
		size = l.rng.IntN(9 << 10)
	}
	return fmt.Sprintf("%d%*s", l.words, size, "")
}

// stage stages a few batches.
func (l *tried) stage() {
	for range 1 + l.rng.IntN(3) {
		var b walrus.Batch
		s := l.ahead.clone()
		for range 1 + l.rng.IntN(4) {
			l.change(&b, &s)
		}
		if err := l.log.Stage(&b); err == nil {
			l.ahead = s
		} else if !errors.Is(err, walrus.ErrFull) && !errors.Is(err, walrus.ErrTooLarge) {
			panic(err)
		}
	}
}

// change puts a change into the batch and the state.
func (l *tried) change(b *walrus.Batch, s *state) {
	t := []walrus.Topic{mainTopic, loneTopic}[l.rng.IntN(2)]
	have := uint64(len(s.texts[t]))
	switch dice := l.rng.IntN(20); {
	case dice < 14:
		word := l.word()
		b.Entry(t, s.next(t), 1, 0, []byte(word))
		s.texts[t] = append(s.texts[t], word)
	case dice < 16:
		key, word := uint16(l.rng.IntN(4)), l.word()
		b.Set(key, []byte(word))
		s.keys[key] = word
	case dice < 18:
		drop := l.rng.Uint64N(min(have, 5) + 1)
		b.TruncateBack(t, s.next(t)-drop)
		s.texts[t] = s.texts[t][:have-drop]
	default:
		drop := l.rng.Uint64N(have + 1)
		s.first[t] += drop
		b.TruncateFront(t, s.first[t])
		s.texts[t] = s.texts[t][drop:]
	}
}

// Whatever pebble's disk leaves of a log that dies at any file call, whose syncs fail now
// and then, in recovery, too: the log holds what was acknowledged, and of the group under way
// all or nothing.
func TestLogLivesOnPebblesDisk(t *testing.T) {
	recovers, both := 0, [2]int{}
	for seed := range uint64(seeds) {
		l := newTried(seed)
		for life := range lives {
			if err := l.life(); err != nil {
				t.Fatalf("seed %d, life %d: %v", seed, life+1, err)
			}
		}
		recovers += l.recovers
		both[0], both[1] = both[0]+l.both[0], both[1]+l.both[1]
	}
	t.Logf("%d recoveries; the group under way was gone in %d, there in %d", recovers, both[0], both[1])
	if recovers < seeds*lives/4 || both[0] == 0 || both[1] == 0 {
		t.Error("that shows too little")
	}
}

// The test sees a disk that does not do what it says.
func TestLiesAreSeen(t *testing.T) {
	for _, lie := range []string{"sync", "syncdir"} {
		seen := false
		for seed := uint64(0); seed < seeds && !seen; seed++ {
			l := newTried(seed, lie)
			for life := 0; life < lives && !seen; life++ {
				if seen = l.life() != nil; seen {
					t.Logf("%s: seen by seed %d in life %d", lie, seed, life+1)
				}
			}
		}
		if !seen {
			t.Errorf("%s: a disk on which it does nothing passes", lie)
		}
	}
}
