package scenarios

import (
	"testing"
	"time"
)

func TestShipSeeds(t *testing.T) {
	for _, sc := range List() {
		if sc.Setup.Service != Ship {
			continue
		}
		for seed := range uint64(3) {
			s := sc.Setup
			s.Seed, s.Ops, s.Pace = seed, 100, 10*time.Second
			if res := mustRun(s); res.Verdict != Pass || res.Ops.Done < 50 {
				report(t, res)
				t.Logf("ops %+v", res.Ops)
			}
		}
	}
}

func TestShippingIsTheSameTwice(t *testing.T) {
	sc, _ := Lookup("ship-chaos")
	s := sc.Setup
	s.Seed, s.Ops, s.Pace = 5, 40, 3*time.Second
	res, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != Pass {
		report(t, res)
	}
}
