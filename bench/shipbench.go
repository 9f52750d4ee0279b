package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// shipBench measures the shipping lane between two members of this process, over QUIC on loopback, from a file to a synced
// file, hashing and all. Beside it, in turns, a bare stream of quic-go carries the same file to another synced file, and
// once more from memory to nowhere. It needs Linux.
type shipBench struct {
	quick   bool
	dir     string
	profile string
	show    func(row)
}

const (
	shipBar     = 0.85
	resentBar   = 0.01
	cuts        = 10 // of a file of sizeFull bytes, of a smaller one in proportion
	sizeFull    = 1 << 30
	shippedName = "shipped"
)

func (b *shipBench) run() (err error) {
	root, remove, err := makeRoot(b.dir)
	if err != nil {
		return err
	}
	defer remove()
	size, rounds := int64(sizeFull), 5
	if b.quick {
		size, rounds = 256<<20, 3
	}
	p, err := newPair(root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	source := filepath.Join(p.from.FilesDir(), shippedName)
	if err := fillFile(source, size); err != nil {
		return err
	}
	began := time.Now()
	digest, err := p.from.OfferFile(context.Background(), shippedName)
	if err != nil {
		return err
	}
	b.show(row{
		Bench: "shipping", Workload: fmt.Sprintf("offer %d MiB", size>>20), System: oursSystem, Ratio: 1,
		OpsPerSec: perSecond(size, time.Since(began)), Note: "MiB/s",
	})
	if err := b.throughput(p, source, digest, rounds); err != nil {
		return err
	}
	return b.cut(p, digest)
}

// fillFile writes a file of random bytes.
func fillFile(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	r := rand.NewChaCha8([32]byte{1})
	_, err = io.CopyBuffer(f, io.LimitReader(r, size), make([]byte, 1<<20))
	return errors.Join(err, f.Sync(), f.Close())
}

// perSecond returns MiB a second.
func perSecond(bytes int64, d time.Duration) float64 { return float64(bytes) / (1 << 20) / d.Seconds() }

// carrier moves the file once.
type carrier struct {
	system string
	carry  func() error

	rates []float64
	peak  uint64 // bytes of heap
}

// throughput has the carriers take turns.
func (b *shipBench) throughput(p *pairOfMembers, source string, digest transport.Digest, rounds int) error {
	target := filepath.Join(filepath.Dir(p.to.FilesDir()), "bare")
	bare, err := newBareStream()
	if err != nil {
		return err
	}
	defer bare.close()
	carriers := []*carrier{
		{system: "bare stream, file to file", carry: func() error { return bare.file(source, target) }},
		{system: "bare stream, memory", carry: func() error { return bare.memory(digest.Size) }},
		{system: oursSystem, carry: func() error { return p.ship(digest) }},
	}
	order := rand.New(rand.NewPCG(1, 1))
	for round := range rounds + 1 { // the first warms up
		for _, i := range order.Perm(len(carriers)) {
			if err := b.turn(carriers[i], digest.Size, round > 0); err != nil {
				return fmt.Errorf("%s: %w", carriers[i].system, err)
			}
		}
	}
	for _, c := range carriers {
		b.show(c.row(digest.Size, carriers[0]))
	}
	return nil
}

func (b *shipBench) turn(c *carrier, size int64, counts bool) (err error) {
	stop := watchHeap(&c.peak)
	defer stop()
	began := time.Now()
	if counts && c.system == oursSystem {
		stop, err := startProfile(b.profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := c.carry(); err != nil {
		return err
	}
	if counts {
		c.rates = append(c.rates, perSecond(size, time.Since(began)))
	}
	return nil
}

func (c *carrier) row(size int64, peer *carrier) row {
	ratios := slices.Clone(c.rates)
	for i := range ratios {
		ratios[i] /= peer.rates[i]
	}
	r := row{
		Bench: "shipping", Workload: fmt.Sprintf("carry %d MiB", size>>20), System: c.system, OpsPerSec: median(c.rates), Ratio: median(ratios),
		Note: fmt.Sprintf("MiB/s, peak heap %.1f MiB", float64(c.peak)/(1<<20)),
	}
	if c.system == oursSystem {
		r.Note += fmt.Sprintf(", bar %.2f", shipBar)
		if r.Ratio < shipBar {
			r.Note += fmt.Sprintf(", missed by %.0f%%", 100*(shipBar-r.Ratio)/shipBar)
		}
	}
	return r
}

// watchHeap raises peak to the most that the heap held, as far as looking every few milliseconds shows, until stopped.
func watchHeap(peak *uint64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// cut kills the receiver in the middle of a fetch, and again, and counts what the source sent beyond the file.
func (b *shipBench) cut(p *pairOfMembers, digest transport.Digest) error {
	before := p.sent()
	began := time.Now()
	cuts := (digest.Size*cuts + sizeFull - 1) / sizeFull
	for i := range cuts {
		if err := p.shipUntil(digest, digest.Size*(i+1)/(cuts+1)); err != nil {
			return err
		}
	}
	if err := p.ship(digest); err != nil {
		return err
	}
	beyond := float64(p.sent()-before) - float64(digest.Size)
	resent := beyond / float64(digest.Size)
	r := row{
		Bench: "shipping", Workload: fmt.Sprintf("carry %d MiB, killed %d times", digest.Size>>20, cuts), System: oursSystem, Ratio: 1 + resent,
		OpsPerSec: perSecond(digest.Size, time.Since(began)),
		Note: fmt.Sprintf("MiB/s; %.2f%% sent beyond the file, %.0f KiB a time, bar %.0f%%",
			100*resent, beyond/1024/float64(cuts), 100*resentBar),
	}
	if resent >= resentBar {
		r.Note += ", missed"
	}
	b.show(r)
	return nil
}

// order is what is fetched.
func (p *pairOfMembers) order(digest transport.Digest) transport.Order {
	return transport.Order{Digest: digest, Sources: []runtime.NodeID{1}, Path: shippedName}
}

// ship fetches the file and removes it.
func (p *pairOfMembers) ship(digest transport.Digest) error {
	if _, err := p.to.Fetch(context.Background(), p.order(digest), nil); err != nil {
		return err
	}
	return os.Remove(filepath.Join(p.to.FilesDir(), shippedName))
}

var errCut = errors.New("cut")

// shipUntil fetches until so many bytes are there, kills the receiver then, and starts it again.
func (p *pairOfMembers) shipUntil(digest transport.Digest, stored int64) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	_, err := p.to.Fetch(ctx, p.order(digest), func(s transport.Progress) {
		if s.Stored >= stored {
			p.to.Kill(errCut)
			cancel(errCut)
		}
	})
	if !errors.Is(context.Cause(ctx), errCut) {
		return fmt.Errorf("fetch ended before it was cut: %w", err)
	}
	<-p.to.Done()
	return p.startReceiver()
}
