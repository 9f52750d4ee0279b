package hashi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/walrus"
)

// Snapshot takes a snapshot of the state as it is now, and returns when it is durable. If there
// is one of that state already it returns at once. When ctx is done first, it is taken nevertheless.
func (e *Engine) Snapshot(ctx context.Context) error {
	select {
	case <-e.ending:
		return raft.Refusal{Code: raft.RefusedStopping}
	default:
	}
	if index, _ := e.snapshots.newest(); index != 0 && index >= e.raft.AppliedIndex() {
		return nil
	}
	if !e.calls.enter() {
		return raft.Refusal{Code: raft.RefusedBusy}
	}
	taken := make(chan error, 1)
	go func() {
		defer e.calls.leave()
		taken <- e.raft.Snapshot().Error()
	}()
	select {
	case err := <-taken:
		if err != nil && !errors.Is(err, hraft.ErrNothingNewToSnapshot) {
			return fmt.Errorf("hashi: snapshot: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.cut:
		return e.why()
	}
}

// Status returns the replica's view of itself. The vote is not in it. Applied is what has been handed to the
// state machine; Chain says what that has executed.
func (e *Engine) Status() raft.Status {
	s := raft.Status{
		Role:    role(e.raft.State()),
		Term:    raft.Term(e.raft.CurrentTerm()),
		Leader:  e.leader(),
		Commit:  raft.Index(e.raft.CommitIndex()),
		Applied: raft.Index(e.raft.AppliedIndex()),
	}
	snapshot, term := e.snapshots.newest()
	s.Snapshot, s.Last, s.LastTerm = raft.Index(snapshot), raft.Index(snapshot), raft.Term(term)
	if index, term := e.store.last(); index != 0 {
		s.Last, s.LastTerm = raft.Index(index), raft.Term(term)
	}
	s.First = s.Last + 1
	if first, err := e.store.FirstIndex(); err == nil && first != 0 {
		s.First = raft.Index(first)
	}
	return s
}

// recovered says what recovery of the log has to say.
func (e *Engine) recovered(report *walrus.Report) {
	e.recovery = report.Verdict
	for _, f := range report.Findings {
		level := slog.LevelWarn
		if f.Verdict == walrus.Torn {
			level = slog.LevelInfo // a loss of power does that
		}
		e.cfg.Logger.Log(context.Background(), level, "recovery of the log",
			"verdict", f.Verdict, "file", f.File, "offset", f.Offset, "bytes", f.Bytes, "what", f.What)
	}
}

// Recovery returns the worst that Start has found of the log.
func (e *Engine) Recovery() walrus.Verdict { return e.recovery }

// Chain returns the index of the last command that was executed, and the chain hash there: replicas with the same
// index have the same.
func (e *Engine) Chain() (raft.Index, uint64) { return e.replica.position() }

func role(s hraft.RaftState) raft.Role {
	switch s {
	case hraft.Candidate:
		return raft.Candidate
	case hraft.Leader:
		return raft.Leader
	}
	return raft.Follower
}

// changed says that something may have changed, to who can ask already.
func (e *Engine) changed() {
	if e.started.Load() {
		e.cfg.Changed()
	}
}

// observe passes on that something has changed. It is a goroutine, and ends with the engine.
func (e *Engine) observe() {
	// One is enough: what happens while it is in the channel is seen by who looks after it.
	news := make(chan hraft.Observation, 1)
	observer := hraft.NewObserver(news, false, func(o *hraft.Observation) bool {
		switch o.Data.(type) {
		case hraft.RaftState, hraft.LeaderObservation:
			return true
		}
		return false
	})
	e.raft.RegisterObserver(observer)
	defer e.raft.DeregisterObserver(observer)
	e.changed() // what happened before
	for {
		select {
		case <-news:
			e.changed()
		case <-e.observed:
			return
		}
	}
}
