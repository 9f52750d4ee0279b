package main

import (
	"context"
	"errors"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
	"github.com/octopii-go/octopii/walrus/group"
)

// groupStore is walrus/group: the log shared by goroutines. Its chores run
// beside the appends.
type groupStore struct {
	folder *host.Folder
	fs     runtime.FS
	log    *group.Log
	batch  walrus.Batch
	next   uint64
	ticket group.Ticket
	got    []byte
	take   func(group.Entry) error
}

func openGroup(s setup) (store, error) {
	folder, err := host.OpenFolder(s.dir)
	if err != nil {
		return nil, err
	}
	g := &groupStore{folder: folder, fs: folder, next: 1}
	if s.noSync {
		g.fs = lazyFS{folder}
	}
	if err := g.reopen(); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	g.take = func(e group.Entry) error {
		g.got = e.Payload
		return nil
	}
	g.settle()
	return g, nil
}

func (g *groupStore) reopen() (err error) {
	g.log, _, err = group.Open(g.fs, walrus.Options{Dir: "log"})
	return err
}

func (g *groupStore) shut() error {
	g.settle()
	return g.log.Close()
}

// settle waits until the chores have prepared the next segments, so that they are not
// measured with the first appends.
func (g *groupStore) settle() {
	const quiet = 50 * time.Millisecond
	for last, now := uint64(0), g.log.Stats().Written; now != last; {
		time.Sleep(quiet)
		last, now = now, g.log.Stats().Written
	}
}

func (g *groupStore) append(payloads [][]byte) error {
	g.batch.Reset()
	for _, p := range payloads {
		g.batch.Entry(mainTopic, g.next, 1, 0, p)
		g.next++
	}
	return g.log.Append(&g.batch)
}

func (g *groupStore) appendShared(payload []byte) error {
	_, err := g.log.Add(mainTopic, 1, 0, payload)
	return err
}

func (g *groupStore) write(payload []byte) (err error) {
	g.batch.Reset()
	g.batch.Entry(mainTopic, g.next, 1, 0, payload)
	g.next++
	g.ticket, err = g.log.Submit(&g.batch)
	return err
}

func (g *groupStore) drain() error { return g.ticket.Wait(context.Background()) }

func (g *groupStore) scan() (n int64, err error) {
	first, _ := g.log.Bounds(mainTopic)
	_, err = g.log.Scan(mainTopic, first, func(e group.Entry) error {
		n += int64(len(e.Payload))
		return nil
	})
	return n, err
}

func (g *groupStore) read(index uint64) ([]byte, error) {
	_, err := g.log.Read(mainTopic, index, index+1, 0, g.take)
	return g.got, err
}

func (g *groupStore) cutBack(n int, payload []byte) error {
	g.batch.Reset()
	g.next -= uint64(n)
	g.batch.TruncateBack(mainTopic, g.next)
	g.batch.Entry(mainTopic, g.next, 1, 0, payload)
	g.next++
	return g.log.Append(&g.batch)
}

func (g *groupStore) cutFront(n int, payload []byte) error {
	first, _ := g.log.Bounds(mainTopic)
	g.batch.Reset()
	g.batch.TruncateFront(mainTopic, first+uint64(n))
	g.batch.Entry(mainTopic, g.next, 1, 0, payload)
	g.next++
	return g.log.Append(&g.batch)
}

func (g *groupStore) close() error { return errors.Join(g.log.Close(), g.folder.Close()) }
