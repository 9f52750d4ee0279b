package hashi

import (
	"context"
	"errors"
	"sync"

	hraft "github.com/hashicorp/raft"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// roundsMax is how many barriers are under way at a time. What comes meanwhile shares the next.
const roundsMax = 4

// reads makes queries linearizable. A query is answered from the local state after a barrier that began after it:
// an entry that was committed and applied, by a leader that was one then. So the state has all that
// was acknowledged before the query. Queries that come while enough barriers are under way share one.
type reads struct {
	engine *Engine

	mu     sync.Mutex
	next   *round // collects; nil: nobody waits
	rounds int    // under way
}

// round is a barrier and those who wait for it.
type round struct {
	done chan struct{} // closed when err is known
	err  error
}

// Query answers a question: raft.StateMachine.Query, linearizably, on the leader. It blocks until the answer is there, or
// ctx is done. The outcome is Done or Refused: a question changes nothing. Only when ctx is done
// while it waits, or the engine is killed, it is Unknown, like that of a command.
func (e *Engine) Query(ctx context.Context, query []byte) (runtime.Outcome, []byte, error) {
	if len(query) > e.cfg.MaxEntryBytes {
		return refused(raft.RefusedTooLarge, 0).get()
	}
	if a, ok := e.admit(ctx); !ok {
		return a.get()
	}
	defer e.calls.leave()
	r := e.reads.join()
	select {
	case <-r.done:
	case <-ctx.Done():
		return unknown(ctx.Err()).get()
	case <-e.cut:
		return unknown(e.why()).get()
	}
	if r.err != nil {
		return e.missed(r.err).get()
	}
	response, err := e.replica.query(append([]byte(nil), query...))
	if err != nil {
		return refused(raft.RefusedStopping, 0).get()
	}
	return runtime.Done, response, nil
}

// missed says what a barrier that failed means for those who waited for it.
func (e *Engine) missed(err error) answer {
	switch a := e.classify(err); {
	case a.outcome == runtime.Refused:
		return a
	case errors.Is(err, hraft.ErrLeadershipLost):
		return refused(raft.RefusedNotLeader, e.elsewhere())
	}
	return refused(raft.RefusedStopping, 0)
}

// join returns a round that has not begun its barrier yet.
func (r *reads) join() *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	joined := r.next
	if r.rounds < roundsMax {
		r.rounds++
		r.engine.calls.add()
		go r.run()
	}
	return joined
}

// run makes barriers as long as somebody waits for one.
func (r *reads) run() {
	defer r.engine.calls.leave()
	for {
		r.mu.Lock()
		at := r.next
		r.next = nil
		if at == nil {
			r.rounds--
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		at.err = r.engine.barrier()
		close(at.done)
	}
}

// barrier waits for one, unless raft takes nothing in any more: then the end would wait for this to be found out.
func (e *Engine) barrier() error {
	if e.guard.closing.Load() {
		return hraft.ErrRaftShutdown
	}
	return e.raft.Barrier(exchangeTimeout).Error()
}
