package host

import (
	"slices"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// A call is a stall when it has lasted for so long, and not before; it is told of once, and when it is over.
func TestCallThatLastsIsAStall(t *testing.T) {
	const lane = 3
	watches := make([]watch, runtime.LaneCount)
	g := guard{watches: watches, after: 10}
	for _, c := range []struct {
		now   time.Duration
		began int64 // the call that the lane is in
		want  []Stall
	}{
		{100, 0, nil},
		{101, 101, nil},
		{110, 101, nil},
		{111, 101, []Stall{{Lane: lane, For: 10}}},
		{150, 101, nil},
		{160, 0, []Stall{{Lane: lane, For: 59, Over: true}}},
		{170, 165, nil},
		{180, 175, nil}, // another one
		{190, 175, []Stall{{Lane: lane, For: 15}}},
		{200, 190, []Stall{{Lane: lane, For: 25, Over: true}, {Lane: lane, For: 10}}},
		{210, 205, []Stall{{Lane: lane, For: 20, Over: true}}},
	} {
		watches[lane].began.Store(c.began)
		if got := g.look(c.now); !slices.Equal(got, c.want) {
			t.Errorf("at %d, in a call since %d: told of %+v, want %+v", c.now, c.began, got, c.want)
		}
	}
}
