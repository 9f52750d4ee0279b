package main

import (
	"errors"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

const (
	mainTopic walrus.Topic = 1
	twinTopic walrus.Topic = 2

	// unsyncedBytes is how much the direct driver stages before it hands a group to the
	// operating system, when nobody waits for durability.
	unsyncedBytes = 128 << 10
	// scanWindow is how much payload a scan locates at a time.
	scanWindow = 1 << 20
)

// walrusStore drives package walrus from one goroutine: stage, cut, flush,
// publish. Chores, which prepare the next segment, are done one after each flush, as
// on a node's log lane, and are part of the time measured.
type walrusStore struct {
	folder *host.Folder
	fs     runtime.FS
	log    *walrus.Log
	batch  walrus.Batch
	next   uint64
	dual   bool // every payload goes to a second topic too
	o      walrus.Options
	reader *walrus.Reader
	places []walrus.Extent
	got    []byte
	take   walrus.Visit
}

func openWalrus(s setup) (store, error)     { return newWalrus(s, walrus.Options{}, false) }
func openWalrusDual(s setup) (store, error) { return newWalrus(s, walrus.Options{}, true) }
func openWalrusMirror(s setup) (store, error) {
	return newWalrus(s, walrus.Options{Mirror: []walrus.Mirror{{Main: mainTopic, Recovery: twinTopic}}}, false)
}

// newWalrus opens a log with the default sizes.
func newWalrus(s setup, o walrus.Options, dual bool) (store, error) {
	folder, err := host.OpenFolder(s.dir)
	if err != nil {
		return nil, err
	}
	w := &walrusStore{folder: folder, fs: folder, dual: dual, next: 1, o: o}
	if s.noSync {
		w.fs = lazyFS{folder}
	}
	if err := w.reopen(); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	w.take = func(_, _ uint64, _ uint8, payload []byte) error {
		w.got = append(w.got[:0], payload...)
		return nil
	}
	w.reader = walrus.NewReader(w.fs)
	for w.chore() {
	}
	return w, nil
}

// reopen opens the log, with another seed each time.
func (w *walrusStore) reopen() (err error) {
	w.o.Dir = "log"
	w.o.Seed++
	w.log, _, err = walrus.Open(w.fs, w.o)
	return err
}

func (w *walrusStore) shut() error {
	for w.chore() {
	}
	return w.log.Close(w.fs)
}

// chore does one piece of background work, and reports whether there was one.
func (w *walrusStore) chore() bool {
	job, done := w.log.Chore()
	if job == nil {
		return false
	}
	err := job(w.fs)
	done(err)
	return err == nil
}

// entry adds an entry to the batch.
func (w *walrusStore) entry(payload []byte) {
	w.batch.Entry(mainTopic, w.next, 1, 0, payload)
	if w.dual {
		w.batch.Entry(twinTopic, w.next, 1, 0, payload)
	}
	w.next++
}

func (w *walrusStore) append(payloads [][]byte) error {
	w.batch.Reset()
	for _, p := range payloads {
		w.entry(p)
	}
	return w.commit()
}

// commit makes the batch durable.
func (w *walrusStore) commit() error {
	if err := w.log.Stage(&w.batch); err != nil {
		return err
	}
	return w.flush()
}

func (w *walrusStore) flush() error {
	g := w.log.Cut()
	if g == nil {
		return nil
	}
	if err := walrus.Flush(w.fs, g); err != nil {
		return err
	}
	w.log.Publish(g)
	w.chore()
	return nil
}

func (w *walrusStore) write(payload []byte) error {
	w.batch.Reset()
	w.entry(payload)
	if err := w.log.Stage(&w.batch); err != nil {
		return err
	}
	if w.log.StagedBytes() < unsyncedBytes {
		return nil
	}
	return w.flush()
}

func (w *walrusStore) drain() error { return w.flush() }

func (w *walrusStore) scan() (int64, error) {
	var n int64
	add := func(_, _ uint64, _ uint8, payload []byte) error {
		n += int64(len(payload))
		return nil
	}
	for lo, next := w.log.Bounds(mainTopic); lo < next; {
		if err := w.visit(lo, next, scanWindow, add); err != nil {
			return n, err
		}
		lo = w.places[len(w.places)-1].Hi
	}
	return n, nil
}

// visit reads entries from lo on, up to that many bytes.
func (w *walrusStore) visit(lo, hi uint64, maxBytes int, visit walrus.Visit) (err error) {
	if w.places, err = w.log.LocateInto(w.places, mainTopic, lo, hi, maxBytes); err != nil {
		return err
	}
	err = w.reader.Read(w.places, visit)
	w.log.Release(w.places)
	return err
}

func (w *walrusStore) read(index uint64) ([]byte, error) {
	err := w.visit(index, index+1, 0, w.take)
	return w.got, err
}

func (w *walrusStore) cutBack(n int, payload []byte) error {
	w.batch.Reset()
	w.next -= uint64(n)
	w.batch.TruncateBack(mainTopic, w.next)
	w.entry(payload)
	return w.commit()
}

func (w *walrusStore) cutFront(n int, payload []byte) error {
	first, _ := w.log.Bounds(mainTopic)
	w.batch.Reset()
	w.batch.TruncateFront(mainTopic, first+uint64(n))
	w.entry(payload)
	return w.commit()
}

func (w *walrusStore) close() error {
	w.reader.Close()
	return errors.Join(w.log.Close(w.fs), w.folder.Close())
}

// lazyFS is an FS whose data syncs do nothing: what a log does when it need
// only hand its bytes to the operating system.
type lazyFS struct {
	runtime.FS
}

func (l lazyFS) Create(name string) (runtime.File, error) { return lazy(l.FS.Create(name)) }
func (l lazyFS) Open(name string) (runtime.File, error)   { return lazy(l.FS.Open(name)) }

func lazy(f runtime.File, err error) (runtime.File, error) {
	if err != nil {
		return nil, err
	}
	return lazyFile{f}, nil
}

type lazyFile struct {
	runtime.File
}

func (lazyFile) SyncData() error { return nil }
