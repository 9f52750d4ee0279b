package main

import (
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/walrus"
)

// writer appends to a log, one group after the other.
type writer struct {
	fs    runtime.FS
	log   *walrus.Log
	batch walrus.Batch
	bytes int // of payload in the batch
}

// groupBytes is how much payload makes a group.
const groupBytes = 1 << 20

// add counts a change of the batch, and writes the batch if it is large enough.
func (w *writer) add(bytes int) error {
	if w.bytes += bytes + 64; w.bytes < groupBytes {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.chores()
}

// flush makes the batch durable.
func (w *writer) flush() error {
	if err := w.log.Stage(&w.batch); err != nil {
		return err
	}
	w.batch.Reset()
	w.bytes = 0
	g := w.log.Cut()
	if g == nil {
		return nil
	}
	if err := walrus.Flush(w.fs, g); err != nil {
		w.log.Fail(err)
		return err
	}
	w.log.Publish(g)
	return nil
}

// chores does the background work that is due.
func (w *writer) chores() error {
	for {
		job, done := w.log.Chore()
		if job == nil {
			return nil
		}
		err := job(w.fs)
		done(err)
		if err != nil {
			return err
		}
	}
}
