package scenarios

import (
	"testing"
	"time"
)

func TestRPCSeeds(t *testing.T) {
	for _, sc := range List() {
		if sc.Setup.Service != RPC {
			continue
		}
		for seed := range uint64(5) {
			s := sc.Setup
			s.Seed, s.Ops, s.Pace = seed, 500, 15*time.Second
			if res := mustRun(s); res.Verdict != Pass || res.Ops.Done < 250 {
				report(t, res)
				t.Logf("ops %+v", res.Ops)
			}
		}
	}
}

func TestRPCIsTheSameTwice(t *testing.T) {
	sc, _ := Lookup("rpc-chaos")
	s := sc.Setup
	s.Seed, s.Ops, s.Pace = 5, 200, 6*time.Second
	res, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != Pass {
		report(t, res)
	}
}
