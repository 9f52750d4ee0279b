package faults

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The values below are part of every seed: a change here is a breaking one
// that invalidates the seeds kept, and its commit must say so.
func TestChoicesArePinned(t *testing.T) {
	s := NewSites(42, nil)
	x := s.Site("disk.io", 2, 3)
	long := s.Site("a kind with a long name", 1<<63, 0)
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"hash", x.Hash(), 0x1d91833b150906a0},
		{"draw 0", x.Draw(), 0x9d0ea2782dfcd4c8},
		{"draw 1", x.Draw(), 0xfe6d5f3e5aa8754a},
		{"below", x.Below(1000), 0x3de},
		{"between", uint64(x.Between(time.Second, time.Minute)), 0xdd45550c4},
		{"exponential", uint64(x.Exponential(time.Second)), 0x2ded784f},
		{"long", long.Draw(), 0xa56148da15bc1578},
		{"seed zero", NewSites(0, nil).Site("", 0, 0).Draw(), 0x592558bb63c4a797},
		{"the first value of SplitMix64", choice(0, 0), 0xe220a8397b1dcdaf},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestSitesAreInterned(t *testing.T) {
	s := NewSites(1, nil)
	x := s.Site("net.drop", 1, 2)
	if s.Site("net.drop", 1, 2) != x || s.Lookup(x.Hash()) != x {
		t.Error("the same name gave another site")
	}
	for _, other := range []*Site{s.Site("net.drop", 2, 1), s.Site("net.dup", 1, 2), s.Site("net.drop", 1, 3)} {
		if other == x || other.Hash() == x.Hash() {
			t.Errorf("%v is the same site as %v", other, x)
		}
	}
	if got, want := x.String(), "net.drop/1/2"; got != want {
		t.Errorf("name: got %q, want %q", got, want)
	}
}

func TestDrawsElsewhereShiftNothing(t *testing.T) {
	alone, busy := NewSites(9, nil), NewSites(9, nil)
	x, y, other := alone.Site("x", 1, 1), busy.Site("x", 1, 1), busy.Site("y", 1, 1)
	for i := range 100 {
		for range i % 3 {
			other.Draw()
			busy.Site("new", uint64(i), 0).Draw()
		}
		if a, b := x.Draw(), y.Draw(); a != b {
			t.Fatalf("draw %d: %#x alone, %#x beside others", i, a, b)
		}
	}
}

func TestDialAtZeroDrawsNothing(t *testing.T) {
	x := NewSites(1, nil).Site("x", 0, 0)
	if x.Chance(0) || x.Exponential(0) != 0 || x.Between(7, 7) != 7 {
		t.Error("a dial at zero had an effect")
	}
	if x.Drawn() != 0 {
		t.Errorf("a dial at zero made %d draws", x.Drawn())
	}
}

func TestOverridesReplaceOnlyTheirChoice(t *testing.T) {
	plain := NewSites(5, nil).Site("x", 1, 1)
	hash := plain.Hash()
	s := NewSites(5, []Override{
		{Site: hash, Counter: 3, Value: 33},
		{Site: hash, Counter: 1, Value: 10},
		{Site: hash, Counter: 1, Value: 11}, // the later one holds
		{Site: hash, Counter: 99, Value: 1},
		{Site: hash + 1, Counter: 0, Value: 1},
	})
	x := s.Site("x", 1, 1)
	for i := range 6 {
		want := plain.Draw()
		switch i {
		case 1:
			want = 11
		case 3:
			want = 33
		}
		if got := x.Draw(); got != want {
			t.Errorf("draw %d: got %#x, want %#x", i, got, want)
		}
	}
	want := []Override{{Site: hash, Counter: 99, Value: 1}, {Site: hash + 1, Counter: 0, Value: 1}}
	if hash+1 < hash {
		want[0], want[1] = want[1], want[0]
	}
	if diff := cmp.Diff(want, s.Unused()); diff != "" {
		t.Errorf("unused overrides (-want +got):\n%s", diff)
	}
}

func TestRecordedChoicesReplayUnderAnotherSeed(t *testing.T) {
	run := func(s *Sites) (values []uint64) {
		a, b := s.Site("a", 1, 1), s.Site("b", 1, 1)
		for range 20 {
			values = append(values, a.Draw())
			if a.Chance(500_000) {
				values = append(values, b.Below(10))
			}
		}
		return values
	}
	var recorded []Override
	s := NewSites(1, nil)
	early := s.Site("a", 1, 1)
	s.Record(func(o Override) { recorded = append(recorded, o) })
	want := run(s)
	s.Record(nil)
	n := len(recorded)
	early.Draw()
	if len(recorded) != n {
		t.Error("recording went on after its end")
	}
	if diff := cmp.Diff(want, run(NewSites(1, recorded))); diff != "" {
		t.Errorf("replay differs (-want +got):\n%s", diff)
	}
	// Overrides win over the seed's own values, also when those differ.
	for i := range recorded {
		recorded[i].Value = ^recorded[i].Value
	}
	if cmp.Equal(want, run(NewSites(1, recorded))) {
		t.Error("changed overrides changed nothing")
	}
}

func TestZeroIsTheCalmestValue(t *testing.T) {
	var all []Override
	hash := NewSites(1, nil).Site("x", 0, 0).Hash()
	for k := range uint64(4) {
		all = append(all, Override{Site: hash, Counter: k})
	}
	x := NewSites(1, all).Site("x", 0, 0)
	if x.Chance(Million - 1) {
		t.Error("Chance: got a fault")
	}
	if v := x.Below(10); v != 0 {
		t.Errorf("Below: got %d", v)
	}
	if v := x.Between(3, 9); v != 3 {
		t.Errorf("Between: got %v", v)
	}
	if v := x.Exponential(time.Hour); v > time.Microsecond {
		t.Errorf("Exponential: got %v", v)
	}
}

func TestChanceHitsItsRateAndIsMonotone(t *testing.T) {
	const n = 200_000
	low, high := NewSites(3, nil).Site("x", 1, 1), NewSites(3, nil).Site("x", 1, 1)
	hits := 0
	for range n {
		l, h := low.Chance(150_000), high.Chance(160_000)
		if l && !h {
			t.Fatal("a fault of the lower rate is missing at the higher one")
		}
		if l {
			hits++
		}
	}
	if want := n * 15 / 100; hits < want-800 || hits > want+800 {
		t.Errorf("rate 0.15: %d hits in %d draws", hits, n)
	}
	if !low.Chance(Million) || !low.Chance(math.MaxUint32) {
		t.Error("a chance of one did not happen")
	}
}

func TestBelowAndBetweenCoverTheirRange(t *testing.T) {
	x := NewSites(4, nil).Site("x", 1, 1)
	var seen [7]int
	for range 7000 {
		seen[x.Below(7)]++
		if d := x.Between(-2, 2); d < -2 || d > 2 {
			t.Fatalf("Between(-2, 2) gave %d", d)
		}
	}
	for v, n := range seen {
		if n < 850 || n > 1150 {
			t.Errorf("Below(7) gave %d %d times in 7000", v, n)
		}
	}
}

func TestExponentialHasItsMeanAndShape(t *testing.T) {
	const n = 200_000
	mean := 5 * time.Second
	x := NewSites(6, nil).Site("x", 1, 1)
	var sum float64
	over := [4]int{} // draws above 0, 1, 2 and 3 means
	for range n {
		d := x.Exponential(mean)
		if d < 0 || d > exponentialCap*mean {
			t.Fatalf("got %v", d)
		}
		sum += float64(d)
		for i := range over {
			if d > time.Duration(i)*mean {
				over[i]++
			}
		}
	}
	if got := sum / n / float64(mean); got < 0.99 || got > 1.01 {
		t.Errorf("mean: got %.4f of what was asked for", got)
	}
	for i, got := range over {
		if want := n * math.Exp(-float64(i)); math.Abs(float64(got)-want) > 0.05*want {
			t.Errorf("above %d means: got %d, want about %.0f", i, got, want)
		}
	}
}

func TestNegativeLogAgreesWithTheRealOne(t *testing.T) {
	for shift := range 64 {
		for _, w := range []uint64{1<<63 | 1, 3<<62 - 1, 3 << 62, math.MaxUint64, 0xb504f333f9de6484} {
			w >>= shift
			got := float64(negativeLog(w)) / (1 << 32)
			want := min(-math.Log(float64(w)/(1<<64)), exponentialCap)
			if math.Abs(got-want) > 1e-4 {
				t.Errorf("-ln(%#x / 2^64): got %.6f, want %.6f", w, got, want)
			}
		}
	}
	if negativeLog(0) != exponentialCap<<32 {
		t.Error("-ln(0) is not the cap")
	}
	for i, v := range logTable {
		if want := math.Round(math.Log2(1+float64(i)/64) * (1 << 32)); float64(v) != want {
			t.Errorf("logTable[%d]: got %#x, want %#x", i, v, uint64(want))
		}
	}
	if got := NewSites(1, nil).Site("x", 0, 0).Exponential(meanMax); got < 0 {
		t.Errorf("longest mean overflows: %v", got)
	}
}

func TestMisuseOfASitePanics(t *testing.T) {
	x := NewSites(1, nil).Site("x", 0, 0)
	for name, f := range map[string]func(){
		"below zero":       func() { x.Below(0) },
		"between reversed": func() { x.Between(2, 1) },
		"negative mean":    func() { x.Exponential(-1) },
		"endless mean":     func() { x.Exponential(meanMax + 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestDrawDoesNotAllocate(t *testing.T) {
	x := NewSites(1, nil).Site("x", 0, 0)
	if n := testing.AllocsPerRun(100, func() { x.Draw(); x.Chance(5); x.Exponential(time.Second) }); n != 0 {
		t.Errorf("%v allocations a draw", n)
	}
}

func BenchmarkDraw(b *testing.B) {
	x := NewSites(1, nil).Site("x", 0, 0)
	for b.Loop() {
		x.Draw()
	}
}

func BenchmarkChance(b *testing.B) {
	x := NewSites(1, nil).Site("x", 0, 0)
	for b.Loop() {
		x.Chance(150_000)
	}
}

func BenchmarkExponential(b *testing.B) {
	x := NewSites(1, nil).Site("x", 0, 0)
	for b.Loop() {
		x.Exponential(time.Second)
	}
}
