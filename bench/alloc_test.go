package main

import (
	"testing"

	"github.com/octopii-go/octopii/scenarios"
)

// BenchmarkStack is the whole simulated stack, for profiles.
func BenchmarkStack(b *testing.B) {
	s := scenarios.Default()
	s.Ops, s.Clients, s.Keys, s.Pace, s.SnapshotEvery = b.N, 5, 1000, 0, 10_000
	run, err := scenarios.New(s, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if res := run.Finish(); res.Verdict != scenarios.Pass {
		b.Fatal(res.Violation)
	}
}
