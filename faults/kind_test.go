package faults

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKindsHaveDistinctNamesAndParentsOfTheirOwn(t *testing.T) {
	seen := map[string]Kind{}
	for k := KindNone; k < KindCount; k++ {
		name := k.String()
		if other, taken := seen[name]; name == "" || taken {
			t.Errorf("kind %d is called %q, as is kind %d", k, name, other)
		}
		seen[name] = k
		if parent := k.Parent(); parent != KindNone && (parent >= k || parent.Parent() != KindNone) {
			t.Errorf("%v is part of %v, which must come before it and be part of nothing", k, parent)
		}
	}
	if got, want := KindCount.String(), fmt.Sprintf("kind(%d)", KindCount); got != want {
		t.Errorf("beyond the last: %q", got)
	}
}

func TestCountsIncludeParts(t *testing.T) {
	var c, other Counts
	c.Add(KindIO)
	c.Add(KindShortWrite)
	other.Add(KindPowerLoss)
	other.Add(KindIO)
	c.Merge(other)
	got := map[string]uint64{}
	c.Each(func(k Kind, n uint64) { got[k.String()] = n })
	want := map[string]uint64{"io": 3, "short-write": 1, "crash": 1, "power-loss": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestMissingNamesWhatWasAskedForAndNeverFired(t *testing.T) {
	s, err := Parse("io=0.1,torn=0.5,crash=any:kill,delay=1ms")
	if err != nil {
		t.Fatal(err)
	}
	var c Counts
	c.Add(KindShortWrite)
	c.Add(KindKill)
	c.Add(KindDrop) // not asked for
	if diff := cmp.Diff([]Kind{KindTorn, KindDelay}, c.Missing(s)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if missing := c.Missing(Spec{}); missing != nil {
		t.Errorf("nothing was asked for, missing: %v", missing)
	}
}

func TestCountingNothingPanics(t *testing.T) {
	for _, k := range []Kind{KindNone, KindCount} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("counted %v", k)
				}
			}()
			new(Counts).Add(k)
		}()
	}
}
