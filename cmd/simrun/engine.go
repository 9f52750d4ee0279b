package main

import (
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/scenarios"
)

// engine makes runs. It is package scenarios, or a stand-in of a test.
type engine interface {
	start(s scenarios.Setup, observe func(*runtime.Record)) (live, error)
	pair(s scenarios.Setup) (live, error) // the run twice, in lockstep
}

// live is a run under way, as in package scenarios.
type live interface {
	Step() bool
	Now() runtime.Instant
	Finish() scenarios.Result
}

// simulator is the engine that simulates.
type simulator struct{}

func (simulator) start(s scenarios.Setup, observe func(*runtime.Record)) (live, error) {
	run, err := scenarios.New(s, observe)
	if err != nil {
		return nil, err
	}
	return run, nil
}

func (simulator) pair(s scenarios.Setup) (live, error) {
	pair, err := scenarios.NewPair(s)
	if err != nil {
		return nil, err
	}
	return pair, nil
}
