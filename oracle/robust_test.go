package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// Nodes under test say all kinds of things. Whatever a trace holds, the oracles find a
// violation or none; they do not panic.
func TestNoTraceMakesTheOraclesPanic(t *testing.T) {
	kinds := []runtime.EventKind{runtime.WorldBoot, runtime.WorldKill, runtime.WorldPanic, runtime.WorldFault, runtime.CallStart, runtime.CallReply}
	for _, info := range raft.Events {
		kinds = append(kinds, info.Kind)
	}
	found := map[string]bool{}
	for seed := range uint64(1500) {
		tr := cluster(t, func(c *Config) { c.PanicIsFailStop = true })
		if seed%2 == 0 {
			tr.operate(7, 1, 2, 1, tr.put("a"))
		}
		state := seed
		draw := func(n uint64) uint64 {
			state = runtime.Mix(state, n)
			return state >> 8 % n
		}
		for range 40 {
			kind := kinds[draw(uint64(len(kinds)))]
			var note []byte
			if draw(2) == 0 {
				note = []byte("log/1")[:draw(6)]
			}
			number := func() uint64 {
				if draw(50) == 0 {
					return ^uint64(0) >> draw(64)
				}
				return draw(5)
			}
			tr.emit(runtime.NodeID(draw(5)), kind, number(), number(), number(), number(), note...)
		}
		if v := tr.suite.Finish(); v != nil {
			found[v.Signature()] = true
		}
	}
	if len(found) < 20 {
		t.Errorf("random traces broke %d rules only", len(found))
	}
}
