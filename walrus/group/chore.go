package group

import "github.com/octopii-go/octopii/runtime"

// skipMax bounds how many flushes go by between two attempts at a chore that fails.
const skipMax = 1 << 10

// chores is the state of the background work: preparing segments, removing old ones.
type chores struct {
	busy bool  // a goroutine is at it
	held bool  // none is to begin: the log is being reopened
	err  error // of the last attempt
	skip int   // flushes to let go by before the next attempt
	wait int   // what skip is set to after the next failure
}

// tend starts a goroutine for the chores if any are due. The caller holds mu.
func (l *Log) tend() {
	if l.chores.busy || l.chores.held || l.closing {
		return
	}
	if l.chores.skip > 0 {
		l.chores.skip--
		return
	}
	if job, done := l.log.Chore(); job != nil {
		l.chores.busy = true
		go l.work(job, done)
	}
}

// work does one chore after the other until none is due, one fails, or the log is
// closed. A failed chore hurts nobody: it is due again after some flushes, of
// which there are more and more as long as it goes on to fail.
func (l *Log) work(job func(runtime.FS) error, done func(error)) {
	for job != nil {
		err := job(l.disk)
		l.mu.Lock()
		done(err)
		if idle := l.expire(); len(idle) > 0 {
			l.mu.Unlock()
			closeReaders(idle)
			l.mu.Lock()
		}
		c := &l.chores
		c.err, job = err, nil
		switch {
		case err != nil:
			c.wait = min(max(1, 2*c.wait), skipMax)
			c.skip = c.wait
		case !l.closing && !c.held:
			c.wait = 0
			job, done = l.log.Chore()
		}
		c.busy = job != nil
		l.callNext()
		l.nowIdle()
		l.mu.Unlock()
	}
}
